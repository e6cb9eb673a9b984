//! What one tenant can find out of another by asking: nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::{Request, Response};
use crate::support::{IMAGE, Server, descriptor, image, index, sha256};

/// A repository of alice's with an image, a signature of it, and names that stand nowhere else.
const AT: &str = "alice/hiddenrepo";
const TAG: &str = "hiddentag";
const CONTENT: &str = "hidden content";

struct Site {
    server: Server,
    /// Digests of alice's that bob has learned.
    manifest: String,
    manifest_text: String,
    layer: String,
}

impl Site {
    fn start() -> Self {
        let server = Server::start();
        let manifest_text = server.push_image(AT, TAG, CONTENT);
        server.request("POST", "/v2/bob/own/blobs/uploads/").user("bob").body("").send().is(202);
        let (manifest, layer) = (sha256(&manifest_text), sha256(format!("layer of {CONTENT}")));
        Self { server, manifest, manifest_text, layer }
    }

    fn bob(&self, method: &str, target: &str) -> Request {
        self.server.request(method, target).user("bob")
    }

    /// Two answers that may differ in the digest that was asked for, and in ids and times.
    fn are_alike(&self, guess: &str, answer: impl Fn(&str) -> Response) -> Response {
        let unknown = sha256("never pushed by anybody");
        let (found, missing) = (blanked(answer(guess), guess), blanked(answer(&unknown), &unknown));
        assert_eq!(found, missing);
        found
    }
}

fn blanked(answer: Response, digest: &str) -> Response {
    let is_id = |word: &str| word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
    let clean = |text: &str| {
        let text = text.replace(digest, "{digest}");
        let words: Vec<&str> = text.split('/').map(|word| if is_id(word) { "{id}" } else { word }).collect();
        words.join("/")
    };
    let headers = answer.headers.iter().filter(|(name, _)| name != "date");
    let headers = headers.map(|(name, value)| (name.clone(), clean(value))).collect();
    Response { status: answer.status, headers, body: clean(&answer.text()).into_bytes() }
}

#[test]
fn a_digest_of_another_tenant_opens_nothing() {
    let site = Site::start();
    for guess in [&site.layer, &site.manifest] {
        for method in ["GET", "HEAD", "DELETE"] {
            let blob = |digest: &str| site.bob(method, &format!("/v2/bob/own/blobs/{digest}")).send();
            site.are_alike(guess, blob).is(404);
            let manifest = |digest: &str| site.bob(method, &format!("/v2/bob/own/manifests/{digest}")).send();
            site.are_alike(guess, manifest).is(404);
        }
        let referrers = |digest: &str| site.bob("GET", &format!("/v2/bob/own/referrers/{digest}")).send();
        assert_eq!(site.are_alike(guess, referrers).is(200).json()["manifests"], json!([]));
    }
}

#[test]
fn an_upload_is_spared_nothing_because_somebody_else_has_the_bytes() {
    let site = Site::start();
    let uploads = "/v2/bob/own/blobs/uploads/";
    for query in [
        "?mount={}",
        "?mount={}&from=alice/hiddenrepo",
        "?mount={}&from=bob/own",
        "?digest={}",
        "?from=alice/hiddenrepo&digest={}",
    ] {
        let begin = |digest: &str| {
            site.bob("POST", &format!("{uploads}{}", query.replace("{}", digest))).body("").send()
        };
        assert_eq!(site.are_alike(&site.layer, begin).status, 202, "{query}");
        let wrong = |digest: &str| {
            site.bob("POST", &format!("{uploads}{}", query.replace("{}", digest))).body("guess").send()
        };
        assert!([202, 400].contains(&site.are_alike(&site.layer, wrong).status), "{query}");
    }
    let begun = site.bob("POST", uploads).body("").send().is(202);
    let session = begun.header("location").unwrap().to_owned();
    let end = |digest: &str| site.bob("PUT", &format!("{session}?digest={digest}")).body("").send();
    end(&site.layer).refuses(400, "DIGEST_INVALID");
    site.bob("HEAD", &format!("/v2/bob/own/blobs/{}", site.layer)).send().is(404);
}

fn put(site: &Site, reference: &str, manifest: &str) -> Response {
    let media_type =
        serde_json::from_str::<Value>(manifest).unwrap()["mediaType"].as_str().unwrap().to_owned();
    let target = format!("/v2/bob/own/manifests/{reference}");
    site.bob("PUT", &target).header("Content-Type", media_type).body(manifest).send()
}

#[test]
fn a_manifest_that_refers_to_what_others_have_brings_none_of_it() {
    let site = Site::start();
    let layer = format!("layer of {CONTENT}");
    let named = |digest: &str| {
        let mut manifest = image("", &[&layer]);
        manifest["layers"][0]["digest"] = digest.into();
        put(&site, "v1", &manifest.to_string())
    };
    let refused = site.are_alike(&site.layer, named);
    assert_eq!(refused.refusal(), (400, "MANIFEST_BLOB_UNKNOWN".to_owned()));

    // An index may list what is absent, and a signature may come before what it signs.
    put(&site, "index", &index(&[&site.manifest_text]).to_string()).is(201);
    let own = "own config";
    let digest = sha256(own);
    site.bob("POST", &format!("/v2/bob/own/blobs/uploads/?digest={digest}")).body(own).send().is(201);
    let mut signature = image(own, &[]);
    signature["subject"] = descriptor(IMAGE, &site.manifest_text);
    put(&site, "signature", &signature.to_string()).is(201);
    site.bob("GET", &format!("/v2/bob/own/manifests/{}", site.manifest)).send().is(404);
    site.bob("GET", &format!("/v2/bob/own/blobs/{}", site.layer)).send().is(404);
    let seen = site.server.alice("GET", &format!("/v2/{AT}/referrers/{}", site.manifest)).is(200).json();
    assert_eq!(seen["manifests"], json!([]), "and alice sees nothing of it");
}

/// What bob may ask for, under `/v2/` and in the API.
fn asked(site: &Site) -> Vec<Response> {
    let mut answers = Vec::new();
    for target in
        ["/v2/_catalog", "/v2/_catalog?last=alice", "/v2/bob/own/tags/list", "/v2/alice/hiddenrep0/tags/list"]
    {
        answers.push(site.bob("GET", target).send());
        answers.push(site.server.get(target).send());
    }
    let bob = Browser::of(&site.server, "bob");
    for target in [
        "/api/v1/user",
        "/api/v1/users/alice",
        "/api/v1/organization/alice",
        "/api/v1/repository?namespace=alice",
        "/api/v1/repository?public=true",
        "/api/v1/user/logs",
        "/api/v1/user/aggregatelogs",
        "/api/v1/organization/alice/logs",
        "/api/v1/superuser/logs",
        "/api/v1/find/repositories?query=hidden",
        "/api/v1/find/all?query=hidden",
        "/metrics",
        "/health",
        "/health/instance",
    ] {
        answers.push(bob.get(&site.server, target));
        answers.push(site.server.get(target).send());
    }
    answers
}

#[test]
fn nothing_that_others_may_ask_for_names_what_is_hidden() {
    let site = Site::start();
    site.server.registry.run_trail().unwrap();
    for answer in asked(&site) {
        let whole = format!("{:?} {}", answer.headers, answer.text());
        for secret in ["hiddenrepo", TAG, CONTENT, &site.manifest, &site.layer] {
            assert!(!whole.contains(secret), "{secret}: {whole}");
        }
    }
}

#[test]
fn each_route_of_the_api_answers_for_a_hidden_repository_as_for_a_missing_one() {
    let site = Site::start();
    let (secret, absent) = ("hiddenrepo", "absentrepo");
    let mut statuses = BTreeSet::new();
    for browser in [Browser::of(&site.server, "bob"), Browser::visitor(&site.server)] {
        for (method, below) in [
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("POST", "/changevisibility"),
            ("PUT", "/changestate"),
            ("GET", "/logs"),
            ("GET", "/aggregatelogs"),
            ("GET", "/logs?performer=bob"),
            ("POST", "/exportlogs"),
            ("GET", "/permissions/user/"),
            ("GET", "/permissions/team/"),
            ("GET", "/permissions/user/alice"),
            ("PUT", "/permissions/user/bob"),
            ("DELETE", "/permissions/user/bob"),
            ("GET", "/permissions/user/alice/transitive"),
            ("GET", "/tag/"),
            ("GET", "/manifest/sha256:00"),
            ("GET", "/mirror"),
            ("GET", "/notification/"),
        ] {
            let body = json!({
                "description": "d", "visibility": "public", "state": "READ_ONLY", "role": "read",
                "callback_url": "http://127.0.0.1/",
            });
            let answer = |name: &str| {
                let target = format!("/api/v1/repository/alice/{name}{below}");
                let sent = match method {
                    "GET" => browser.get(&site.server, &target),
                    _ => browser.json(&site.server, method, &target, &body).send(),
                };
                blanked(sent, name)
            };
            let hidden = answer(secret);
            assert_eq!(hidden, answer(absent), "{method} {below}");
            statuses.insert(hidden.status);
        }
    }
    assert!(statuses.iter().all(|status| [401, 404, 405].contains(status)), "{statuses:?}");
    let mine = Browser::of(&site.server, "alice")
        .get(&site.server, "/api/v1/repository/alice/hiddenrepo")
        .is(200)
        .json();
    assert_eq!((&mine["is_public"], &mine["state"]), (&json!(false), &json!("NORMAL")));
}

#[test]
fn no_spelling_of_a_path_leads_into_another_repository() {
    let site = Site::start();
    let token = site.server.token(Some("bob"), &["repository:bob/own:*", "repository:alice/hiddenrepo:*"]);
    for name in [
        "bob/own/../../alice/hiddenrepo",
        "bob/own/..%2f..%2falice/hiddenrepo",
        "bob/own/%2e%2e/%2e%2e/alice/hiddenrepo",
        "alice%2fhiddenrepo",
        "alice%2Fhiddenrepo",
        "alice%252fhiddenrepo",
        "/alice/hiddenrepo",
        "alice//hiddenrepo",
        "./alice/hiddenrepo",
        "alice/./hiddenrepo",
        "alice/hiddenrepo/",
        "alice/hiddenrepo%00",
        "alice/hiddenrepo%20",
        "alice/hiddenrepo%0a",
        "alice\\hiddenrepo",
        "alice%5chiddenrepo",
        "ALICE/HIDDENREPO",
        "alice/hiddenrepo;x=1",
        "alice/hiddenrepo%3f",
        "alice%ef%bc%8fhiddenrepo",
        "al%c4%b1ce/hiddenrepo",
        "%61lice/hiddenrepo",
        "alice%c0%afhiddenrepo",
    ] {
        for path in [format!("manifests/{TAG}"), "tags/list".to_owned(), format!("blobs/{}", site.layer)] {
            let target = format!("/v2/{name}/{path}");
            for request in
                [site.bob("GET", &target), site.server.get(&target).bearer(&token), site.server.get(&target)]
            {
                let answer = request.send();
                assert!([400, 401, 404].contains(&answer.status), "{target} {}", answer.status);
                assert!(!answer.text().contains(TAG) || path.contains(TAG), "{target} {}", answer.text());
            }
        }
        let bob = Browser::of(&site.server, "bob");
        let answer = bob.get(&site.server, &format!("/api/v1/repository/{name}"));
        assert!([400, 404].contains(&answer.status), "{name} {}", answer.status);
    }
}
