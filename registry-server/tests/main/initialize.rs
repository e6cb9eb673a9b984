//! The first administrator, and the other paths outside `/v2/`.

use registry_server::auth::setup_code::SetupCode;
use serde_json::{Value, json};

use crate::client::Response;
use crate::support::{PASSWORD, Server};

const AT: &str = "/api/v1/user/initialize";

fn code() -> String {
    SetupCode::new([7; 16]).to_string()
}

/// A server without users that wants the one-time code.
fn with_code() -> Server {
    Server::with(|setup| {
        setup.users = &[];
        setup.setup_code = Some(SetupCode::new([7; 16]));
    })
}

fn wanted(change: Value) -> Value {
    let mut wanted = json!({
        "username": "admin", "password": PASSWORD, "email": "admin@lab.test", "setup_code": code(),
    });
    for (key, value) in change.as_object().unwrap() {
        wanted[key] = value.clone();
    }
    wanted
}

fn post(server: &Server, body: &Value) -> Response {
    let request = server.request("POST", AT).header("Content-Type", "application/json");
    request.body(body.to_string()).send()
}

#[test]
fn the_first_administrator_is_made_once() {
    let server = with_code();
    let made = post(&server, &wanted(json!({}))).is(200);
    let answer = json!({ "username": "admin", "email": "admin@lab.test", "encrypted_password": PASSWORD });
    assert_eq!(made.json(), answer);
    server.get("/v2/").user("admin").send().is(200);
    server.request("POST", "/v2/admin/app/blobs/uploads/").user("admin").send().is(202);
    let refused = post(&server, &wanted(json!({ "username": "second" }))).is(400);
    assert_eq!(refused.json()["message"], "Cannot initialize user in a non-empty database");
    server.get("/v2/").user("second").send().is(401);
}

#[test]
fn of_concurrent_calls_exactly_one_wins() {
    let server = with_code();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let call = |n: usize| post(&server, &wanted(json!({ "username": format!("admin{n}") }))).status;
        let calls: Vec<_> = (0..20).map(|n| scope.spawn(move || call(n))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(200), count(400)), (1, 19), "{statuses:?}");
    let made = (0..20).filter(|n| server.registry.account(&format!("admin{n}")).unwrap().is_some());
    assert_eq!(made.count(), 1);
}

#[test]
fn the_code_is_needed_and_has_to_be_right() {
    let server = with_code();
    for code in [json!(null), json!(""), json!("0000"), json!(SetupCode::new([8; 16]).to_string())] {
        post(&server, &wanted(json!({ "setup_code": code }))).is(403);
    }
    assert!(!server.registry.has_users().unwrap());
    post(&server, &wanted(json!({ "setup_code": code().to_lowercase().replace('-', "") }))).is(200);
}

#[test]
fn what_cannot_be_is_refused_and_the_code_is_still_good() {
    let server = with_code();
    for change in [
        json!({ "password": "short" }),
        json!({ "password": "white space" }),
        json!({ "password": "x".repeat(1025) }),
        json!({ "password": 7 }),
        json!({ "username": "" }),
        json!({ "username": "Admin" }),
        json!({ "username": "a/b" }),
        json!({ "username": "a".repeat(256) }),
        json!({ "username": null }),
        json!({ "email": 7 }),
    ] {
        let refused = post(&server, &wanted(change.clone())).is(400);
        assert!(!refused.json()["message"].as_str().unwrap().is_empty(), "{change}");
    }
    for body in ["", "{", "[]", "null", "\u{0}"] {
        let request = server.request("POST", AT).header("Content-Type", "application/json");
        request.body(body).send().is(400);
    }
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = server.request("POST", AT).header("Content-Type", media_type);
        request.body(wanted(json!({})).to_string()).send().is(415);
    }
    server.request("POST", AT).body(wanted(json!({})).to_string()).send().is(415);
    let large = wanted(json!({ "email": "x".repeat(2 << 20) }));
    post(&server, &large).is(413);
    assert!(!server.registry.has_users().unwrap());
    let request =
        server.request("POST", &format!("{AT}/")).header("Content-Type", "application/json; charset=utf-8");
    request.body(wanted(json!({ "unknown": true })).to_string()).send().is(200);
}

#[test]
fn without_the_feature_and_a_code_there_is_no_such_path() {
    let server = Server::with(|setup| setup.users = &[]);
    post(&server, &wanted(json!({}))).is(404);
    assert!(!server.registry.has_users().unwrap());
}

#[test]
fn with_the_feature_no_code_is_needed() {
    let server = Server::with(|setup| {
        setup.users = &[];
        setup.options.user_initialize = true;
    });
    post(&server, &wanted(json!({ "setup_code": null, "email": null }))).is(200);
    server.get("/v2/").user("admin").send().is(200);
}

#[test]
fn health_is_told_in_the_known_shape() {
    let server = Server::start();
    let health = server.get("/health/instance").send().is(200);
    assert_eq!(health.json()["status_code"], 200);
    assert_eq!(health.json()["data"]["services"]["database"], true);
    assert_eq!(server.request("HEAD", "/health/instance").send().is(200).length(), health.body.len());
}

#[test]
fn other_paths_and_methods_are_refused_in_json() {
    let server = Server::start();
    for target in ["/api/v1/", "/api/v1/nothing", "/api", "/health/", "/%00", "/..%2f..%2fetc/passwd"] {
        let refused = server.get(target).send().is(404);
        assert!(refused.json()["message"].is_string(), "{target}");
    }
    for (method, target) in [("GET", AT), ("DELETE", "/health/instance")] {
        let refused = server.request(method, target).send().is(405);
        assert!(refused.header("allow").is_some());
        assert!(refused.json()["message"].is_string(), "{method} {target}");
    }
}
