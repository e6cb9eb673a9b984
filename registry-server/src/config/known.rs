//! The keys that are understood, and those that only Quay knows.

/// Every key that is understood: its name, its default, and what it means. The table in `docs/configuration.md` says the
/// same; a test compares them.
pub(crate) const UNDERSTOOD: &[(&str, &str, &str)] = &[
    (
        "ACTION_LOG_AUDIT_DELETE_FAILURES",
        "false",
        "deletions of tags and manifests that were refused are recorded",
    ),
    ("ACTION_LOG_AUDIT_LOGINS", "true", "signing in and out is recorded"),
    ("ACTION_LOG_AUDIT_LOGIN_FAILURES", "false", "failed sign-ins are recorded"),
    ("ACTION_LOG_AUDIT_PULL_FAILURES", "false", "pulls that were refused are recorded"),
    ("ACTION_LOG_AUDIT_PUSH_FAILURES", "false", "pushes that were refused are recorded"),
    (
        "ACTION_LOG_ROTATION_THRESHOLD",
        "30d",
        "how long events stay in the audit trail before they go to compressed files",
    ),
    (
        "APP_SPECIFIC_TOKEN_EXPIRATION",
        "-",
        "how long an app-specific token is good; without it, until it is revoked",
    ),
    (
        "AUDIT_STREAM",
        "-",
        "`stdout` or the path of a file: each event goes there as a line of JSON (not a key of Quay's)",
    ),
    ("AUTHENTICATION_TYPE", "Database", "only `Database`: accounts are the registry's own"),
    (
        "BROWSER_API_CALLS_XHR_ONLY",
        "true",
        "a browser reads `/api/v1` only by scripts, which send `X-Requested-With: XMLHttpRequest`",
    ),
    (
        "CORS_ORIGIN",
        "[]",
        "sites such as `https://console.lab` whose scripts may act for who is signed in; one or a list",
    ),
    (
        "CREATE_NAMESPACE_ON_PUSH",
        "false",
        "a push into a namespace that does not exist makes an organization, owned by the pusher",
    ),
    ("CREATE_PRIVATE_REPO_ON_PUSH", "true", "a repository made by a push is private"),
    ("DEFAULT_TAG_EXPIRATION", "2w", "how long deleted and moved tags can be restored"),
    ("DISABLED_FOR_AUDIT_LOGS", "[]", "namespaces in which nothing is recorded"),
    ("DISABLED_FOR_PULL_LOGS", "[]", "namespaces whose pulls are not recorded"),
    (
        "DISTRIBUTED_STORAGE_CONFIG",
        "-",
        "where the data lies: `NAME: [LocalStorage, {storage_path: DIRECTORY}]`; `--data` beats it",
    ),
    (
        "DISTRIBUTED_STORAGE_PREFERENCE",
        "-",
        "which location is used, where several are named: the first in this list",
    ),
    (
        "EXTERNAL_TLS_TERMINATION",
        "false",
        "something in front speaks TLS: the certificate here is not used, and clients know the server by `https`",
    ),
    ("FEATURE_ANONYMOUS_ACCESS", "true", "public repositories can be pulled from without signing in"),
    ("FEATURE_APP_SPECIFIC_TOKENS", "true", "users make app-specific tokens, and sign in with them"),
    ("FEATURE_DIRECT_LOGIN", "true", "people sign in with passwords of the registry's own"),
    ("FEATURE_LOG_EXPORT", "true", "logs can be exported to files"),
    (
        "FEATURE_PARTIAL_USER_AUTOCOMPLETE",
        "true",
        "names of users are found by their beginning; otherwise only whole ones, except by superusers",
    ),
    ("FEATURE_PUBLIC_CATALOG", "false", "the catalog shows public repositories to everybody"),
    ("FEATURE_REFERRERS_API", "true", "referrers are listed, and a push with a subject is told so"),
    (
        "FEATURE_RESTRICTED_USERS",
        "false",
        "everybody is restricted but `RESTRICTED_USERS_WHITELIST`: they create and push only in organizations",
    ),
    ("FEATURE_SPARSE_IMAGES", "false", "images may refer to layers that are absent (not a key of Quay's)"),
    ("FEATURE_SPARSE_INDEX", "true", "indexes may list manifests that are absent (off in Quay)"),
    ("FEATURE_SUPERUSERS_FULL_ACCESS", "false", "superusers may do everything in every namespace"),
    ("FEATURE_SUPERUSERS_ORG_CREATION_ONLY", "false", "only superusers create organizations"),
    (
        "FEATURE_SUPER_USERS",
        "true",
        "there are superusers and global readers; otherwise whom a key or a command made one is as anybody",
    ),
    ("FEATURE_USER_CREATION", "true", "people register by themselves (`POST /api/v1/user`)"),
    ("FEATURE_USER_INITIALIZE", "false", "`POST /api/v1/user/initialize` creates the first user"),
    ("FEATURE_USER_RENAME", "false", "people may change their names"),
    ("FRESH_LOGIN_TIMEOUT", "10m", "how long after the password was typed a session may change the account"),
    (
        "GLOBAL_READONLY_SUPER_USERS",
        "[]",
        "names of users and robots who read everything; they are no superusers",
    ),
    ("LIBRARY_NAMESPACE", "library", "where repository names without a slash lie"),
    (
        "LIMIT_REQUESTS_PER_NAMESPACE",
        "96",
        "requests handled at once for one namespace (not a key of Quay's)",
    ),
    (
        "LIMIT_REQUESTS_PER_PRINCIPAL",
        "96",
        "requests handled at once from one user or robot (not a key of Quay's)",
    ),
    (
        "LIMIT_UPLOADS_PER_NAMESPACE",
        "3072",
        "uploads received at once for one namespace (not a key of Quay's)",
    ),
    (
        "LIMIT_UPLOADS_PER_PRINCIPAL",
        "2048",
        "uploads received at once from one user or robot (not a key of Quay's)",
    ),
    (
        "LIMIT_UPLOAD_SESSIONS_PER_NAMESPACE",
        "16384",
        "upload sessions open in one namespace (not a key of Quay's)",
    ),
    (
        "LIMIT_UPLOAD_SESSIONS_PER_PRINCIPAL",
        "8192",
        "upload sessions open of one user or robot (not a key of Quay's)",
    ),
    ("LOG_FORMAT", "text", "`text` or `json` (not a key of Quay's)"),
    ("LOG_REQUESTS", "false", "a log line for each request (not a key of Quay's)"),
    ("MAXIMUM_LAYER_SIZE", "20G", "the largest blob"),
    (
        "METRICS_TOKEN",
        "-",
        "a bearer token with which `/metrics` is shown off the loopback too (not a key of Quay's)",
    ),
    (
        "OAUTH_APPLICATION_MAXIMUM_TOKEN_COUNT",
        "-",
        "the most access tokens of one OAuth application; without it, 10000",
    ),
    (
        "PREFERRED_URL_SCHEME",
        "-",
        "`http` or `https`: the scheme by which clients reach `SERVER_HOSTNAME`; without it, that of the connection",
    ),
    ("PUSH_TEMP_TAG_EXPIRATION_SEC", "3600", "seconds that a blob stays which no manifest refers to yet"),
    ("RESTRICTED_USERS_WHITELIST", "[]", "who is not restricted"),
    ("ROBOTS_DISALLOW", "false", "there are no robots but those of `ROBOTS_WHITELIST`"),
    ("ROBOTS_WHITELIST", "[]", "full names of robots that there may be nevertheless"),
    ("SERVER_HOSTNAME", "-", "the public host, with its port; without it, what the request names"),
    (
        "SESSION_COOKIE_SECURE",
        "false",
        "the session cookie travels over TLS alone, also where clients are known to come over plain HTTP",
    ),
    ("SESSION_TIMEOUT", "31d", "how long a session in a browser lasts"),
    (
        "SSRF_ALLOWED_HOSTS",
        "[]",
        "names, addresses and blocks of addresses that the server may connect to; without them it connects to nothing",
    ),
    ("SUPER_USERS", "[]", "names of superusers"),
    (
        "TRUSTED_PROXIES",
        "[]",
        "addresses and blocks of proxies whose `X-Forwarded-*` headers count (not a key of Quay's)",
    ),
    ("UPLOAD_EXPIRATION", "1d", "how long an unfinished upload may rest (not a key of Quay's)"),
    ("V2_PAGINATION_SIZE", "1000", "entries of a page of tags or repositories; at least 100"),
];

/// Keys that Quay knows and that have no effect here, sorted.
const QUAY: &[&str] = &[
    "ACCOUNT_RECOVERY_MODE",
    "ACTION_LOG_ARCHIVE_LOCATION",
    "ACTION_LOG_ARCHIVE_PATH",
    "ALLOWED_OCI_ARTIFACT_TYPES",
    "ALLOW_PULLS_WITHOUT_STRICT_LOGGING",
    "ALLOW_WITHOUT_STRICT_LOGGING",
    "AUTOPRUNE_TASK_RUN_MINIMUM_INTERVAL_MINUTES",
    "AVATAR_KIND",
    "BOOTSTRAP_TOKEN_EXPIRATION",
    "BOOTSTRAP_TOKEN_OWNER",
    "BOOTSTRAP_TOKEN_PATH",
    "BOOTSTRAP_TOKEN_SCOPE",
    "BRANDING",
    "BUILDLOGS_REDIS",
    "BUILD_MANAGER",
    "CLEAN_BLOB_UPLOAD_FOLDER",
    "CONTACT_INFO",
    "DATABASE_SECRET_KEY",
    "DB_CONNECTION_ARGS",
    "DB_URI",
    "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY",
    "DEFAULT_SYSTEM_REJECT_QUOTA_BYTES",
    "DEFAULT_UI",
    "DIRECT_OAUTH_CLIENTID_WHITELIST",
    "DISABLE_ANGULAR_UI",
    "DISABLE_PUSHES",
    "DISTRIBUTED_STORAGE_DEFAULT_LOCATIONS",
    "ENTERPRISE_LOGO_URL",
    "EXPIRED_APP_SPECIFIC_TOKEN_GC",
    "FEATURE_ACI_CONVERSION",
    "FEATURE_ACTION_LOG_ROTATION",
    "FEATURE_AGGREGATED_LOG_COUNT_RETRIEVAL",
    "FEATURE_APP_REGISTRY",
    "FEATURE_ASSIGN_OAUTH_TOKEN",
    "FEATURE_AUTO_PRUNE",
    "FEATURE_BITBUCKET_BUILD",
    "FEATURE_BUILD_SUPPORT",
    "FEATURE_CHANGE_TAG_EXPIRATION",
    "FEATURE_EDIT_QUOTA",
    "FEATURE_EXTENDED_ACTION_LOGGING",
    "FEATURE_EXTENDED_REPOSITORY_NAMES",
    "FEATURE_GARBAGE_COLLECTION",
    "FEATURE_GENERAL_OCI_SUPPORT",
    "FEATURE_GITHUB_BUILD",
    "FEATURE_GITHUB_LOGIN",
    "FEATURE_GITLAB_BUILD",
    "FEATURE_GOOGLE_LOGIN",
    "FEATURE_HELM_OCI_SUPPORT",
    "FEATURE_IMAGE_EXPIRY_TRIGGER",
    "FEATURE_IMAGE_PULL_STATS",
    "FEATURE_IMMUTABLE_TAGS",
    "FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE",
    "FEATURE_INVITE_ONLY_USER_CREATION",
    "FEATURE_LIBRARY_SUPPORT",
    "FEATURE_MAILING",
    "FEATURE_NAMESPACE_GARBAGE_COLLECTION",
    "FEATURE_NONSUPERUSER_TEAM_SYNCING_SETUP",
    "FEATURE_ORG_MIRROR",
    "FEATURE_OTEL_TRACING",
    "FEATURE_PERMANENT_SESSIONS",
    "FEATURE_PROGRAMMATIC_BOOTSTRAP",
    "FEATURE_PROXY_CACHE",
    "FEATURE_PROXY_CACHE_BLOB_DOWNLOAD",
    "FEATURE_PROXY_STORAGE",
    "FEATURE_QUOTA_MANAGEMENT",
    "FEATURE_QUOTA_NOTIFICATIONS",
    "FEATURE_QUOTA_SUPPRESS_FAILURES",
    "FEATURE_RATE_LIMITS",
    "FEATURE_RECAPTCHA",
    "FEATURE_REPOSITORY_GARBAGE_COLLECTION",
    "FEATURE_REPO_MIRROR",
    "FEATURE_REQUIRE_ENCRYPTED_BASIC_AUTH",
    "FEATURE_REQUIRE_TEAM_INVITE",
    "FEATURE_SECURITY_NOTIFICATIONS",
    "FEATURE_SECURITY_SCANNER",
    "FEATURE_SECURITY_SCANNER_NOTIFY_ON_NEW_INDEX",
    "FEATURE_SIGNING",
    "FEATURE_STORAGE_REPLICATION",
    "FEATURE_SUPERUSER_CONFIGDUMP",
    "FEATURE_TEAM_SYNCING",
    "FEATURE_UI_V2",
    "FEATURE_USER_LAST_ACCESSED",
    "FEATURE_USER_LOG_ACCESS",
    "FEATURE_USER_METADATA",
    "FEATURE_VERIFY_QUOTA",
    "FOOTER_LINKS",
    "GARBAGE_COLLECTION_FREQUENCY",
    "LABELED_EXPIRATION_MAXIMUM",
    "LABELED_EXPIRATION_MINIMUM",
    "LOGS_MODEL",
    "LOGS_MODEL_CONFIG",
    "MAIL_DEFAULT_SENDER",
    "MAIL_PASSWORD",
    "MAIL_PORT",
    "MAIL_SERVER",
    "MAIL_USERNAME",
    "MAIL_USE_TLS",
    "NAMESPACE_GC_GRACE_PERIOD_SECONDS",
    "NOTIFICATION_MIN_SEVERITY_ON_NEW_INDEX",
    "NOTIFICATION_SEND_TIMEOUT",
    "ORG_MIRROR_INTERVAL",
    "ORG_MIRROR_MAX_DISCOVERY_DURATION",
    "OTEL_CONFIG",
    "PAGE_TOKEN_KEY",
    "PERMANENTLY_DELETE_TAGS",
    "PROMETHEUS_NAMESPACE",
    "PUBLIC_NAMESPACES",
    "PULL_METRICS_REDIS",
    "QUOTA_BACKFILL",
    "QUOTA_BACKFILL_POLL_PERIOD",
    "QUOTA_INVALIDATE_TOTALS",
    "QUOTA_NOTIFICATION_COOLDOWN_SECONDS",
    "QUOTA_REGISTRY_SIZE_POLL_PERIOD",
    "QUOTA_TOTAL_DELAY_SECONDS",
    "REDIS_FLUSH_INTERVAL_SECONDS",
    "REGISTRY_STATE",
    "REGISTRY_TITLE",
    "REGISTRY_TITLE_SHORT",
    "REPO_MIRROR_INTERVAL",
    "REPO_MIRROR_ROLLBACK",
    "REPO_MIRROR_SERVER_HOSTNAME",
    "REPO_MIRROR_TLS_VERIFY",
    "RESET_CHILD_MANIFEST_EXPIRATION",
    "SEARCH_MAX_RESULT_PAGE_COUNT",
    "SEARCH_RESULTS_PER_PAGE",
    "SECRET_KEY",
    "SECURITY_SCANNER_INDEXING_INTERVAL",
    "SECURITY_SCANNER_MAX_SCAN_RETRIES",
    "SECURITY_SCANNER_V4_ENDPOINT",
    "SECURITY_SCANNER_V4_INDEX_MAX_LAYER_SIZE",
    "SECURITY_SCANNER_V4_MANIFEST_CLEANUP",
    "SECURITY_SCANNER_V4_PSK",
    "SECURITY_SCANNER_V4_REINDEX_THRESHOLD",
    "SETUP_COMPLETE",
    "SSL_CIPHERS",
    "SSL_PROTOCOLS",
    "SUCCESSIVE_TRIGGER_FAILURE_DISABLE_THRESHOLD",
    "TAG_EXPIRATION_OPTIONS",
    "TEAM_RESYNC_STALE_TIME",
    "TESTING",
    "TRACKED_NAMESPACES",
    "USER_EVENTS_REDIS",
    "USE_CDN",
    "WEBHOOK_HOSTNAME_BLACKLIST",
];

/// Whether Quay knows the key: by name, or as one of its families.
pub(super) fn is_quay(key: &str) -> bool {
    let families = ["_LOGIN_CONFIG", "_TRIGGER_CONFIG"];
    QUAY.binary_search(&key).is_ok()
        || key.starts_with("LDAP_")
        || families.iter().any(|family| key.ends_with(family))
}

/// The understood key that differs from `key` by at most two letters.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let distances = UNDERSTOOD.iter().map(|(name, _, _)| (distance(key, name), *name));
    distances.min().filter(|(distance, _)| *distance <= 2).map(|(_, name)| name)
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_apart() {
        assert!(QUAY.is_sorted());
        assert!(UNDERSTOOD.is_sorted());
        assert!(UNDERSTOOD.iter().all(|(name, _, _)| !is_quay(name)));
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(nearest("SUPER_USER"), Some("SUPER_USERS"));
        assert_eq!(nearest("SERVER_HOSNTAME"), Some("SERVER_HOSTNAME"));
        assert_eq!(nearest("SOMETHING_ELSE"), None);
    }
}
