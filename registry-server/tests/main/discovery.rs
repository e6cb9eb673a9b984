//! What the API says of itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Server;

/// Every operation of a description, with its path and method.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.is_object() {
                found.push((method.clone(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

/// Every reference in a description.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn both_descriptions_have_every_operation_once_and_what_they_refer_to() {
    let server = Server::start();
    for target in ["/api/v1/discovery?internal=true", "/api/v1/openapi.json?internal=true"] {
        let document = server.get(target).send().is(200).json();
        let found = operations(&document);
        let ids: BTreeSet<&str> = found.iter().map(|at| at.2["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), found.len(), "an operationId is there twice");
        let registered = registry_server::api::operations();
        assert_eq!(found.len(), registered.len());
        for at in registered {
            let operation = &document["paths"][at.path][at.method.to_ascii_lowercase()];
            assert_eq!(operation["operationId"], at.id, "{} {}", at.method, at.path);
        }
        let mut referred = BTreeSet::new();
        references(&document, &mut referred);
        assert!(!referred.is_empty());
        for reference in referred {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }
}

#[test]
fn generated_clients_find_quays_names() {
    let server = Server::start();
    let document = server.get("/api/v1/discovery").send().is(200).json();
    assert_eq!((&document["swagger"], &document["host"]), (&"2.0".into(), &"registry.test".into()));
    for (id, method, path) in [
        ("createRepo", "post", "/api/v1/repository"),
        ("listRepos", "get", "/api/v1/repository"),
        ("getOrganization", "get", "/api/v1/organization/{orgname}"),
        ("createOrgRobot", "put", "/api/v1/organization/{orgname}/robots/{robot_shortname}"),
        ("updateOrganizationTeam", "put", "/api/v1/organization/{orgname}/team/{teamname}"),
        ("changeUserPermissions", "put", "/api/v1/repository/{repository}/permissions/user/{username}"),
    ] {
        assert_eq!(document["paths"][path][method]["operationId"], id, "{path}");
    }
    let create = &document["paths"]["/api/v1/repository"]["post"];
    assert_eq!(create["security"][0]["oauth2_implicit"][0], "repo:create");
    assert_eq!(create["parameters"][0]["schema"]["$ref"], "#/definitions/NewRepo");
    assert_eq!(document["definitions"]["NewRepo"]["required"][0], "repository");
    assert!(create["responses"]["201"]["schema"].is_object());
}

#[test]
fn internal_operations_are_shown_to_those_who_ask() {
    let server = Server::start();
    for target in ["/api/v1/discovery", "/api/v1/openapi.json"] {
        let shown = |query: &str| {
            let document = server.get(&format!("{target}{query}")).send().is(200).json();
            document["paths"]["/api/v1/signin"]["post"]["x-internal"] == true
        };
        assert!(!shown("") && !shown("?internal=false"));
        assert!(shown("?internal=true") && shown("?internal=1"));
    }
}

/// Generated clients send a repository's name as one parameter of the path.
#[test]
fn a_repository_may_be_one_segment_of_a_path() {
    let server = Server::start();
    server.push_image("alice/a/b", "v1", "one");
    let alice = crate::browser::Browser::of(&server, "alice");
    for name in ["alice/a/b", "alice%2Fa%2Fb", "alice%2fa/b"] {
        let view = alice.get(&server, &format!("/api/v1/repository/{name}")).is(200).json();
        assert_eq!(view["name"], "a/b", "{name}");
        let users = alice.get(&server, &format!("/api/v1/repository/{name}/permissions/user/?x=1"));
        assert!(users.is(200).json()["permissions"]["alice"].is_object(), "{name}");
    }
}
