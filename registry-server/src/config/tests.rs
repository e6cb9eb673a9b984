//! Facts about configuration files.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<(Config, Vec<String>), ConfigError> {
    Config::parse(text, "config.yaml")
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_token_for_metrics_is_long_enough_and_never_repeated() {
    let (config, _) = parse("METRICS_TOKEN: 0123456789abcdef").unwrap();
    assert_eq!(config.options.metrics_token.unwrap().expose(), "0123456789abcdef");
    for token in ["hunter2", "'hunter2 hunter2 hunter2'"] {
        let error = error(&format!("METRICS_TOKEN: {token}"));
        assert_eq!(
            error,
            "config.yaml:1: METRICS_TOKEN: expected at least 16 visible ASCII characters, found something else"
        );
    }
}

/// A file as a site that runs Quay has it, with what this registry does not need.
const QUAYS: &str = r"
AUTHENTICATION_TYPE: Database
BUILDLOGS_REDIS: {host: redis, port: 6379}
CREATE_NAMESPACE_ON_PUSH: yes
DATABASE_SECRET_KEY: 'secret'
DB_URI: postgresql://quay:secret@postgres/quay
DEFAULT_TAG_EXPIRATION: 4w
DISTRIBUTED_STORAGE_CONFIG:
  default:
    - LocalStorage
    - storage_path: /datastorage/registry
DISTRIBUTED_STORAGE_DEFAULT_LOCATIONS: []
DISTRIBUTED_STORAGE_PREFERENCE:
  - default
FEATURE_MAILING: false
FEATURE_USER_INITIALIZE: true
LDAP_URI: null
MAXIMUM_LAYER_SIZE: 100G
PREFERRED_URL_SCHEME: https
SERVER_HOSTNAME: hub.lab:8443
SETUP_COMPLETE: true
SUPER_USERS:
  - init
TAG_EXPIRATION_OPTIONS: [0s, 1d, 2w]
TRUSTED_PROXIES: [10.1.0.0/16, '::1']
USER_EVENTS_REDIS: {host: redis, port: 6379}
V2_PAGINATION_SIZE: 50
";

#[test]
fn a_file_of_quays_loads() {
    let (config, warnings) = parse(QUAYS).unwrap();
    assert!(config.settings.create_namespace_on_push && config.options.user_initialize && !config.setup_code);
    assert!(config.settings.superusers.contains("init"));
    assert_eq!(config.settings.tag_window_ms, 28 * 24 * 3600 * 1000);
    assert_eq!(config.settings.blob_limit_bytes, 100 << 30);
    assert_eq!(config.storage_path, Some(PathBuf::from("/datastorage/registry")));
    assert_eq!(config.options.page_size, 100);
    assert_eq!(config.options.origins.trusted_proxies.len(), 2);
    let origins = config.options.origins;
    assert_eq!((origins.scheme.as_deref(), origins.host.as_deref()), (Some("https"), Some("hub.lab:8443")));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("BUILDLOGS_REDIS, DATABASE_SECRET_KEY, DB_URI"), "{warnings:?}");
}

#[test]
fn an_empty_file_means_quays_defaults() {
    let (config, warnings) = parse("").unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert!(!config.options.user_initialize && config.settings.create_private_on_push);
}

#[test]
fn tls_that_ends_in_front_makes_the_scheme_https_unless_another_is_preferred() {
    for (text, expected) in [
        ("", None),
        ("PREFERRED_URL_SCHEME: https", None),
        ("SERVER_HOSTNAME: hub.lab", None),
        ("SERVER_HOSTNAME: hub.lab\nPREFERRED_URL_SCHEME: http", Some("http")),
        ("EXTERNAL_TLS_TERMINATION: true", Some("https")),
        ("EXTERNAL_TLS_TERMINATION: true\nPREFERRED_URL_SCHEME: http", Some("https")),
        (
            "EXTERNAL_TLS_TERMINATION: true\nPREFERRED_URL_SCHEME: http\nSERVER_HOSTNAME: hub.lab",
            Some("http"),
        ),
    ] {
        let (config, _) = parse(text).unwrap();
        assert_eq!(config.options.origins.scheme.as_deref(), expected, "{text}");
        assert_eq!(config.tls_ends_in_front, text.starts_with("EXTERNAL"));
    }
}

#[test]
fn an_unknown_key_is_tolerated_with_a_hint() {
    let (_, warnings) = parse("SUPER_USER: [a]\nSOMETHING_ELSE: 1\n").unwrap();
    let expected = [
        "config.yaml:2: SOMETHING_ELSE: unknown key, without effect",
        "config.yaml:1: SUPER_USER: unknown key, without effect; did you mean SUPER_USERS?",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn a_wrong_value_is_named_with_its_line() {
    let cases = [
        (
            "\nDEFAULT_TAG_EXPIRATION: soon\n",
            "config.yaml:2: DEFAULT_TAG_EXPIRATION: expected a duration such as \"2w\", found \"soon\"",
        ),
        (
            "FEATURE_PUBLIC_CATALOG: 3\n",
            "config.yaml:1: FEATURE_PUBLIC_CATALOG: expected true or false, found 3",
        ),
        ("SUPER_USERS: admin\n", "config.yaml:1: SUPER_USERS: expected a list, found \"admin\""),
        ("SUPER_USERS:\n- a\n- [b]\n", "config.yaml:3: SUPER_USERS: expected a list of texts, found a list"),
        ("V2_PAGINATION_SIZE: -1\n", "config.yaml:1: V2_PAGINATION_SIZE: expected a whole number, found -1"),
        (
            "MAXIMUM_LAYER_SIZE: 20X\n",
            "config.yaml:1: MAXIMUM_LAYER_SIZE: expected a size such as \"20G\", found \"20X\"",
        ),
        ("AUTHENTICATION_TYPE: LDAP\n", "config.yaml:1: AUTHENTICATION_TYPE: expected Database, found LDAP"),
        (
            "PREFERRED_URL_SCHEME: ftp\n",
            "config.yaml:1: PREFERRED_URL_SCHEME: expected http or https, found ftp",
        ),
        ("LIBRARY_NAMESPACE: Upper\n", "config.yaml:1: LIBRARY_NAMESPACE: expected a namespace, found Upper"),
        (
            "TRUSTED_PROXIES:\n- 10.0.0.0/33\n",
            "config.yaml:2: TRUSTED_PROXIES: expected an address or a block such as 10.0.0.0/8, found 10.0.0.0/33",
        ),
        (
            "AUDIT_STREAM: audit.jsonl\n",
            "config.yaml:1: AUDIT_STREAM: expected stdout, or the path of a file from / on, found audit.jsonl",
        ),
        (
            "SSRF_ALLOWED_HOSTS:\n- hub.lab\n- http://hub.lab\n",
            "config.yaml:3: SSRF_ALLOWED_HOSTS: expected a host name, an address or a block, found http://hub.lab",
        ),
        ("- a\n", "config.yaml:1: expected keys and values, found a list"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected);
    }
}

#[test]
fn storage_that_is_no_directory_is_refused() {
    let s3 = error("DISTRIBUTED_STORAGE_CONFIG:\n  s3: [S3Storage, {host: a}]\n");
    assert!(s3.starts_with("config.yaml:2: DISTRIBUTED_STORAGE_CONFIG: expected s3: [LocalStorage"), "{s3}");
    assert!(s3.ends_with("found engine S3Storage"), "{s3}");
    let two = error(
        "DISTRIBUTED_STORAGE_CONFIG:\n  a: [LocalStorage, {storage_path: /a}]\n  b: [LocalStorage, {storage_path: /b}]\n",
    );
    assert!(two.contains("DISTRIBUTED_STORAGE_PREFERENCE"), "{two}");
}

#[test]
fn broken_yaml_and_doubled_keys_are_refused_with_their_line() {
    assert!(error("A: [1\nB: 2\n").starts_with("config.yaml:"));
    let doubled = error("SUPER_USERS: []\nLOG_FORMAT: json\nSUPER_USERS: []\n");
    assert!(doubled.starts_with("config.yaml:3:"), "{doubled}");
}

#[test]
fn the_documentation_lists_exactly_the_keys_that_are_understood() {
    let documentation = include_str!("../../../docs/configuration.md");
    let rows: Vec<&str> = documentation.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = known::UNDERSTOOD
        .iter()
        .map(|(name, default, meaning)| format!("| `{name}` | `{default}` | {meaning} |"))
        .collect();
    assert_eq!(rows, expected, "\n{}\n", expected.join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[A-Z_:\\n \\[\\]{}&*!a-z0-9'\"-]{0,80}") {
        let _ = parse(&text);
    }
}

#[test]
fn sessions_last_and_are_fresh_as_long_as_the_file_says() {
    let text = "SESSION_TIMEOUT: 2h\nFRESH_LOGIN_TIMEOUT: 5m\nSESSION_COOKIE_SECURE: true";
    let (config, warnings) = parse(text).unwrap();
    assert_eq!(
        (config.settings.session_timeout_ms, config.settings.fresh_login_timeout_ms),
        (7_200_000, 300_000)
    );
    assert!(config.options.session_cookie_secure && warnings.is_empty());
    let (config, _) = parse("").unwrap();
    let expected = (31 * 86_400_000, 600_000);
    assert_eq!((config.settings.session_timeout_ms, config.settings.fresh_login_timeout_ms), expected);
    assert!(!config.options.session_cookie_secure);
}

#[test]
fn the_api_is_set_as_the_file_says() {
    let text = "CORS_ORIGIN: [https://console.lab, 'http://a:8080']\nBROWSER_API_CALLS_XHR_ONLY: false\n\
        FEATURE_DIRECT_LOGIN: false\nFEATURE_PARTIAL_USER_AUTOCOMPLETE: false\nFEATURE_SUPER_USERS: false";
    let (config, warnings) = parse(text).unwrap();
    let (api, has_superusers) = (config.options.api, config.settings.has_superusers);
    assert_eq!(api.cors_origins, ["https://console.lab", "http://a:8080"]);
    let on = [api.browser_calls_xhr_only, api.direct_login, api.partial_user_autocomplete, has_superusers];
    assert_eq!((on, warnings), ([false; 4], Vec::new()));
    assert_eq!(parse("CORS_ORIGIN: https://a").unwrap().0.options.api.cors_origins, ["https://a"]);
    for wrong in
        ["CORS_ORIGIN: '*'", "CORS_ORIGIN: [console.lab]", "CORS_ORIGIN: ['https://a/b']", "CORS_ORIGIN: 1"]
    {
        assert!(error(wrong).starts_with("config.yaml:1: CORS_ORIGIN: expected "), "{wrong}");
    }
}

#[test]
fn what_is_recorded_is_what_the_file_says() {
    let (config, warnings) = parse(
        "ACTION_LOG_AUDIT_LOGINS: false\nACTION_LOG_AUDIT_PULL_FAILURES: true\nDISABLED_FOR_AUDIT_LOGS: [a]\n\
         DISABLED_FOR_PULL_LOGS: [b]\nAUDIT_STREAM: /var/log/audit.jsonl\nFEATURE_LOG_EXPORT: false",
    )
    .unwrap();
    let expected = Audited { sign_ins: false, failed_pulls: true, ..Audited::default() };
    assert_eq!((config.settings.audited, warnings), (expected, Vec::new()));
    assert!(config.settings.unaudited.contains("a") && config.settings.unaudited_pulls.contains("b"));
    assert_eq!(config.audit_stream, Some(AuditStream::File("/var/log/audit.jsonl".into())));
    assert!(!config.options.log_export);
}
