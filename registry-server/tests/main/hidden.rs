//! What is hidden from somebody is answered as if it did not exist, to the byte.

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::{Request, Response};
use crate::routes::routes;
use crate::support::{IMAGE, OCTETS, Server, descriptor, image, sha256};

/// A repository of alice's with everything in it, one that does not exist in her namespace, and one in a namespace that
/// does not exist. The names are of equal length.
const SECRET: &str = "alice/secret";
const ABSENT: &str = "alice/absent";
const NOWHERE: &str = "noone/secret";

/// The layer of the image that is tagged `v1`; the name of its manifest's digest stands in the rows below.
const CONTENT: &str = "one";

struct Hidden {
    server: Server,
    upload: String,
    rows: Vec<Row>,
}

/// One request to a repository; `{name}` stands for its name.
#[derive(Debug)]
struct Row {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

impl Row {
    fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: None }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn request(&self, server: &Server, name: &str) -> Request {
        let mut request = server.request(self.method, &self.target.replace("{name}", name));
        for (key, value) in &self.headers {
            request = request.header(key, value);
        }
        match &self.body {
            Some(body) => request.body(body),
            None => request,
        }
    }
}

impl Hidden {
    fn start() -> Self {
        let server = Server::start();
        let manifest = server.push_image(SECRET, "v1", CONTENT);
        let signature = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": "application/vnd.example.signature",
            "config": descriptor("application/vnd.oci.empty.v1+json", "config of one"),
            "layers": [],
            "subject": descriptor(IMAGE, &manifest),
        });
        server.push(SECRET, "signature", &signature.to_string());
        let upload = server.begin(SECRET);
        let id = upload.rsplit('/').next().unwrap().to_owned();
        let rows = rows(&manifest, &id);
        Self { server, upload, rows }
    }

    /// Everything of alice's is still as it was.
    fn check_untouched(&self) {
        let tags = self.server.alice("GET", &format!("/v2/{SECRET}/tags/list")).is(200).json();
        assert_eq!(tags["tags"], json!(["signature", "v1"]));
        self.server.alice("GET", &self.upload).is(204);
        self.server.alice("GET", &format!("/v2/{SECRET}/blobs/{}", sha256("layer of one"))).is(200);
        self.server.alice("GET", &format!("/v2/{ABSENT}/tags/list")).refuses(404, "NAME_UNKNOWN");
    }
}

/// Every method of every path, and what requests to it can carry.
fn rows(manifest: &str, upload: &str) -> Vec<Row> {
    let (blob, digest, new) = (sha256("layer of one"), sha256(manifest), image("new", &[]).to_string());
    let mut rows: Vec<Row> = routes("{name}").into_iter().map(|(method, at)| Row::new(method, at)).collect();
    let blob = format!("/v2/{{name}}/blobs/{blob}");
    let uploads = "/v2/{name}/blobs/uploads/";
    let session = format!("{uploads}{upload}");
    rows.extend([
        Row::new("GET", &blob).header("Range", "bytes=0-1"),
        Row::new("GET", &blob).header("Range", "bytes=900-"),
        Row::new("GET", &blob).header("If-None-Match", "*"),
        Row::new("GET", "/v2/{name}/blobs/sha256:bad"),
        Row::new("POST", uploads).body(""),
        Row::new("POST", format!("{uploads}?digest={}", sha256("x"))).body("x"),
        Row::new("POST", format!("{uploads}?digest={}", sha256("y"))).body("x"),
        Row::new("POST", format!("{uploads}?digest=bad")).body("x"),
        Row::new("POST", format!("{uploads}?mount={}&from={SECRET}", sha256("layer of one"))),
        Row::new("POST", format!("{uploads}?mount={}", sha256("layer of one"))),
        Row::new("POST", format!("{uploads}?digest-algorithm=sha512")),
        Row::new("POST", format!("{uploads}?digest-algorithm=md5")),
        Row::new("GET", &session),
        Row::new("PATCH", &session).header("Content-Type", OCTETS).body("x"),
        Row::new("PATCH", &session).header("Content-Range", "5-5").body("x"),
        Row::new("PATCH", &session).header("Content-Range", "bad").body("x"),
        Row::new("PUT", &session).body("x"),
        Row::new("PUT", format!("{session}?digest={}", sha256("x"))).body("x"),
        Row::new("PUT", format!("{session}?digest={}", sha256("x"))).header("Content-Range", "5-5").body("x"),
        Row::new("DELETE", &session),
        Row::new("GET", format!("{uploads}not-an-id")),
        Row::new("GET", format!("/v2/{{name}}/manifests/{digest}")),
        Row::new("HEAD", format!("/v2/{{name}}/manifests/{digest}")),
        Row::new("GET", "/v2/{name}/manifests/v1").header("If-None-Match", "*"),
        Row::new("GET", "/v2/{name}/manifests/absent"),
        Row::new("GET", "/v2/{name}/manifests/-bad"),
        Row::new("DELETE", "/v2/{name}/manifests/absent"),
        Row::new("DELETE", format!("/v2/{{name}}/manifests/{digest}")),
        Row::new("GET", "/v2/{name}/tags/list?n=1"),
        Row::new("GET", "/v2/{name}/tags/list?n=-1"),
        Row::new("GET", "/v2/{name}/tags/list?last=a"),
        Row::new("GET", format!("/v2/{{name}}/referrers/{digest}")),
        Row::new("HEAD", format!("/v2/{{name}}/referrers/{digest}")),
        Row::new(
            "GET",
            format!("/v2/{{name}}/referrers/{digest}?artifactType=application/vnd.example.signature"),
        ),
        Row::new("GET", format!("/v2/{{name}}/referrers/{digest}?last={digest}")),
        Row::new("GET", "/v2/{name}/referrers/bad"),
    ]);
    let put = |at: &str, body: &str| {
        Row::new("PUT", format!("/v2/{{name}}/manifests/{at}")).header("Content-Type", IMAGE).body(body)
    };
    rows.extend([
        put("v1", manifest),
        put("v1", &new),
        put("v1", "{"),
        put("v2", manifest),
        put(&digest, manifest),
        put(&digest, &new),
        put(&format!("{digest}?tag=v1&tag=v3"), manifest),
        put("v1", manifest).header("If-Match", format!("\"{digest}\"")),
        put("v1", manifest).header("If-None-Match", "*"),
        put("v1", &format!("{manifest}{}", " ".repeat(100_000))),
    ]);
    rows
}

/// The answer with everything blanked that may differ.
pub(crate) fn blanked(answer: Response, name: &str) -> Response {
    let clean = |text: String| -> String {
        let text = text.replace(name, "{name}");
        let words: Vec<&str> = text.split('/').collect();
        let is_id = |word: &str| word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
        words.iter().map(|word| if is_id(word) { "{id}" } else { word }).collect::<Vec<_>>().join("/")
    };
    let headers = answer.headers.into_iter().map(|(key, value)| match key.as_str() {
        "date" => (key, "{date}".to_owned()),
        _ => (key, clean(value)),
    });
    let body = clean(String::from_utf8(answer.body).unwrap()).into_bytes();
    Response { status: answer.status, headers: headers.collect(), body }
}

/// Sends every row to the hidden and the missing repositories and compares.
fn compare(hidden: &Hidden, sign: impl Fn(Request) -> Request) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::new();
    for row in &hidden.rows {
        let answer = |name| blanked(sign(row.request(&hidden.server, name)).send(), name);
        let secret = answer(SECRET);
        for other in [ABSENT, NOWHERE] {
            assert_eq!(secret, answer(other), "{other}: {row:?}");
        }
        statuses.insert(secret.status);
    }
    hidden.check_untouched();
    statuses
}

fn scopes() -> Vec<String> {
    [SECRET, ABSENT, NOWHERE].iter().map(|name| format!("repository:{name}:*")).collect()
}

#[test]
fn a_strangers_password_finds_nothing_out() {
    let hidden = Hidden::start();
    let statuses = compare(&hidden, |request| request.user("bob"));
    assert_eq!(statuses, BTreeSet::from([200, 400, 403, 404]));
}

#[test]
fn a_strangers_token_finds_nothing_out() {
    let hidden = Hidden::start();
    let scopes = scopes();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let token = hidden.server.token(Some("bob"), &scopes);
    let statuses = compare(&hidden, |request| request.bearer(&token));
    assert_eq!(statuses, BTreeSet::from([200, 400, 403, 404]));
}

#[test]
fn a_token_that_was_not_asked_for_it_is_told_so_whatever_exists() {
    let hidden = Hidden::start();
    let token = hidden.server.token(Some("bob"), &["repository:bob/own:pull"]);
    assert_eq!(compare(&hidden, |request| request.bearer(&token)), BTreeSet::from([401]));
}

#[test]
fn nobody_finds_anything_out_without_signing_in() {
    let hidden = Hidden::start();
    // What is refused by its grammar is refused before anything is looked up.
    assert_eq!(compare(&hidden, |request| request), BTreeSet::from([400, 401, 404]));
    let scopes = scopes();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let token = hidden.server.token(None, &scopes);
    assert_eq!(compare(&hidden, |request| request.bearer(&token)), BTreeSet::from([400, 401, 404]));
}

#[test]
fn a_mount_from_what_is_hidden_is_an_upload_as_from_what_is_missing() {
    let hidden = Hidden::start();
    let server = &hidden.server;
    let digest = sha256("layer of one");
    let scopes = scopes();
    let mut scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    scopes.push("repository:bob/own:*");
    let token = server.token(Some("bob"), &scopes);
    let mount = |digest: &str, from: &str| {
        let target = format!("/v2/bob/own/blobs/uploads/?mount={digest}{from}");
        blanked(server.request("POST", &target).bearer(&token).send(), "bob/own")
    };
    let missing = mount(&sha256("nowhere at all"), "").is(202);
    assert_eq!(mount(&digest, ""), missing);
    for from in [SECRET, ABSENT, NOWHERE, "-bad-", ""] {
        assert_eq!(mount(&digest, &format!("&from={from}")), missing, "{from}");
    }
    server.request("HEAD", &format!("/v2/bob/own/blobs/{digest}")).user("bob").send().is(404);
}

#[test]
fn the_catalog_does_not_show_what_is_hidden() {
    let hidden = Hidden::start();
    let seen = hidden.server.get("/v2/_catalog").user("bob").send().is(200).json();
    assert_eq!(seen, json!({ "repositories": [] }));
    let seen = hidden.server.alice("GET", "/v2/_catalog").json();
    assert_eq!(seen, json!({ "repositories": [SECRET] }));
}
