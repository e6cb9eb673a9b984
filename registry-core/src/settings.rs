//! What a registry can be set to. The server fills this from its configuration, under Quay's key names.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The rules of a registry that its operator chooses. The default is Quay's, where Quay has one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether there are superusers and readers at all (`FEATURE_SUPER_USERS`).
    pub has_superusers: bool,
    /// Names of users who are superusers, beside those with the flag on their row (`SUPER_USERS`).
    pub superusers: BTreeSet<String>,
    /// Names of users and robots who read everything (`GLOBAL_READONLY_SUPER_USERS`); they are no superusers, even if they
    /// are named there too.
    pub readers: BTreeSet<String>,
    /// Whether everybody is restricted but `unrestricted_users` (`FEATURE_RESTRICTED_USERS`).
    pub users_are_restricted: bool,
    /// Who is not restricted (`RESTRICTED_USERS_WHITELIST`).
    pub unrestricted_users: BTreeSet<String>,
    /// Whether only superusers create organizations (`FEATURE_SUPERUSERS_ORG_CREATION_ONLY`).
    pub superusers_create_organizations: bool,
    /// Whether there are no robots but those of `allowed_robots` (`ROBOTS_DISALLOW`).
    pub robots_are_disallowed: bool,
    /// Full names of robots that there may be nevertheless (`ROBOTS_WHITELIST`).
    pub allowed_robots: BTreeSet<String>,
    /// Whether superusers pass every check in every namespace (`FEATURE_SUPERUSERS_FULL_ACCESS`).
    pub superusers_have_full_access: bool,
    /// Whether public repositories can be pulled from without signing in (`FEATURE_ANONYMOUS_ACCESS`).
    pub anonymous_access: bool,
    /// Whether the catalog shows public repositories of others (`FEATURE_PUBLIC_CATALOG`).
    pub public_catalog: bool,
    /// Whether a push into a namespace that does not exist makes an organization (`CREATE_NAMESPACE_ON_PUSH`).
    pub create_namespace_on_push: bool,
    /// Whether a repository made by a push is private (`CREATE_PRIVATE_REPO_ON_PUSH`).
    pub create_private_on_push: bool,
    /// Whether an index may list manifests that are absent (`FEATURE_SPARSE_INDEX`).
    pub sparse_indexes: bool,
    /// Whether an image may refer to layers that are absent (`FEATURE_SPARSE_IMAGES`).
    pub sparse_images: bool,
    /// How long a dead tag or a deleted manifest can be restored, in milliseconds (`DEFAULT_TAG_EXPIRATION`).
    pub tag_window_ms: u64,
    /// How long a blob stays that no manifest refers to, in milliseconds (`PUSH_TEMP_TAG_EXPIRATION_SEC`).
    pub blob_grace_ms: u64,
    /// How long an upload may rest before it expires, in milliseconds.
    pub upload_expiry_ms: u64,
    /// Upload sessions that may be open in one namespace.
    pub uploads_per_namespace: u64,
    /// Upload sessions that one principal may have open.
    pub uploads_per_principal: u64,
    /// How long a session lasts, in milliseconds (`SESSION_TIMEOUT`).
    pub session_timeout_ms: u64,
    /// How long after its password was checked a session may do what needs a fresh login, in milliseconds
    /// (`FRESH_LOGIN_TIMEOUT`).
    pub fresh_login_timeout_ms: u64,
    /// Whether there are app-specific tokens (`FEATURE_APP_SPECIFIC_TOKENS`).
    pub app_tokens: bool,
    /// How long an app-specific token is good, in milliseconds; without end if none (`APP_SPECIFIC_TOKEN_EXPIRATION`).
    pub app_token_expiry_ms: Option<u64>,
    /// The most tokens of one OAuth application; 10,000 if none (`OAUTH_APPLICATION_MAXIMUM_TOKEN_COUNT`).
    pub application_tokens_max: Option<u64>,
    /// The largest blob, in bytes (`MAXIMUM_LAYER_SIZE`).
    pub blob_limit_bytes: u64,
    /// After this many bytes a running upload's state is saved, so that a power cut loses no more.
    pub upload_save_bytes: u64,
    /// How long an event stays in the log, in milliseconds (`ACTION_LOG_ROTATION_THRESHOLD`): once all of its day is
    /// this old, it is moved to a compressed file.
    pub trail_age_ms: u64,
    /// How many bytes of events the log holds: beyond it the oldest are moved, however young. With its indexes the log's
    /// file is about six times as large.
    pub trail_limit_bytes: u64,
    /// Which attempts leave an event (`ACTION_LOG_AUDIT_…`).
    pub audited: Audited,
    /// Namespaces whose pulls leave none (`DISABLED_FOR_PULL_LOGS`).
    pub unaudited_pulls: BTreeSet<String>,
    /// Namespaces in which nothing leaves one (`DISABLED_FOR_AUDIT_LOGS`).
    pub unaudited: Arc<BTreeSet<String>>,
    /// Memory for pages of the metadata file, in bytes.
    pub metadata_cache_bytes: usize,
}

impl Settings {
    /// Whether the user or robot of this name reads everything.
    pub(crate) fn is_reader(&self, name: &str) -> bool {
        self.has_superusers && self.readers.contains(name)
    }

    /// Whether the user or robot of this name is a superuser, unless it is a reader.
    pub(crate) fn is_superuser(&self, name: &str) -> bool {
        self.has_superusers && self.superusers.contains(name)
    }

    /// Whether power over the registry goes with this name of a namespace, or with that of a robot there. It does so as well
    /// while nobody has power, since that may change.
    pub(crate) fn gives_power(&self, namespace: &str) -> bool {
        let is_of = |name: &String| name.split('+').next() == Some(namespace);
        self.superusers.iter().chain(&self.readers).any(is_of)
    }
}

/// Which attempts leave an event. What was done always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Signing in and out (`ACTION_LOG_AUDIT_LOGINS`).
    pub sign_ins: bool,
    /// Signing in with a wrong password or token (`ACTION_LOG_AUDIT_LOGIN_FAILURES`).
    pub failed_sign_ins: bool,
    /// Pulls that were refused (`ACTION_LOG_AUDIT_PULL_FAILURES`).
    pub failed_pulls: bool,
    /// Pushes that were refused (`ACTION_LOG_AUDIT_PUSH_FAILURES`).
    pub failed_pushes: bool,
    /// Deletions that were refused (`ACTION_LOG_AUDIT_DELETE_FAILURES`).
    pub failed_deletions: bool,
}

impl Default for Audited {
    fn default() -> Self {
        Self {
            sign_ins: true,
            failed_sign_ins: false,
            failed_pulls: false,
            failed_pushes: false,
            failed_deletions: false,
        }
    }
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Default for Settings {
    fn default() -> Self {
        Self {
            has_superusers: true,
            superusers: BTreeSet::new(),
            readers: BTreeSet::new(),
            users_are_restricted: false,
            unrestricted_users: BTreeSet::new(),
            superusers_create_organizations: false,
            robots_are_disallowed: false,
            allowed_robots: BTreeSet::new(),
            superusers_have_full_access: false,
            anonymous_access: true,
            public_catalog: false,
            create_namespace_on_push: false,
            create_private_on_push: true,
            sparse_indexes: true,
            sparse_images: false,
            tag_window_ms: 14 * DAY_MS,
            blob_grace_ms: 60 * MINUTE_MS,
            upload_expiry_ms: DAY_MS,
            uploads_per_namespace: 16_384,
            uploads_per_principal: 8_192,
            session_timeout_ms: 31 * DAY_MS,
            fresh_login_timeout_ms: 10 * MINUTE_MS,
            app_tokens: true,
            app_token_expiry_ms: None,
            application_tokens_max: None,
            blob_limit_bytes: 20 << 30,
            upload_save_bytes: 64 << 20,
            trail_age_ms: 30 * DAY_MS,
            trail_limit_bytes: 256 << 20,
            audited: Audited::default(),
            unaudited_pulls: BTreeSet::new(),
            unaudited: Arc::default(),
            metadata_cache_bytes: 32 << 20,
        }
    }
}
