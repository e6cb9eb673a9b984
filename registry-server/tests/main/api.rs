//! What every route of `/api/v1` has in common.

use serde_json::json;

use crate::browser::Browser;
use crate::sessions::problem;
use crate::support::{PASSWORD, Server};

#[test]
fn basic_is_ignored_and_an_unknown_bearer_refused_after_the_csrf_token() {
    let server = Server::start();
    server.get("/api/v1/user").user("alice").send().is(401);
    let alice = Browser::of(&server, "alice");
    let basic = alice.request(&server, "GET", "/api/v1/user").user("bob").send().is(200);
    assert_eq!(basic.json()["username"], "alice");
    let registry_token = server.token(Some("alice"), &[]);
    for token in ["x".repeat(40), registry_token, "x".repeat(50_000)] {
        let refused = server.get("/api/v1/user").bearer(&token).send().is(401);
        assert_eq!(refused.json()["error_type"], "invalid_token");
        server.get("/api/v1/users/alice").bearer(&token).send().is(401);
        server.request("POST", "/api/v1/signout").bearer(&token).send().is(403);
        alice.json(&server, "POST", "/api/v1/signout", &json!({})).bearer(&token).send().is(401);
    }
    assert!(alice.user(&server).is_some());
}

#[test]
fn a_body_that_is_not_understood_is_refused_in_the_validators_words() {
    let server = Server::start();
    let browser = Browser::visitor(&server);
    let send = |media_type: &str, body: &str| {
        let request = browser.request(&server, "POST", "/api/v1/signin");
        let request = request.header("X-CSRF-Token", browser.token.clone().unwrap());
        request.header("Content-Type", media_type).body(body).send()
    };
    let whole = json!({ "username": "alice", "password": PASSWORD }).to_string();
    for media_type in ["text/plain", "", "application/jsonp", "application/x-www-form-urlencoded"] {
        assert!(send(media_type, &whole).is(415).json()["message"].is_string(), "{media_type}");
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for broken in ["", "{", "\u{0}", "{'a':1}", &deep] {
        assert!(send("application/json", broken).is(400).json()["message"].is_string(), "{broken}");
    }
    for (body, detail) in [
        ("null", "None is not of type 'object'"),
        ("[]", "[] is not of type 'object'"),
        ("{}", "'username' is a required property"),
        (r#"{"username":"alice"}"#, "'password' is a required property"),
        (r#"{"username":7,"password":"x"}"#, "7 is not of type 'string'"),
        (r#"{"username":true,"password":"x"}"#, "True is not of type 'string'"),
        (r#"{"username":"alice","password":null}"#, "None is not of type 'string'"),
    ] {
        let refused = send("application/json; charset=utf-8", body).is(400);
        assert_eq!(refused.json(), problem("invalid_request", 400, detail));
    }
    send("application/json", &whole.replace('}', r#","more":1}"#)).is(200);
}

#[test]
fn every_answer_of_the_api_may_be_read_by_any_site_and_none_takes_a_cookie_along() {
    let server = Server::start();
    for (method, target, status) in [
        ("GET", "/api/v1/user", 401),
        ("GET", "/api/v1/users/alice/", 200),
        ("HEAD", "/api/v1/users/alice", 200),
        ("HEAD", "/api/v1/users/nobody", 404),
        ("POST", "/api/v1/signin", 403),
        ("DELETE", "/api/v1/user/robots", 405),
        ("PATCH", "/api/v1/signin", 405),
        ("GET", "/api/v1/nothing", 404),
        ("OPTIONS", "/api/v1/user", 200),
        ("OPTIONS", "/api/v1/user/initialize/", 200),
        ("OPTIONS", "/api/v1/users/alice", 200),
    ] {
        let answer = server.request(method, target).header("Origin", "https://other.lab").send().is(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{method} {target}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let methods = Some("DELETE, GET, HEAD, OPTIONS, POST, PUT");
        assert_eq!(answer.header("access-control-allow-methods"), methods);
        assert_eq!(answer.header("access-control-max-age"), Some("21600"));
        let headers = Some("AUTHORIZATION, CONTENT-TYPE, X-REQUESTED-WITH");
        assert_eq!(answer.header("access-control-allow-headers"), headers);
        match status {
            405 => assert!(answer.json()["message"].is_string() && answer.header("allow").is_some()),
            200 if method == "OPTIONS" => assert_eq!(answer.text(), ""),
            _ => {}
        }
    }
    assert_eq!(server.get("/csrf_token").send().header("access-control-allow-origin"), None);
}

#[test]
fn every_route_answers_with_and_without_a_slash_at_its_end() {
    let server = Server::start();
    for slash in ["", "/"] {
        let at = |path: &str| format!("/api/v1/{path}{slash}");
        let mut browser = Browser::visitor(&server);
        let credentials = json!({ "username": "alice", "password": PASSWORD });
        browser.post(&server, &at("signin"), &credentials).is(200);
        browser.post(&server, &at("signin/verify"), &json!({ "password": PASSWORD })).is(200);
        browser.get(&server, &at("user")).is(200);
        browser.put(&server, &at("user"), &json!({})).is(200);
        browser.get(&server, &at("users/alice")).is(200);
        browser.post(&server, &at("signout"), &json!({})).is(200);
    }
}

#[test]
fn a_browser_reads_the_api_by_scripts_only() {
    const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let server = Server::start();
    let ask = |method: &str, target: &str| server.request(method, target).header("User-Agent", BROWSER);
    ask("GET", "/api/v1/users/alice").send().is(400);
    ask("GET", "/api/v1/users/alice").header("X-Requested-With", "XMLHttpRequest").send().is(200);
    ask("OPTIONS", "/api/v1/users/alice").send().is(200);
    server.get("/api/v1/users/alice").header("User-Agent", "curl/8").send().is(200);
    for page in ["/config", "/health", "/csrf_token", "/.well-known/app-capabilities"] {
        ask("GET", page).send().is(200);
    }
    let open = Server::with(|setup| setup.options.api.browser_calls_xhr_only = false);
    open.get("/api/v1/users/alice").header("User-Agent", BROWSER).send().is(200);
}

#[test]
fn only_sites_that_are_named_may_act_for_who_is_signed_in() {
    let server = Server::with(|setup| setup.options.api.cors_origins = vec!["https://console.lab".into()]);
    let ask = |origin: &str| server.get("/api/v1/users/alice").header("Origin", origin).send().is(200);
    let trusted = ask("https://console.lab");
    assert_eq!(trusted.header("access-control-allow-origin"), Some("https://console.lab"));
    assert_eq!(trusted.header("access-control-allow-credentials"), Some("true"));
    assert!(trusted.header("access-control-allow-headers").unwrap().contains("X-CSRF-TOKEN"));
    for other in ["https://console.lab.evil", "http://console.lab", "null"] {
        let answer = ask(other);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{other}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
}

#[test]
fn a_site_may_do_without_passwords_of_its_own() {
    let server = Server::with(|setup| setup.options.api.direct_login = false);
    let mut browser = Browser::visitor(&server);
    browser.sign_in(&server, "alice", PASSWORD).is(404);
    assert_eq!(server.get("/config").send().json()["features"]["DIRECT_LOGIN"], false);
}
