//! Pairs that are refused, and pairs that are replaced.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use registry_core::Clock;
use registry_server::tls::Certificates;
use tempfile::{TempDir, tempdir};

use super::Pair;
use crate::client::Connection;
use crate::support::Server;

fn load(directory: &Path) -> Certificates {
    Certificates::load(directory, Clock::System).unwrap().unwrap()
}

/// Why the pair in `directory` cannot be used, without the directory's path.
fn refusal(directory: &TempDir) -> String {
    let error = Certificates::load(directory.path(), Clock::System).unwrap_err().to_string();
    let directory = format!("{}/", directory.path().display());
    error.strip_prefix(&directory).unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn without_either_file_there_is_no_https() {
    assert!(Certificates::load(tempdir().unwrap().path(), Clock::System).unwrap().is_none());
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_by_file_and_reason() {
    let (pair, other) = (Pair::new(), Pair::new());
    let garbled = pair.cert.replacen("MII", "*II", 1);
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let not_parsed = "ssl.cert: the first certificate cannot be read: invalid peer certificate: BadEncoding";
    for (cert, key, expected) in [
        ("", pair.key.as_str(), "ssl.cert: holds no certificate in PEM"),
        ("not PEM", &pair.key, "ssl.cert: holds no certificate in PEM"),
        (&pair.key, &pair.key, "ssl.cert: holds no certificate in PEM"),
        (&garbled, &pair.key, "ssl.cert: is not valid PEM"),
        (&pair.cert[..200], &pair.key, "ssl.cert: breaks off before an END line"),
        (no_certificate, &pair.key, not_parsed),
        (&pair.cert, "", "ssl.key: holds no private key in PEM"),
        (&pair.cert, &pair.cert, "ssl.key: holds no private key in PEM"),
        (&pair.cert, &pair.key[..60], "ssl.key: breaks off before an END line"),
        (&pair.cert, encrypted, "ssl.key: needs a passphrase; a key without one is expected"),
        (
            &pair.cert,
            no_key,
            "ssl.key: cannot be used: unexpected error: failed to parse private key as RSA, ECDSA, or EdDSA",
        ),
        (&pair.cert, &other.key, "ssl.key: is not the key of the first certificate in ssl.cert"),
        (
            &[other.cert.as_str(), &pair.cert].concat(),
            &pair.key,
            "ssl.key: is not the key of the first certificate in ssl.cert",
        ),
    ] {
        let directory = tempdir().unwrap();
        Pair { cert: cert.to_owned(), key: key.to_owned(), der: pair.der.clone() }.write(directory.path());
        assert_eq!(refusal(&directory), expected);
    }
}

#[test]
fn one_file_without_the_other_is_refused() {
    for (missing, expected) in [
        ("ssl.cert", "ssl.cert: not found; HTTPS needs it and ssl.key"),
        ("ssl.key", "ssl.key: not found; HTTPS needs it and ssl.cert"),
    ] {
        let directory = tempdir().unwrap();
        Pair::new().write(directory.path());
        std::fs::remove_file(directory.path().join(missing)).unwrap();
        assert_eq!(refusal(&directory), expected);
        std::fs::create_dir(directory.path().join(missing)).unwrap();
        assert_eq!(refusal(&directory), format!("{missing}: Is a directory (os error 21)"));
    }
}

#[test]
fn links_that_lead_nowhere_are_not_taken_for_no_https() {
    let directory = tempdir().unwrap();
    for name in ["ssl.cert", "ssl.key"] {
        symlink("gone", directory.path().join(name)).unwrap();
    }
    assert_eq!(refusal(&directory), "ssl.cert: not found; HTTPS needs it and ssl.key");
}

#[test]
fn a_chain_and_a_key_may_share_their_files() {
    let (pair, directory) = (Pair::new(), tempdir().unwrap());
    let both = format!("{}{}{}", pair.key, pair.cert, Pair::new().cert);
    Pair { cert: both.clone(), key: both, der: pair.der }.write(directory.path());
    load(directory.path());
}

/// A server whose pair lies in a directory, and `is_shown`, which says whether new connections get a pair.
struct Site {
    directory: TempDir,
    certificates: Arc<Certificates>,
    server: Server,
}

impl Site {
    /// Lays the files with `lay` first.
    fn start(lay: impl FnOnce(&Path)) -> Self {
        let directory = tempdir().unwrap();
        lay(directory.path());
        let certificates = Arc::new(load(directory.path()));
        let client = Pair::new().client(&[]);
        let server = Server::with(|setup| setup.tls = Some((Arc::clone(&certificates), client)));
        Self { directory, certificates, server }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    #[track_caller]
    fn shows(&self, pair: &Pair) {
        let mut connection = Connection::over(Some(&pair.client(&[])), self.server.address);
        connection.send(self.server.get("/v2/").bytes());
        assert!(connection.announced_rest().starts_with(b"HTTP/1.1 401 "));
    }

    /// Looks at the files, as happens every second; whether there was anything new, and how it went.
    fn look(&self) -> Option<Result<(), String>> {
        self.certificates.reload_if_changed().map(|outcome| outcome.map_err(|error| error.to_string()))
    }
}

#[test]
fn a_pair_that_is_renamed_into_place_is_shown_to_new_connections() {
    let (old, new) = (Pair::new(), Pair::new());
    let site = Site::start(|directory| old.write(directory));
    let mut open = Connection::over(Some(&old.client(&[])), site.server.address);
    open.send("GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n\r\n");
    assert!(open.head().starts_with("HTTP/1.1 401 "));
    assert_eq!(site.look(), None);

    let beside = tempfile::tempdir_in(site.directory.path()).unwrap();
    new.write(beside.path());
    for name in ["ssl.cert", "ssl.key"] {
        std::fs::rename(beside.path().join(name), site.directory.path().join(name)).unwrap();
    }
    site.shows(&old);
    assert_eq!(site.look(), Some(Ok(())));
    site.shows(&new);
    assert_eq!(site.look(), None);
}

#[test]
fn a_link_that_is_swapped_is_followed() {
    let (old, new) = (Pair::new(), Pair::new());
    let site = Site::start(|directory| {
        for (name, pair) in [("old", &old), ("new", &new)] {
            std::fs::create_dir(directory.join(name)).unwrap();
            pair.write(&directory.join(name));
        }
        symlink("old", directory.join("data")).unwrap();
        symlink("data/ssl.cert", directory.join("ssl.cert")).unwrap();
        symlink("data/ssl.key", directory.join("ssl.key")).unwrap();
    });
    site.shows(&old);
    let directory = site.directory.path();
    symlink("new", directory.join("next")).unwrap();
    std::fs::rename(directory.join("next"), directory.join("data")).unwrap();
    assert_eq!(site.look(), Some(Ok(())));
    site.shows(&new);
}

#[test]
fn between_two_writes_the_old_pair_stays() {
    let (old, new) = (Pair::new(), Pair::new());
    let site = Site::start(|directory| old.write(directory));
    site.write("ssl.cert", &new.cert[..100]);
    assert!(site.look().unwrap().unwrap_err().ends_with("ssl.cert: breaks off before an END line"));
    site.write("ssl.cert", &new.cert);
    assert!(
        site.look().unwrap().unwrap_err().ends_with("is not the key of the first certificate in ssl.cert")
    );
    assert_eq!(site.look(), None, "the same files are not refused twice");
    site.shows(&old);
    site.write("ssl.key", &new.key);
    assert_eq!(site.look(), Some(Ok(())));
    site.shows(&new);
}

#[test]
fn files_that_vanish_leave_the_pair_in_use() {
    let old = Pair::new();
    let site = Site::start(|directory| old.write(directory));
    std::fs::remove_file(site.directory.path().join("ssl.key")).unwrap();
    assert!(site.look().unwrap().unwrap_err().contains("ssl.key: not found"));
    assert_eq!(site.look(), None);
    site.shows(&old);
    site.write("ssl.key", &old.key);
    assert_eq!(site.look(), Some(Ok(())));
    site.shows(&old);
}
