//! Listing what refers to a manifest.

use serde_json::{Value, json};

use crate::client::Response;
use crate::support::{IMAGE, INDEX, Server, descriptor, image, index, sha256, sha512};
use crate::tags::next;

const SIGNATURE: &str = "application/vnd.example.signature+json";

fn list(server: &Server, name: &str, digest: &str) -> Response {
    server.alice("GET", &format!("/v2/{name}/referrers/{digest}")).is(200)
}

fn manifests(answer: &Response) -> Vec<Value> {
    let index = answer.json();
    assert_eq!(answer.header("content-type"), Some(INDEX));
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(INDEX)));
    index["manifests"].as_array().unwrap().clone()
}

/// A manifest that refers to the content `subject`.
fn referrer(subject: &str, artifact_type: &str, annotations: Value) -> String {
    let mut manifest = image("config", &[]);
    manifest["artifactType"] = json!(artifact_type);
    manifest["subject"] = descriptor(IMAGE, subject);
    manifest["annotations"] = annotations;
    manifest.to_string()
}

fn start() -> Server {
    let server = Server::start();
    server.push_blob("alice/app", "config");
    server
}

#[test]
fn nothing_refers_to_what_is_unknown() {
    let server = start();
    for (name, digest) in [
        ("alice/app", sha256("unknown")),
        ("alice/app", format!("sha256:{}", "0".repeat(64))),
        ("alice/app", sha512("unknown")),
        ("alice/nothing", sha256("unknown")),
        ("nobody/nothing", sha256("unknown")),
    ] {
        let answer = list(&server, name, &digest);
        assert_eq!(manifests(&answer), Vec::<Value>::new());
        assert_eq!((next(&answer), answer.header("oci-filters-applied")), (None, None));
    }
    for digest in ["bad", "sha256:bad", "md5:00", "latest"] {
        server.alice("GET", &format!("/v2/alice/app/referrers/{digest}")).refuses(400, "DIGEST_INVALID");
    }
}

#[test]
fn a_referrer_is_described_by_what_it_says_of_itself() {
    let server = start();
    let annotations = json!({ "org.example.key": "v\u{e9} \"quoted\"" });
    let typed = referrer("subject", SIGNATURE, annotations.clone());
    server.push("alice/app", "typed", &typed);
    let mut by_config = image("config", &[]);
    by_config["subject"] = descriptor(IMAGE, "subject");
    let by_config = by_config.to_string();
    server.push("alice/app", &sha256(&by_config), &by_config);
    let mut untyped = index(&[]);
    untyped["subject"] = descriptor(IMAGE, "subject");
    let untyped = untyped.to_string();
    server.push("alice/app", "index", &untyped);

    let mut expected = vec![
        json!({
            "mediaType": IMAGE, "digest": sha256(&typed), "size": typed.len(),
            "artifactType": SIGNATURE, "annotations": annotations,
        }),
        json!({
            "mediaType": IMAGE, "digest": sha256(&by_config), "size": by_config.len(),
            "artifactType": "application/vnd.oci.image.config.v1+json",
        }),
        json!({ "mediaType": INDEX, "digest": sha256(&untyped), "size": untyped.len() }),
    ];
    expected.sort_by_key(|descriptor| descriptor["digest"].as_str().unwrap().to_owned());
    assert_eq!(manifests(&list(&server, "alice/app", &sha256("subject"))), expected);
    assert_eq!(manifests(&list(&server, "alice/other", &sha256("subject"))), Vec::<Value>::new());
    assert_eq!(manifests(&list(&server, "alice/app", &sha512("subject"))), Vec::<Value>::new());
}

#[test]
fn a_list_is_filtered_by_type_and_says_so() {
    let server = start();
    let signature = referrer("subject", SIGNATURE, json!({}));
    server.push("alice/app", "a", &signature);
    server.push("alice/app", "b", &referrer("subject", "application/vnd.example.sbom", json!({})));
    for wanted in [SIGNATURE.to_owned(), SIGNATURE.replace('/', "%2F").replace('+', "%2B")] {
        let at = format!("{}?artifactType={wanted}", sha256("subject"));
        let answer = list(&server, "alice/app", &at);
        assert_eq!(manifests(&answer).len(), 1);
        assert_eq!(manifests(&answer)[0]["digest"], sha256(&signature));
        assert_eq!(answer.header("oci-filters-applied"), Some("artifactType"));
    }
    let none = list(&server, "alice/app", &format!("{}?artifactType=application/none", sha256("subject")));
    assert_eq!(manifests(&none), Vec::<Value>::new());
    assert_eq!(none.header("oci-filters-applied"), Some("artifactType"));
    let all = list(&server, "alice/app", &format!("{}?artifactType=", sha256("subject")));
    assert_eq!((manifests(&all).len(), all.header("oci-filters-applied")), (2, None));
}

#[test]
fn a_long_list_is_given_in_pages_that_keep_the_filter() {
    let server = start();
    let big = "x".repeat(1 << 20);
    let mut expected: Vec<String> = (0..5)
        .map(|n| {
            server.push(
                "alice/app",
                &format!("t{n}"),
                &referrer("subject", SIGNATURE, json!({ "n": n.to_string(), "big": big })),
            )
        })
        .collect();
    server.push("alice/app", "other", &referrer("subject", "application/other", json!({})));
    expected.sort();
    let mut seen = Vec::new();
    let encoded = SIGNATURE.replace('/', "%2F").replace('+', "%2B");
    let mut target = format!("/v2/alice/app/referrers/{}?artifactType={encoded}", sha256("subject"));
    let mut pages = 0;
    loop {
        let page = server.alice("GET", &target).is(200);
        assert!(page.body.len() < 4 << 20, "a page is no larger than a manifest");
        assert_eq!(page.header("oci-filters-applied"), Some("artifactType"));
        seen.extend(manifests(&page).iter().map(|found| found["digest"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = next(&page) else { break };
        assert!(next.contains(&format!("artifactType={encoded}")), "{next}");
        target = next;
    }
    assert_eq!(seen, expected);
    assert!(pages > 1);
}

#[test]
fn a_deleted_referrer_is_off_the_list_at_once_and_a_deleted_subject_keeps_its_list() {
    let server = Server::start();
    let subject = server.push_image("alice/app", "v1", "one");
    server.push_blob("alice/app", "config");
    let gone = server.push("alice/app", "a", &referrer(&subject, SIGNATURE, json!({})));
    let kept = server.push("alice/app", "b", &referrer(&subject, SIGNATURE, json!({ "kept": "yes" })));
    assert_eq!(manifests(&list(&server, "alice/app", &sha256(&subject))).len(), 2);
    server.alice("DELETE", &format!("/v2/alice/app/manifests/{gone}")).is(202);
    server.alice("DELETE", &format!("/v2/alice/app/manifests/{}", sha256(&subject))).is(202);
    let left = manifests(&list(&server, "alice/app", &sha256(&subject)));
    assert_eq!(left.iter().map(|found| &found["digest"]).collect::<Vec<_>>(), [&json!(kept)]);
}

#[test]
fn without_the_api_nothing_is_listed_and_no_subject_is_promised() {
    let server = Server::with(|setup| setup.options.referrers_api = false);
    server.push_blob("alice/app", "config");
    let pushed = server.put_manifest("alice/app", "a", &referrer("subject", SIGNATURE, json!({}))).is(201);
    assert_eq!(pushed.header("oci-subject"), None);
    server
        .alice("GET", &format!("/v2/alice/app/referrers/{}", sha256("subject")))
        .refuses(404, "UNSUPPORTED");
}
