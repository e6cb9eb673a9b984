//! Who may call what: each route by each kind of caller, against a table that reviewers read.

use std::fmt::Write;

use registry_core::oci::NamespaceName;
use registry_core::{
    Actor, KeptSecret, NewPrototype, NewRobot, NewToken, PrototypeId, RobotToken, Role, Scope, Scopes,
    TeamRole, To, TokenId,
};
use registry_server::auth::robot_token::{KEY_FILE, RobotKey};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::Request;
use crate::support::{Server, add_user, repository, sha256_bytes};

/// The callers, in the order of the columns.
const CALLERS: [&str; 10] =
    ["nobody", "outsider", "member", "creator", "owner", "reader", "writer", "admin", "super", "global"];

/// Those who come with another credential than a session, in the order of the columns of their table: a robot with its
/// token, tokens of the owner with one scope each (the last one the superuser's), one of a disabled owner, and one that
/// was revoked.
const HOLDERS: [&str; 11] = [
    "robot", "r:read", "r:write", "r:admin", "r:create", "u:read", "u:admin", "o:admin", "s:user",
    "disabled", "revoked",
];

/// The routes: method, target and body. `#` stands for the number of the caller, whose own thing it is that is changed,
/// `@` for a default permission of theirs and `~` for a token of their application.
pub(crate) const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/discovery", ""),
    ("GET", "/api/v1/openapi.json", ""),
    ("POST", "/api/v1/signin", ""),
    ("POST", "/api/v1/signin/verify", ""),
    ("POST", "/api/v1/user/initialize", ""),
    ("GET", "/api/v1/error/not_found", ""),
    ("GET", "/api/v1/registry/capabilities", ""),
    ("GET", "/api/v1/superuser/registrystatus", ""),
    ("GET", "/api/v1/superuser/config", ""),
    ("GET", "/api/v1/messages", ""),
    (
        "POST",
        "/api/v1/messages",
        r#"{"message":{"content":"c","media_type":"text/plain","severity":"info"}}"#,
    ),
    ("DELETE", "/api/v1/message/00000000-0000-4000-8000-000000000000", ""),
    ("GET", "/api/v1/find/all?query=app", ""),
    ("GET", "/api/v1/find/repositories?query=app", ""),
    ("GET", "/api/v1/entities/own?namespace=acme", ""),
    ("GET", "/api/v1/user/starred", ""),
    ("POST", "/api/v1/user/starred", r#"{"namespace":"acme","repository":"app"}"#),
    ("DELETE", "/api/v1/user/starred/acme/app", ""),
    ("GET", "/api/v1/user", ""),
    ("PUT", "/api/v1/user", ""),
    ("GET", "/api/v1/users/alice", ""),
    ("POST", "/api/v1/organization/", r#"{"name":"new#"}"#),
    ("GET", "/api/v1/organization/acme", ""),
    ("PUT", "/api/v1/organization/acme", r#"{"email":"a@lab.test"}"#),
    ("GET", "/api/v1/organization/acme/members", ""),
    ("GET", "/api/v1/organization/acme/members/owner", ""),
    ("DELETE", "/api/v1/organization/acme/members/victim", ""),
    ("GET", "/api/v1/organization/acme/collaborators", ""),
    ("PUT", "/api/v1/organization/acme/team/new#", r#"{"role":"member"}"#),
    ("DELETE", "/api/v1/organization/acme/team/old#", ""),
    ("GET", "/api/v1/organization/acme/team/members/members", ""),
    ("PUT", "/api/v1/organization/acme/team/spare#/members/guest", ""),
    ("DELETE", "/api/v1/organization/acme/team/spare#/members/leaver", ""),
    ("GET", "/api/v1/organization/acme/team/members/permissions", ""),
    ("GET", "/api/v1/organization/acme/robots", ""),
    ("GET", "/api/v1/organization/acme/robots/old#", ""),
    ("PUT", "/api/v1/organization/acme/robots/new#", "{}"),
    ("POST", "/api/v1/organization/acme/robots/old#", r#"{"networks":[]}"#),
    ("GET", "/api/v1/organization/acme/robots/old#/permissions", ""),
    ("GET", "/api/v1/organization/acme/robots/old#/federation", ""),
    ("POST", "/api/v1/organization/acme/robots/old#/regenerate", ""),
    ("DELETE", "/api/v1/organization/acme/robots/old#", ""),
    ("GET", "/api/v1/user/robots", ""),
    ("PUT", "/api/v1/user/robots/own", ""),
    ("GET", "/api/v1/user/robots/own", ""),
    ("GET", "/api/v1/user/robots/own/permissions", ""),
    ("GET", "/api/v1/user/robots/own/federation", ""),
    ("GET", "/api/v1/user/notifications", ""),
    ("GET", "/api/v1/user/notifications/00000000-0000-4000-8000-000000000000", ""),
    ("PUT", "/api/v1/user/notifications/00000000-0000-4000-8000-000000000000", r#"{"dismissed":true}"#),
    ("POST", "/api/v1/user/robots/own/regenerate", ""),
    ("POST", "/api/v1/user/robots/own", r#"{"networks":[]}"#),
    ("DELETE", "/api/v1/user/robots/own", ""),
    ("GET", "/api/v1/user/apptoken", ""),
    ("POST", "/api/v1/user/apptoken", r#"{"title":"t"}"#),
    ("GET", "/api/v1/user/apptoken/00000000-0000-4000-8000-000000000000", ""),
    ("DELETE", "/api/v1/user/apptoken/00000000-0000-4000-8000-000000000000", ""),
    ("GET", "/api/v1/user/authorizations", ""),
    ("GET", "/api/v1/user/authorizations/00000000-0000-4000-8000-000000000000", ""),
    ("DELETE", "/api/v1/user/authorizations/00000000-0000-4000-8000-000000000000", ""),
    ("POST", "/api/v1/jobtoken", r#"{"repositories":["acme/app"],"actions":["pull"]}"#),
    ("GET", "/api/v1/app/client0", ""),
    ("GET", "/api/v1/organization/acme/applications", ""),
    ("POST", "/api/v1/organization/acme/applications", r#"{"name":"n"}"#),
    ("GET", "/api/v1/organization/acme/applications/client#", ""),
    (
        "PUT",
        "/api/v1/organization/acme/applications/client#",
        r#"{"name":"n","redirect_uri":"","application_uri":""}"#,
    ),
    ("POST", "/api/v1/organization/acme/applications/client#/resetclientsecret", ""),
    ("GET", "/api/v1/organization/acme/applications/client#/tokens", ""),
    ("POST", "/api/v1/organization/acme/applications/client#/tokens", r#"{"name":"t","scope":"repo:read"}"#),
    ("DELETE", "/api/v1/organization/acme/applications/client#/tokens/~", ""),
    ("DELETE", "/api/v1/organization/acme/applications/client#", ""),
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
    ("GET", "/api/v1/repository?public=true", ""),
    ("GET", "/api/v1/repository?starred=true", ""),
    ("GET", "/api/v1/repository/acme/app/tokens", ""),
    ("POST", "/api/v1/repository/acme/app/tokens", ""),
    ("GET", "/api/v1/repository/acme/app/tokens/code", ""),
    ("PUT", "/api/v1/repository/acme/app/tokens/code", ""),
    ("DELETE", "/api/v1/repository/acme/app/tokens/code", ""),
    ("GET", "/api/v1/repository/acme/app", ""),
    ("PUT", "/api/v1/repository/acme/app", r#"{"description":"d"}"#),
    ("POST", "/api/v1/repository/acme/app/changevisibility", r#"{"visibility":"private"}"#),
    ("PUT", "/api/v1/repository/acme/app/changestate", r#"{"state":"NORMAL"}"#),
    ("GET", "/api/v1/repository/acme/app/notification/", ""),
    ("GET", "/api/v1/repository/acme/app/logs", ""),
    ("GET", "/api/v1/repository/acme/app/aggregatelogs", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/user/", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/user/reader", ""),
    ("PUT", "/api/v1/repository/acme/app/permissions/user/guest#", r#"{"role":"read"}"#),
    ("DELETE", "/api/v1/repository/acme/app/permissions/user/guest#", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/team", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/team/spare#", ""),
    ("PUT", "/api/v1/repository/acme/app/permissions/team/spare#", r#"{"role":"read"}"#),
    ("DELETE", "/api/v1/repository/acme/app/permissions/team/spare#", ""),
    ("GET", "/api/v1/repository/acme/app/permissions/user/reader/transitive", ""),
    ("POST", "/api/v1/repository/acme/moving#/rename", r#"{"name":"moved#"}"#),
    ("DELETE", "/api/v1/repository/acme/old#", ""),
    ("DELETE", "/api/v1/organization/gone#", ""),
    ("GET", "/api/v1/superuser/keys", ""),
    ("GET", "/api/v1/superuser/users", ""),
    ("POST", "/api/v1/superuser/users", r#"{"username":"made#"}"#),
    ("GET", "/api/v1/superuser/users/guest", ""),
    ("PUT", "/api/v1/superuser/users/guest#", r#"{"enabled":true}"#),
    ("DELETE", "/api/v1/superuser/users/guest#", ""),
    ("GET", "/api/v1/superuser/organizations", ""),
    ("PUT", "/api/v1/superuser/organizations/kept#", r#"{"name":"renamed#"}"#),
    ("DELETE", "/api/v1/superuser/organizations/dropped#", ""),
    ("POST", "/api/v1/superuser/takeownership/taken#", ""),
    ("GET", "/api/v1/superuser/registrysize", ""),
    ("POST", "/api/v1/superuser/registrysize", ""),
    ("GET", "/api/v1/superuser/changelog", ""),
    ("POST", "/api/v1/user", r#"{"username":"registered#"}"#),
    ("POST", "/api/v1/user/convert", r#"{"adminUser":"no+body","adminPassword":"password"}"#),
    // Everybody administers an organization by now, which needs them.
    ("DELETE", "/api/v1/user", ""),
    // The last: it ends the callers' sessions.
    ("POST", "/api/v1/signout", ""),
];

pub(crate) fn org(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

/// Somebody who calls.
pub(crate) enum Sender {
    Browser(Browser),
    Bearer(String),
    Basic(&'static str, String),
}

impl Sender {
    pub(crate) fn request(&self, server: &Server, method: &str, target: &str, body: &Value) -> Request {
        let request = match self {
            Self::Browser(browser) if method == "GET" => return browser.request(server, method, target),
            Self::Browser(browser) => return browser.json(server, method, target, body),
            Self::Bearer(token) => server.request(method, target).bearer(token),
            Self::Basic(name, token) => server.request(method, target).password(name, token),
        };
        match method {
            "GET" => request,
            _ => request.header("Content-Type", "application/json").body(body.to_string()),
        }
    }
}

/// What there is for each caller to change.
pub(crate) struct Things {
    pub(crate) prototype: PrototypeId,
    pub(crate) token: TokenId,
}

/// A server with all callers, and with a thing of each kind for each caller to change.
pub(crate) fn populated() -> (Server, Vec<Things>) {
    let server = Server::with(|setup| {
        setup.settings.superusers = ["super".to_owned()].into();
        setup.settings.superusers_have_full_access = true;
        setup.settings.readers = ["global".to_owned()].into();
    });
    for user in CALLERS[1..].iter().chain(&["victim", "guest", "leaver", "gone"]) {
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
    let mut things = Vec::new();
    for number in 0..CALLERS.len() + HOLDERS.len() {
        team(&format!("old{number}"), TeamRole::Member, "victim");
        team(&format!("spare{number}"), TeamRole::Member, "leaver");
        let robot = NewRobot {
            short_name: org(&format!("old{number}")),
            description: String::new(),
            metadata: String::new(),
            is_usable_elsewhere: false,
            token: RobotToken { nonce: [1; 16], hash: [2; 32] },
            limits: Default::default(),
        };
        registry.create_robot(&owner, &acme, &robot).unwrap();
        let new = NewPrototype { activating: None, delegate: To::Team("members"), role: Role::Read };
        let prototype = registry.create_prototype(&owner, &acme, &new).unwrap().id;
        registry.grant(&owner, &app, To::Team(&format!("spare{number}")), Role::Read).unwrap();
        let guest = format!("guest{number}");
        add_user(&registry, &guest);
        registry.grant(&owner, &app, To::Principal(&guest), Role::Read).unwrap();
        for kind in ["gone", "kept", "dropped", "taken"] {
            registry.create_organization(&owner, &org(&format!("{kind}{number}")), "").unwrap();
        }
        for kind in ["moving", "old"] {
            let name = repository(&format!("acme/{kind}{number}"));
            registry.create_repository(&owner, &name, false).unwrap();
            for (user, role) in [("reader", Role::Read), ("writer", Role::Write), ("admin", Role::Admin)] {
                registry.grant(&owner, &name, To::Principal(user), role).unwrap();
            }
        }
        let secret = KeptSecret { nonce: [1; 16], hash: [2; 32] };
        let client_id = format!("client{number}");
        registry.create_application(&owner, &acme, &client_id, &Default::default(), &secret).unwrap();
        let token = token(&server, "owner", &client_id, "repo:read", &format!("{number}"));
        things.push(Things { prototype, token });
    }
    (server, things)
}

/// Makes a token of a user's, with this secret.
pub(crate) fn token(server: &Server, user: &str, client_id: &str, scopes: &str, secret: &str) -> TokenId {
    let hash = sha256_bytes(secret);
    let new = NewToken { title: "t".into(), scopes: scopes.parse().unwrap(), hash, lifetime_ms: 3_600_000 };
    let actor = Actor::User(server.principal(user));
    server.registry.create_application_token(&actor, &org("acme"), client_id, &new).unwrap().id
}

/// Everybody who comes with a session, or with nothing.
fn browsers(server: &Server) -> Vec<Sender> {
    let browser = |name: &&str| match *name {
        "nobody" => Browser::visitor(server),
        name => Browser::of(server, name),
    };
    CALLERS.iter().map(browser).map(Sender::Browser).collect()
}

/// Everybody else.
fn holders(server: &Server) -> Vec<Sender> {
    let (registry, acme) = (&server.registry, org("acme"));
    let owner = Actor::User(server.principal("owner"));
    let key = RobotKey::new(registry.key_file(KEY_FILE).unwrap());
    let robot = NewRobot {
        short_name: org("ci"),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: key.stored([9; 16]),
        limits: Default::default(),
    };
    registry.create_robot(&owner, &acme, &robot).unwrap();
    registry.add_team_member(&owner, &acme, "owners", "gone").unwrap();
    registry
        .create_application(
            &owner,
            &acme,
            "holders",
            &Default::default(),
            &KeptSecret { nonce: [1; 16], hash: [2; 32] },
        )
        .unwrap();
    let mut senders = vec![Sender::Basic("acme+ci", key.token(&[9; 16]).expose().to_owned())];
    let mut add = |user: &str, scopes: &str| {
        let secret = format!("secret {scopes} of {user}").replace([' ', ':'], "-");
        let id = token(server, user, "holders", scopes, &secret);
        senders.push(Sender::Bearer(secret));
        id
    };
    for scope in Scope::ALL {
        add(if scope == Scope::Superuser { "super" } else { "owner" }, scope.name());
    }
    let every = Scopes::ALL.to_string().replace(" super:user", "");
    add("gone", &every);
    let revoked = add("owner", &every);
    registry.set_disabled(server.principal("gone").id, true).unwrap();
    registry.revoke_application_token(&owner, &acme, "holders", revoked).unwrap();
    senders
}

/// What each caller is answered on each route, one line for each route; the first caller is of this number.
fn verdicts(names: &[&str], first: usize, senders: impl Fn(&Server) -> Vec<Sender>) -> String {
    let (server, things) = populated();
    let senders = senders(&server);
    let columns: Vec<String> = names.iter().map(|name| format!("{name:>8}")).collect();
    let mut table = format!("{:<75} {}\n", "", columns.join(" "));
    for &(method, target, body) in ROUTES {
        write!(table, "{:<75}", format!("{method} {target}")).unwrap();
        for (index, sender) in senders.iter().enumerate() {
            let number = first + index;
            let own = |text: &str| {
                let text = text.replace('#', &number.to_string());
                let text = text.replace('@', &things[number].prototype.to_string());
                text.replace('~', &things[number].token.to_string())
            };
            if target.ends_with("members/victim") {
                // Back again, whoever removed them.
                let owner = Actor::User(server.principal("owner"));
                let _ = server.registry.add_team_member(&owner, &org("acme"), "members", "victim");
            }
            let body: Value =
                if body.is_empty() { json!({}) } else { serde_json::from_str(&own(body)).unwrap() };
            let answer = sender.request(&server, method, &own(target), &body).send();
            write!(table, " {:>8}", answer.status).unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn each_caller_gets_the_reviewed_answer_on_each_route() {
    let found = verdicts(&CALLERS, 0, browsers);
    assert!(found == include_str!("callers.expected"), "\n{found}");
}

/// Whether the target of a row is one of the template's paths. A repository of a row has two segments.
fn is_of(target: &str, template: &str) -> bool {
    let target = target
        .split('?')
        .next()
        .unwrap()
        .trim_end_matches('/')
        .replace("/repository/acme/", "/repository/acme%2F")
        .replace("/starred/acme/", "/starred/acme%2F");
    let (parts, wanted): (Vec<&str>, Vec<&str>) =
        (target.split('/').collect(), template.split('/').collect());
    let mut pairs = parts.iter().zip(&wanted);
    parts.len() == wanted.len() && pairs.all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
}

#[test]
fn every_operation_of_the_api_has_a_row() {
    let rows = |method, path| ROUTES.iter().filter(move |row| row.0 == method && is_of(row.1, path)).count();
    let operations = registry_server::api::operations().iter();
    let missing: Vec<_> =
        operations.filter(|at| rows(at.method, at.path) == 0).map(|at| (at.method, at.path)).collect();
    assert_eq!(missing, []);
}

#[test]
fn each_credential_gets_the_reviewed_answer_on_each_route() {
    let found = verdicts(&HOLDERS, CALLERS.len(), holders);
    assert!(found == include_str!("holders.expected"), "\n{found}");
}
