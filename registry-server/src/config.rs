//! `config.yaml`, with Quay's key names.
//!
//! A key that Quay knows and this registry does not implement is named in one warning; an unknown key is tolerated with
//! a warning; a wrong type or value is an error with file, line, key and what was expected. Files that worked for Quay
//! therefore load, and nothing in them is passed over in silence.

mod document;
mod edge;
mod known;
mod storage;
mod units;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use registry_core::{Audited, Settings};

use self::document::Document;
#[cfg(test)]
pub(crate) use self::known::UNDERSTOOD;
use crate::app::{ApiOptions, Options};

/// The largest file that is read, in bytes.
const FILE_MAX_BYTES: usize = 1 << 20;
/// Quay pages by at least this many entries, whatever `V2_PAGINATION_SIZE` says.
const PAGE_MIN: u64 = 100;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the stream of events goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditStream {
    /// To standard output, after the line that says where the server listens.
    Stdout,
    /// To the end of this file.
    File(PathBuf),
}

/// Everything that the operator chose.
#[derive(Clone, Debug)]
pub struct Config {
    /// The registry's rules.
    pub settings: Settings,
    /// What the edge is set to.
    pub options: Options,
    /// Where each event goes as it is recorded, beside the log.
    pub audit_stream: Option<AuditStream>,
    /// Where the data lies, unless the command line says so.
    pub storage_path: Option<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether the first administrator is made with a one-time code that the server prints.
    pub setup_code: bool,
    /// Whether something in front of the server speaks TLS, so that it speaks plain HTTP even beside a certificate.
    pub tls_ends_in_front: bool,
}

/// A configuration that cannot be used: `file:line: key: expected …, found …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// What holds without a file: capabilities are on, policy is Quay's.
    pub fn without_file() -> Self {
        Self {
            settings: Settings::default(),
            options: Options::default(),
            audit_stream: None,
            storage_path: None,
            log_format: LogFormat::Text,
            setup_code: true,
            tls_ends_in_front: false,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`], also if the file cannot be read.
    pub fn load(path: &Path) -> Result<(Self, Vec<String>), ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError(format!("{name}: {cause}")))?;
        Self::parse(&text, &name)
    }

    /// Reads the text of a file of this name; gives the warnings as well.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, name: &str) -> Result<(Self, Vec<String>), ConfigError> {
        if text.len() > FILE_MAX_BYTES {
            return Err(ConfigError(format!("{name}: larger than {FILE_MAX_BYTES} bytes")));
        }
        let mut document = Document::parse(text, name)?;
        let config = Self::of(&mut document)?;
        Ok((config, document.warnings()))
    }

    fn of(document: &mut Document) -> Result<Self, ConfigError> {
        let base = Self::without_file();
        edge::authentication(document)?;
        let settings = settings(document, base.settings)?;
        let tls_ends_in_front = document.flag("EXTERNAL_TLS_TERMINATION", false)?;
        let options = Options {
            library: document.text("LIBRARY_NAMESPACE")?.map_or(
                Ok(base.options.library),
                |(line, name)| {
                    name.parse().map_err(|_| document.wrong(line, "LIBRARY_NAMESPACE", "a namespace", &name))
                },
            )?,
            origins: edge::origins(document, tls_ends_in_front)?,
            page_size: match document.number("V2_PAGINATION_SIZE")? {
                Some(size) => usize::try_from(size.max(PAGE_MIN)).unwrap_or(base.options.page_size),
                None => base.options.page_size,
            },
            referrers_api: document.flag("FEATURE_REFERRERS_API", true)?,
            user_initialize: document.flag("FEATURE_USER_INITIALIZE", false)?,
            user_creation: document.flag("FEATURE_USER_CREATION", true)?,
            user_rename: document.flag("FEATURE_USER_RENAME", false)?,
            session_cookie_secure: document.flag("SESSION_COOKIE_SECURE", false)?,
            api: api(document)?,
            log_requests: document.flag("LOG_REQUESTS", false)?,
            metrics_token: edge::metrics_token(document)?,
            admission: edge::admission(document, base.options.admission)?,
            log_export: document.flag("FEATURE_LOG_EXPORT", true)?,
            outbound: edge::outbound(document)?,
        };
        let audit_stream = edge::audit_stream(document)?;
        let log_format = match document.text("LOG_FORMAT")? {
            None => LogFormat::Text,
            Some((_, format)) if format == "text" => LogFormat::Text,
            Some((_, format)) if format == "json" => LogFormat::Json,
            Some((line, other)) => return Err(document.wrong(line, "LOG_FORMAT", "text or json", &other)),
        };
        let storage_path = storage::storage_path(document)?;
        let setup_code = false;
        Ok(Self { settings, options, audit_stream, storage_path, log_format, setup_code, tls_ends_in_front })
    }
}

fn settings(document: &mut Document, base: Settings) -> Result<Settings, ConfigError> {
    let names = |document: &mut Document, key| -> Result<BTreeSet<String>, ConfigError> {
        Ok(document.texts(key)?.into_iter().map(|(_, name)| name).collect())
    };
    let superusers = names(document, "SUPER_USERS")?;
    let has_full_access = document.flag("FEATURE_SUPERUSERS_FULL_ACCESS", false)?;
    let readers = names(document, "GLOBAL_READONLY_SUPER_USERS")?;
    Ok(Settings {
        has_superusers: document.flag("FEATURE_SUPER_USERS", true)?,
        readers,
        users_are_restricted: document.flag("FEATURE_RESTRICTED_USERS", false)?,
        unrestricted_users: names(document, "RESTRICTED_USERS_WHITELIST")?,
        superusers_create_organizations: document.flag("FEATURE_SUPERUSERS_ORG_CREATION_ONLY", false)?,
        robots_are_disallowed: document.flag("ROBOTS_DISALLOW", false)?,
        allowed_robots: names(document, "ROBOTS_WHITELIST")?,
        superusers,
        superusers_have_full_access: has_full_access,
        anonymous_access: document.flag("FEATURE_ANONYMOUS_ACCESS", true)?,
        public_catalog: document.flag("FEATURE_PUBLIC_CATALOG", false)?,
        create_namespace_on_push: document.flag("CREATE_NAMESPACE_ON_PUSH", false)?,
        create_private_on_push: document.flag("CREATE_PRIVATE_REPO_ON_PUSH", true)?,
        sparse_indexes: document.flag("FEATURE_SPARSE_INDEX", true)?,
        sparse_images: document.flag("FEATURE_SPARSE_IMAGES", false)?,
        trail_age_ms: document.duration_ms("ACTION_LOG_ROTATION_THRESHOLD")?.unwrap_or(base.trail_age_ms),
        audited: Audited {
            sign_ins: document.flag("ACTION_LOG_AUDIT_LOGINS", true)?,
            failed_sign_ins: document.flag("ACTION_LOG_AUDIT_LOGIN_FAILURES", false)?,
            failed_pulls: document.flag("ACTION_LOG_AUDIT_PULL_FAILURES", false)?,
            failed_pushes: document.flag("ACTION_LOG_AUDIT_PUSH_FAILURES", false)?,
            failed_deletions: document.flag("ACTION_LOG_AUDIT_DELETE_FAILURES", false)?,
        },
        unaudited_pulls: names(document, "DISABLED_FOR_PULL_LOGS")?,
        unaudited: Arc::new(names(document, "DISABLED_FOR_AUDIT_LOGS")?),
        tag_window_ms: document.duration_ms("DEFAULT_TAG_EXPIRATION")?.unwrap_or(base.tag_window_ms),
        blob_grace_ms: document
            .number("PUSH_TEMP_TAG_EXPIRATION_SEC")?
            .map_or(base.blob_grace_ms, |seconds| seconds.saturating_mul(1000)),
        uploads_per_namespace: document
            .positive("LIMIT_UPLOAD_SESSIONS_PER_NAMESPACE")?
            .unwrap_or(base.uploads_per_namespace),
        uploads_per_principal: document
            .positive("LIMIT_UPLOAD_SESSIONS_PER_PRINCIPAL")?
            .unwrap_or(base.uploads_per_principal),
        upload_expiry_ms: document.duration_ms("UPLOAD_EXPIRATION")?.unwrap_or(base.upload_expiry_ms),
        session_timeout_ms: document.duration_ms("SESSION_TIMEOUT")?.unwrap_or(base.session_timeout_ms),
        fresh_login_timeout_ms: document
            .duration_ms("FRESH_LOGIN_TIMEOUT")?
            .unwrap_or(base.fresh_login_timeout_ms),
        app_tokens: document.flag("FEATURE_APP_SPECIFIC_TOKENS", true)?,
        app_token_expiry_ms: document.duration_ms("APP_SPECIFIC_TOKEN_EXPIRATION")?,
        application_tokens_max: document.number("OAUTH_APPLICATION_MAXIMUM_TOKEN_COUNT")?,
        blob_limit_bytes: document.size("MAXIMUM_LAYER_SIZE")?.unwrap_or(base.blob_limit_bytes),
        ..base
    })
}

fn api(document: &mut Document) -> Result<ApiOptions, ConfigError> {
    Ok(ApiOptions {
        browser_calls_xhr_only: document.flag("BROWSER_API_CALLS_XHR_ONLY", true)?,
        cors_origins: edge::cors_origins(document)?,
        direct_login: document.flag("FEATURE_DIRECT_LOGIN", true)?,
        partial_user_autocomplete: document.flag("FEATURE_PARTIAL_USER_AUTOCOMPLETE", true)?,
    })
}

#[cfg(test)]
mod tests;
