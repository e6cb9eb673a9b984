//! Requests that no client sends. None of them may end in a 5xx, a hang or a panic, nor harm the next request.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proptest::prelude::*;

use crate::client::{Response, basic};
use crate::routes::routes;
use crate::support::{IMAGE, PASSWORD, Server, image, sha256};

/// Statuses of all answers that a connection carried, and what came of it was all that came.
fn statuses(answers: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answers);
    text.match_indices("HTTP/1.1 ").map(|(at, _)| text[at + 9..at + 12].parse().unwrap()).collect()
}

/// Sends these bytes and then nothing more; gives all that came back. A server may take that for a client that has left,
/// and not answer.
fn exchange(server: &Server, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut connection = server.connect();
    connection.send(bytes);
    connection.end();
    connection.rest()
}

/// Sends these bytes, and checks that they are refused as a client's fault, or not answered at all.
#[track_caller]
fn is_survived(server: &Server, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    checked(statuses(&exchange(server, &bytes)), bytes.as_ref())
}

/// Sends requests of which the last closes the connection, and checks that they are answered.
#[track_caller]
fn is_answered(server: &Server, requests: impl AsRef<[u8]>) -> Vec<u16> {
    let mut connection = server.connect();
    connection.send(&requests);
    let statuses = checked(statuses(&connection.rest()), requests.as_ref());
    assert!(!statuses.is_empty(), "{:.300}", String::from_utf8_lossy(requests.as_ref()));
    statuses
}

#[track_caller]
fn checked(statuses: Vec<u16>, sent: &[u8]) -> Vec<u16> {
    assert!(
        statuses.iter().all(|status| *status < 500),
        "{statuses:?}: {:.300}",
        String::from_utf8_lossy(sent)
    );
    statuses
}

#[track_caller]
fn still_answers(server: &Server) {
    server.alice("GET", "/v2/").is(200);
}

fn head(line: &str, headers: &str) -> String {
    let alice = basic("alice", PASSWORD);
    format!("{line} HTTP/1.1\r\nHost: registry.test\r\nAuthorization: {alice}\r\n{headers}\r\n")
}

#[test]
fn a_head_that_is_too_large_is_refused_without_a_body() {
    let server = Server::start();
    let long = "a".repeat(70_000);
    for request in [
        head(&format!("GET /v2/{long}"), ""),
        head(&format!("GET /v2/_catalog?last={long}"), ""),
        head(&format!("{long} /v2/"), ""),
        head("GET /v2/", &format!("X-Long: {long}\r\n")),
        head("GET /v2/", &"X-Short: a\r\n".repeat(99)),
        head("GET /v2/", &"X-Short: a\r\n".repeat(20_000)),
    ] {
        let answer = Response::read(&exchange(&server, &request), false).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (431, ""), "{request:.40}");
    }
    // The most that fits is answered: 97 headers besides the three of the head.
    let fits = format!("{}Connection: close\r\n", "X-Short: a\r\n".repeat(97));
    assert_eq!(is_answered(&server, head("GET /v2/", &fits)), [200]);
    let fits = format!("GET /v2/_catalog?x={}", "a".repeat(40_000));
    assert_eq!(is_answered(&server, head(&fits, "Connection: close\r\n")), [200]);
    still_answers(&server);
}

#[test]
fn lines_that_are_not_http_are_refused() {
    let server = Server::start();
    for bytes in [
        &b"\r\n\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /v2/\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nName : space\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET /v2/\xff HTTP/1.1\r\n\r\n",
        b"GET v2 HTTP/1.1\r\n\r\n",
        b"GET  /v2/ HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: r\r\n\r\n",
        b"CONNECT registry.test:80 HTTP/1.1\r\nHost: r\r\n\r\n",
        b"GET http://elsewhere/v2/ HTTP/1.1\r\nHost: r\r\n\r\n",
        b"GET /v2/ HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all",
    ] {
        is_survived(&server, bytes);
    }
    still_answers(&server);
}

#[test]
fn lengths_that_lie_are_refused() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    let patch = |headers: &str, body: &str| format!("{}{body}", head(&format!("PATCH {upload}"), headers));
    for bytes in [
        patch("Content-Length: -1\r\n", "abc"),
        patch("Content-Length: 3x\r\n", "abc"),
        patch("Content-Length: 99999999999999999999999\r\n", "abc"),
        patch("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        patch("Content-Length: 3, 4\r\n", "abcd"),
        patch("Transfer-Encoding: gzip\r\n", "abc"),
        patch("Transfer-Encoding: chunked, gzip\r\n", "abc"),
        patch("Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n"),
        patch("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        patch("Transfer-Encoding: chunked\r\n", "-1\r\nabc\r\n0\r\n\r\n"),
        patch("Transfer-Encoding: chunked\r\n", &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(70_000))),
    ] {
        let statuses = is_survived(&server, &bytes);
        assert!(statuses.iter().all(|status| *status >= 400 || *status == 100), "{statuses:?} {bytes:.300}");
    }
    // Nothing of it became content that was taken for whole.
    crate::uploads::once_at_rest(&server, &upload);
    still_answers(&server);
}

#[test]
fn a_body_that_breaks_off_is_no_content() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    let manifest = image("config", &[]).to_string();
    let digest = sha256("abc");
    for (line, headers, body) in [
        (format!("PUT {upload}?digest={digest}"), "Content-Length: 10\r\n", "abc"),
        (format!("POST /v2/alice/app/blobs/uploads/?digest={digest}"), "Content-Length: 10\r\n", "abc"),
        (
            format!("POST /v2/alice/app/blobs/uploads/?digest={digest}"),
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n",
        ),
        ("PUT /v2/alice/app/manifests/v1".to_owned(), "Content-Length: 10000\r\n", &manifest),
        ("POST /v2/auth".to_owned(), "Content-Length: 100\r\n", "grant_type="),
        ("POST /api/v1/user/initialize".to_owned(), "Content-Length: 100\r\n", "{"),
    ] {
        let bytes = format!("{}{body}", head(&line, headers));
        let statuses = is_survived(&server, &bytes);
        assert!(statuses.iter().all(|status| *status >= 400), "{statuses:?} {line}");
    }
    crate::uploads::once_at_rest(&server, &upload);
    server.alice("GET", &format!("/v2/alice/app/blobs/{digest}")).is(404);
    server.alice("GET", "/v2/alice/app/manifests/v1").is(404);
}

#[test]
fn no_path_leads_out() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    let traps = [
        "..",
        ".",
        "%2e%2e",
        "%2E",
        "..%2f..",
        "%2F",
        "%5c",
        "\\",
        "%00",
        "%",
        "%zz",
        "%ff",
        "%c3%a9",
        "%0d%0aX:1",
        "..;",
        "~",
        "*",
        "$(id)",
        "%252e%252e",
        "",
        "a%20b",
        "\u{e9}",
        "CON",
        "sha256:../../x",
        "sha256:%2e%2e",
    ];
    let mut targets: Vec<String> = Vec::new();
    for trap in traps {
        targets.extend([
            format!("/{trap}"),
            format!("/v2/{trap}"),
            format!("/v2/{trap}/tags/list"),
            format!("/v2/alice/{trap}/tags/list"),
            format!("/v2/alice/app/manifests/{trap}"),
            format!("/v2/alice/app/blobs/{trap}"),
            format!("/v2/alice/app/blobs/uploads/{trap}"),
            format!("/v2/alice/app/referrers/{trap}"),
            format!("/v2/alice/app/{trap}/v1"),
            format!("/v2/alice/app/manifests/v1/{trap}"),
            format!("/v2/{trap}/alice/app/manifests/v1"),
        ]);
    }
    for target in &targets {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let statuses = is_answered(&server, head(&format!("{method} {target}"), "Connection: close\r\n"));
            // Only what leaves the path as it was is the ping, the referrers of nothing, or the beginning of uploads.
            assert!(
                statuses.iter().all(|status| *status >= 400 || *status == 200),
                "{method} {target} {statuses:?}"
            );
        }
    }
    server.alice("GET", "/v2/alice/../alice/app/manifests/v1").refuses(400, "NAME_INVALID");
    server.alice("GET", "/v2/alice//app/manifests/v1").refuses(400, "NAME_INVALID");
    server.alice("GET", "/v2/alice%2Fapp/manifests/v1").refuses(400, "NAME_INVALID");
    server.alice("GET", "/v2/alice/app/manifests/v1").is(200);
}

#[test]
fn bad_digests_are_refused_on_every_route() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    let hex = "0".repeat(64);
    for digest in [
        "sha256:".to_owned(),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("SHA256:{hex}"),
        format!("sha256:{}", "A".repeat(64)),
        format!("sha512:{hex}"),
        format!("md5:{}", "0".repeat(32)),
        format!("sha999:{hex}"),
        format!("sha256+b64:{hex}"),
        ":".to_owned(),
        format!("sha256:{hex}:{hex}"),
        format!("sha256:{}", "%30".repeat(63)),
    ] {
        let manifest = server.request("PUT", &format!("/v2/alice/app/manifests/{digest}")).user("alice");
        manifest.header("Content-Type", IMAGE).body("{}").send().refuses(400, "DIGEST_INVALID");
        for target in ["blobs", "manifests", "referrers"].map(|noun| format!("/v2/alice/app/{noun}/{digest}"))
        {
            server.alice("GET", &target).refuses(400, "DIGEST_INVALID");
            server.alice("HEAD", &target).is(400);
        }
        for target in ["blobs", "manifests"].map(|noun| format!("/v2/alice/app/{noun}/{digest}")) {
            server.alice("DELETE", &target).refuses(400, "DIGEST_INVALID");
        }
        for target in
            [format!("{upload}?digest={digest}"), "/v2/alice/app/blobs/uploads/?digest=".to_owned() + &digest]
        {
            let method = if target.starts_with(&upload) { "PUT" } else { "POST" };
            server.request(method, &target).user("alice").body("x").send().refuses(400, "DIGEST_INVALID");
        }
        server.alice("POST", &format!("/v2/alice/app/blobs/uploads/?mount={digest}&from=alice/app")).is(202);
    }
    server.alice("GET", &upload).is(204);
}

#[test]
fn a_huge_query_is_answered() {
    let server = Server::start();
    let many: String = (0..5000).map(|n| format!("a{n}=1&")).collect();
    for (method, target) in routes("alice/app") {
        let answer = server.request(method, &format!("{target}?{many}")).user("alice").body("").send();
        assert_eq!(answer.status, 400, "{method} {target}: more parameters than any client sends");
        let answer =
            server.request(method, &format!("{target}?{}", &many[..20_000])).user("alice").body("").send();
        assert!(answer.status < 500);
    }
    let same = "tag=v1&".repeat(4000);
    let target = format!("/v2/alice/app/manifests/{}?{same}", sha256("{}"));
    server.request("PUT", &target).user("alice").body("{}").send().is(400);
}

#[test]
fn requests_that_follow_each_other_on_one_connection_are_answered_in_turn() {
    let server = Server::start();
    let ping = head("GET /v2/", "");
    let refused = head("GET /v2/alice/app/manifests/none", "");
    let last = head("GET /v2/", "Connection: close\r\n");
    assert_eq!(is_answered(&server, format!("{ping}{refused}{ping}{last}{ping}")), [200, 404, 200, 200]);
    // What looks like a request inside a body is a body.
    let body = head("DELETE /v2/alice/app/manifests/v1", "");
    let post = head("PATCH /v2/alice/app/blobs/uploads/none", &format!("Content-Length: {}\r\n", body.len()));
    assert_eq!(is_answered(&server, format!("{post}{body}{last}")), [404, 200]);
}

#[test]
fn http_2_is_spoken_with_those_who_know_it() {
    let server = Server::start();
    tokio::runtime::Runtime::new().unwrap().block_on(speak_http_2(&server));
}

async fn speak_http_2(server: &Server) {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let mut send = |method: &str, target: &str, body: &'static str| {
        let request = hyper::Request::builder().method(method).uri(format!("http://registry.test{target}"));
        let request = request.header("authorization", basic("alice", PASSWORD));
        sender.send_request(request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
    };
    let digest = sha256("abc");
    let pushed = send("POST", &format!("/v2/alice/app/blobs/uploads/?digest={digest}"), "abc").await.unwrap();
    assert_eq!((pushed.status().as_u16(), &pushed.headers()["content-length"]), (201, &"0".parse().unwrap()));
    let nothing = sha256("");
    send("POST", &format!("/v2/alice/app/blobs/uploads/?digest={nothing}"), "").await.unwrap();
    let empty = send("GET", &format!("/v2/alice/app/blobs/{nothing}"), "").await.unwrap();
    assert_eq!((empty.status().as_u16(), &empty.headers()["content-length"]), (200, &"0".parse().unwrap()));
    let blob = format!("/v2/alice/app/blobs/{digest}");
    let pulled = send("GET", &blob, "").await.unwrap();
    assert_eq!(
        (pulled.status().as_u16(), &pulled.headers()["docker-content-digest"]),
        (200, &digest.parse().unwrap())
    );
    assert_eq!(pulled.into_body().collect().await.unwrap().to_bytes(), "abc");
    let head = send("HEAD", &blob, "").await.unwrap();
    assert_eq!(head.headers()["content-length"], "3");
    assert_eq!(send("GET", "/v2/alice/App/tags/list", "").await.unwrap().status(), 400);
    let refused = send("PATCH", "/v2/alice/app/blobs/uploads/none", "never read").await.unwrap();
    assert_eq!(refused.status(), 404);
    let challenge = hyper::Request::get("http://registry.test/v2/").body(Full::new(Bytes::new())).unwrap();
    let challenge = sender.send_request(challenge).await.unwrap();
    let named = challenge.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(named.contains("realm=\"http://registry.test/v2/auth\""), "{named}");
    drop(sender);
    connection.await.unwrap().unwrap();
}

/// The first line of a request, built of the words of routes and of others.
fn line() -> impl Strategy<Value = String> {
    let word =
        "alice|app|blobs|uploads|manifests|tags|list|referrers|_catalog|auth|sha256:[0-9a-f]{64}|[!-~]{0,9}";
    let path = proptest::collection::vec(word, 0..7);
    ("GET|HEAD|PUT|POST|PATCH|DELETE|[A-Z]{1,8}", path, "(\\?[!-~]{0,30})?")
        .prop_filter("CONNECT turns the connection into something else", |(method, ..)| method != "CONNECT")
        .prop_map(|(method, path, query)| format!("{method} /v2/{}{query}", path.join("/")))
}

/// Headers that mean something and say anything.
fn headers() -> impl Strategy<Value = String> {
    let header = "Range: (bytes=)?[0-9,-]{0,9}|Content-Range: [0-9-]{0,9}|If-(None-)?Match: [ -~]{0,9}|Host: [ -~]{0,9}\
                  |Content-Type: [ -~]{0,9}|Authorization: (Basic|Bearer) [!-~]{0,20}|X-[A-Za-z-]{1,9}: [ -~]{0,20}";
    lines(header)
}

/// Headers that say how long a body is, or seem to.
fn framing() -> impl Strategy<Value = String> {
    lines("Content-Length: [0-9]{1,20}|Transfer-Encoding: (chunked|[a-z]{1,9})|Expect: 100-continue")
}

fn lines(pattern: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(pattern, 0..4)
        .prop_map(|lines| lines.iter().map(|line| format!("{line}\r\n")).collect())
}

fn bytes(up_to: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..up_to)
}

#[test]
fn whatever_is_sent_the_server_goes_on() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    proptest!(ProptestConfig::with_cases(300), |(noise in bytes(300), line in line(), framing in framing())| {
        is_survived(&server, &noise);
        is_survived(&server, [head(&line, &framing).as_bytes(), &noise].concat());
    });
    still_answers(&server);
}

#[test]
fn whatever_is_asked_the_server_answers() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    proptest!(ProptestConfig::with_cases(500), |(line in line(), headers in headers(), body in bytes(100))| {
        let headers = format!("{headers}Connection: close\r\nContent-Length: {}\r\n", body.len());
        is_answered(&server, [head(&line, &headers).as_bytes(), &body].concat());
    });
    still_answers(&server);
}
