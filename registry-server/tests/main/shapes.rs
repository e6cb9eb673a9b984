//! Answers of `/api/v1` whose shapes clients of Quay rely on.

use registry_core::Actor;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{PASSWORD, Server, add_user, descriptor, index, repository};

/// alice owns acme with a private repository; root is a superuser.
fn populated() -> (Server, Browser) {
    let server = Server::with(|setup| setup.settings.superusers = ["root".to_owned()].into());
    add_user(&server.registry, "root");
    let mut alice = Browser::of(&server, "alice");
    alice.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);
    let new =
        json!({ "namespace": "acme", "repository": "app", "visibility": "private", "description": "d" });
    alice.post(&server, "/api/v1/repository", &new).is(201);
    (server, alice)
}

#[test]
fn a_repository_is_shown_with_its_tags_and_their_sizes() {
    let (server, alice) = populated();
    let manifest = server.push_image("acme/app", "v1", "one");
    server.push("acme/app", "all", &index(&[&manifest]).to_string());
    let at = "/api/v1/repository/acme/app";
    let shown = alice.get(&server, at).is(200).json();
    let digest = &descriptor("any", &manifest)["digest"];
    let date = "Fri, 15 Jan 2027 08:00:00 -0000";
    let size = "layer of one".len();
    let image = json!({ "name": "v1", "size": size, "last_modified": date, "manifest_digest": digest });
    assert_eq!(shown["tags"]["v1"], image);
    assert_eq!(shown["tags"]["all"]["size"], Value::Null);
    assert_eq!(shown.get("stats"), None);
    let without = alice.get(&server, &format!("{at}?includeTags=false")).is(200).json();
    assert_eq!(without.get("tags"), None);
    let empty = alice.get(&server, &format!("{at}?includeTags=true&includeStats=false")).is(200).json();
    assert!(empty["tags"].is_object() && empty.get("stats").is_none());
}

#[test]
fn a_repository_is_shown_with_how_much_it_was_used_on_each_of_91_days() {
    let (server, alice) = populated();
    server.push_image("acme/app", "v1", "one");
    server.alice("GET", "/v2/acme/app/manifests/v1").is(200);
    server.registry.run_trail().unwrap();
    server.clock.advance_ms(24 * 60 * 60 * 1000);
    let alice = if alice.user(&server).is_some() { alice } else { Browser::of(&server, "alice") };
    let shown = alice.get(&server, "/api/v1/repository/acme/app?includeStats=true").is(200).json();
    let stats = shown["stats"].as_array().unwrap();
    assert_eq!(stats.len(), 91);
    assert_eq!(stats[0], json!({ "date": "2026-10-18", "count": 0 }));
    assert_eq!(stats[89], json!({ "date": "2027-01-15", "count": 2 }));
    assert_eq!(stats[90], json!({ "date": "2027-01-16", "count": 0 }));
}

#[test]
fn a_repository_holds_images_and_no_other_kind() {
    let (server, mut alice) = populated();
    let mut new =
        json!({ "namespace": "acme", "repository": "x", "visibility": "private", "description": "" });
    new["repo_kind"] = "application".into();
    let refused = alice.post(&server, "/api/v1/repository", &new).is(400).json();
    assert_eq!(refused["detail"], "'application' is not one of ['image']");
    new["repo_kind"] = Value::Null;
    alice.post(&server, "/api/v1/repository", &new).is(201);
}

#[test]
fn what_there_is_nothing_of_is_an_empty_list() {
    let (server, mut alice) = populated();
    alice.put(&server, "/api/v1/organization/acme/robots/ci", &json!({})).is(201);
    let told = |target: &str| alice.get(&server, target).is(200).json();
    let none = json!({ "notifications": [], "additional": false });
    assert_eq!(told("/api/v1/user/notifications?page=0&limit=5"), none);
    assert_eq!(told("/api/v1/repository/acme/app/notification/"), json!({ "notifications": [] }));
    assert_eq!(told("/api/v1/organization/acme/robots/ci/federation"), json!([]));
    let one = "/api/v1/user/notifications/00000000-0000-4000-8000-000000000000";
    assert_eq!(alice.get(&server, one).is(404).json()["error_type"], "not_found");
    let put = alice.json(&server, "PUT", one, &json!({ "dismissed": true })).send();
    assert_eq!(put.is(404).json()["error_type"], "not_found");
    let root = Browser::of(&server, "root");
    assert_eq!(root.get(&server, "/api/v1/superuser/keys").is(200).json(), json!({ "keys": [] }));
    alice.get(&server, "/api/v1/superuser/keys").is(403);
}

#[test]
fn a_robot_says_when_it_signed_in_last() {
    let (server, mut alice) = populated();
    let at = "/api/v1/organization/acme/robots/ci";
    let made = alice.put(&server, at, &json!({})).is(201).json();
    assert_eq!(made["last_accessed"], Value::Null);
    server.get("/v2/auth").password("acme+ci", made["token"].as_str().unwrap()).send().is(200);
    let shown = alice.get(&server, at).is(200).json();
    assert_eq!(shown["last_accessed"], "Fri, 15 Jan 2027 08:00:00 -0000");
    let listed = alice.get(&server, "/api/v1/organization/acme/robots").is(200).json();
    assert_eq!(listed["robots"][0]["last_accessed"], shown["last_accessed"]);
}

#[test]
fn superusers_are_told_of_which_kind_the_namespace_of_an_event_is() {
    let (server, _) = populated();
    let own = repository("bob/own");
    server.registry.create_repository(&Actor::User(server.principal("bob")), &own, false).unwrap();
    server.registry.run_trail().unwrap();
    let mut root = Browser::visitor(&server);
    root.sign_in(&server, "root", PASSWORD).is(200);
    let told = root.get(&server, "/api/v1/superuser/logs").is(200).json();
    let kinds: Vec<(&str, &str)> = told["logs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "create_repo")
        .map(|event| &event["namespace"])
        .map(|namespace| (namespace["name"].as_str().unwrap(), namespace["kind"].as_str().unwrap()))
        .collect();
    assert!(kinds.contains(&("bob", "user")) && kinds.contains(&("acme", "org")), "{kinds:?}");
}

#[test]
fn an_organization_takes_null_for_no_address() {
    let (server, mut alice) = populated();
    let at = "/api/v1/organization/acme";
    for key in ["email", "contact_email"] {
        let set = alice.put(&server, at, &json!({ key: "a@lab.test" })).is(200).json();
        assert_eq!(set["email"], "a@lab.test");
        assert_eq!(alice.put(&server, at, &json!({ key: null })).is(200).json()["email"], "");
    }
}

#[test]
fn deleting_what_there_is_nothing_of_is_told_and_a_repository_of_that_name_is_one() {
    let (server, mut alice) = populated();
    let one = "/api/v1/repository/acme/app/tag/v1";
    let delete = |alice: &Browser, target: &str| alice.json(&server, "DELETE", target, &Value::Null).send();
    assert_eq!(delete(&alice, one).is(404).json()["error_type"], "not_found");
    delete(&alice, "/api/v1/repository/acme/app/manifest/sha256:0/labels/1").is(404);
    let new = json!({ "namespace": "acme", "repository": "app/tag/v1", "visibility": "private", "description": "" });
    alice.post(&server, "/api/v1/repository", &new).is(201);
    delete(&alice, one).is(204);
    delete(&alice, "/api/v1/repository/acme/tag").is(204);
}
