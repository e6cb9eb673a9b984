//! The superuser's panel, and what users do with their own accounts.

use registry_core::NewUser;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{PASSWORD, Server, add_user, password_hash};

/// A server with a superuser who has no full access.
fn server() -> (Server, Browser) {
    let server = Server::with(|setup| setup.settings.superusers = ["root".to_owned()].into());
    add_user(&server.registry, "root");
    let root = Browser::of(&server, "root");
    (server, root)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn superusers_make_change_and_delete_users() {
    let (server, mut root) = server();
    let made = root.post(&server, "/api/v1/superuser/users/", &json!({ "username": "carol" })).is(200);
    assert_eq!(made.json()["username"], "carol");
    assert_eq!(made.json()["email"], Value::Null);
    let password = made.json()["password"].as_str().unwrap().to_owned();
    assert_eq!(password.len(), 32);
    let taken = root.post(&server, "/api/v1/superuser/users/", &json!({ "username": "carol" })).is(400);
    assert!(taken.json()["message"].is_string());
    let mut carol = Browser::visitor(&server);
    carol.post(&server, "/api/v1/signin", &json!({ "username": "carol", "password": password })).is(200);

    let one = "/api/v1/superuser/users/carol";
    let changed = json!({ "email": "carol@lab.test", "password": "another one".replace(' ', "-") });
    let view = root.put(&server, one, &changed).is(200).json();
    assert_eq!((&view["email"], &view["enabled"]), (&json!("carol@lab.test"), &json!(true)));
    assert!(carol.user(&server).is_none());
    let view = root.put(&server, one, &json!({ "enabled": false })).is(200).json();
    assert_eq!(view["enabled"], false);
    let enabled = root.get(&server, "/api/v1/superuser/users/?disabled=false").is(200).json();
    assert_eq!(names(&enabled["users"]), ["alice", "bob", "root"]);
    root.put(&server, one, &json!({})).is(200);
    root.put(&server, "/api/v1/superuser/users/root", &json!({ "enabled": false })).is(400);
    root.json(&server, "DELETE", "/api/v1/superuser/users/root", &json!({})).send().is(400);
    root.json(&server, "DELETE", one, &json!({})).send().is(204);
    root.get(&server, one).is(404);
    root.put(&server, one, &json!({})).is(404);
    root.json(&server, "DELETE", one, &json!({})).send().is(404);
}

#[test]
fn lists_come_whole_or_in_pages() {
    let (server, mut root) = server();
    for name in ["one", "two", "three"] {
        root.post(&server, "/api/v1/organization/", &json!({ "name": name })).is(201);
    }
    for (at, key, all) in [
        ("users", "users", vec!["alice", "bob", "root"]),
        ("organizations", "organizations", vec!["one", "three", "two"]),
    ] {
        let whole = root.get(&server, &format!("/api/v1/superuser/{at}/")).is(200).json();
        assert_eq!(names(&whole[key]), all);
        assert!(whole.get("next_page").is_none());
        let first = root.get(&server, &format!("/api/v1/superuser/{at}/?limit=2")).is(200).json();
        assert_eq!(names(&first[key]), all[..2]);
        let token = first["next_page"].as_str().unwrap();
        let next = root.get(&server, &format!("/api/v1/superuser/{at}/?limit=2&next_page={token}")).json();
        assert_eq!(names(&next[key]), all[2..]);
        assert!(next.get("next_page").is_none());
        for limit in ["0", "101", "x", "-1"] {
            root.get(&server, &format!("/api/v1/superuser/{at}/?limit={limit}")).is(400);
        }
    }
}

#[test]
fn organizations_are_renamed_taken_over_and_deleted() {
    let (server, mut root) = server();
    let mut alice = Browser::of(&server, "alice");
    alice.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);
    let one = "/api/v1/superuser/organizations/acme";
    root.put(&server, one, &json!({ "name": "bob" })).is(400);
    root.put(&server, one, &json!({ "name": "No Name" })).is(400);
    let renamed = root.put(&server, one, &json!({ "name": "corp" })).is(200).json();
    assert_eq!(renamed["name"], "corp");
    root.put(&server, one, &json!({ "name": "corp" })).is(404);
    root.put(&server, "/api/v1/superuser/organizations/corp", &json!({})).is(200);

    let take = |namespace: &str| {
        let target = format!("/api/v1/superuser/takeownership/{namespace}");
        root.json(&server, "POST", &target, &json!({})).send()
    };
    assert_eq!(take("corp").is(200).json(), json!({ "namespace": "corp" }));
    let corp = root.get(&server, "/api/v1/organization/corp").is(200).json();
    assert_eq!(corp["is_admin"], true);
    take("bob").is(200);
    take("root").is(400);
    take("nobody").is(404);
    assert_eq!(root.get(&server, "/api/v1/organization/bob").is(200).json()["is_admin"], true);
    root.json(&server, "DELETE", "/api/v1/superuser/organizations/corp", &json!({})).send().is(204);
    root.json(&server, "DELETE", "/api/v1/superuser/organizations/corp", &json!({})).send().is(404);
    alice.get(&server, "/api/v1/organization/corp").is(404);
}

#[test]
fn the_size_is_that_of_now_and_the_changes_are_told() {
    let (server, mut root) = server();
    server.push_image("alice/app", "v1", "layer");
    let size = root.get(&server, "/api/v1/superuser/registrysize/").is(200).json();
    assert!(size["size_bytes"].as_u64().unwrap() > 0, "{size}");
    assert_eq!((&size["queued"], &size["running"]), (&json!(false), &json!(false)));
    assert_eq!(root.post(&server, "/api/v1/superuser/registrysize/", &json!({})).is(201).text(), "\"\"");
    let log = root.get(&server, "/api/v1/superuser/changelog/").is(200).json();
    assert!(log["log"].as_str().unwrap().starts_with("# "));
}

#[test]
fn people_register_by_themselves_where_that_is_allowed() {
    let (server, _) = server();
    let mut dora = Browser::visitor(&server);
    let new = |name: &str, password: &str| json!({ "username": name, "password": password });
    for (name, password) in [("alice", PASSWORD), ("Dora!", PASSWORD), ("dora", "short"), ("root", PASSWORD)]
    {
        dora.post(&server, "/api/v1/user/", &new(name, password)).is(400);
    }
    let view = dora.post(&server, "/api/v1/user/", &new("dora", PASSWORD)).is(200);
    assert!(view.header("x-next-csrf-token").is_some());
    assert_eq!((&view.json()["username"], &view.json()["is_me"]), (&json!("dora"), &json!(true)));
    assert_eq!(dora.user(&server).as_deref(), Some("dora"));

    let closed = Server::with(|setup| setup.options.user_creation = false);
    let visitor = Browser::visitor(&closed);
    visitor.json(&closed, "POST", "/api/v1/user/", &new("dora", PASSWORD)).send().is(404);
}

#[test]
fn people_change_what_is_said_of_them_and_their_name_where_that_is_allowed() {
    let server = Server::with(|setup| setup.options.user_rename = true);
    let mut alice = Browser::of(&server, "alice");
    let change = json!({
        "given_name": "Alice", "company": "Lab", "invoice_email": true, "invoice_email_address": "a@lab.test",
    });
    let view = alice.put(&server, "/api/v1/user/", &change).is(200).json();
    for (key, value) in change.as_object().unwrap() {
        assert_eq!(view[key], *value);
    }
    assert_eq!(view["family_name"], Value::Null);
    let none = json!({ "invoice_email_address": null });
    assert_eq!(
        alice.put(&server, "/api/v1/user/", &none).is(200).json()["invoice_email_address"],
        Value::Null
    );
    alice.put(&server, "/api/v1/user/", &json!({ "company": "x".repeat(256) })).is(400);
    alice.put(&server, "/api/v1/user/", &json!({ "company": 7 })).is(400);
    alice.put(&server, "/api/v1/user/", &json!({ "username": "bob" })).is(400);
    let renamed = alice.put(&server, "/api/v1/user/", &json!({ "username": "alicia" })).is(200).json();
    assert_eq!((&renamed["username"], &renamed["company"]), (&json!("alicia"), &json!("Lab")));
    assert_eq!(alice.user(&server).as_deref(), Some("alicia"));

    let server = Server::start();
    let mut alice = Browser::of(&server, "alice");
    let ignored = alice.put(&server, "/api/v1/user/", &json!({ "username": "alicia" })).is(200).json();
    assert_eq!(ignored["username"], "alice");
}

#[test]
fn an_account_becomes_an_organization_and_the_session_its_administrators() {
    let (server, _) = server();
    let mut alice = Browser::of(&server, "alice");
    let convert = "/api/v1/user/convert";
    for (admin, password) in [("alice", PASSWORD), ("nobody", "wrong-one")] {
        let wrong = json!({ "adminUser": admin, "adminPassword": password });
        assert_eq!(alice.post(&server, convert, &wrong).is(400).json()["reason"], "invaliduser");
    }
    let right = json!({ "adminUser": "bob", "adminPassword": PASSWORD });
    alice.post(&server, convert, &right).is(200);
    assert_eq!(alice.user(&server).as_deref(), Some("bob"));
    assert_eq!(alice.get(&server, "/api/v1/organization/alice").is(200).json()["is_admin"], true);
    let mut gone = Browser::visitor(&server);
    gone.post(&server, "/api/v1/signin", &json!({ "username": "alice", "password": PASSWORD })).is(403);
}

#[test]
fn a_deleted_account_and_a_deleted_organization_are_gone_with_their_credentials() {
    let (server, _) = server();
    let (mut alice, mut bob) = (Browser::of(&server, "alice"), Browser::of(&server, "bob"));
    alice.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);
    let robot = alice.put(&server, "/api/v1/organization/acme/robots/ci", &json!({})).is(201).json();
    let token = robot["token"].as_str().unwrap();
    server.get("/v2/").password("acme+ci", token).send().is(200);
    alice.json(&server, "DELETE", "/api/v1/user/", &json!({})).send().is(400);
    bob.json(&server, "DELETE", "/api/v1/organization/acme", &json!({})).send().is(403);
    alice.json(&server, "DELETE", "/api/v1/organization/acme", &json!({})).send().is(204);
    alice.json(&server, "DELETE", "/api/v1/organization/acme", &json!({})).send().is(403);
    server.get("/v2/").password("acme+ci", token).send().is(401);
    bob.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);

    let bearer = server.token(Some("alice"), &[]);
    server.get("/v2/").bearer(&bearer).send().is(200);
    alice.json(&server, "DELETE", "/api/v1/user/", &json!({})).send().is(204);
    assert!(alice.user(&server).is_none());
    server.get("/v2/").bearer(&bearer).send().is(401);
    add_user(&server.registry, "alice");
    server.get("/v2/").bearer(&bearer).send().is(401);
}

#[test]
fn a_repository_is_renamed_and_deleted() {
    let (server, _) = server();
    let mut alice = Browser::of(&server, "alice");
    server.push_image("alice/app", "v1", "layer");
    let view = alice.post(&server, "/api/v1/repository/alice/app/rename", &json!({ "name": "a/b" })).is(200);
    assert_eq!(view.json(), json!({ "namespace": "alice", "name": "a/b", "kind": "image" }));
    alice.get(&server, "/api/v1/repository/alice/app").is(404);
    alice.post(&server, "/api/v1/repository/alice/a/b/rename", &json!({ "name": "Not/OK" })).is(400);
    let delete = |by: &Browser| by.json(&server, "DELETE", "/api/v1/repository/alice/a/b", &json!({})).send();
    delete(&Browser::of(&server, "bob")).is(404);
    delete(&alice).is(204);
    // As good as deleted, for who may know that it is missing.
    delete(&alice).is(204);
    server.get("/v2/alice/a/b/manifests/v1").user("alice").send().is(404);
    server.push_image("alice/a/b", "v2", "layer");
    server.get("/v2/alice/a/b/manifests/v1").user("alice").send().is(404);
}

#[test]
fn without_superusers_there_is_no_panel_and_nobody_has_its_powers() {
    let server = Server::with(|setup| {
        setup.settings.has_superusers = false;
        setup.settings.superusers = ["bob".to_owned()].into();
        setup.settings.superusers_have_full_access = true;
        setup.settings.create_namespace_on_push = true;
    });
    let flagged = NewUser {
        name: "root".parse().unwrap(),
        email: String::new(),
        password_hash: password_hash().to_owned(),
        is_superuser: true,
    };
    server.registry.create_user(&flagged).unwrap();
    server.push_image("acme/app", "v1", "layer");
    for name in ["root", "bob"] {
        let mut user = Browser::of(&server, name);
        assert_eq!(user.get(&server, "/api/v1/user").is(200).json().get("super_user"), None);
        for target in ["users", "organizations", "logs", "registrysize", "nothing"] {
            user.get(&server, &format!("/api/v1/superuser/{target}")).is(404);
        }
        user.post(&server, "/api/v1/superuser/takeownership/acme", &json!({})).is(404);
        user.get(&server, "/api/v1/repository/acme/app").is(404);
        user.get(&server, "/api/v1/messages").is(200);
        let message =
            json!({ "message": { "content": "c", "media_type": "text/plain", "severity": "info" } });
        user.post(&server, "/api/v1/messages", &message).is(405);
    }
    assert_eq!(server.get("/config").send().is(200).json()["features"]["SUPER_USERS"], false);
}
