//! A server of its own for each test, and clients that know nothing but it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The one user, and its password.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct-horse";

/// A running server and a directory for the clients.
pub(crate) struct Site {
    /// `host:port`.
    pub(crate) address: String,
    directory: tempfile::TempDir,
    server: Child,
}

/// Whether `client` can be run; if not, the skip is printed and recorded, or in CI the test fails.
pub(crate) fn has(client: &str) -> bool {
    let found = Command::new(client).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() || Command::new(client).arg("version").output().is_ok() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("{test}: {client} is not installed");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    // Straight to the stream: what the print macros print, a passing test swallows.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: {line}").unwrap();
    if let Ok(path) = std::env::var("REGISTRY_TEST_SKIPS") {
        let mut skips = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(skips, "{line}").unwrap();
    }
    false
}

impl Site {
    /// Starts the server and creates the user.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let server = Command::new(env!("CARGO_BIN_EXE_registry-server"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(directory.path().join("data"))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        // From here on the server is stopped however the test ends.
        let mut site = Self { address: String::new(), directory, server };
        let mut lines = BufReader::new(site.server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut announced = |what| {
            let line = lines.next().unwrap_or_default();
            line.strip_prefix(what).unwrap_or_else(|| panic!("{line}\n{}", site.log())).to_owned()
        };
        let address = announced("listening on http://");
        let code = announced("setup code: ");
        site.address = address;
        site.initialize(&code);
        site.write("auth.json", b"{}");
        site.write("storage.conf", site.storage().as_bytes());
        site
    }

    fn initialize(&self, code: &str) {
        let body = format!(r#"{{"username":"{USER}","password":"{PASSWORD}","setup_code":"{code}"}}"#);
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST /api/v1/user/initialize HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).unwrap();
        assert!(status.contains(" 200 "), "{status}");
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
        let output = Command::new(client)
            .args(arguments)
            .current_dir(self.directory.path())
            .env("REGISTRY_AUTH_FILE", self.path("auth.json"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"))
            .env("STORAGE_DRIVER", "vfs")
            .env("HOME", self.directory.path())
            .env("XDG_RUNTIME_DIR", self.directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, if output.status.success() { Vec::new() } else { output.stderr }].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
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
