//! `GET /config`: what pages are told of how the registry is set. Only what is named here is told, and nothing is secret.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use registry_core::Settings;
use serde_json::{Map, Value, json};

use super::avatar::PALETTE;
use super::search;
use crate::app::{App, Options};
use crate::origin::Origin;

/// Every feature that Quay's answer names.
const FEATURES: &str = "ACTION_LOG_ROTATION ADVERTISE_V2 AGGREGATED_LOG_COUNT_RETRIEVAL ANONYMOUS_ACCESS \
    APP_SPECIFIC_TOKENS ASSIGN_OAUTH_TOKEN AUTO_PRUNE BILLING BITBUCKET_BUILD BLACKLISTED_EMAILS BUILD_SUPPORT \
    CHANGE_TAG_EXPIRATION CLEAR_EXPIRED_RAC_ENTRIES DIRECT_LOGIN DISABLE_PULL_LOGS_FOR_FREE_NAMESPACES EDIT_QUOTA \
    ENABLE_STALE_MPU_CLEANUP ENTITLEMENT_RECONCILIATION EXPORT_COMPLIANCE EXTENDED_ACTION_LOGGING \
    EXTENDED_REPOSITORY_NAMES FIPS GARBAGE_COLLECTION GENERAL_OCI_SUPPORT GITHUB_BUILD GITHUB_LOGIN GITLAB_BUILD \
    GOOGLE_LOGIN HELM_OCI_SUPPORT IMAGE_EXPIRY_TRIGGER IMAGE_PULL_STATS IMMUTABLE_TAGS IMMUTABLE_TAGS_CAN_EXPIRE \
    INVITE_ONLY_USER_CREATION LIBRARY_SUPPORT LOG_EXPORT MAILING MANIFEST_SIZE_BACKFILL MANIFEST_SUBJECT_BACKFILL \
    NAMESPACE_GARBAGE_COLLECTION NONSUPERUSER_TEAM_SYNCING_SETUP ORG_MIRROR ORG_SHARED_EMAIL OTEL_TRACING \
    PARTIAL_USER_AUTOCOMPLETE PERMANENT_SESSIONS PROGRAMMATIC_BOOTSTRAP PROXY_CACHE PROXY_CACHE_BLOB_DOWNLOAD \
    PROXY_STORAGE PUBLIC_CATALOG QUOTA_MANAGEMENT QUOTA_NOTIFICATIONS QUOTA_SUPPRESS_FAILURES RATE_LIMITS \
    READER_BUILD_LOGS RECAPTCHA REFERRERS_API REPOSITORY_ACTION_COUNTER REPOSITORY_GARBAGE_COLLECTION REPO_MIRROR \
    REQUIRE_ENCRYPTED_BASIC_AUTH REQUIRE_TEAM_INVITE RESTRICTED_USERS RESTRICTED_V1_PUSH RH_MARKETPLACE \
    SECURITY_NOTIFICATIONS SECURITY_SCANNER SECURITY_SCANNER_NOTIFY_ON_NEW_INDEX SECURITY_SCANNER_V2 SIGNING \
    SPAM_DETECTION SPARSE_INDEX STORAGE_REPLICATION SUPERUSERS_FULL_ACCESS SUPERUSERS_ORG_CREATION_ONLY \
    SUPERUSER_CONFIGDUMP SUPER_USERS TEAM_SYNCING UI_DELAY_AFTER_WRITE UI_MODELCARD UI_V2 USERNAME_CONFIRMATION \
    USER_CREATION USER_EVENTS USER_INITIALIZE USER_LAST_ACCESSED USER_LOG_ACCESS USER_METADATA USER_RENAME \
    VERIFY_QUOTA";

/// Features that `config` names once more, with their prefix.
const REPEATED: [&str; 10] = [
    "ASSIGN_OAUTH_TOKEN",
    "AUTO_PRUNE",
    "EDIT_QUOTA",
    "IMAGE_EXPIRY_TRIGGER",
    "IMMUTABLE_TAGS_CAN_EXPIRE",
    "ORG_MIRROR",
    "PROXY_CACHE",
    "QUOTA_MANAGEMENT",
    "QUOTA_NOTIFICATIONS",
    "REPO_MIRROR",
];

/// Features that there are and that cannot be switched off.
const ALWAYS: [&str; 12] = [
    "ACTION_LOG_ROTATION",
    "ADVERTISE_V2",
    "AGGREGATED_LOG_COUNT_RETRIEVAL",
    "EXTENDED_REPOSITORY_NAMES",
    "GARBAGE_COLLECTION",
    "GENERAL_OCI_SUPPORT",
    "HELM_OCI_SUPPORT",
    "LIBRARY_SUPPORT",
    "NAMESPACE_GARBAGE_COLLECTION",
    "PERMANENT_SESSIONS",
    "REPOSITORY_GARBAGE_COLLECTION",
    "USER_LOG_ACCESS",
];

/// Features that the configuration decides on.
fn chosen(settings: &Settings, options: &Options) -> [(&'static str, bool); 15] {
    [
        ("ANONYMOUS_ACCESS", settings.anonymous_access),
        ("APP_SPECIFIC_TOKENS", settings.app_tokens),
        ("DIRECT_LOGIN", options.api.direct_login),
        ("LOG_EXPORT", options.log_export),
        ("PARTIAL_USER_AUTOCOMPLETE", options.api.partial_user_autocomplete),
        ("PUBLIC_CATALOG", settings.public_catalog),
        ("REFERRERS_API", options.referrers_api),
        ("RESTRICTED_USERS", settings.users_are_restricted),
        ("SPARSE_INDEX", settings.sparse_indexes),
        ("SUPERUSERS_FULL_ACCESS", settings.superusers_have_full_access),
        ("SUPERUSERS_ORG_CREATION_ONLY", settings.superusers_create_organizations),
        ("SUPER_USERS", settings.has_superusers),
        ("USER_INITIALIZE", options.user_initialize),
        ("USER_CREATION", options.user_creation),
        ("USER_RENAME", options.user_rename),
    ]
}

/// Which features there are; those that are not named above are not built.
fn features(app: &App) -> Map<String, Value> {
    let chosen = chosen(app.registry.settings(), &app.options);
    let is_on = |name: &str| ALWAYS.contains(&name) || chosen.contains(&(name, true));
    FEATURES.split_whitespace().map(|name| (name.to_owned(), json!(is_on(name)))).collect()
}

/// `GET /config`.
pub(super) async fn config(
    State(app): State<Arc<App>>,
    Extension(Origin { scheme, host }): Extension<Origin>,
) -> Json<Value> {
    let features = features(&app);
    let tag_window = format!("{}s", app.registry.settings().tag_window_ms / 1000);
    let mut config = json!({
        "AUTHENTICATION_TYPE": "Database",
        "AVATAR_KIND": "local",
        "BRANDING": { "logo": null, "logo_dark": null, "footer_img": null, "footer_url": null },
        "CHANNEL_COLORS": PALETTE,
        "CONTACT_INFO": [],
        "DEBUG": false,
        "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": null,
        "DEFAULT_UI": null,
        "DISABLE_ANGULAR_UI": true,
        "DOCUMENTATION_ROOT": null,
        "ENTERPRISE_LOGO_URL": null,
        "FOOTER_LINKS": {},
        "LOCAL_OAUTH_HANDLER": "/oauth/localapp",
        "PERMANENTLY_DELETE_TAGS": false,
        "PREFERRED_URL_SCHEME": scheme,
        "QUOTA_BACKFILL": false,
        "RECAPTCHA_SITE_KEY": null,
        "REGISTRY_TITLE": "Registry",
        "REGISTRY_TITLE_SHORT": "Registry",
        "SEARCH_MAX_RESULT_PAGE_COUNT": search::PAGES,
        "SEARCH_RESULTS_PER_PAGE": search::PAGE,
        "SENTRY_PUBLIC_DSN": null,
        "SERVER_HOSTNAME": host,
        "SETUP_COMPLETE": true,
        "STATIC_SITE_BUCKET": null,
        "TAG_EXPIRATION_OPTIONS": [tag_window],
        "UI_DELAY_AFTER_WRITE_SECONDS": 0,
        "UI_V2_FEEDBACK_FORM": null,
    });
    for name in REPEATED {
        config[format!("FEATURE_{name}")] = features.get(name).cloned().unwrap_or(json!(false));
    }
    Json(json!({
        "config": config,
        "features": features,
        "oauth": {},
        "external_login": [],
        "registry_state": "normal",
        "account_recovery_mode": false,
        "version_number": concat!("Registry v", env!("CARGO_PKG_VERSION")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UNDERSTOOD;

    #[test]
    fn every_name_is_one_of_quays() {
        let names: Vec<&str> = FEATURES.split_whitespace().collect();
        assert!(names.is_sorted());
        assert!(ALWAYS.iter().chain(&REPEATED).all(|name| names.contains(name)));
    }

    #[test]
    fn every_feature_that_can_be_chosen_is_told() {
        let told = chosen(&Settings::default(), &Options::default()).map(|(name, _)| name);
        let understood = UNDERSTOOD.iter().filter_map(|(key, ..)| key.strip_prefix("FEATURE_"));
        let names: Vec<&str> = FEATURES.split_whitespace().collect();
        let untold: Vec<&str> =
            understood.filter(|name| names.contains(name) && !told.contains(name)).collect();
        assert_eq!(untold, [""; 0]);
    }
}
