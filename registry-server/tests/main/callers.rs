//! Who may call what: each route by each kind of caller, against a table that reviewers read.

use std::fmt::Write;

use registry_core::oci::NamespaceName;
use registry_core::{Actor, NewPrototype, NewRobot, PrototypeId, RobotToken, Role, TeamRole, To};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Server, add_user, repository};

/// The callers, in the order of the columns.
const CALLERS: [&str; 10] =
    ["nobody", "outsider", "member", "creator", "owner", "reader", "writer", "admin", "super", "global"];

/// The routes: method, target and body. `#` stands for the number of the caller, whose own thing it is that is changed.
const ROUTES: [(&str, &str, &str); 47] = [
    ("GET", "/api/v1/user", ""),
    ("GET", "/api/v1/users/alice", ""),
    ("POST", "/api/v1/organization/", r#"{"name":"new#"}"#),
    ("GET", "/api/v1/organization/acme", ""),
    ("PUT", "/api/v1/organization/acme", r#"{"email":"a@lab.test"}"#),
    ("GET", "/api/v1/organization/acme/members", ""),
    ("GET", "/api/v1/organization/acme/members/owner", ""),
    ("DELETE", "/api/v1/organization/acme/members/victim", ""),
    ("PUT", "/api/v1/organization/acme/team/new#", r#"{"role":"member"}"#),
    ("DELETE", "/api/v1/organization/acme/team/old#", ""),
    ("GET", "/api/v1/organization/acme/team/members/members", ""),
    ("PUT", "/api/v1/organization/acme/team/spare#/members/guest", ""),
    ("DELETE", "/api/v1/organization/acme/team/spare#/members/leaver", ""),
    ("GET", "/api/v1/organization/acme/team/members/permissions", ""),
    ("GET", "/api/v1/organization/acme/robots", ""),
    ("GET", "/api/v1/organization/acme/robots/old#", ""),
    ("PUT", "/api/v1/organization/acme/robots/new#", "{}"),
    ("GET", "/api/v1/organization/acme/robots/old#/permissions", ""),
    ("POST", "/api/v1/organization/acme/robots/old#/regenerate", ""),
    ("DELETE", "/api/v1/organization/acme/robots/old#", ""),
    ("GET", "/api/v1/user/robots", ""),
    ("PUT", "/api/v1/user/robots/own", ""),
    ("GET", "/api/v1/user/logs", ""),
    ("GET", "/api/v1/user/aggregatelogs", ""),
    ("GET", "/api/v1/superuser/logs", ""),
    ("GET", "/api/v1/superuser/aggregatelogs", ""),
    ("POST", "/api/v1/user/exportlogs", "{}"),
    ("POST", "/api/v1/organization/acme/exportlogs", "{}"),
    ("POST", "/api/v1/repository/acme/app/exportlogs", "{}"),
    ("GET", "/api/v1/organization/acme/logs", ""),
    ("GET", "/api/v1/organization/acme/aggregatelogs", ""),
    ("GET", "/api/v1/organization/acme/prototypes", ""),
    (
        "POST",
        "/api/v1/organization/acme/prototypes",
        r#"{"role":"read","delegate":{"name":"alice","kind":"user"}}"#,
    ),
    ("PUT", "/api/v1/organization/acme/prototypes/@", r#"{"role":"write"}"#),
    ("DELETE", "/api/v1/organization/acme/prototypes/@", ""),
    (
        "POST",
        "/api/v1/repository",
        r#"{"repository":"new#","namespace":"acme","visibility":"private","description":""}"#,
    ),
    ("GET", "/api/v1/repository?namespace=acme", ""),
    ("GET", "/api/v1/repository/acme/app", ""),
    ("PUT", "/api/v1/repository/acme/app", r#"{"description":"d"}"#),
    ("POST", "/api/v1/repository/acme/app/changevisibility", r#"{"visibility":"private"}"#),
    ("PUT", "/api/v1/repository/acme/app/changestate", r#"{"state":"NORMAL"}"#),
    ("GET", "/api/v1/repository/acme/app/logs", ""),
    ("GET", "/api/v1/repository/acme/app/aggregatelogs", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/user/", ""),
    ("PUT", "/api/v1/repository/acme/app/permissions/team/spare#", r#"{"role":"read"}"#),
    ("DELETE", "/api/v1/repository/acme/app/permissions/team/spare#", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/user/reader/transitive", ""),
];

fn org(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

/// A server with all callers, and with a thing of each kind for each caller to change.
fn populated() -> (Server, Vec<PrototypeId>) {
    let server = Server::with(|setup| {
        setup.settings.superusers = ["super".to_owned()].into();
        setup.settings.superusers_have_full_access = true;
        setup.settings.readers = ["global".to_owned()].into();
    });
    for user in CALLERS[1..].iter().chain(&["victim", "guest", "leaver"]) {
        add_user(&server.registry, user);
    }
    let (registry, acme) = (server.registry.clone(), org("acme"));
    let owner = Actor::User(server.principal("owner"));
    registry.create_organization(&owner, &acme, "").unwrap();
    let team = |name: &str, role, member: &str| {
        registry.put_team(&owner, &acme, &org(name), role, None).unwrap();
        registry.add_team_member(&owner, &acme, name, member).unwrap();
    };
    team("members", TeamRole::Member, "member");
    team("creators", TeamRole::Creator, "creator");
    let app = repository("acme/app");
    registry.create_repository(&owner, &app, false).unwrap();
    for (user, role) in [("reader", Role::Read), ("writer", Role::Write), ("admin", Role::Admin)] {
        registry.grant(&owner, &app, To::Principal(user), role).unwrap();
    }
    let mut prototypes = Vec::new();
    for number in 0..CALLERS.len() {
        team(&format!("old{number}"), TeamRole::Member, "victim");
        team(&format!("spare{number}"), TeamRole::Member, "leaver");
        let robot = NewRobot {
            short_name: org(&format!("old{number}")),
            description: String::new(),
            metadata: String::new(),
            is_usable_elsewhere: false,
            token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        };
        registry.create_robot(&owner, &acme, &robot).unwrap();
        let new = NewPrototype { activating: None, delegate: To::Team("members"), role: Role::Read };
        prototypes.push(registry.create_prototype(&owner, &acme, &new).unwrap().id);
        registry.grant(&owner, &app, To::Team(&format!("spare{number}")), Role::Read).unwrap();
    }
    (server, prototypes)
}

/// What each caller is answered on each route, one line for each route.
fn verdicts() -> String {
    let (server, prototypes) = populated();
    let browsers: Vec<Browser> = CALLERS
        .iter()
        .map(|name| if *name == "nobody" { Browser::visitor(&server) } else { Browser::of(&server, name) })
        .collect();
    let mut table = format!("{:<70} {}\n", "", CALLERS.map(|name| format!("{name:>8}")).join(" "));
    for (method, target, body) in ROUTES {
        write!(table, "{:<70}", format!("{method} {target}")).unwrap();
        for (number, browser) in browsers.iter().enumerate() {
            let own = |text: &str| {
                text.replace('#', &number.to_string()).replace('@', &prototypes[number].to_string())
            };
            if target.ends_with("members/victim") {
                // Back again, whoever removed them.
                let owner = Actor::User(server.principal("owner"));
                let _ = server.registry.add_team_member(&owner, &org("acme"), "members", "victim");
            }
            let body: Value =
                if body.is_empty() { json!({}) } else { serde_json::from_str(&own(body)).unwrap() };
            let answer = match method {
                "GET" => browser.get(&server, &own(target)),
                _ => browser.json(&server, method, &own(target), &body).send(),
            };
            write!(table, " {:>8}", answer.status).unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn each_caller_gets_the_reviewed_answer_on_each_route() {
    let found = verdicts();
    assert_eq!(found, include_str!("callers.expected"), "\n{found}");
}
