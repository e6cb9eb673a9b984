//! Reading and deleting blobs.

use crate::client::Response;
use crate::support::{Server, image, sha256, sha512};

const CONTENT: &str = "0123456789abcdef";

/// A server, the path of a blob of [`CONTENT`], and its digest.
fn with_blob() -> (Server, String, String) {
    let server = Server::start();
    let digest = server.push_blob("alice/app", CONTENT);
    (server, format!("/v2/alice/app/blobs/{digest}"), digest)
}

fn get(server: &Server, path: &str, header: &str, value: &str) -> Response {
    server.get(path).user("alice").header(header, value).send()
}

#[test]
fn a_blob_comes_with_its_digest_and_is_cached_for_good() {
    let (server, path, digest) = with_blob();
    for method in ["GET", "HEAD"] {
        let blob = server.alice(method, &path).is(200);
        assert_eq!(blob.length(), CONTENT.len());
        for (name, value) in [
            ("docker-content-digest", digest.as_str()),
            ("etag", &format!("\"{digest}\"")),
            ("content-type", "application/octet-stream"),
            ("accept-ranges", "bytes"),
            ("cache-control", "private, max-age=31536000, immutable"),
        ] {
            assert_eq!(blob.header(name), Some(value), "{method} {name}");
        }
        assert_eq!(blob.text(), if method == "GET" { CONTENT } else { "" });
    }
}

#[test]
fn what_a_client_accepts_changes_nothing() {
    let (server, path, _) = with_blob();
    for (name, value) in [
        ("Accept", "text/html"),
        ("Accept", "application/vnd.oci.image.layer.v1.tar"),
        ("Accept-Encoding", "gzip"),
    ] {
        let blob = get(&server, &path, name, value).is(200);
        assert_eq!((blob.text().as_str(), blob.header("vary")), (CONTENT, None));
    }
}

#[test]
fn a_blob_that_the_client_has_is_not_sent_again() {
    let (server, path, digest) = with_blob();
    for value in [
        format!("\"{digest}\""),
        digest.clone(),
        format!("W/\"{digest}\""),
        format!("\"other\", \"{digest}\""),
        "*".to_owned(),
    ] {
        for method in ["GET", "HEAD"] {
            let request = server.request(method, &path).user("alice").header("If-None-Match", &value);
            let answer = request.send().is(304);
            assert_eq!(answer.header("etag"), Some(format!("\"{digest}\"").as_str()));
            // A length here would have to be the blob's (RFC 9110, section 8.6).
            assert!([None, Some("16")].contains(&answer.header("content-length")), "{method}");
        }
    }
    get(&server, &path, "If-None-Match", "\"other\"").is(200);
}

#[test]
fn a_range_is_honoured_and_clipped() {
    let (server, path, digest) = with_blob();
    for (range, part, place) in [
        ("bytes=0-0", "0", "0-0"),
        ("bytes=2-5", "2345", "2-5"),
        ("bytes=10-", "abcdef", "10-15"),
        ("bytes=-3", "def", "13-15"),
        ("bytes=-99", CONTENT, "0-15"),
        ("bytes=14-99999999999999999999999", "ef", "14-15"),
        ("BYTES=0-1", "01", "0-1"),
    ] {
        let answer = get(&server, &path, "Range", range).is(206);
        assert_eq!(answer.text(), part, "{range}");
        assert_eq!(answer.header("content-range"), Some(format!("bytes {place}/16").as_str()));
        assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    }
}

#[test]
fn several_ranges_and_what_is_no_range_get_everything() {
    let (server, path, _) = with_blob();
    let many = format!("bytes={}", vec!["0-1"; 2000].join(","));
    for range in ["bytes=0-1,4-5", "bytes=a-b", "bytes=", "lines=0-1", "0-1", "bytes=1", &many] {
        let answer = get(&server, &path, "Range", range).is(200);
        assert_eq!(answer.text(), CONTENT, "{range:.40}");
    }
}

#[test]
fn a_range_beyond_the_blob_or_reversed_is_unsatisfiable() {
    let (server, path, _) = with_blob();
    for range in ["bytes=16-", "bytes=16-20", "bytes=9-2", "bytes=-0", "bytes=99999999999999999999-"] {
        let refused = get(&server, &path, "Range", range).refuses(416, "RANGE_INVALID");
        assert_eq!(refused.header("content-range"), Some("bytes */16"), "{range}");
        assert_eq!(refused.header("cache-control"), None, "a refusal is not cached for good");
    }
}

#[test]
fn a_range_is_for_get_alone() {
    let (server, path, _) = with_blob();
    for range in ["bytes=0-1", "bytes=16-"] {
        let head = server.request("HEAD", &path).user("alice").header("Range", range).send().is(200);
        assert_eq!((head.length(), head.header("content-range")), (16, None));
    }
}

#[test]
fn a_range_holds_only_for_the_entity_that_it_names() {
    let (server, path, digest) = with_blob();
    for (if_range, status) in [
        (format!("\"{digest}\""), 206),
        (format!("W/\"{digest}\""), 200),
        ("\"other\"".to_owned(), 200),
        ("Mon, 23 Nov 2026 07:00:00 GMT".to_owned(), 200),
    ] {
        let request = server.get(&path).user("alice").header("Range", "bytes=0-1");
        request.header("If-Range", &if_range).send().is(status);
    }
}

#[test]
fn the_empty_blob_is_a_blob_like_any_other() {
    let server = Server::start();
    for digest in [sha256(""), sha512("")] {
        let at = format!("/v2/alice/app/blobs/uploads/?digest={digest}");
        server.request("POST", &at).user("alice").body("").send().is(201);
        let path = format!("/v2/alice/app/blobs/{digest}");
        assert_eq!(server.alice("HEAD", &path).is(200).length(), 0);
        assert_eq!(server.alice("GET", &path).is(200).text(), "");
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            let refused = get(&server, &path, "Range", range).refuses(416, "RANGE_INVALID");
            assert_eq!(refused.header("content-range"), Some("bytes */0"));
        }
        server.alice("DELETE", &path).is(202);
        server.alice("GET", &path).is(404);
    }
}

#[test]
fn content_has_a_name_under_each_algorithm_and_they_are_two_blobs() {
    let (server, _, _) = with_blob();
    let other = format!("/v2/alice/app/blobs/{}", sha512(CONTENT));
    server.alice("GET", &other).refuses(404, "BLOB_UNKNOWN");
}

#[test]
fn a_blob_that_is_not_there_or_elsewhere_is_unknown() {
    let (server, _, digest) = with_blob();
    server.push_blob("alice/other", "something else");
    for (path, code) in [
        (format!("/v2/alice/app/blobs/{}", sha256("absent")), "BLOB_UNKNOWN"),
        (format!("/v2/alice/other/blobs/{digest}"), "BLOB_UNKNOWN"),
        (format!("/v2/alice/nothing/blobs/{digest}"), "NAME_UNKNOWN"),
    ] {
        server.alice("GET", &path).refuses(404, code);
        server.alice("DELETE", &path).refuses(404, code);
        server.alice("HEAD", &path).is(404);
    }
}

#[test]
fn a_digest_may_be_percent_encoded() {
    let (server, path, _) = with_blob();
    assert_eq!(server.alice("GET", &path.replace(':', "%3A")).is(200).text(), CONTENT);
}

#[test]
fn a_deleted_blob_is_gone_at_once_and_only_there() {
    let (server, path, digest) = with_blob();
    server.push_blob("alice/other", CONTENT);
    let deleted = server.alice("DELETE", &path).is(202);
    assert_eq!(deleted.length(), 0);
    server.alice("HEAD", &path).is(404);
    server.alice("DELETE", &path).is(404);
    assert_eq!(server.alice("GET", &format!("/v2/alice/other/blobs/{digest}")).is(200).text(), CONTENT);
}

#[test]
fn a_blob_that_a_manifest_refers_to_is_not_deleted() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    let path = format!("/v2/alice/app/blobs/{}", sha256("layer of one"));
    server.alice("DELETE", &path).refuses(405, "DENIED");
    server.alice("GET", &path).is(200);
    server.alice("DELETE", &format!("/v2/alice/app/manifests/{}", sha256(manifest_of_one()))).is(202);
    // It was given up with the manifest that held it.
    server.alice("DELETE", &path).refuses(404, "BLOB_UNKNOWN");
}

fn manifest_of_one() -> String {
    image("config of one", &["layer of one"]).to_string()
}

#[test]
fn a_public_blob_is_read_by_anybody_and_changed_by_nobody_else() {
    let server = Server::start();
    server.make_public("alice/app");
    server.push_image("alice/app", "v1", "one");
    let path = format!("/v2/alice/app/blobs/{}", sha256("layer of one"));
    let token = server.token(None, &["repository:alice/app:pull,push,delete"]);
    server.get(&path).send().is(200);
    server.get(&path).bearer(&token).send().is(200);
    server.get(&path).user("bob").send().is(200);
    server.request("DELETE", &path).bearer(&token).send().refuses(401, "UNAUTHORIZED");
    server.request("DELETE", &path).user("bob").send().refuses(403, "DENIED");
    let begin = "/v2/alice/app/blobs/uploads/";
    server.request("POST", begin).send().refuses(401, "UNAUTHORIZED");
    server.request("POST", begin).user("bob").send().refuses(403, "DENIED");
    let token = server.token(Some("bob"), &["repository:alice/app:pull,push"]);
    server.request("POST", begin).bearer(&token).send().refuses(403, "DENIED");
}

/// More than is kept in memory, and more than the kernel is asked to send at once.
fn large() -> Vec<u8> {
    (0..2_500_003_usize).map(|n| (n % 251) as u8 ^ (n >> 16) as u8).collect()
}

#[test]
fn a_large_blob_on_files_comes_to_the_byte_whole_and_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::on(directory.path(), |_| {});
    let content = large();
    let path = format!("/v2/alice/app/blobs/{}", server.push_blob("alice/app", &content));
    assert_eq!(server.alice("HEAD", &path).is(200).length(), content.len());
    for _ in 0..2 {
        assert!(server.alice("GET", &path).is(200).body == content);
    }
    for (first, last) in [(0, 0), (1_000_000, 1_999_999), (1_048_575, 1_048_576), (2_500_002, 2_500_002)] {
        let part = get(&server, &path, "Range", &format!("bytes={first}-{last}")).is(206);
        assert!(part.body == content[first..=last], "{first}-{last}");
    }
    let counts = server.registry.statistics().open_blobs;
    assert_eq!((counts.misses, counts.entries), (1, 1), "it was opened once");
}

#[test]
fn a_blob_that_is_deleted_under_its_reader_still_comes_whole() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::on(directory.path(), |_| {});
    let content = large();
    let path = format!("/v2/alice/app/blobs/{}", server.push_blob("alice/app", &content));
    let mut reader = server.connect();
    reader.send(server.get(&path).user("alice").bytes());
    reader.head();
    server.alice("DELETE", &path).is(202);
    server.alice("GET", &path).is(404);
    server.registry.run_background().unwrap();
    assert!(reader.rest() == content);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the damage is done behind the registry's back")]
fn a_blob_whose_file_is_cut_while_it_is_open_is_unknown_until_it_is_pushed_again() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::on(directory.path(), |_| {});
    for content in [b"small".to_vec(), large()] {
        let digest = server.push_blob("alice/app", &content);
        let path = format!("/v2/alice/app/blobs/{digest}");
        assert!(server.alice("GET", &path).is(200).body == content);
        let hex = digest.strip_prefix("sha256:").unwrap();
        let file = directory.path().join("blobs/sha256").join(&hex[..2]).join(hex);
        std::fs::File::options().write(true).open(&file).unwrap().set_len(3).unwrap();
        server.alice("GET", &path).refuses(404, "BLOB_UNKNOWN");
        server.alice("HEAD", &path).is(404);
        server.push_blob("alice/app", &content);
        assert!(server.alice("GET", &path).is(200).body == content);
    }
}
