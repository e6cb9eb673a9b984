//! What is hidden from somebody is answered under `/api/v1` as if it did not exist.

use std::collections::BTreeSet;

use registry_core::{Actor, KeptSecret, NewToken, Scopes};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::callers::{ROUTES, Sender, org, populated, token};
use crate::client::Response;
use crate::hidden::blanked;
use crate::support::{Server, sha256_bytes};

/// What stands for something that exists, and of equal length what stands for nothing.
const PAIRS: [(&str, &str); 15] = [
    ("/organization/acme/", "/organization/zzzz/"),
    ("/repository/acme/app", "/repository/acme/zzz"),
    ("/repository/acme/app", "/repository/zzzz/app"),
    ("/repository/acme/moving", "/repository/acme/zzzzzz"),
    ("/repository/acme/old", "/repository/acme/zzz"),
    ("/starred/acme/app", "/starred/acme/zzz"),
    ("/team/members/", "/team/zzzzzzz/"),
    ("/team/old", "/team/zzz"),
    ("/team/spare", "/team/zzzzz"),
    ("/robots/old", "/robots/zzz"),
    ("/applications/client", "/applications/zzzzzz"),
    ("/members/owner", "/members/guest"),
    ("/user/reader", "/user/zzzzzz"),
    ("/user/guest", "/user/zzzzz"),
    (r#""app""#, r#""zzz""#),
];

/// Those who are told nothing: nobody, and an outsider with a session and with a token of every scope.
fn outsiders(server: &Server) -> Vec<(&'static str, Sender)> {
    let (actor, theirs) = (Actor::User(server.principal("outsider")), org("theirs"));
    let (registry, kept) = (&server.registry, KeptSecret { nonce: [1; 16], hash: [2; 32] });
    registry.create_organization(&actor, &theirs, "").unwrap();
    registry.create_application(&actor, &theirs, "theirs", &Default::default(), &kept).unwrap();
    let every = Scopes::ALL.to_string().replace(" super:user", "");
    let (scopes, hash) = (every.parse().unwrap(), sha256_bytes("outsiders-token"));
    let new = NewToken { title: "t".into(), scopes, hash, lifetime_ms: 3_600_000 };
    registry.create_application_token(&actor, &theirs, "theirs", &new).unwrap();
    vec![
        ("nobody", Sender::Browser(Browser::visitor(server))),
        ("outsider", Sender::Browser(Browser::of(server, "outsider"))),
        ("outsider's token", Sender::Bearer("outsiders-token".to_owned())),
    ]
}

/// Asks each route for what exists and for what does not, and gives the statuses that there were.
fn compare(server: &Server, who: &str, sender: &Sender, own: impl Fn(&str) -> String) -> BTreeSet<u16> {
    let ask = |method: &str, target: &str, body: &str, name: &str| -> Response {
        let body: Value = if body.is_empty() { json!({}) } else { serde_json::from_str(body).unwrap() };
        blanked(sender.request(server, method, target, &body).send(), name)
    };
    let (mut statuses, mut compared) = (BTreeSet::new(), 0);
    for &(method, target, body) in ROUTES {
        let (target, body) = (own(target), own(body));
        for (present, absent) in PAIRS {
            let (other, other_body) = (target.replace(present, absent), body.replace(present, absent));
            if (&other, &other_body) == (&target, &body) {
                continue;
            }
            // What is said may name what was asked for: behind the kind of thing that it is.
            let name = |text: &'static str| text.splitn(3, '/').last().unwrap().trim_end_matches('/');
            let found = ask(method, &target, &body, name(present));
            let missing = ask(method, &other, &other_body, name(absent));
            let told = (found.text(), missing.text());
            assert_eq!(found, missing, "{who}: {method} {target} and {other}: {told:?}");
            statuses.insert(found.status);
            compared += 1;
        }
    }
    assert!(compared > 80, "{compared} were compared");
    statuses
}

#[test]
fn outsiders_are_told_the_same_of_what_is_hidden_and_of_what_is_missing() {
    let (server, things) = populated();
    let own = |text: &str| {
        let text = text.replace('#', "0").replace('@', &things[0].prototype.to_string());
        text.replace('~', &things[0].token.to_string())
    };
    for (who, sender) in outsiders(&server) {
        let statuses = compare(&server, who, &sender, own);
        let expected: &[u16] = match who {
            "nobody" => &[401, 403, 404, 410],
            _ => &[200, 201, 403, 404, 410],
        };
        assert!(statuses.iter().all(|status| expected.contains(status)), "{who}: {statuses:?}");
    }
}

#[test]
fn a_token_that_does_not_reach_a_repository_is_told_the_same_as_of_a_missing_one() {
    let (server, things) = populated();
    token(&server, "owner", "client0", "user:read", "owners-token");
    let own = |text: &str| {
        let text = text.replace('#', "0").replace('@', &things[0].prototype.to_string());
        text.replace('~', &things[0].token.to_string())
    };
    let sender = Sender::Bearer("owners-token".to_owned());
    compare(&server, "a narrow token", &sender, own);
}
