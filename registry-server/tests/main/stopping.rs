//! Stops and restarts: what is under way finishes or resumes.

use std::time::Duration;

use crate::client::{Connection, Response, basic, chunk};
use crate::support::{PASSWORD, Server, sha256};
use crate::uploads::once_at_rest;

/// Begins a `PATCH` with this first chunk; returns once the server has asked for its body.
fn begin_patch(server: &Server, upload: &str, first: &[u8]) -> Connection {
    let mut connection = server.connect();
    connection.send(format!(
        "PATCH {upload} HTTP/1.1\r\nHost: registry.test\r\nAuthorization: {}\r\nExpect: 100-continue\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        basic("alice", PASSWORD)
    ));
    assert!(connection.head().starts_with("HTTP/1.1 100 "));
    connection.send(chunk(first));
    connection
}

fn put(server: &Server, upload: &str, content: &str, rest: &str) -> Response {
    let target = format!("{upload}?digest={}", sha256(content));
    server.request("PUT", &target).user("alice").body(rest).send()
}

#[test]
fn a_stop_lets_an_upload_in_flight_finish() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::on(directory.path(), |_| {});
    let upload = server.begin("alice/app");
    let mut silent = server.connect();
    let mut writing = begin_patch(&server, &upload, b"abc");
    server.stop();
    assert_eq!(silent.rest(), b"", "an idle connection is closed");
    writing.send(chunk(b"def"));
    writing.send("0\r\n\r\n");
    let answer = Response::read(&writing.rest(), false).unwrap().is(202);
    assert_eq!(answer.header("range"), Some("0-5"));
    server.ended();

    let server = Server::on(directory.path(), |setup| setup.users = &[]);
    assert_eq!(server.alice("GET", &upload).is(204).header("range"), Some("0-5"));
    put(&server, &upload, "abcdefghi", "ghi").is(201);
}

#[test]
fn a_stop_cuts_an_upload_that_hangs_and_it_resumes_after_the_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::on(directory.path(), |setup| setup.limits.drain = Duration::from_millis(50));
    let upload = server.begin("alice/app");
    put_chunk(&server, &upload, "abc");
    let mut hanging = begin_patch(&server, &upload, b"def");
    server.stop();
    hanging.rest();
    server.ended();

    let server = Server::on(directory.path(), |setup| setup.users = &[]);
    let asked = server.alice("GET", &upload).is(204);
    assert_eq!(asked.header("location"), Some(upload.as_str()));
    // The chunk may have been on its way when the connection was cut.
    let rest = match asked.header("range") {
        Some("0-2") => "defghi",
        Some("0-5") => "ghi",
        other => panic!("{other:?}"),
    };
    put(&server, &upload, "abcdefghi", rest).is(201);
    let blob = server.alice("GET", &format!("/v2/alice/app/blobs/{}", sha256("abcdefghi"))).is(200);
    assert_eq!(blob.text(), "abcdefghi");
}

fn put_chunk(server: &Server, upload: &str, bytes: &str) {
    server.request("PATCH", upload).user("alice").body(bytes).send().is(202);
}

#[test]
fn an_upload_that_its_client_broke_off_resumes_after_the_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::on(directory.path(), |_| {});
    let upload = server.begin("alice/app");
    let whole = "0123456789".repeat(100_000);
    let mut writing = begin_patch(&server, &upload, &whole.as_bytes()[..700_000]);
    writing.end();
    writing.rest();
    let range = once_at_rest(&server, &upload).header("range").unwrap().to_owned();
    assert_eq!(range, "0-699999");
    drop(server);

    let server = Server::on(directory.path(), |setup| setup.users = &[]);
    assert_eq!(server.alice("GET", &upload).is(204).header("range"), Some(range.as_str()));
    let refused = server.request("PATCH", &upload).user("alice").header("Content-Range", "0-2").body("abc");
    assert_eq!(refused.send().refuses(416, "RANGE_INVALID").header("range"), Some(range.as_str()));
    put(&server, &upload, &whole, &whole[700_000..]).is(201);
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::on(directory.path(), |_| {});
    let manifest = server.push_image("alice/app", "v1", "one");
    server.push_image("alice/app", "gone", "two");
    server.alice("DELETE", "/v2/alice/app/manifests/gone").is(202);
    let cancelled = server.begin("alice/app");
    server.alice("DELETE", &cancelled).is(204);
    drop(server);

    let server = Server::on(directory.path(), |setup| setup.users = &[]);
    assert_eq!(server.alice("GET", "/v2/alice/app/manifests/v1").is(200).text(), manifest);
    server.alice("GET", &format!("/v2/alice/app/blobs/{}", sha256("layer of one"))).is(200);
    server.alice("GET", "/v2/alice/app/manifests/gone").refuses(404, "MANIFEST_UNKNOWN");
    server.alice("GET", &cancelled).refuses(404, "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_pull_in_flight_is_finished_at_a_stop() {
    let mut server = Server::start();
    let content = "0123456789abcdef".repeat(1 << 19);
    let digest = server.push_blob("alice/app", &content);
    let mut pulling = server.connect();
    let request = server.get(&format!("/v2/alice/app/blobs/{digest}")).user("alice");
    pulling.send(request.bytes());
    assert!(pulling.head().starts_with("HTTP/1.1 200 "));
    server.stop();
    assert!(pulling.rest() == content.as_bytes());
    server.ended();
}
