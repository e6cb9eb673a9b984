//! Credentials that were forged, taken, replayed or doubled.

use std::net::Ipv4Addr;

use registry_core::{Actor, NewRobot, RobotToken};
use registry_server::lanes::{Lane, Lanes};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::{Connection, Response, basic};
use crate::limits::Blocked;
use crate::metrics::Page;
use crate::support::{PASSWORD, Server};

fn uses(server: &Server, token: &str) -> u16 {
    server.get("/v2/alice/app/tags/list").bearer(token).send().status
}

#[test]
fn a_token_ends_with_what_it_was_given_for() {
    const NEW: &str = "another-password";
    type Revoke = fn(&Server);
    let by_browser: Revoke = |server| {
        let mut browser = Browser::of(server, "alice");
        browser.put(server, "/api/v1/user", &json!({ "password": NEW })).is(200);
    };
    let disabled: Revoke = |server| server.registry.set_disabled(server.principal("alice").id, true).unwrap();
    let again: Revoke = |server| {
        let id = server.principal("alice").id;
        server.registry.set_disabled(id, true).unwrap();
        server.registry.set_disabled(id, false).unwrap();
    };
    for revoke in [by_browser, disabled, again] {
        let server = Server::start();
        server.push_image("alice/app", "v1", "one");
        let token = server.token(Some("alice"), &["repository:alice/app:pull"]);
        let session = Browser::of(&server, "alice");
        assert_eq!(uses(&server, &token), 200);
        revoke(&server);
        assert_eq!(uses(&server, &token), 401);
        assert_eq!(uses(&server, &token), 401, "however often it is tried");
        assert_eq!(session.user(&server), None);
    }
}

/// A robot of the same name as one before.
fn robot() -> NewRobot {
    NewRobot {
        short_name: "ci".parse().unwrap(),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: RobotToken { nonce: [7; 16], hash: [7; 32] },
        limits: registry_core::RobotLimits::default(),
    }
}

#[test]
fn a_robots_token_ends_when_it_gets_another_goes_or_comes_again() {
    let server = Server::start();
    let mut alice = Browser::of(&server, "alice");
    server.push_image("alice/app", "v1", "one");
    let at = "/api/v1/user/robots/ci";
    let made = alice.put(&server, at, &json!({})).is(201).json();
    let grant = json!({ "role": "read" });
    alice.put(&server, "/api/v1/repository/alice/app/permissions/user/alice+ci", &grant).is(200);
    let first = made["token"].as_str().unwrap().to_owned();
    let bearer = |secret: &str| -> Option<String> {
        let target = "/v2/auth?scope=repository:alice/app:pull";
        let answer = server.get(target).password("alice+ci", secret).send();
        (answer.status == 200).then(|| answer.json()["token"].as_str().unwrap().to_owned())
    };
    let token = bearer(&first).unwrap();
    assert_eq!(uses(&server, &token), 200);
    let second = alice.post(&server, &format!("{at}/regenerate"), &json!({})).is(200).json()["token"].clone();
    assert_eq!((uses(&server, &token), bearer(&first)), (401, None));
    let token = bearer(second.as_str().unwrap()).unwrap();
    assert_eq!(uses(&server, &token), 200);
    alice.json(&server, "DELETE", at, &json!({})).send().is(204);
    assert_eq!((uses(&server, &token), bearer(second.as_str().unwrap())), (401, None));
    // One of the same name is another.
    let owner = Actor::User(server.principal("alice"));
    server.registry.create_robot(&owner, &"alice".parse().unwrap(), &robot()).unwrap();
    assert_eq!((uses(&server, &token), bearer(second.as_str().unwrap())), (401, None));
}

#[test]
fn a_session_that_was_planted_or_left_behind_is_nobodys_else() {
    let server = Server::start();
    let mallory = Browser::of(&server, "bob");
    // The victim's browser has the attacker's cookie and signs in.
    let mut victim = mallory.clone();
    victim.sign_in(&server, "alice", PASSWORD).is(200);
    assert_ne!(victim.cookie, mallory.cookie, "the id is a new one");
    assert_eq!((victim.user(&server).as_deref(), mallory.user(&server)), (Some("alice"), None));
    // The same with the cookie of a visitor, and with one that was made up.
    for planted in
        [Browser::visitor(&server).cookie, Some("s.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into())]
    {
        let mut victim = Browser { cookie: planted.clone(), token: None };
        victim.ask_token(&server);
        victim.sign_in(&server, "alice", PASSWORD).is(200);
        assert_eq!(Browser { cookie: planted, token: None }.user(&server), None);
    }
    let old = victim.clone();
    victim.post(&server, "/api/v1/signout", &json!({})).is(200);
    assert_eq!(old.user(&server), None);
    old.json(&server, "PUT", "/api/v1/user", &json!({ "email": "m@lab.test" })).send().is(403);
}

#[test]
fn of_two_sessions_in_one_request_neither_counts() {
    let server = Server::start();
    let (alice, bob) =
        (Browser::of(&server, "alice").cookie.unwrap(), Browser::of(&server, "bob").cookie.unwrap());
    let get = |cookies: &[String]| {
        let request = cookies
            .iter()
            .fold(server.get("/api/v1/user"), |request, cookie| request.header("Cookie", cookie));
        request.send().status
    };
    let cookie = |value: &str| format!("_csrf_token={value}");
    assert_eq!(get(&[cookie(&alice)]), 200);
    assert_eq!(get(&[format!("{}; {}", cookie(&alice), cookie(&alice))]), 200);
    assert_eq!(get(&[format!("_csrf_token=nonsense; {}", cookie(&alice))]), 200);
    assert_eq!(get(&[format!("{}; {}", cookie(&bob), cookie(&alice))]), 401);
    assert_eq!(get(&[cookie(&alice), cookie(&bob)]), 401);
}

#[test]
fn of_two_credentials_in_one_request_neither_counts() {
    let server = Server::start();
    let (alice, bob) = (basic("alice", PASSWORD), basic("bob", PASSWORD));
    let token = format!("Bearer {}", server.token(Some("bob"), &[]));
    for (first, second) in
        [(&alice, &bob), (&bob, &alice), (&token, &alice), (&alice, &token), (&alice, &alice)]
    {
        for target in ["/v2/", "/v2/auth", "/v2/alice/app/tags/list"] {
            let request = server.get(target).header("Authorization", first).header("Authorization", second);
            request.send().refuses(401, "UNAUTHORIZED");
        }
    }
}

#[test]
fn of_two_credentials_the_api_takes_neither() {
    let server = Server::start();
    let mut alice = Browser::of(&server, "alice");
    alice.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);
    let app = alice.post(&server, "/api/v1/organization/acme/applications", &json!({ "name": "ci" }));
    let at = format!(
        "/api/v1/organization/acme/applications/{}/tokens",
        app.json()["client_id"].as_str().unwrap()
    );
    let made = alice.post(&server, &at, &json!({ "name": "t", "scope": "user:read" })).is(200).json();
    let token = format!("Bearer {}", made["token"].as_str().unwrap());
    let basic = basic("alice", PASSWORD);
    server.get("/api/v1/user").header("Authorization", &token).send().is(200);
    for (first, second) in [(&token, &basic), (&basic, &token), (&token, &token), (&basic, &basic)] {
        let doubled = |request: crate::client::Request| {
            request.header("Authorization", first).header("Authorization", second).send()
        };
        doubled(server.get("/api/v1/user")).is(401);
        // Nor does a session make up for them.
        doubled(alice.request(&server, "GET", "/api/v1/user")).is(401);
    }
    let robot = alice.put(&server, "/api/v1/organization/acme/robots/ci", &json!({})).is(201).json();
    let robot = crate::client::basic("acme+ci", robot["token"].as_str().unwrap());
    let wanted = json!({ "repositories": ["acme/app"], "actions": ["pull"] }).to_string();
    let derive = |copies: usize| {
        let request = server.request("POST", "/api/v1/jobtoken").header("Content-Type", "application/json");
        let request = (0..copies).fold(request, |request, _| request.header("Authorization", &robot));
        request.body(&wanted).send().status
    };
    assert_eq!((derive(1), derive(2)), (200, 401));
}

#[test]
fn what_an_untrusted_peer_says_of_others_is_not_believed() {
    let server = Server::start();
    let forged = |request: crate::client::Request| {
        request
            .header("X-Forwarded-For", "203.0.113.9")
            .header("X-Forwarded-Host", "evil.test")
            .header("X-Forwarded-Proto", "https")
            .header("X-Real-IP", "203.0.113.9")
            .header("Forwarded", "for=203.0.113.9;host=evil.test;proto=https")
    };
    let refused = forged(server.get("/v2/")).send().is(401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some(r#"Bearer realm="http://registry.test/v2/auth",service="registry.test""#)
    );
    let begun =
        forged(server.request("POST", "/v2/alice/app/blobs/uploads/").user("alice").body("")).send().is(202);
    assert!(begun.header("location").unwrap().starts_with("/v2/alice/app/"));
    let cookie = forged(server.get("/csrf_token")).send().is(200).header("set-cookie").unwrap().to_owned();
    assert!(!cookie.contains("Secure"), "{cookie}");
    // Guesses under many addresses are those of one client.
    forged(server.get("/v2/auth").password("alice", "wrong")).send().is(401);
    server.get("/v2/auth").header("X-Forwarded-For", "203.0.113.10").user("alice").send().is(429);
    server.registry.run_trail().unwrap();
    for line in server.registry.every_event().unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap();
        assert!(!line.contains("203.0.113") && !line.contains("evil"), "{event}");
    }
}

/// How many passwords are being checked or wait for it.
fn checks(server: &Server) -> f64 {
    let page = Page::of(server);
    let of = |kind: &str| page.value(&format!("registry_{kind}{{queue=\"passwords\"}}"));
    of("running") + of("waiting")
}

#[test]
fn a_password_is_hashed_once_whether_or_not_somebody_has_the_name() {
    let lane = Lane::new(1);
    let lanes = Lanes { metadata: lane.clone(), ..Lanes::default() };
    let server = Server::with(|setup| setup.lanes = lanes);
    let disabled = server.principal("bob").id;
    server.registry.set_disabled(disabled, true).unwrap();
    let mut answers: Vec<Response> = Vec::new();
    for (node, name) in ["alice", "bob", "nobody", "", "no such name", "ALICE"].into_iter().enumerate() {
        // Hashing goes on in the lane, so what is to be hashed can be counted while it is kept.
        let blocked = Blocked::new(&lane);
        let node = u8::try_from(node).unwrap() + 2;
        let mut connection = Connection::from(Ipv4Addr::new(127, 0, 0, node), server.address);
        connection.send(server.get("/v2/auth").password(name, "wrong").bytes());
        while checks(&server) != 1.0 {}
        blocked.end();
        answers.push(Response::read(&connection.rest(), false).unwrap());
        while checks(&server) != 0.0 {}
    }
    for answer in &mut answers {
        answer.headers.retain(|(name, _)| name != "date");
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.status == 401));
}

#[test]
fn a_forms_own_token_is_not_taken_from_another_place() {
    let server = Server::start();
    let (alice, bob) = (Browser::of(&server, "alice"), Browser::of(&server, "bob"));
    let forged = |token: &str| {
        let target = format!("/api/v1/user?_csrf_token={token}");
        let body = json!({ "email": "m@lab.test" });
        alice
            .request(&server, "PUT", &target)
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send()
    };
    forged(bob.token.as_ref().unwrap()).is(403);
    forged("").is(403);
    // A header that is wrong is not made up for by a query that is right.
    let right = alice.token.clone().unwrap();
    let both = alice
        .request(&server, "POST", &format!("/api/v1/signout?_csrf_token={right}"))
        .header("X-CSRF-Token", "wrong");
    both.send().is(403);
    assert_eq!(alice.user(&server).as_deref(), Some("alice"));
}
