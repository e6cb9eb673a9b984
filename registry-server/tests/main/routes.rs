//! What holds on every route: signing in unasked, challenges, methods, and what lies nowhere.

use registry_server::wire::path::V2Path;

use crate::client::Response;
use crate::support::{IMAGE, Server, image, sha256};

/// Every path of a repository, as they stand after its name.
pub(crate) fn paths_below_a_repository() -> Vec<String> {
    let digest = sha256("layer of one");
    vec![
        format!("blobs/{digest}"),
        "blobs/uploads/".to_owned(),
        "blobs/uploads".to_owned(),
        "blobs/uploads/00000000-0000-4000-8000-000000000000".to_owned(),
        "manifests/v1".to_owned(),
        format!("manifests/{digest}"),
        "tags/list".to_owned(),
        format!("referrers/{digest}"),
    ]
}

/// Every method of every path of the repository.
pub(crate) fn routes(name: &str) -> Vec<(&'static str, String)> {
    let targets = paths_below_a_repository().into_iter().map(|path| format!("/v2/{name}/{path}"));
    targets
        .flat_map(|target| {
            let methods = V2Path::parse(&target).unwrap().methods();
            methods.iter().map(move |method| (*method, target.clone())).collect::<Vec<_>>()
        })
        .collect()
}

/// A new kind of path stops the build here: it belongs into [`paths_below_a_repository`] if it lies there.
fn place(path: &V2Path) -> Option<usize> {
    match path {
        V2Path::Blob { .. } => Some(0),
        V2Path::UploadStart { .. } => Some(1),
        V2Path::Upload { .. } => Some(2),
        V2Path::Manifest { .. } => Some(3),
        V2Path::Tags { .. } => Some(4),
        V2Path::Referrers { .. } => Some(5),
        V2Path::Ping | V2Path::Catalog | V2Path::Token | V2Path::Unknown => None,
    }
}

#[test]
fn the_table_of_routes_has_every_kind_of_path_below_a_repository() {
    let mut places: Vec<_> = paths_below_a_repository()
        .iter()
        .map(|path| place(&V2Path::parse(&format!("/v2/a/{path}")).unwrap()).unwrap())
        .collect();
    places.dedup();
    assert_eq!(places, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_ping_answers_whoever_is_signed_in_and_challenges_everybody_else() {
    let server = Server::start();
    for target in ["/v2/", "/v2"] {
        let answer = server.alice("GET", target).is(200);
        assert_eq!((answer.text().as_str(), answer.header("content-type")), ("{}", Some("application/json")));
        assert_eq!(server.alice("HEAD", target).is(200).length(), 2);
        let refused = server.get(target).send().refuses(401, "UNAUTHORIZED");
        let challenge = r#"Bearer realm="http://registry.test/v2/auth",service="registry.test""#;
        assert_eq!(refused.header("www-authenticate"), Some(challenge));
    }
    let token = server.token(None, &[]);
    server.get("/v2/").bearer(&token).send().is(200);
    let token = server.token(Some("alice"), &[]);
    server.get("/v2/").bearer(&token).send().is(200);
}

#[test]
fn wrong_credentials_are_challenged_on_every_route() {
    let server = Server::start();
    let mut routes = routes("alice/app");
    routes.extend([("GET", "/v2/".to_owned()), ("GET", "/v2/_catalog".to_owned())]);
    for (method, target) in routes {
        for credential in [
            "Basic YWxpY2U6d3JvbmctcGFzc3dvcmQ=",
            "Basic !!!",
            "Bearer garbled",
            "Bearer",
            "Negotiate abc",
            "\u{e9}",
        ] {
            server.clock.advance_ms(60_000);
            let request = server.request(method, &target).header("Authorization", credential);
            let refused = request.send().is(401);
            let challenge = refused.header("www-authenticate").unwrap();
            let is_token = credential == "Bearer garbled";
            assert_eq!(challenge.contains(r#",error="invalid_token""#), is_token, "{credential} {challenge}");
        }
    }
}

#[test]
fn basic_is_taken_unasked_on_every_route() {
    let server = Server::start();
    let manifest = server.push_image("alice/app", "v1", "one");
    server.alice("GET", "/v2/").is(200);
    server.alice("GET", "/v2/_catalog").is(200);
    for (method, target) in routes("alice/app").into_iter().filter(|(method, _)| *method != "DELETE") {
        let request = server.request(method, &target).user("alice").header("Content-Type", IMAGE);
        let answer = if method == "PUT" { request.body(&manifest) } else { request }.send();
        assert!(![401, 403].contains(&answer.status), "{method} {target}: {}", answer.text());
    }
    server.alice("DELETE", "/v2/alice/app/manifests/v1").is(202);
    let upload = server.begin("alice/app");
    server.alice("DELETE", &upload).is(204);
}

#[test]
fn a_challenge_names_the_scope_that_the_route_needs() {
    let server = Server::start();
    for (method, target) in routes("alice/some.path/app") {
        let refused = server.request(method, &target).send().is(401);
        let is_upload = target.contains("/blobs/uploads");
        let actions = match method {
            "DELETE" if !is_upload => "delete",
            "GET" | "HEAD" if !is_upload => "pull",
            _ => "pull,push",
        };
        let challenge = format!(
            "Bearer realm=\"http://registry.test/v2/auth\",service=\"registry.test\",\
             scope=\"repository:alice/some.path/app:{actions}\""
        );
        assert_eq!(refused.header("www-authenticate"), Some(challenge.as_str()), "{method} {target}");
    }
    let refused = server.get("/v2/_catalog").send().is(401);
    assert!(refused.header("www-authenticate").unwrap().ends_with(r#",scope="registry:catalog:*""#));
}

#[test]
fn a_challenge_points_to_the_host_that_the_client_asked() {
    let server = Server::start();
    let refused = server.get("/v2/").header("Host", "hub.lab:5000").send().is(401);
    let challenge = r#"Bearer realm="http://hub.lab:5000/v2/auth",service="hub.lab:5000""#;
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
    let refused = server.get("/v2/").header("X-Forwarded-Host", "evil").send().is(401);
    assert!(!refused.header("www-authenticate").unwrap().contains("evil"));
}

#[test]
fn nothing_breaks_out_of_a_challenge() {
    let server = Server::start();
    let target = "/v2/a%22,error=%22b%0d%0aX-Evil:1/tags/list";
    let request = server.get(target).header("Host", "a\",service=\"b").bearer("garbled");
    let refused = request.send().is(401);
    let challenge = r#"Bearer realm="http://localhost/v2/auth",service="localhost",error="invalid_token""#;
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
    assert_eq!(refused.header("x-evil"), None);
}

#[test]
fn a_method_that_a_path_does_not_answer_is_refused_with_those_it_does() {
    let server = Server::start();
    let mut targets: Vec<String> =
        paths_below_a_repository().iter().map(|path| format!("/v2/alice/app/{path}")).collect();
    targets.extend(["/v2/", "/v2/_catalog", "/v2/auth", "/v2/token"].map(str::to_owned));
    for target in targets {
        let allowed = V2Path::parse(&target).unwrap().methods();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if allowed.contains(&method) {
                continue;
            }
            let refused = server.alice(method, &target).is(405);
            assert_eq!(refused.header("allow"), Some(allowed.join(", ").as_str()), "{method} {target}");
            if method != "HEAD" {
                assert_eq!(refused.refusal(), (405, "UNSUPPORTED".into()));
            }
        }
    }
}

#[test]
fn nothing_lies_at_unknown_paths() {
    let server = Server::start();
    for target in [
        "/v2/alice",
        "/v2/alice/app",
        "/v2/alice/app/tags",
        "/v2/alice/app/tags/list/",
        "/v2/alice/app/manifests",
        "/v2/alice/app/manifests/",
        "/v2/alice/app/blobs/",
        "/v2/_oci/ext/discover",
        "/v2/alice/app/_oci/ext/discover",
        "/v2/_catalog/",
        "/v2/blobs/uploads/",
        "/v2/manifests/v1",
        "/v2/tags/list",
        "/v2/search",
    ] {
        let refused = server.alice("GET", target);
        assert!(matches!(refused.status, 400 | 404), "{target} {}", refused.status);
    }
    server.alice("GET", "/v2/nothing").refuses(404, "UNSUPPORTED");
    for target in ["/", "/v1/search?q=busybox&n=25", "/v2x", "/v3/", "/favicon.ico"] {
        let refused = server.alice("GET", target).is(404);
        assert_eq!(refused.header("content-type"), Some("application/json"));
    }
}

#[test]
fn names_may_be_deep_and_made_of_the_words_of_routes() {
    let server = Server::start();
    for name in [
        "alice/blobs",
        "alice/manifests/v1",
        "alice/tags/list",
        "alice/blobs/uploads",
        "alice/referrers/a/manifests",
        "alice/v2/v2",
        "alice/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
    ] {
        let manifest = server.push_image(name, "latest", name);
        let pulled = server.alice("GET", &format!("/v2/{name}/manifests/latest")).is(200);
        assert_eq!(pulled.text(), manifest);
        let tags = server.alice("GET", &format!("/v2/{name}/tags/list")).is(200).json();
        assert_eq!(tags, serde_json::json!({ "name": name, "tags": ["latest"] }));
    }
}

#[test]
fn names_outside_the_grammar_are_refused() {
    let server = Server::start();
    let long = format!("alice/{}", "a".repeat(256));
    for name in
        ["alice/App", "alice/a..b", "alice/-a", "alice/a_", "alice//a", "alice/_a", "alice/a%20b", &long]
    {
        for (method, target) in routes(name) {
            let refused: Response = server.alice(method, &target).is(400);
            if method != "HEAD" {
                assert_eq!(refused.refusal(), (400, "NAME_INVALID".into()), "{method} {target}");
            }
        }
    }
}

#[test]
fn a_name_without_a_slash_lies_in_the_library_and_is_answered_as_asked() {
    let server = Server::with(|setup| setup.users = &["library", "alice"]);
    let manifest = image("", &[]).to_string();
    let digest = sha256("");
    let at = format!("/v2/busybox/blobs/uploads/?digest={digest}");
    let pushed = server.request("POST", &at).user("library").body("").send().is(201);
    assert_eq!(pushed.header("location"), Some(format!("/v2/busybox/blobs/{digest}").as_str()));
    let put = server.request("PUT", "/v2/busybox/manifests/1").user("library").header("Content-Type", IMAGE);
    put.body(&manifest).send().is(201);
    for name in ["busybox", "library/busybox"] {
        let target = format!("/v2/{name}/manifests/1");
        let token = server.token(Some("library"), &["repository:busybox:pull"]);
        assert_eq!(server.get(&target).user("library").send().is(200).text(), manifest);
        let is_covered = name == "busybox";
        let status = server.get(&target).bearer(&token).send().status;
        assert_eq!(status, if is_covered { 200 } else { 401 });
    }
}

#[test]
fn who_may_not_push_is_told_before_anything_else_is_looked_at() {
    let server = Server::start();
    let session = "/v2/alice/app/blobs/uploads/not-an-id";
    for (method, target, body) in [
        ("PUT", "/v2/alice/app/manifests/-bad", "not json"),
        ("PUT", "/v2/alice/app/manifests/sha256:bad", "{}"),
        ("POST", "/v2/alice/app/blobs/uploads/?digest=bad", "x"),
        ("POST", "/v2/alice/app/blobs/uploads/?digest-algorithm=md5", ""),
        ("PATCH", session, "x"),
        ("PUT", session, "x"),
        ("GET", session, ""),
    ] {
        let request = || server.request(method, target).header("Content-Range", "bad").body(body);
        request().send().refuses(401, "UNAUTHORIZED");
        request().user("bob").send().refuses(403, "DENIED");
        assert!(matches!(request().user("alice").send().status, 400 | 404), "{method} {target}");
    }
    let mut connection = server.connect();
    connection.send("PUT /v2/alice/app/manifests/v1 HTTP/1.1\r\nHost: r\r\nExpect: 100-continue\r\n");
    connection.send("Content-Length: 1000000\r\nConnection: close\r\n\r\n");
    assert!(connection.head().starts_with("HTTP/1.1 401 "), "its body was not asked for");
}
