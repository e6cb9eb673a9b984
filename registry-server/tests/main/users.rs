//! One's own account and those of others, under `/api/v1`.

use registry_core::Settings;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{PASSWORD, Server};

const NEW_PASSWORD: &str = "open-barley";
/// The avatar of alice, who has no e-mail address: that of the SHA-256 of her name.
const HASH: &str = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90";

fn avatar() -> Value {
    json!({ "name": "alice", "hash": HASH, "color": "#c49c94", "kind": "user" })
}

#[test]
fn a_user_sees_the_whole_of_their_own_account() {
    let server = Server::start();
    let alice = Browser::of(&server, "alice");
    let expected = json!({
        "anonymous": false, "username": "alice", "avatar": avatar(), "can_create_repo": true, "is_me": true,
        "verified": true, "email": "", "logins": [], "invoice_email": false, "invoice_email_address": null,
        "preferred_namespace": false, "tag_expiration_s": 1_209_600, "prompts": [], "company": null,
        "family_name": null, "given_name": null, "location": null, "is_free_account": true,
        "has_password_set": true, "organizations": [],
    });
    assert_eq!(alice.get(&server, "/api/v1/user").is(200).json(), expected);
    assert_eq!(alice.get(&server, "/api/v1/users/alice").is(200).json(), expected);
}

#[test]
fn others_see_a_name_and_an_avatar() {
    let server = Server::start();
    let expected = json!({ "anonymous": false, "username": "alice", "avatar": avatar() });
    assert_eq!(server.get("/api/v1/users/alice").send().is(200).json(), expected);
    assert_eq!(Browser::of(&server, "bob").get(&server, "/api/v1/users/alice").is(200).json(), expected);
    let actor = registry_core::Actor::Owner;
    server.registry.create_repository(&actor, &crate::support::repository("acme/app"), false).unwrap();
    for name in ["nobody", "acme", "Alice", "%00", "%ff", "..%2falice"] {
        let missing = server.get(&format!("/api/v1/users/{name}")).send().is(404);
        assert!(missing.json()["message"].is_string(), "{name}");
    }
}

#[test]
fn only_superusers_learn_who_is_one() {
    let server = Server::with(|setup| {
        setup.settings = Settings { superusers: ["alice".to_owned()].into(), ..Settings::default() };
    });
    let (alice, bob) = (Browser::of(&server, "alice"), Browser::of(&server, "bob"));
    let flag = |browser: &Browser, name: &str| {
        browser.get(&server, &format!("/api/v1/users/{name}")).is(200).json().get("super_user").cloned()
    };
    assert_eq!(alice.get(&server, "/api/v1/user").json()["super_user"], true);
    assert_eq!((flag(&alice, "bob"), flag(&alice, "alice")), (Some(json!(false)), Some(json!(true))));
    assert_eq!((flag(&bob, "alice"), flag(&bob, "bob")), (None, None));
}

#[test]
fn without_anonymous_access_users_are_shown_to_users() {
    let server = Server::with(|setup| {
        setup.settings = Settings { anonymous_access: false, ..Settings::default() };
    });
    let refused = server.get("/api/v1/users/alice").send().is(401);
    assert_eq!(refused.json()["error_type"], "invalid_token");
    Browser::of(&server, "bob").get(&server, "/api/v1/users/alice").is(200);
}

#[test]
fn a_new_password_ends_everything_but_the_session_it_was_set_in() {
    let server = Server::start();
    let (mut own, other) = (Browser::of(&server, "alice"), Browser::of(&server, "alice"));
    let token = server.token(Some("alice"), &[]);
    let changed = own.put(&server, "/api/v1/user", &json!({ "password": NEW_PASSWORD })).is(200);
    assert_eq!(changed.json()["username"], "alice");
    assert_eq!((own.user(&server).as_deref(), other.user(&server)), (Some("alice"), None));
    server.get("/v2/").bearer(&token).send().is(401);
    server.get("/v2/").user("alice").send().is(401);
    server.clock.advance_ms(60_000);
    server.get("/v2/").password("alice", NEW_PASSWORD).send().is(200);
    own.put(&server, "/api/v1/user", &json!({ "email": "alice@lab.test" })).is(200);
}

#[test]
fn an_address_is_changed_and_with_it_the_avatar() {
    let server = Server::start();
    let mut alice = Browser::of(&server, "alice");
    let change = json!({ "email": " Testuser@Example.com ", "unknown": 1 });
    let changed = alice.put(&server, "/api/v1/user", &change).is(200).json();
    assert_eq!(changed["email"], "Testuser@Example.com");
    let hash = "a744863d83aefc35f62f9a247025dedfc8964b3c0b39dd794dd3816851fc4a94";
    assert_eq!((&changed["avatar"]["hash"], &changed["avatar"]["color"]), (&json!(hash), &json!("#ff9896")));
    assert_eq!(alice.get(&server, "/api/v1/user").json(), changed);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let server = Server::start();
    let mut alice = Browser::of(&server, "alice");
    let before = alice.get(&server, "/api/v1/user").json();
    for (change, is_problem) in [
        (json!({ "password": "short" }), false),
        (json!({ "password": "white space" }), false),
        (json!({ "password": "x".repeat(1025), "email": "a@b.c" }), false),
        (json!({ "password": null }), true),
        (json!({ "email": "a@b.c", "password": 7 }), true),
        (json!({ "email": 7 }), true),
        (json!({ "email": "" }), false),
        (json!({ "email": "alice" }), false),
        (json!({ "email": "@lab.test" }), false),
        (json!({ "email": "a@b@c" }), false),
        (json!({ "email": "a b@lab.test" }), false),
        (json!({ "email": "a\u{0}@lab.test" }), false),
        (json!({ "email": format!("{}@lab.test", "a".repeat(255)) }), false),
    ] {
        let refused = alice.put(&server, "/api/v1/user", &change).is(400).json();
        let is_as_expected = if is_problem {
            refused["error_type"] == "invalid_request"
        } else {
            refused["message"].is_string()
        };
        assert!(is_as_expected, "{change} {refused}");
    }
    assert_eq!(alice.get(&server, "/api/v1/user").json(), before);
    server.get("/v2/").password("alice", PASSWORD).send().is(200);
}
