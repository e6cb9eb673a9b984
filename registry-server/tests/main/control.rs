//! The operator's commands, with a server that runs and without one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use registry_core::{Registry, Settings};
use serde_json::Value;

use crate::client::{Request, basic};
use crate::support::{PASSWORD, add_user, image, sha256};

/// What a command printed, and its exit status.
#[derive(Debug)]
struct Ended {
    status: i32,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn is(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        self
    }
}

/// A data directory with the user alice.
struct Data {
    directory: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        let data = Self { directory: tempfile::tempdir().unwrap() };
        let registry = Registry::open(&data.path(), Settings::default()).unwrap();
        add_user(&registry, "alice");
        registry.close().unwrap();
        data
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_registry-server"));
        command.arg("--data").arg(self.path()).args(arguments).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.type_in(arguments, "")
    }

    /// Runs a command that is given this on its standard input.
    fn type_in(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // What does not read may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn serve(&self) -> Server {
        let mut child = self.command(&["--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Server { child, address }
    }
}

/// A server as a process of its own.
struct Server {
    child: Child,
    address: std::net::SocketAddr,
}

impl Server {
    fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    /// The status of a request that only who is signed in may make, once the wait after a wrong password is over.
    fn ping(&self, user: &str, password: &str) -> u16 {
        let ping =
            || self.request("GET", "/v2/").header("Authorization", basic(user, password)).send().status;
        loop {
            match ping() {
                429 => {}
                status => return status,
            }
        }
    }

    fn push_blob(&self, content: &str) -> String {
        let digest = sha256(content);
        let target = format!("/v2/alice/app/blobs/uploads/?digest={digest}");
        self.request("POST", &target).user("alice").body(content).send().is(201);
        digest
    }

    fn push_image(&self, content: &str) -> String {
        let (config, layer) = (format!("config of {content}"), format!("layer of {content}"));
        let blob = self.push_blob(&config);
        self.push_blob(&layer);
        let put = self.request("PUT", "/v2/alice/app/manifests/v1").user("alice");
        put.header("Content-Type", crate::support::IMAGE)
            .body(image(&config, &[&layer]).to_string())
            .send()
            .is(201);
        blob
    }

    /// Ends it as a service manager does.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the file of a digest lies.
fn blob_file(data: &Path, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    data.join("blobs/sha256").join(&hex[..2]).join(hex)
}

fn users(data: &Data) -> Value {
    serde_json::from_str::<Value>(&data.run(&["user", "list", "--json"]).is(0).out).unwrap()["users"].take()
}

#[test]
fn users_are_managed_without_a_server() {
    let data = Data::new();
    data.type_in(&["user", "create", "carol", "--email", "c@lab.test", "--superuser"], "open-sesame\n").is(0);
    data.run(&["user", "disable", "alice"]).is(0);
    let listed = users(&data);
    assert_eq!((&listed[0]["name"], &listed[0]["is_disabled"]), (&"alice".into(), &true.into()));
    assert_eq!((&listed[1]["name"], &listed[1]["is_superuser"]), (&"carol".into(), &true.into()));
    assert_eq!(listed[1]["email"], "c@lab.test");
    let shown = data.run(&["user", "list"]).is(0).out;
    assert!(shown.lines().nth(2).unwrap().starts_with("carol  c@lab.test  20"), "{shown}");

    let server = data.serve();
    assert_eq!((server.ping("carol", PASSWORD), server.ping("alice", PASSWORD)), (200, 401));
}

#[test]
fn users_are_managed_while_a_server_runs_and_it_acts_at_once() {
    let data = Data::new();
    let server = data.serve();
    assert_eq!(server.ping("alice", PASSWORD), 200);
    data.type_in(&["user", "passwd", "alice"], "another-word\n").is(0);
    assert_eq!((server.ping("alice", PASSWORD), server.ping("alice", "another-word")), (401, 200));
    data.run(&["user", "disable", "alice"]).is(0);
    assert_eq!(server.ping("alice", "another-word"), 401);
    data.run(&["user", "enable", "alice"]).is(0);
    assert_eq!(server.ping("alice", "another-word"), 200);
    data.type_in(&["user", "create", "dave"], "open-sesame").is(0);
    assert_eq!(server.ping("dave", PASSWORD), 200);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason_whether_a_server_runs_or_not() {
    let data = Data::new();
    let refusals = || {
        for (arguments, typed, reason) in [
            (&["user", "create", "alice"][..], "open-sesame", "the name alice is taken"),
            (&["user", "create", "Not/A/Name"], "open-sesame", "Not/A/Name"),
            (&["user", "create", "eve"], "short", "at least 8 characters"),
            (&["user", "create", "eve"], "", "no password on standard input"),
            (&["user", "passwd", "nobody"], "open-sesame", "there is no user nobody"),
            (&["user", "disable", "nobody"], "", "there is no user nobody"),
        ] {
            let ended = data.type_in(arguments, typed).is(1);
            assert!(ended.err.starts_with("registry-server: ") && ended.err.contains(reason), "{ended:?}");
            assert_eq!(ended.out, "");
        }
    };
    refusals();
    let _server = data.serve();
    refusals();
}

#[test]
fn where_there_is_no_registry_a_command_says_so_and_makes_none() {
    let data = Data { directory: tempfile::tempdir().unwrap() };
    let ended = data.run(&["user", "list"]).is(1);
    assert!(ended.err.contains("there is no registry here"), "{ended:?}");
    data.run(&["fsck"]).is(2);
    assert!(!data.path().exists());
}

#[test]
fn a_second_server_says_which_process_has_the_data() {
    let data = Data::new();
    let server = data.serve();
    let ended = data.run(&["--listen", "127.0.0.1:0"]).is(1);
    let expected = format!("data: the data directory is in use: held by process {}", server.child.id());
    assert!(ended.err.contains(&expected), "{ended:?}");
    assert_eq!(server.ping("alice", PASSWORD), 200);
}

#[test]
fn data_that_is_held_by_what_does_not_answer_is_left_alone() {
    let data = Data::new();
    let _held = Registry::open(&data.path(), Settings::default()).unwrap();
    let ended = data.run(&["fsck"]).is(2);
    let expected = format!("held by process {}, which does not answer commands", std::process::id());
    assert!(ended.err.contains(&expected), "{ended:?}");
}

#[test]
fn the_status_tells_of_the_server_and_of_none() {
    let data = Data::new();
    let status = || serde_json::from_str::<Value>(&data.run(&["status", "--json"]).is(0).out).unwrap();
    assert_eq!(status()["status"]["server"], Value::Null);
    let server = data.serve();
    server.push_image("an image");
    server.request("POST", "/v2/alice/app/blobs/uploads/").user("alice").body("").send().is(202);
    let told = status();
    let told = &told["status"];
    assert_eq!(told["server"]["pid"], server.child.id());
    assert_eq!(told["server"]["url"], format!("http://{}", server.address));
    let counted = (&told["blobs"], &told["manifests"], &told["open_uploads"]);
    assert_eq!(counted, (&2.into(), &1.into(), &1.into()));
    let shown = data.run(&["status"]).is(0).out;
    assert!(shown.contains(&format!("process {} since 20", server.child.id())), "{shown}");
    server.stop();
    assert!(data.run(&["status"]).is(0).out.starts_with("server:          none runs\n"));
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
    let data = Data::new();
    let socket = data.path().join("control.sock");
    let server = data.serve();
    let made = fs::metadata(&socket).unwrap();
    assert!(made.file_type().is_socket());
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    drop(server);
    assert!(socket.exists(), "a killed server leaves it behind");
    data.run(&["user", "list"]).is(0);
    let server = data.serve();
    data.run(&["status"]).is(0);
    server.stop();
    assert!(!socket.exists());
}

#[test]
fn what_is_no_command_is_refused_on_the_socket() {
    let data = Data::new();
    let _server = data.serve();
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n", " 404 "),
        ("POST / HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", " 400 "),
        ("POST / HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n", " 400 "),
        ("nonsense\r\n\r\n", " 400 "),
    ] {
        let mut stream = UnixStream::connect(data.path().join("control.sock")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.lines().next().unwrap_or_default().contains(expected), "{request}: {answer}");
    }
}

#[expect(clippy::disallowed_methods, reason = "files are damaged behind the registry's back")]
#[test]
fn fsck_is_clean_after_pushes_and_finds_what_was_damaged_under_the_server() {
    let data = Data::new();
    let server = data.serve();
    let absent = server.push_image("first");
    let (cut, rotten) = (server.push_blob("is cut"), server.push_blob("rots"));
    assert_eq!(data.run(&["fsck", "--deep"]).is(0).out, "clean\n");

    fs::remove_file(blob_file(&data.path(), &absent)).unwrap();
    fs::write(blob_file(&data.path(), &cut), "is").unwrap();
    fs::write(blob_file(&data.path(), &rotten), "rotz").unwrap();
    let stray = sha256("stray");
    fs::write(blob_file(&data.path(), &stray), "stray").unwrap();
    let upload = data.path().join("uploads/01234567-89ab-4def-8123-456789abcdef");
    fs::write(&upload, "stray").unwrap();

    let check = |deep: bool| {
        let found = data.run(if deep { &["fsck", "--deep"] } else { &["fsck"] }).is(1).out;
        for digest in [&absent, &cut] {
            assert!(found.contains(&format!("{digest} is absent or not")), "{found}");
        }
        assert_eq!(found.contains(&format!("the bytes of {rotten} have become")), deep, "{found}");
        let hex = stray.strip_prefix("sha256:").unwrap();
        assert!(found.lines().any(|line| line.contains(hex) && line.contains("named by no row")), "{found}");
        assert_eq!(found.lines().count(), if deep { 5 } else { 4 }, "{found}");
    };
    check(false);
    check(true);
    server.stop();
    check(true);

    // A push heals, and the search after an unclean stop takes away what no row names.
    let server = data.serve();
    for content in ["config of first", "is cut", "rots"] {
        server.push_blob(content);
    }
    drop(server);
    assert_eq!(data.run(&["fsck", "--deep"]).is(0).out, "clean\n");
    assert!(!upload.exists());
}
