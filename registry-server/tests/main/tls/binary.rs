//! The program itself: what it says at the start, and its signals.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use rcgen::date_time_ymd;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};

use super::Pair;
use crate::client::{Connection, Request, Response};

/// A directory with a configuration file and a pair.
fn site(pair: &Pair, config: &str) -> TempDir {
    let directory = tempdir().unwrap();
    std::fs::write(directory.path().join("config.yaml"), config).unwrap();
    pair.write(directory.path());
    directory
}

fn command(site: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry-server"));
    command.current_dir(site.path()).env_remove("RUST_LOG");
    command.args(["--config", "config.yaml", "--data", "data", "--listen", "127.0.0.1:0"]);
    command
}

/// The running program.
struct Program {
    child: Child,
    scheme: String,
    address: SocketAddr,
    log: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn start(site: &TempDir) -> Self {
        let mut child = command(site).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let stdout = child.stdout.take().unwrap();
        let mut program = Self { child, scheme: String::new(), address: ([0, 0, 0, 0], 0).into(), log };
        let line = BufReader::new(stdout).lines().next().unwrap().unwrap();
        let (scheme, address) = line.strip_prefix("listening on ").unwrap().split_once("://").unwrap();
        (program.scheme, program.address) = (scheme.to_owned(), address.parse().unwrap());
        program
    }

    /// The next line of the log that holds `text`.
    fn logged(&mut self, text: &str) -> String {
        self.log.by_ref().map(Result::unwrap).find(|line| line.contains(text)).expect("a line of the log")
    }

    fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    fn challenge(&self, pair: Option<&Pair>) -> String {
        let mut connection = Connection::over(pair.map(|pair| pair.client(&[])).as_ref(), self.address);
        connection.send(Request::new(self.address, "GET", "/v2/").bytes());
        let answer = Response::read(&connection.announced_rest(), false).unwrap().is(401);
        answer.header("www-authenticate").unwrap().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_pair_beside_the_configuration_means_https_and_sighup_reloads_it() {
    let (old, new) = (Pair::new(), Pair::new());
    let site = site(&old, "SERVER_HOSTNAME: hub.lab\n");
    let mut program = Program::start(&site);
    assert_eq!(program.scheme, "https");
    assert!(program.challenge(Some(&old)).contains("\"https://hub.lab/v2/auth\""));

    // Nothing has changed, so that this line comes of the signal.
    program.hang_up();
    program.logged("the certificate was reloaded");
    program.challenge(Some(&old));

    std::fs::write(site.path().join("ssl.key"), &new.key).unwrap();
    let kept = program.logged("ssl.key: is not the key of the first certificate");
    assert!(kept.contains("the certificate is kept"), "{kept}");
    program.challenge(Some(&old));

    std::fs::write(site.path().join("ssl.cert"), &new.cert).unwrap();
    program.logged("the certificate was reloaded");
    program.challenge(Some(&new));
}

#[test]
fn with_tls_in_front_the_pair_is_not_used_and_clients_are_sent_to_https() {
    let pair = Pair { key: "nonsense".to_owned(), ..Pair::new() };
    let program = Program::start(&site(&pair, "EXTERNAL_TLS_TERMINATION: true\n"));
    assert_eq!(program.scheme, "http");
    // Which has nothing to reload, and must not end for that.
    program.hang_up();
    assert!(program.challenge(None).contains("\"https://registry.test/v2/auth\""));
}

#[test]
fn a_pair_that_cannot_be_used_ends_the_start_with_the_reason() {
    let pair = Pair { key: Pair::new().key, ..Pair::new() };
    let ended = command(&site(&pair, "")).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let expected = "registry-server: ssl.key: is not the key of the first certificate in ssl.cert\n";
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), expected);
    assert_eq!(ended.stdout, b"");
}

#[test]
fn a_certificate_out_of_its_time_is_used_with_a_warning() {
    let expired = Pair::with(|params| params.not_after = date_time_ymd(2020, 1, 2));
    let early = Pair::with(|params| params.not_before = date_time_ymd(2999, 1, 2));
    for (pair, expected) in [
        (expired, "ssl.cert: the certificate expired at 2020-01-02T00:00:00Z"),
        (early, "ssl.cert: the certificate is not valid before 2999-01-02T00:00:00Z"),
    ] {
        let mut program = Program::start(&site(&pair, ""));
        assert_eq!(program.scheme, "https");
        program.logged(expected);
    }
}

#[test]
fn a_preferred_scheme_that_the_server_does_not_speak_is_warned_of() {
    let pair = Pair::new();
    let mut program = Program::start(&site(&pair, "SERVER_HOSTNAME: hub.lab\nPREFERRED_URL_SCHEME: http\n"));
    program.logged("PREFERRED_URL_SCHEME");
    assert!(program.challenge(Some(&pair)).contains("\"http://hub.lab/v2/auth\""));
}
