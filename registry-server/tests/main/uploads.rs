//! Uploading blobs: sessions, chunks, closing, mounting.

use crate::client::{Connection, Response, basic, chunk};
use crate::support::{OCTETS, PASSWORD, Server, image, sha256, sha512};

const REPOSITORY: &str = "/v2/alice/app/blobs/uploads/";

fn patch(server: &Server, upload: &str, range: &str, bytes: &str) -> Response {
    server.request("PATCH", upload).user("alice").header("Content-Range", range).body(bytes).send()
}

fn put(server: &Server, upload: &str, digest: &str, bytes: &str) -> Response {
    server.request("PUT", &format!("{upload}?digest={digest}")).user("alice").body(bytes).send()
}

/// Checks that an answer says where the upload stands.
#[track_caller]
fn stands_at(answer: &Response, upload: &str, range: &str) {
    assert_eq!(answer.header("location"), Some(upload));
    assert_eq!(answer.header("range"), Some(range));
    assert_eq!(answer.header("docker-upload-uuid"), upload.rsplit('/').next());
}

#[test]
fn a_begun_upload_says_where_it_is() {
    let server = Server::start();
    for target in [REPOSITORY, REPOSITORY.trim_end_matches('/')] {
        let begun = server.alice("POST", target).is(202);
        let upload = begun.header("location").unwrap().to_owned();
        assert!(upload.starts_with(REPOSITORY), "{upload}");
        assert_eq!(begun.length(), 0);
        stands_at(&begun, &upload, "0-0");
        let asked = server.alice("GET", &upload).is(204);
        stands_at(&asked, &upload, "0-0");
    }
}

#[test]
fn chunks_are_appended_and_their_order_is_kept() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    stands_at(&patch(&server, &upload, "0-2", "abc").is(202), &upload, "0-2");
    for range in ["0-2", "2-4", "4-6", "99-101"] {
        let refused = patch(&server, &upload, range, "xyz").refuses(416, "RANGE_INVALID");
        stands_at(&refused, &upload, "0-2");
    }
    stands_at(&server.alice("GET", &upload).is(204), &upload, "0-2");
    stands_at(&patch(&server, &upload, "bytes 3-5/*", "def").is(202), &upload, "0-5");
    put(&server, &upload, &sha256("abcdef"), "").is(201);
}

#[test]
fn a_content_range_that_says_nothing_is_refused_and_nothing_is_written() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    for range in
        ["", "abc", "2-1", "-5", "0-", "0-2-4", "lines 0-2", "\u{e9}", "0-99999999999999999999", "0-2/x"]
    {
        patch(&server, &upload, range, "abc").refuses(416, "RANGE_INVALID");
    }
    patch(&server, &upload, "0-9", "abc").refuses(400, "SIZE_INVALID");
    stands_at(&server.alice("GET", &upload).is(204), &upload, "0-0");
}

#[test]
fn a_stream_is_appended_whatever_its_framing_and_type() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    let patch = || server.request("PATCH", &upload).user("alice");
    stands_at(&patch().body("ab").send().is(202), &upload, "0-1");
    stands_at(&patch().chunked("cd").send().is(202), &upload, "0-3");
    stands_at(&patch().header("Content-Type", OCTETS).chunked("").send().is(202), &upload, "0-3");
    let closed = server.request("PUT", &format!("{upload}?digest={}", sha256("abcdef"))).user("alice");
    let closed = closed.header("Content-Range", "4-5").body("ef").send().is(201);
    let digest = sha256("abcdef");
    assert_eq!(closed.header("location"), Some(format!("/v2/alice/app/blobs/{digest}").as_str()));
    assert_eq!(closed.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(closed.length(), 0);
    assert_eq!(server.alice("GET", closed.header("location").unwrap()).is(200).text(), "abcdef");
    server.alice("GET", &upload).refuses(404, "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_closing_chunk_out_of_order_is_refused_before_its_digest_is_looked_at() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    patch(&server, &upload, "0-2", "abc").is(202);
    for query in [format!("?digest={}", sha256("anything")), "?digest=bad".to_owned(), String::new()] {
        let request = server.request("PUT", &format!("{upload}{query}")).user("alice");
        let refused = request.header("Content-Range", "7-9").body("xyz").send();
        stands_at(&refused.refuses(416, "RANGE_INVALID"), &upload, "0-2");
    }
    put(&server, &upload, &sha256("abcdef"), "def").is(201);
}

#[test]
fn closing_without_a_digest_keeps_the_session() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    patch(&server, &upload, "0-2", "abc").is(202);
    for query in ["", "?digest=", "?digest=sha256:bad", "?digest=md5:900150983cd24fb0d6963f7d28e17f72"] {
        let request = server.request("PUT", &format!("{upload}{query}")).user("alice");
        request.body("def").send().refuses(400, "DIGEST_INVALID");
    }
    stands_at(&server.alice("GET", &upload).is(204), &upload, "0-2");
    put(&server, &upload, &sha256("abc"), "").is(201);
}

#[test]
fn the_wrong_digest_ends_the_session_and_leaves_nothing() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    put(&server, &upload, &sha256("other"), "abc").refuses(400, "DIGEST_INVALID");
    server.alice("GET", &upload).refuses(404, "BLOB_UPLOAD_UNKNOWN");
    for content in ["other", "abc"] {
        server.alice("GET", &format!("/v2/alice/app/blobs/{}", sha256(content))).is(404);
    }
}

#[test]
fn sha512_may_close_what_did_not_announce_it() {
    let server = Server::start();
    for query in ["", "?digest-algorithm=sha512", "?digest-algorithm=sha256"] {
        for content in ["abc", ""] {
            let begun = server.request("POST", &format!("{REPOSITORY}{query}")).user("alice").send().is(202);
            let digest = sha512(content);
            put(&server, begun.header("location").unwrap(), &digest, content).is(201);
            let blob = server.alice("GET", &format!("/v2/alice/app/blobs/{digest}")).is(200);
            assert_eq!(blob.header("docker-content-digest"), Some(digest.as_str()));
        }
    }
    for name in ["md5", "sha1", "", "SHA512"] {
        server.alice("POST", &format!("{REPOSITORY}?digest-algorithm={name}")).refuses(400, "DIGEST_INVALID");
    }
}

#[test]
fn a_session_belongs_to_its_repository_and_to_who_began_it() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    let id = upload.rsplit('/').next().unwrap();
    server.begin("alice/other");
    let bobs = server.request("POST", "/v2/bob/own/blobs/uploads/").user("bob").send().is(202);
    let bobs = bobs.header("location").unwrap();
    for target in [
        format!("/v2/alice/other/blobs/uploads/{id}"),
        format!("/v2/alice/nothing/blobs/uploads/{id}"),
        bobs.replace("bob/own", "alice/app"),
        format!("{REPOSITORY}not-an-id"),
        format!("{REPOSITORY}00000000-0000-4000-8000-000000000000"),
        format!("{REPOSITORY}{}", id.to_uppercase().replace('-', "")),
    ] {
        for method in ["GET", "PATCH", "DELETE"] {
            server.alice(method, &target).refuses(404, "BLOB_UPLOAD_UNKNOWN");
        }
        put(&server, &target, &sha256("x"), "x").refuses(404, "BLOB_UPLOAD_UNKNOWN");
    }
    server.alice("GET", &upload).is(204);
}

#[test]
fn a_session_is_not_for_others_who_may_push_as_well() {
    let server = Server::with(|setup| {
        setup.settings.superusers = ["bob".to_owned()].into();
        setup.settings.superusers_have_full_access = true;
    });
    let upload = server.begin("alice/app");
    for method in ["GET", "PATCH", "DELETE"] {
        server.request(method, &upload).user("bob").send().refuses(404, "BLOB_UPLOAD_UNKNOWN");
    }
    server.request("POST", REPOSITORY).user("bob").send().is(202);
    server.alice("GET", &upload).is(204);
}

#[test]
fn a_session_that_rests_too_long_expires() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    server.clock.advance_ms(24 * 60 * 60 * 1000);
    server.registry.run_background().unwrap();
    server.alice("GET", &upload).refuses(404, "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_push_makes_a_repository_and_an_organization_only_where_that_is_set() {
    let server = Server::start();
    server.alice("POST", "/v2/acme/app/blobs/uploads/").refuses(403, "DENIED");
    server.alice("POST", "/v2/bob/app/blobs/uploads/").refuses(403, "DENIED");
    server.push_image("alice/app", "v1", "one");
    server.get("/v2/alice/app/manifests/v1").user("bob").send().refuses(404, "NAME_UNKNOWN");

    let server = Server::with(|setup| {
        setup.settings.create_namespace_on_push = true;
        setup.settings.create_private_on_push = false;
    });
    server.push_image("acme/app", "v1", "one");
    server.get("/v2/acme/app/manifests/v1").send().is(200);
    server.request("POST", "/v2/acme/other/blobs/uploads/").user("bob").send().refuses(403, "DENIED");
    server.alice("POST", "/v2/bob/app/blobs/uploads/").refuses(403, "DENIED");
}

#[test]
fn a_cancelled_session_is_gone() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    patch(&server, &upload, "0-2", "abc").is(202);
    server.alice("DELETE", &upload).is(204);
    for method in ["GET", "PATCH", "DELETE"] {
        server.alice(method, &upload).refuses(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[test]
fn one_request_at_a_time_writes_to_a_session() {
    let server = Server::start();
    let upload = server.begin("alice/app");
    let mut writing = begin_patch(&server, &upload, b"abc");
    // The server asks for the body once it has the session.
    assert!(writing.head().starts_with("HTTP/1.1 100 "));
    for method in ["GET", "PATCH", "DELETE"] {
        server.alice(method, &upload).refuses(409, "BLOB_UPLOAD_INVALID");
    }
    put(&server, &upload, &sha256("x"), "x").refuses(409, "BLOB_UPLOAD_INVALID");
    writing.send(chunk(b"def"));
    writing.send("0\r\n\r\n");
    stands_at(&Response::read(&writing.rest(), false).unwrap().is(202), &upload, "0-5");
    put(&server, &upload, &sha256("abcdef"), "").is(201);
}

/// Begins a `PATCH` that waits for `100 Continue`, and sends a first chunk without waiting.
fn begin_patch(server: &Server, upload: &str, first: &[u8]) -> Connection {
    let mut connection = server.connect();
    connection.send(format!(
        "PATCH {upload} HTTP/1.1\r\nHost: registry.test\r\nAuthorization: {}\r\nExpect: 100-continue\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        basic("alice", PASSWORD)
    ));
    connection.send(chunk(first));
    connection
}

#[test]
fn what_came_before_a_client_broke_off_is_kept() {
    let server = Server::start();
    for at_once in [true, false] {
        let upload = server.begin("alice/app");
        let mut writing = begin_patch(&server, &upload, b"abc");
        if !at_once {
            assert!(writing.head().starts_with("HTTP/1.1 100 "));
        }
        writing.end();
        let answer = String::from_utf8(writing.rest()).unwrap();
        assert!(answer.contains("HTTP/1.1 408 "), "{answer}");
        stands_at(&once_at_rest(&server, &upload), &upload, "0-2");
        patch(&server, &upload, "3-5", "def").is(202);
        put(&server, &upload, &sha256("abcdef"), "").is(201);
    }
}

/// Where the upload stands once nobody is writing to it any more.
pub(crate) fn once_at_rest(server: &Server, upload: &str) -> Response {
    loop {
        let answer = server.alice("GET", upload);
        if answer.status != 409 {
            return answer.is(204);
        }
    }
}

#[test]
fn a_refusal_is_sent_without_asking_for_the_body() {
    let server = Server::with(|setup| setup.settings.blob_limit_bytes = 100);
    let upload = server.begin("alice/app");
    let wait = "Expect: 100-continue\r\nContent-Length: 1000000\r\nHost: r\r\n";
    let alice = format!("Authorization: {}\r\n", basic("alice", PASSWORD));
    for (head, status) in [
        (format!("PATCH {upload} HTTP/1.1\r\n{wait}{alice}"), 413),
        (format!("PATCH {upload} HTTP/1.1\r\n{wait}{alice}Content-Range: 9-1000008\r\n"), 416),
        (format!("PATCH {upload} HTTP/1.1\r\n{wait}"), 401),
        (format!("PATCH {upload}0 HTTP/1.1\r\n{wait}{alice}"), 404),
        (format!("POST {upload} HTTP/1.1\r\n{wait}{alice}"), 405),
    ] {
        let mut connection = server.connect();
        connection.send(format!("{head}Connection: close\r\n\r\n"));
        assert!(connection.head().starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    stands_at(&server.alice("GET", &upload).is(204), &upload, "0-0");
}

#[test]
fn a_layer_beyond_the_limit_is_refused_and_its_session_kept() {
    let server = Server::with(|setup| setup.settings.blob_limit_bytes = 5);
    let upload = server.begin("alice/app");
    patch(&server, &upload, "0-2", "abc").is(202);
    patch(&server, &upload, "3-5", "def").refuses(413, "SIZE_INVALID");
    put(&server, &upload, &sha256("abcdef"), "def").refuses(413, "SIZE_INVALID");
    let streamed = server.request("PATCH", &upload).user("alice").chunked("def").send();
    streamed.refuses(413, "SIZE_INVALID");
    stands_at(&server.alice("GET", &upload).is(204), &upload, "0-2");
    put(&server, &upload, &sha256("abcde"), "de").is(201);
}

#[test]
fn a_client_that_sends_all_before_it_reads_gets_to_its_refusal() {
    let server = Server::start();
    let body = vec![b'x'; 8 << 20];
    let refused = server.request("PATCH", &format!("{REPOSITORY}none")).user("alice").body(&body).send();
    refused.refuses(404, "BLOB_UPLOAD_UNKNOWN");
    server.request("PATCH", &format!("{REPOSITORY}none")).chunked(&body).send().refuses(401, "UNAUTHORIZED");
}

#[test]
fn a_blob_may_come_with_the_first_request() {
    let server = Server::start();
    let post = |digest: &str| server.request("POST", &format!("{REPOSITORY}?digest={digest}")).user("alice");
    let pushed = post(&sha256("abc")).body("abc").send().is(201);
    assert_eq!(pushed.header("docker-content-digest"), Some(sha256("abc").as_str()));
    post(&sha256("abcd").replace(':', "%3A")).chunked("abcd").send().is(201);
    post(&sha256("other")).body("abc").send().refuses(400, "DIGEST_INVALID");
    post("sha256:bad").body("abc").send().refuses(400, "DIGEST_INVALID");
    // Without its content there is nothing to store yet, unless nothing is what it is of.
    let begun = post(&sha256("later")).body("").send().is(202);
    put(&server, begun.header("location").unwrap(), &sha256("later"), "later").is(201);
    post(&sha256("")).body("").send().is(201);
    post(&sha512("")).send().is(201);
}

#[test]
fn a_first_request_that_is_refused_leaves_no_session_and_no_repository() {
    let server = Server::with(|setup| setup.settings.blob_limit_bytes = 5);
    let post = |query: &str| server.request("POST", &format!("{REPOSITORY}?{query}")).user("alice");
    let digest = format!("digest={}", sha256("abcdef"));
    post(&digest).body("abcdef").send().refuses(413, "SIZE_INVALID");
    post(&digest).chunked("abcdef").send().refuses(413, "SIZE_INVALID");
    post(&digest).body("abc").send().refuses(400, "DIGEST_INVALID");
    post(&digest).header("Content-Range", "bad").body("abc").send().refuses(416, "RANGE_INVALID");
    post(&digest).header("Content-Range", "5-7").body("abc").send().refuses(416, "RANGE_INVALID");
    server.alice("GET", "/v2/alice/app/tags/list").refuses(404, "NAME_UNKNOWN");
}

#[test]
fn a_blob_is_mounted_from_where_the_caller_may_pull() {
    let server = Server::start();
    let digest = server.push_blob("alice/app", "abc");
    let mount = |query: &str| server.alice("POST", &format!("/v2/alice/target/blobs/uploads/?{query}"));
    for query in [
        format!("mount={digest}&from=alice/app"),
        format!("mount={}&from=alice%2Fapp&origin=registry.test", digest.replace(':', "%3A")),
        format!("mount={digest}"),
        format!("mount={digest}&from="),
    ] {
        let mounted = mount(&query).is(201);
        assert_eq!(mounted.header("docker-content-digest"), Some(digest.as_str()), "{query}");
        assert_eq!(mounted.length(), 0);
        let location = mounted.header("location").unwrap();
        assert_eq!(server.alice("GET", location).is(200).text(), "abc");
        server.alice("DELETE", location).is(202);
    }
}

#[test]
fn a_mount_that_cannot_be_is_an_upload() {
    let server = Server::start();
    let digest = server.push_blob("alice/app", "abc");
    for query in [
        format!("mount={}&from=alice/app", sha256("absent")),
        format!("mount={digest}&from=alice/nothing"),
        format!("mount={digest}&from=nobody/nothing"),
        format!("mount={digest}&from=-Bad-"),
        format!("mount={digest}&from=../app"),
        "mount=sha256:bad&from=alice/app".to_owned(),
        format!("mount={}", sha256("absent")),
    ] {
        let begun = server.alice("POST", &format!("/v2/alice/target/blobs/uploads/?{query}")).is(202);
        let upload = begun.header("location").unwrap().to_owned();
        put(&server, &upload, &sha256("other"), "other").is(201);
    }
}

#[test]
fn the_callers_own_rights_decide_over_the_source_and_not_what_the_token_was_asked_for() {
    let server = Server::start();
    server.make_public("alice/public");
    let (secret, shown) = (server.push_blob("alice/app", "abc"), server.push_blob("alice/public", "def"));
    let alice = server.token(Some("alice"), &["repository:alice/target:pull,push"]);
    let bob = server.token(Some("bob"), &["repository:bob/own:pull,push", "repository:alice/app:pull"]);
    let mount = |token: &str, target: &str, query: String| {
        let target = format!("/v2/{target}/blobs/uploads/?{query}");
        server.request("POST", &target).bearer(token).send().status
    };
    assert_eq!(mount(&alice, "alice/target", format!("mount={secret}&from=alice/app")), 201);
    assert_eq!(mount(&bob, "bob/own", format!("mount={secret}&from=alice/app")), 202);
    assert_eq!(mount(&bob, "bob/own", format!("mount={secret}")), 202);
    assert_eq!(mount(&bob, "bob/own", format!("mount={shown}&from=alice/public")), 201);
    assert_eq!(mount(&bob, "bob/own", format!("mount={shown}")), 201);
    // The target does have to be asked for.
    assert_eq!(mount(&bob, "bob/other", format!("mount={shown}")), 401);
}

#[test]
fn a_mounted_blob_serves_a_manifest() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    for content in ["config of one", "layer of one"] {
        let query = format!("mount={}&from=alice/app", sha256(content));
        server.alice("POST", &format!("/v2/alice/copy/blobs/uploads/?{query}")).is(201);
    }
    server.push("alice/copy", "v1", &image("config of one", &["layer of one"]).to_string());
}
