//! Pushing, pulling and deleting manifests.

use serde_json::{Value, json};

use crate::client::Response;
use crate::support::{IMAGE, INDEX, Server, descriptor, image, index, sha256, sha512};

const AT: &str = "/v2/alice/app/manifests";

/// Puts these bytes, under this type if one is given, as the tag `t`.
fn put(server: &Server, media_type: Option<&str>, body: &str) -> Response {
    let request = server.request("PUT", &format!("{AT}/t")).user("alice").body(body);
    match media_type {
        Some(media_type) => request.header("Content-Type", media_type),
        None => request,
    }
    .send()
}

/// A server whose `alice/app` has the blobs `config` and `layer`.
fn with_blobs() -> Server {
    let server = Server::start();
    server.push_blob("alice/app", "config");
    server.push_blob("alice/app", "layer");
    server
}

#[test]
fn a_manifest_is_served_as_it_was_pushed() {
    let server = with_blobs();
    let mut manifest = image("config", &["layer"]);
    manifest["unknown"] = json!({ "z": [1.50, null], "a": "\u{e9}" });
    let bytes = format!(" \n\t{}\r\n", serde_json::to_string_pretty(&manifest).unwrap());
    let digest = sha256(&bytes);
    let pushed = server.put_manifest("alice/app", "v1", &bytes).is(201);
    assert_eq!(pushed.header("location"), Some(format!("{AT}/{digest}").as_str()));
    assert_eq!((pushed.header("docker-content-digest"), pushed.length()), (Some(digest.as_str()), 0));
    for (reference, cache) in [("v1", "no-cache"), (&digest, "private, max-age=31536000, immutable")] {
        for method in ["GET", "HEAD"] {
            let pulled = server.alice(method, &format!("{AT}/{reference}")).is(200);
            assert_eq!(pulled.text(), if method == "GET" { bytes.as_str() } else { "" });
            assert_eq!(pulled.length(), bytes.len());
            assert_eq!(pulled.header("content-type"), Some(IMAGE));
            assert_eq!(pulled.header("docker-content-digest"), Some(digest.as_str()));
            assert_eq!(pulled.header("etag"), Some(format!("\"{digest}\"").as_str()));
            assert_eq!(pulled.header("cache-control"), Some(cache));
        }
    }
}

#[test]
fn what_a_client_accepts_changes_nothing() {
    let server = Server::start();
    let manifest = server.push_image("alice/app", "v1", "one");
    let get = || server.get(&format!("{AT}/v1")).user("alice").header("Accept-Encoding", "gzip");
    let answers = [
        get().send(),
        get().header("Accept", "text/html").send(),
        get().header("Accept", INDEX).header("Accept", "application/json;q=0.1").send(),
        get().header("Accept", "*/*").send(),
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.text()), (200, manifest.clone()));
        assert_eq!(answer.header("content-type"), Some(IMAGE));
    }
}

#[test]
fn every_kind_of_manifest_is_stored_under_its_type() {
    let server = with_blobs();
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    for (media_type, mut manifest) in [
        (IMAGE, image("config", &["layer"])),
        (docker, image("config", &["layer"])),
        (INDEX, index(&["absent"])),
        (list, index(&["absent"])),
    ] {
        manifest["mediaType"] = json!(media_type);
        for (sent, body) in [
            (Some(media_type.to_owned()), manifest.to_string()),
            (Some(format!("{media_type}; charset=utf-8")), manifest.to_string()),
            (None, manifest.to_string()),
        ] {
            put(&server, sent.as_deref(), &body).is(201);
            let pulled = server.alice("GET", &format!("{AT}/t")).is(200);
            assert_eq!((pulled.header("content-type"), pulled.text()), (Some(media_type), body));
        }
        manifest.as_object_mut().unwrap().remove("mediaType");
        put(&server, Some(media_type), &manifest.to_string()).is(201);
    }
}

#[test]
fn other_types_are_not_stored() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    for media_type in [
        "text/html",
        "application/json",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        INDEX,
    ] {
        put(&server, Some(media_type), &manifest).refuses(400, "MANIFEST_INVALID");
    }
    server.alice("GET", &format!("{AT}/t")).refuses(404, "MANIFEST_UNKNOWN");
}

#[test]
fn what_two_readers_could_disagree_on_is_refused() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    let with = |key: &str, value: Value| {
        let mut manifest = image("config", &["layer"]);
        manifest[key] = value;
        manifest.to_string()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "".to_owned(),
        "{".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "\u{0}".to_owned(),
        manifest.replacen('{', "{\"schemaVersion\":2,", 1),
        manifest.replacen('{', "{\"a\":{\"b\":1,\"b\":2},", 1),
        manifest.replacen('{', &format!("{{\"a\":{deep},"), 1),
        deep,
        with("schemaVersion", json!(1)),
        with("schemaVersion", json!("2")),
        with("manifests", json!([])),
        with("mediaType", json!(INDEX)),
        with("mediaType", json!(7)),
        with("layers", json!({})),
        with("config", json!({ "mediaType": "a", "digest": "sha256:bad", "size": 1 })),
        with("config", json!({ "mediaType": "a", "digest": sha256("config"), "size": -1 })),
        with("layers", json!(vec![descriptor("a", "layer"); 2000])),
        format!("{manifest}{manifest}"),
    ] {
        put(&server, Some(IMAGE), &body).refuses(400, "MANIFEST_INVALID");
    }
    server.alice("GET", &format!("{AT}/t")).refuses(404, "MANIFEST_UNKNOWN");
}

#[test]
fn a_manifest_of_4_mib_is_taken_and_a_larger_one_is_not() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    let largest = format!("{manifest}{}", " ".repeat((4 << 20) - manifest.len()));
    put(&server, Some(IMAGE), &largest).is(201);
    assert_eq!(server.alice("GET", &format!("{AT}/t")).is(200).text(), largest);
    assert_eq!(server.alice("HEAD", &format!("{AT}/t")).is(200).length(), 4 << 20);
    let larger = format!("{largest} ");
    put(&server, Some(IMAGE), &larger).refuses(413, "MANIFEST_INVALID");
    let request = server.request("PUT", &format!("{AT}/u")).user("alice").header("Content-Type", IMAGE);
    request.chunked(&larger).send().refuses(413, "MANIFEST_INVALID");
    server.alice("GET", &format!("{AT}/u")).refuses(404, "MANIFEST_UNKNOWN");
}

#[test]
fn every_absent_blob_is_named_once() {
    let server = with_blobs();
    let manifest = image("no config", &["layer", "absent", "absent", "gone"]).to_string();
    let refused = put(&server, Some(IMAGE), &manifest).refuses(400, "MANIFEST_BLOB_UNKNOWN").json();
    let mut named: Vec<_> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert_eq!(error["code"], "MANIFEST_BLOB_UNKNOWN");
            error["detail"]["digest"].as_str().unwrap()
        })
        .collect();
    named.sort_unstable();
    let mut absent = ["no config", "absent", "gone"].map(sha256);
    absent.sort_unstable();
    assert_eq!(named, absent);
}

#[test]
fn a_blob_of_another_repository_is_absent() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    server.put_manifest("alice/other", "t", &manifest).refuses(400, "MANIFEST_BLOB_UNKNOWN");
    server.alice("GET", "/v2/alice/other/tags/list").refuses(404, "NAME_UNKNOWN");
}

#[test]
fn a_layer_may_stand_several_times() {
    let server = with_blobs();
    server.push("alice/app", "v1", &image("layer", &["layer", "layer"]).to_string());
    server.alice("DELETE", &format!("/v2/alice/app/blobs/{}", sha256("layer"))).refuses(405, "DENIED");
}

#[test]
fn layers_that_are_fetched_elsewhere_need_not_be_here() {
    let server = with_blobs();
    for media_type in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let mut manifest = image("config", &["layer"]);
        manifest["layers"][0] = descriptor(media_type, "far away");
        server.push("alice/app", "v1", &manifest.to_string());
        manifest["layers"][0] = descriptor(media_type, "layer");
        server.push("alice/app", "v1", &manifest.to_string());
    }
    let mut manifest = image("config", &["far away"]);
    manifest["layers"][0]["urls"] = json!(["https://example.test/layer"]);
    server.push("alice/app", "v1", &manifest.to_string());
}

#[test]
fn an_index_may_list_what_is_absent_and_an_image_may_not_unless_it_is_set() {
    let server = Server::start();
    server.push("alice/app", "index", &index(&["absent"]).to_string());
    server.push("alice/app", "empty", &index(&[]).to_string());
    let sparse = image("absent", &["absent"]).to_string();
    server.put_manifest("alice/app", "t", &sparse).refuses(400, "MANIFEST_BLOB_UNKNOWN");
    let server = Server::with(|setup| {
        setup.settings.sparse_images = true;
        setup.settings.sparse_indexes = false;
    });
    server.push("alice/app", "t", &sparse);
    let refused = server.put_manifest("alice/app", "index", &index(&["absent"]).to_string());
    refused.refuses(400, "MANIFEST_BLOB_UNKNOWN");
}

#[test]
fn an_index_may_list_blobs_and_indexes() {
    let server = with_blobs();
    let inner = index(&["layer"]).to_string();
    server.push("alice/app", &sha256(&inner), &inner);
    let mut outer = index(&[&inner, "config"]);
    outer["manifests"][1]["mediaType"] = json!("application/vnd.buildkit.cacheconfig.v0");
    server.push("alice/app", "cache", &outer.to_string());
}

#[test]
fn a_push_by_digest_has_that_digest() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    for digest in [sha256(&manifest), sha512(&manifest)] {
        for _ in 0..2 {
            let pushed = server.put_manifest("alice/app", &digest, &manifest).is(201);
            assert_eq!(pushed.header("docker-content-digest"), Some(digest.as_str()));
        }
        let pulled = server.alice("GET", &format!("{AT}/{digest}")).is(200);
        assert_eq!(pulled.header("docker-content-digest"), Some(digest.as_str()));
    }
    for digest in [sha256("other"), sha512("other")] {
        server.put_manifest("alice/app", &digest, &manifest).refuses(400, "DIGEST_INVALID");
    }
    server.put_manifest("alice/app", "md5:00", &manifest).refuses(400, "DIGEST_INVALID");
    server.put_manifest("alice/app", "-bad", &manifest).refuses(400, "TAG_INVALID");
    server.put_manifest("alice/app", &"t".repeat(129), &manifest).refuses(400, "TAG_INVALID");
}

#[test]
fn a_push_by_digest_may_set_tags() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    let digest = sha512(&manifest);
    let tags: Vec<String> = (10..20).map(|n| format!("v{n}")).collect();
    let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    let at = format!("{digest}?{}&tag=v10", query.join("&"));
    let pushed = server.put_manifest("alice/app", &at, &manifest).is(201);
    assert_eq!(pushed.all("oci-tag"), tags);
    for tag in &tags {
        let pulled = server.alice("HEAD", &format!("{AT}/{tag}")).is(200);
        assert_eq!(pulled.header("docker-content-digest"), Some(digest.as_str()));
    }
}

#[test]
fn a_tag_that_cannot_be_set_keeps_all_from_being_written() {
    let server = with_blobs();
    let manifest = image("config", &["layer"]).to_string();
    let digest = sha256(&manifest);
    server
        .put_manifest("alice/app", &format!("{digest}?tag=a&tag=-b"), &manifest)
        .refuses(400, "TAG_INVALID");
    let many: Vec<String> = (0..65).map(|n| format!("tag=t{n}")).collect();
    let at = format!("{digest}?{}", many.join("&"));
    server.put_manifest("alice/app", &at, &manifest).refuses(414, "TAG_INVALID");
    server.alice("GET", &format!("{AT}/{digest}")).refuses(404, "MANIFEST_UNKNOWN");
    assert_eq!(server.alice("GET", "/v2/alice/app/tags/list").json()["tags"], json!([]));
    let at = format!("{digest}?{}", many[..64].join("&"));
    assert_eq!(server.put_manifest("alice/app", &at, &manifest).is(201).all("oci-tag").len(), 64);
}

#[test]
fn a_push_with_a_subject_says_so() {
    let server = with_blobs();
    for mut manifest in [image("config", &[]), index(&[])] {
        manifest["subject"] = descriptor(IMAGE, "absent");
        let manifest = manifest.to_string();
        for reference in ["signature".to_owned(), sha256(&manifest)] {
            let pushed = server.put_manifest("alice/app", &reference, &manifest).is(201);
            assert_eq!(pushed.header("oci-subject"), Some(sha256("absent").as_str()));
        }
    }
    let pushed = server.put_manifest("alice/app", "plain", &image("config", &[]).to_string()).is(201);
    assert_eq!((pushed.header("oci-subject"), pushed.header("oci-tag")), (None, None));
}

#[test]
fn a_digest_stays_pullable_after_its_tag_moved() {
    let server = Server::start();
    let first = server.push_image("alice/app", "latest", "one");
    let second = server.push_image("alice/app", "latest", "two");
    assert_eq!(server.alice("GET", &format!("{AT}/latest")).is(200).text(), second);
    assert_eq!(server.alice("GET", &format!("{AT}/{}", sha256(&first))).is(200).text(), first);
    server.alice("GET", &format!("/v2/alice/app/blobs/{}", sha256("layer of one"))).is(200);
}

#[test]
fn what_is_not_there_is_unknown() {
    let server = with_blobs();
    for reference in ["absent", &sha256("absent"), "-bad", &"t".repeat(129)] {
        let at = format!("{AT}/{reference}");
        server.alice("GET", &at).refuses(404, "MANIFEST_UNKNOWN");
        server.alice("DELETE", &at).refuses(404, "MANIFEST_UNKNOWN");
        server.alice("HEAD", &at).is(404);
    }
    for reference in ["sha256:bad", "md5:d41d8cd98f00b204e9800998ecf8427e", "a:b:c"] {
        server.alice("GET", &format!("{AT}/{reference}")).refuses(400, "DIGEST_INVALID");
    }
    server.alice("GET", "/v2/alice/nothing/manifests/v1").refuses(404, "NAME_UNKNOWN");
}

#[test]
fn deleting_a_tag_leaves_the_manifest_and_other_tags() {
    let server = Server::start();
    let manifest = server.push_image("alice/app", "v1", "one");
    let digest = server.push("alice/app", "v2", &manifest);
    server.alice("DELETE", &format!("{AT}/v1")).is(202);
    server.alice("GET", &format!("{AT}/v1")).refuses(404, "MANIFEST_UNKNOWN");
    server.alice("DELETE", &format!("{AT}/v1")).refuses(404, "MANIFEST_UNKNOWN");
    server.alice("GET", &format!("{AT}/v2")).is(200);
    server.alice("DELETE", &format!("{AT}/v2")).is(202);
    server.alice("GET", &format!("{AT}/{digest}")).is(200);
}

#[test]
fn deleting_a_digest_ends_all_its_tags_at_once() {
    let server = Server::start();
    let manifest = server.push_image("alice/app", "v1", "one");
    let digest = server.push("alice/app", "v2", &manifest);
    server.push_image("alice/app", "other", "two");
    server.alice("DELETE", &format!("{AT}/{digest}")).is(202);
    for reference in ["v1", "v2", &digest] {
        server.alice("GET", &format!("{AT}/{reference}")).refuses(404, "MANIFEST_UNKNOWN");
    }
    server.alice("DELETE", &format!("{AT}/{digest}")).refuses(404, "MANIFEST_UNKNOWN");
    assert_eq!(server.alice("GET", "/v2/alice/app/tags/list").json()["tags"], json!(["other"]));
    // A push brings it back; its blobs were given up with it, and clients ask before they push.
    server.alice("HEAD", &format!("/v2/alice/app/blobs/{}", sha256("layer of one"))).is(404);
    server.push_image("alice/app", "v3", "one");
    server.alice("GET", &format!("{AT}/{digest}")).is(200);
    server.alice("GET", &format!("{AT}/v1")).is(404);
}
