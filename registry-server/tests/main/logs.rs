//! What the audit trail says of sign-ins and refusals, and how logs are asked for and exported.

use registry_core::{Audited, Registry};
use registry_server::outbound::Outbound;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

use crate::browser::Browser;
use crate::client::Response;
use crate::support::{IMAGE, PASSWORD, Server, Setup};

const ALL: Audited = Audited {
    sign_ins: true,
    failed_sign_ins: true,
    failed_pulls: true,
    failed_pushes: true,
    failed_deletions: true,
};

fn audited(setup: &mut Setup) {
    setup.settings.audited = ALL;
    setup.settings.superusers = ["alice".to_owned()].into();
}

/// The events of these kinds, the oldest first, as superusers see them.
fn events(server: &Server, kinds: &[&str]) -> Vec<Value> {
    server.registry.run_trail().unwrap();
    let query = registry_core::EventQuery {
        scope: registry_core::EventScope::All,
        performer: None,
        from_ms: 0,
        until_ms: u64::MAX,
    };
    let mut events = server.registry.events(&query, None, 10_000).unwrap().events;
    events.reverse();
    let shown = |event: registry_core::Event| {
        let namespace = event.namespace.map(|namespace| namespace.name);
        let metadata: Value = serde_json::from_str(&event.metadata).unwrap();
        json!({ "kind": event.kind, "namespace": namespace, "performer": event.performer.map(|who| who.name), "metadata": metadata })
    };
    events.into_iter().filter(|event| kinds.contains(&event.kind.as_str())).map(shown).collect()
}

const SIGN_INS: [&str; 3] = ["login_success", "login_failure", "logout_success"];

fn sign_in(kind: &str, way: &str, name: &str, message: Option<&str>) -> Value {
    let mut metadata = json!({ "type": way, "kind": "user", "useragent": "test/1", "username": name });
    if let Some(message) = message {
        metadata["message"] = message.into();
    }
    let namespace = if name == "nobody" { Value::Null } else { name.into() };
    json!({ "kind": kind, "namespace": namespace, "performer": null, "metadata": metadata })
}

#[test]
fn signing_in_and_out_leaves_an_event_in_the_namespace_of_the_user() {
    let server = Server::with(audited);
    let agent = |request: crate::client::Request| request.header("User-Agent", "test/1").send();
    let mut browser = Browser::visitor(&server);
    let credentials = json!({ "username": "alice", "password": PASSWORD });
    let signed_in = agent(browser.json(&server, "POST", "/api/v1/signin", &credentials)).is(200);
    browser.keep(signed_in);
    agent(browser.json(&server, "POST", "/api/v1/signin/verify", &json!({ "password": PASSWORD }))).is(200);
    agent(browser.json(&server, "POST", "/api/v1/signout", &json!({}))).is(200);
    let found = events(&server, &SIGN_INS);
    // Two that are alike within the same moment are one.
    let mut twice = sign_in("login_success", "quayauth", "alice", None);
    twice["metadata"]["times"] = 2.into();
    assert_eq!(found, [twice, sign_in("logout_success", "quayauth", "alice", None)]);
    agent(server.get("/v2/auth").user("bob")).is(200);
    agent(
        server
            .request("POST", "/v2/token")
            .body(format!("grant_type=password&username=bob&password={PASSWORD}")),
    )
    .is(200);
    assert_eq!(events(&server, &SIGN_INS)[2]["metadata"]["times"], 2);
    server.clock.advance_ms(1);
    agent(server.get("/v2/").user("bob")).is(200);
    agent(server.get("/v2/auth")).is(200);
    agent(server.get("/v2/bob/app/tags/list").user("bob")).is(404);
    assert_eq!(events(&server, &SIGN_INS)[3..], [sign_in("login_success", "v2auth", "bob", None)]);
    let mine = Browser::of(&server, "bob").get(&server, "/api/v1/user/logs").is(200).json();
    assert!(mine["logs"].as_array().unwrap().iter().any(|log| log["kind"] == "login_success"));
}

#[test]
fn who_signs_in_with_a_stored_token_is_named_with_the_token() {
    let server = Server::with(audited);
    let mut alice = Browser::of(&server, "alice");
    let app = alice.post(&server, "/api/v1/user/apptoken", &json!({ "title": "laptop" })).is(200).json();
    alice.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);
    let apps = "/api/v1/organization/acme/applications";
    let made = alice.post(&server, apps, &json!({ "name": "ci" })).is(200).json();
    let client_id = made["client_id"].as_str().unwrap();
    let wanted = json!({ "name": "t", "scope": "repo:read" });
    let access = alice.post(&server, &format!("{apps}/{client_id}/tokens"), &wanted).is(200).json();
    let sign_in = |name: &str, secret: &Value| {
        let request = server.get("/v2/auth").password(name, secret.as_str().unwrap());
        request.header("User-Agent", "test/1").send().is(200);
        events(&server, &["login_success"]).pop().unwrap()
    };
    let event = sign_in("$app", &app["token"]["token_code"]);
    let metadata = json!({
        "type": "v2auth", "kind": "app_specific_token", "useragent": "test/1", "username": "alice",
        "app_specific_token": app["token"]["uuid"],
    });
    assert_eq!((&event["namespace"], &event["metadata"]), (&json!("alice"), &metadata));
    server.clock.advance_ms(1);
    let event = sign_in("$oauthtoken", &access["token"]);
    let metadata = json!({
        "type": "v2auth", "kind": "oauth_token", "useragent": "test/1", "username": "alice",
        "oauth_token_id": access["uuid"],
        "oauth_token_application_id": client_id, "oauth_token_application": "ci",
    });
    assert_eq!((&event["namespace"], &event["metadata"]), (&json!("alice"), &metadata));
}

#[test]
fn a_failed_sign_in_says_which_name_was_tried_and_never_the_password() {
    let server = Server::with(audited);
    let agent = |request: crate::client::Request| request.header("User-Agent", "test/1").send();
    let browser = Browser::visitor(&server);
    let credentials = json!({ "username": "alice", "password": "secret-wrong" });
    agent(browser.json(&server, "POST", "/api/v1/signin", &credentials)).is(403);
    server.clock.advance_ms(1);
    agent(server.get("/v2/auth").password("alice", "secret-other")).is(429);
    server.clock.advance_ms(1);
    agent(server.get("/v2/bob/app/tags/list").password("nobody", "secret-wrong")).is(401);
    let wrong = Some("Invalid Username or Password");
    let expected = [
        sign_in("login_failure", "quayauth", "alice", wrong),
        sign_in("login_failure", "v2auth", "alice", Some("Too many login attempts")),
        sign_in("login_failure", "v2auth", "nobody", wrong),
    ];
    assert_eq!(events(&server, &SIGN_INS), expected);
    assert!(server.registry.every_event().unwrap().iter().all(|line| !line.contains("secret-")));
}

#[test]
fn failures_are_recorded_only_where_the_configuration_wants_them() {
    let server = Server::start();
    server.get("/v2/auth").password("alice", "wrong").send().is(401);
    server.get("/v2/alice/app/manifests/v1").user("bob").send().is(404);
    server.get("/v2/auth").user("bob").send().is(200);
    let kinds = ["login_failure", "pull_repo_failed", "login_success"];
    let found: Vec<Value> = events(&server, &kinds).into_iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(found, ["login_success"]);
}

#[test]
fn what_is_refused_lies_in_the_log_of_where_it_was_tried() {
    let server = Server::with(audited);
    server.push_image("alice/app", "v1", "one");
    let path = "/v2/alice/app/manifests/v1";
    server.get(path).send().is(401);
    server.get(path).user("bob").send().is(404);
    server.clock.advance_ms(1);
    server.request("PUT", path).user("bob").header("Content-Type", IMAGE).body("{}").send().is(403);
    server.clock.advance_ms(1);
    server.request("POST", "/v2/alice/app/blobs/uploads/").user("bob").body("").send().is(403);
    server.clock.advance_ms(1);
    server.request("DELETE", path).user("bob").send().is(404);
    let found = events(&server, &["pull_repo_failed", "push_repo_failed", "delete_tag_failed"]);
    let short: Vec<String> = found
        .iter()
        .map(|event| {
            assert_eq!((&event["namespace"], &event["performer"]), (&json!("alice"), &json!("bob")));
            format!("{} {}", event["kind"].as_str().unwrap(), event["metadata"]["tag"])
        })
        .collect();
    let expected = [
        "pull_repo_failed \"v1\"",
        "push_repo_failed \"v1\"",
        "push_repo_failed null",
        "delete_tag_failed \"v1\"",
    ];
    assert_eq!(short, expected);
    assert_eq!(found[0]["metadata"]["repo"], "app");
}

fn logs(server: &Server, alice: &Browser, query: &str) -> Response {
    alice.get(server, &format!("/api/v1/user/logs?{query}"))
}

#[test]
fn logs_are_of_whole_days_and_of_who_exists() {
    let server = Server::start();
    let alice = Browser::of(&server, "alice");
    let whole = logs(&server, &alice, "").is(200).json();
    let (start, end) = (&whole["start_time"], &whole["end_time"]);
    assert_eq!(
        (start, end),
        (&json!("Thu, 14 Jan 2027 08:00:00 -0000"), &json!("Sat, 16 Jan 2027 08:00:00 -0000"))
    );
    let day = logs(&server, &alice, "starttime=01/14/2027&endtime=01/15/2027").is(200).json();
    assert_eq!(day["end_time"], "Sat, 16 Jan 2027 00:00:00 -0000", "the day after");
    for wrong in [
        "starttime=2027-01-14",
        "endtime=tomorrow",
        "starttime=",
        "starttime=13/45/2027",
        "starttime=1/1/1/1",
    ] {
        assert_eq!(logs(&server, &alice, wrong).is(200).json()["start_time"], *start, "{wrong}");
    }
    let backwards = logs(&server, &alice, "starttime=01/16/2027&endtime=01/01/2027").is(400);
    assert!(backwards.json()["message"].is_string());
    let counted = |query: &str| alice.get(&server, &format!("/api/v1/user/aggregatelogs?{query}"));
    counted("starttime=12/15/2026&endtime=01/15/2027").is(200);
    assert!(counted("starttime=12/14/2026&endtime=01/15/2027").is(400).json()["message"].is_string());
    logs(&server, &alice, "starttime=12/14/2025&endtime=01/15/2027").is(200);
    for form in ["logs", "aggregatelogs"] {
        let target = format!("/api/v1/user/{form}?performer=nobody");
        assert!(alice.get(&server, &target).is(400).json()["message"].is_string());
        alice.get(&server, &format!("/api/v1/user/{form}?performer=bob")).is(200);
    }
    assert_eq!(logs(&server, &alice, "next_page=nonsense").is(200).json()["start_time"], *start);
}

/// Waits until the export is there.
fn fetch(server: &Server, id: &str) -> Response {
    loop {
        let answer = server.get(&format!("/exportedlogs/{id}")).send();
        if answer.status != 404 {
            return answer.is(200);
        }
    }
}

fn wait_for(registry: &Registry, kind: &str) -> Value {
    loop {
        registry.run_trail().unwrap();
        let events = registry.every_event().unwrap();
        if let Some(line) = events.iter().find(|line| line.contains(&format!("\"{kind}\""))) {
            return serde_json::from_str(line).unwrap();
        }
    }
}

#[test]
fn logs_are_exported_in_the_background_and_fetched_by_id() {
    let server = Server::start();
    let alice = Browser::of(&server, "alice");
    server.push_image("alice/app", "v1", "one");
    server.registry.run_trail().unwrap();
    let ask = |target: &str| alice.json(&server, "POST", target, &json!({})).send().is(200).json();
    let asked = ask("/api/v1/repository/alice/app/exportlogs");
    let answer = fetch(&server, asked["export_id"].as_str().unwrap());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let exported = answer.json();
    let kinds: Vec<&Value> = exported["logs"].as_array().unwrap().iter().map(|log| &log["kind"]).collect();
    assert_eq!(kinds, [&json!("push_repo"), &json!("create_repo"), &Value::Null]);
    assert_eq!(exported["logs"][0]["performer"]["name"], "alice");
    let event = wait_for(&server.registry, "export_logs_success");
    assert_eq!((&event["performer"]["name"], &event["metadata"]["repo"]), (&json!("alice"), &json!("app")));
    assert!(!event.to_string().contains(asked["export_id"].as_str().unwrap()), "the id opens the file");

    // Without any body, and more often than they are kept.
    let bare = alice
        .request(&server, "POST", "/api/v1/user/exportlogs/")
        .header("X-CSRF-Token", alice.token.clone().unwrap());
    fetch(&server, bare.send().is(200).json()["export_id"].as_str().unwrap());
    let again = || alice.json(&server, "POST", "/api/v1/user/exportlogs", &json!({})).send();
    (0..6).for_each(|_| drop(again().is(200)));
    assert!(again().is(400).json()["message"].as_str().unwrap().contains("exports"));
    let path = format!("/exportedlogs/{}", asked["export_id"].as_str().unwrap());
    server.request("POST", &path).body("").send().is(405);
    assert_eq!(server.request("HEAD", &path).send().is(200).length(), answer.body.len());
    server.clock.advance_ms(24 * 60 * 60 * 1000);
    server.get(&path).send().is(404);
    for path in ["/exportedlogs/", "/exportedlogs/..%2f..", "/exportedlogs/x/y"] {
        server.get(path).send().is(404);
    }
}

#[test]
fn logs_are_exported_only_to_who_may_read_them() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    let bob = Browser::of(&server, "bob");
    let ask = |target: &str| bob.json(&server, "POST", target, &json!({})).send();
    ask("/api/v1/repository/alice/app/exportlogs").is(404);
    ask("/api/v1/organization/alice/exportlogs").is(403);
    Browser::visitor(&server).json(&server, "POST", "/api/v1/user/exportlogs", &json!({})).send().is(401);
    bob.request(&server, "POST", "/api/v1/user/exportlogs").send().is(403);
    let server = Server::with(|setup| setup.options.log_export = false);
    let bob = Browser::of(&server, "bob");
    bob.json(&server, "POST", "/api/v1/user/exportlogs", &json!({})).send().is(404);
}

#[test]
fn a_callback_goes_nowhere_that_the_configuration_does_not_name() {
    let server = Server::start();
    let alice = Browser::of(&server, "alice");
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://9.9.9.9/",
        "http://kubernetes.default/",
        "http://no-such-host.invalid/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "nonsense",
        "http://user:secret@127.0.0.1/",
    ] {
        let body = json!({ "callback_url": url });
        let refused = alice.json(&server, "POST", "/api/v1/user/exportlogs", &body).send().is(400).json();
        assert_eq!(refused["error_type"], "invalid_request", "{url}");
        assert!(!refused.to_string().contains("secret"));
    }
    let body = json!({ "callback_email": "a@lab.test" });
    alice.json(&server, "POST", "/api/v1/user/exportlogs", &body).send().is(400);
}

#[test]
fn a_callback_is_told_where_the_export_is() {
    let hook = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::with(|setup| setup.options.outbound = Outbound::allowing(["127.0.0.1"]).unwrap());
    let alice = Browser::of(&server, "alice");
    let url = format!("http://{}/hook?key=secret", hook.local_addr().unwrap());
    let body = json!({ "callback_url": url });
    let asked = alice.json(&server, "POST", "/api/v1/user/exportlogs", &body).send().is(200).json();
    let (mut stream, _) = hook.accept().unwrap();
    let mut told = Vec::new();
    let body: Value = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        told.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&told);
        if let Some(body) = text.split("\r\n\r\n").nth(1).and_then(|body| serde_json::from_str(body).ok()) {
            break body;
        }
    };
    stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert!(told.starts_with(b"POST /hook?key=secret HTTP/1.1\r\n"));
    assert_eq!((&body["status"], &body["namespace"]), (&json!("success"), &json!("alice")));
    let expected = format!("http://registry.test/exportedlogs/{}", asked["export_id"].as_str().unwrap());
    assert_eq!(body["exported_data_url"], expected);
    let event = wait_for(&server.registry, "export_logs_failure");
    assert!(event["metadata"]["message"].as_str().unwrap().contains("500"), "{event}");
    assert!(!event.to_string().contains("secret"), "{event}");
}
