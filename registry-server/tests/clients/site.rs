//! A server of its own for each test, and clients that know nothing but it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use registry_core::{NewUser, Registry, Settings};
use registry_server::auth::password;

/// The one user, and its password.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct-horse";

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A running server and a directory for the clients.
pub(crate) struct Site {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) scheme: Scheme,
    directory: tempfile::TempDir,
    server: Child,
}

/// Runs a test against a server of its own, if its client can be run.
pub(crate) fn with(client: &str, scheme: Scheme, test: impl FnOnce(&Site)) {
    if has(client) {
        test(&Site::start(scheme));
    }
}

/// Whether `client` can be run; if not, the skip is printed and recorded, or in CI the test fails.
fn has(client: &str) -> bool {
    let found = Command::new(client).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        return true;
    }
    let line = skipped(&format!("{client} is not installed"));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    false
}

/// Prints and records that the test which calls did not run. Where a client is at hand and the machine refuses to run
/// it, that is not a failure, even in CI.
pub(crate) fn skipped(why: &str) -> String {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("{test}: {why}");
    // Straight to the stream: what the print macros print, a passing test swallows.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: {line}").unwrap();
    if let Ok(path) = std::env::var("REGISTRY_TEST_SKIPS") {
        let mut skips = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(skips, "{line}").unwrap();
    }
    line
}

impl Site {
    /// Starts the server with one user.
    fn start(scheme: Scheme) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("server")).unwrap();
        std::fs::write(at("server/config.yaml"), "FEATURE_REFERRERS_API: true\n").unwrap();
        if scheme == Scheme::Https {
            certify(directory.path());
        }
        create_user(&at("data"));
        let server = Command::new(env!("CARGO_BIN_EXE_registry-server"))
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(at("server/config.yaml"))
            .arg("--data")
            .arg(at("data"))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        // From here on the server is stopped however the test ends.
        let mut site = Self { address: String::new(), scheme, directory, server };
        let mut line = String::new();
        BufReader::new(site.server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").and_then(|url| url.split_once("://"));
        let (scheme, address) = address.unwrap_or_else(|| panic!("{line}\n{}", site.log()));
        assert_eq!(scheme, site.scheme_name());
        site.address = address.to_owned();
        site.write("auth.json", b"{}");
        site.write("storage.conf", site.storage().as_bytes());
        site
    }

    fn scheme_name(&self) -> &'static str {
        match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// Podman's storage, within the test's directory.
    fn storage(&self) -> String {
        let (root, run) = (self.path("storage"), self.path("run"));
        format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            root.display(),
            run.display()
        )
    }

    /// `http://host:port`, or with `https`.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme_name(), self.address)
    }

    /// These options, over http alone: clients are told of it, and take https for granted.
    pub(crate) fn plain<'o>(&self, options: &[&'o str]) -> Vec<&'o str> {
        match self.scheme {
            Scheme::Http => options.to_vec(),
            Scheme::Https => Vec::new(),
        }
    }

    /// A path in the test's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file in the test's directory.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A repository of the user's, as clients name it.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{USER}/{name}", self.address)
    }

    /// Runs a client in the test's directory and gives what it printed.
    pub(crate) fn run(&self, client: &str, arguments: &[&str]) -> String {
        let (is_ok, output) = self.try_run(client, arguments);
        assert!(is_ok, "{client} {}\n{output}\n{}", arguments.join(" "), self.log());
        output
    }

    /// Runs a client and says whether it succeeded.
    pub(crate) fn try_run(&self, client: &str, arguments: &[&str]) -> (bool, String) {
        let output = self.command(client).args(arguments).output().unwrap();
        let text = [output.stdout, if output.status.success() { Vec::new() } else { output.stderr }].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// A client that finds its configuration, its storage and the certificate authority in the test's directory.
    pub(crate) fn command(&self, client: &str) -> Command {
        let mut command = Command::new(client);
        command
            .current_dir(self.directory.path())
            .env("REGISTRY_AUTH_FILE", self.path("auth.json"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"))
            .env("STORAGE_DRIVER", "vfs")
            .env("HOME", self.directory.path())
            .env("XDG_RUNTIME_DIR", self.directory.path())
            .env("SSL_CERT_FILE", self.path("ca.pem"))
            .stdin(Stdio::null());
        command
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The test's directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn create_user(data: &Path) {
    let registry = Registry::open(data, Settings::default()).unwrap();
    let user = NewUser {
        name: USER.parse().unwrap(),
        email: String::new(),
        password_hash: password::Hasher::new().hash(PASSWORD).unwrap(),
        is_superuser: false,
    };
    registry.create_user(&user).unwrap();
    registry.close().unwrap();
}

/// Makes a certificate authority, and the server's pair where it looks for it.
fn certify(directory: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&authority_key).unwrap();
    std::fs::write(directory.join("ca.pem"), certificate.pem()).unwrap();

    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let key = KeyPair::generate().unwrap();
    let mut server = CertificateParams::new(names).unwrap();
    // Under the name of its authority it would look like one that signed itself.
    server.distinguished_name.push(DnType::CommonName, "the registry");
    let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    std::fs::write(directory.join("server/ssl.cert"), certificate.pem()).unwrap();
    std::fs::write(directory.join("server/ssl.key"), key.serialize_pem()).unwrap();
}
