//! Signing in with a browser, and what every route of `/api/v1` has in common.

use registry_core::Settings;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{PASSWORD, Server};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Quay's shape of an error.
pub(crate) fn problem(kind: &str, status: u16, detail: &str) -> Value {
    json!({
        "detail": detail, "error_message": detail, "error_type": kind, "title": kind, "status": status,
        "type": format!("http://registry.test/api/v1/error/{kind}"),
    })
}

#[test]
fn a_browser_signs_in_stays_signed_in_and_signs_out() {
    let server = Server::start();
    let mut browser = Browser::visitor(&server);
    assert_eq!(browser.user(&server), None);
    let before = browser.token.clone();
    let answer = browser.sign_in(&server, "alice", PASSWORD).is(200);
    assert_eq!(answer.json(), json!({ "success": true }));
    assert_ne!(browser.token, before, "the token of before the sign-in is worth nothing after it");
    assert_eq!(answer.header("x-next-csrf-token"), browser.token.as_deref());
    assert_eq!(browser.user(&server).as_deref(), Some("alice"));
    assert_eq!(browser.ask_token(&server), answer.header("x-next-csrf-token").unwrap());
    let cookie = browser.clone();
    assert_eq!(
        browser.post(&server, "/api/v1/signout", &json!({})).is(200).json(),
        json!({ "success": true })
    );
    assert_eq!((browser.cookie.clone(), cookie.user(&server)), (None, None), "gone here and there");
}

#[test]
fn the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
    let server = Server::start();
    let visited = server.get("/csrf_token").send().is(200);
    assert_eq!(visited.header("cache-control"), Some("no-store"));
    let cookie = visited.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; Path=/; SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    let signed_in = Browser::visitor(&server).sign_in(&server, "alice", PASSWORD).is(200);
    let cookie = signed_in.header("set-cookie").unwrap();
    let expected = "; Expires=Mon, 15 Feb 2027 08:00:00 GMT; HttpOnly; Path=/; SameSite=Lax";
    assert!(cookie.ends_with(expected), "{cookie}");
    for secure in [
        Server::with(|setup| setup.options.session_cookie_secure = true),
        Server::with(|setup| {
            setup.options.origins.scheme = Some("https".into());
            setup.options.origins.host = Some("hub.lab".into());
        }),
    ] {
        assert!(secure.get("/csrf_token").send().header("set-cookie").unwrap().contains("; Secure;"));
    }
}

#[test]
fn nothing_is_changed_without_the_csrf_token() {
    let server = Server::start();
    let visitor = Browser::visitor(&server);
    let (alice, bob) = (Browser::of(&server, "alice"), Browser::of(&server, "bob"));
    let credentials = json!({ "username": "alice", "password": PASSWORD });
    let tokens = [None, Some(String::new()), Some("x".repeat(43)), visitor.token.clone(), bob.token.clone()];
    for (method, target) in [
        ("POST", "/api/v1/signin"),
        ("POST", "/api/v1/signin/verify/"),
        ("POST", "/api/v1/signout"),
        ("PUT", "/api/v1/user"),
    ] {
        for token in &tokens {
            let forged = Browser { cookie: alice.cookie.clone(), token: token.clone() };
            let refused = forged.json(&server, method, target, &credentials).send().is(403);
            assert_eq!(refused.header("content-type"), Some("text/html; charset=utf-8"));
            let error = "CSRF token was invalid or missing. (authorized: user alice)";
            assert_eq!(refused.json(), json!({ "error": error }), "{method} {target} {token:?}");
            assert_eq!(refused.header("set-cookie"), None);
        }
        for cookie in [None, visitor.cookie.clone(), Some("nonsense".into()), Some("s.AAAA".into())] {
            let forged = Browser { cookie, token: bob.token.clone() };
            let refused = forged.json(&server, method, target, &credentials).send().is(403);
            assert_eq!(refused.json(), json!({ "error": "CSRF token was invalid or missing." }));
        }
    }
    assert_eq!(alice.user(&server).as_deref(), Some("alice"));
}

#[test]
fn the_csrf_token_may_come_in_the_query_or_in_a_form() {
    let server = Server::start();
    let form = "application/x-www-form-urlencoded";
    for is_form in [false, true] {
        let alice = Browser::of(&server, "alice");
        let field = format!("_csrf_token={}", alice.token.clone().unwrap());
        let request = if is_form {
            let request = alice.request(&server, "POST", "/api/v1/signout");
            request.header("Content-Type", form).body(field)
        } else {
            alice.request(&server, "POST", &format!("/api/v1/signout?{field}"))
        };
        request.send().is(200);
        assert_eq!(alice.user(&server), None);
    }
}

#[test]
fn visitors_leave_nothing_behind_and_their_tokens_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::on(directory.path(), |_| {});
    let commits = server.registry.statistics().commit_writes.count();
    let mut browser = Browser::visitor(&server);
    for _ in 0..20 {
        Browser::visitor(&server);
    }
    browser.post(&server, "/api/v1/signout", &json!({})).is(200);
    assert_eq!(server.registry.statistics().commit_writes.count(), commits, "no row was written");
    server.stop();
    server.ended();
    let server = Server::on(directory.path(), |setup| setup.users = &[]);
    assert_eq!(browser.token.clone().unwrap(), browser.ask_token(&server));
    browser.sign_in(&server, "alice", PASSWORD).is(200);
}

#[test]
fn wrong_credentials_are_all_answered_alike() {
    let server = Server::start();
    let bob = server.principal("bob").id;
    server.registry.set_disabled(bob, true).unwrap();
    let mut browser = Browser::visitor(&server);
    for (user, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("", "")] {
        let refused = browser.sign_in(&server, user, password).is(403);
        let message = "Invalid Username or Password";
        let expected =
            json!({ "needsEmailVerification": false, "invalidCredentials": true, "message": message });
        assert_eq!(refused.json(), expected, "{user}");
        assert_eq!(refused.header("set-cookie"), None);
    }
    assert_eq!(browser.user(&server), None);
}

#[test]
fn signing_in_again_ends_the_session_before() {
    let server = Server::start();
    let first = Browser::of(&server, "alice");
    let mut browser = first.clone();
    browser.sign_in(&server, "bob", PASSWORD).is(200);
    assert_eq!(browser.user(&server).as_deref(), Some("bob"));
    assert_eq!(first.user(&server), None);
}

#[test]
fn signing_out_ends_every_session_of_the_user_and_is_no_error_for_nobody() {
    let server = Server::start();
    let (mut one, other, bob) =
        (Browser::of(&server, "alice"), Browser::of(&server, "alice"), Browser::of(&server, "bob"));
    one.post(&server, "/api/v1/signout", &json!({})).is(200);
    assert_eq!((other.user(&server), bob.user(&server).as_deref()), (None, Some("bob")));
    Browser::visitor(&server).post(&server, "/api/v1/signout", &json!({})).is(200);
}

#[test]
fn a_session_ends_with_its_time_a_new_password_or_the_account() {
    let server = Server::with(|setup| {
        setup.settings = Settings { session_timeout_ms: DAY_MS, ..Settings::default() };
    });
    let alice = Browser::of(&server, "alice");
    server.clock.advance_ms(DAY_MS - 1);
    assert!(alice.user(&server).is_some());
    server.clock.advance_ms(1);
    assert_eq!(alice.user(&server), None);
    let alice = Browser::of(&server, "alice");
    server.registry.set_disabled(server.principal("alice").id, true).unwrap();
    assert_eq!(alice.user(&server), None);
    let bob = Browser::of(&server, "bob");
    server.registry.set_password(server.principal("bob").id, "other").unwrap();
    assert_eq!(bob.user(&server), None);
    let mut late = bob;
    late.post(&server, "/api/v1/signout", &json!({})).is(403);
    late.ask_token(&server);
    late.post(&server, "/api/v1/signout", &json!({})).is(200);
}

#[test]
fn what_needs_a_fresh_login_asks_for_the_password_again() {
    let server = Server::start();
    let mut alice = Browser::of(&server, "alice");
    alice.put(&server, "/api/v1/user", &json!({})).is(200);
    server.clock.advance_ms(10 * MINUTE_MS);
    assert!(alice.user(&server).is_some());
    let refused = alice.put(&server, "/api/v1/user", &json!({})).is(401);
    let detail = "The action requires a fresh login to succeed.";
    assert_eq!(refused.json(), problem("fresh_login_required", 401, detail));
    let wrong = alice.verify(&server, "wrong").is(403);
    assert_eq!(
        wrong.json(),
        json!({ "message": "Invalid Username or Password", "invalidCredentials": true })
    );
    server.clock.advance_ms(MINUTE_MS);
    alice.put(&server, "/api/v1/user", &json!({})).is(401);
    let verified = alice.verify(&server, PASSWORD).is(200);
    assert_eq!(verified.json(), json!({ "success": true }));
    assert_eq!(verified.header("x-next-csrf-token"), alice.token.as_deref());
    alice.put(&server, "/api/v1/user", &json!({})).is(200);
}

#[test]
fn who_is_not_signed_in_is_told_so() {
    let server = Server::start();
    let mut visitor = Browser::visitor(&server);
    let expected = problem("invalid_token", 401, "Requires authentication");
    let refused = visitor.put(&server, "/api/v1/user", &json!({})).is(401);
    assert_eq!((refused.json(), refused.header("www-authenticate")), (expected.clone(), None));
    assert_eq!(visitor.verify(&server, PASSWORD).is(401).json(), expected);
    let mut with_key = expected;
    with_key["session_required"] = json!(false);
    assert_eq!(server.get("/api/v1/user").send().is(401).json(), with_key);
}
