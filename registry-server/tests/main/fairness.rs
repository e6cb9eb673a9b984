//! Places between tenants: what one of them does, or whoever names one, keeps no other from being served.

use std::net::Ipv4Addr;
use std::time::Duration;

use registry_core::{Actor, Role, To};
use registry_server::admission::Bounds;
use registry_server::lanes::{Lane, Lanes};

use crate::client::Connection;
use crate::limits::{Blocked, answer, until};
use crate::support::{Server, repository};

const LONG: Duration = Duration::from_secs(30);

/// One place for each namespace, and room for many who wait.
const NARROW: Bounds = Bounds {
    at_once: 3,
    at_once_per_namespace: 1,
    at_once_per_principal: 1,
    at_once_per_client: 1,
    waiting: 100,
    waiting_per_namespace: 100,
    waiting_per_client: 100,
    patience: LONG,
};

/// A server with a public repository each of alice's and bob's, in whose metadata lane nothing goes on, and a token of
/// each.
fn with_tokens(bounds: Bounds) -> ((Server, String, String), Blocked) {
    let lane = Lane::new(1);
    let lanes = Lanes { metadata: lane.clone(), ..Lanes::default() };
    let server = Server::with(|setup| {
        setup.options.admission.requests = bounds;
        setup.lanes = lanes;
    });
    for user in ["alice", "bob"] {
        let actor = Actor::User(server.principal(user));
        server.registry.create_repository(&actor, &repository(&format!("{user}/app")), true).unwrap();
    }
    let token =
        |user: &str| server.token(Some(user), &["repository:alice/app:pull", "repository:bob/app:pull"]);
    let (alice, bob) = (token("alice"), token("bob"));
    let blocked = Blocked::new(&lane);
    ((server, alice, bob), blocked)
}

/// A request that needs the metadata lane, from one of many nodes, sent and not waited for.
fn send(server: &Server, node: u8, token: Option<&str>, repository: &str) -> Connection {
    let mut connection = Connection::from(Ipv4Addr::new(127, 0, 1, node), server.address);
    let request = server.get(&format!("/v2/{repository}/tags/list"));
    let request = match token {
        Some(token) => request.bearer(token),
        None => request,
    };
    connection.send(request.bytes());
    connection
}

fn all_are_answered(server: &Server, blocked: Blocked, connections: &mut [Connection]) {
    blocked.end();
    assert!(connections.iter_mut().all(|connection| answer(connection).status == 200));
    until(server, "requests", 0.0, 0.0);
}

#[test]
fn many_nodes_of_one_partner_leave_the_places_of_another() {
    let ((server, alice, bob), lane) = with_tokens(NARROW);
    let mut sent: Vec<Connection> =
        (0..20).map(|node| send(&server, node, Some(&alice), "alice/app")).collect();
    until(&server, "requests", 1.0, 19.0);
    sent.push(send(&server, 100, Some(&bob), "bob/app"));
    until(&server, "requests", 2.0, 19.0);
    all_are_answered(&server, lane, &mut sent);
}

#[test]
fn whoever_names_a_foreign_namespace_takes_none_of_its_places() {
    let ((server, alice, bob), lane) = with_tokens(NARROW);
    // Both may pull what is public, and neither has a role there.
    let mut sent: Vec<Connection> = (0..10).map(|node| send(&server, node, None, "bob/app")).collect();
    sent.extend((0..10).map(|node| send(&server, 50 + node, Some(&alice), "bob/app")));
    until(&server, "requests", 1.0, 19.0);
    sent.push(send(&server, 100, Some(&bob), "bob/app"));
    until(&server, "requests", 2.0, 19.0);
    // Nor does who is at home in one place take another's for that.
    sent.push(send(&server, 101, Some(&alice), "alice/app"));
    until(&server, "requests", 3.0, 19.0);
    all_are_answered(&server, lane, &mut sent);
}

#[test]
fn who_was_granted_a_role_takes_the_places_of_where_it_was() {
    let ((server, alice, bob), lane) = with_tokens(NARROW);
    let owner = Actor::User(server.principal("bob"));
    server.registry.grant(&owner, &repository("bob/app"), To::Principal("alice"), Role::Read).unwrap();
    let mut sent = vec![send(&server, 1, Some(&alice), "bob/app")];
    until(&server, "requests", 1.0, 0.0);
    sent.push(send(&server, 2, Some(&bob), "bob/app"));
    until(&server, "requests", 1.0, 1.0);
    all_are_answered(&server, lane, &mut sent);
}

#[test]
fn who_asks_for_too_much_at_once_is_told_so_in_the_form_of_the_specification() {
    let bounds = Bounds { waiting_per_namespace: 2, ..NARROW };
    let ((server, alice, bob), lane) = with_tokens(bounds);
    let mut sent: Vec<Connection> =
        (0..3).map(|node| send(&server, node, Some(&alice), "alice/app")).collect();
    until(&server, "requests", 1.0, 2.0);
    let refused = answer(&mut send(&server, 9, Some(&alice), "alice/app")).refuses(429, "TOOMANYREQUESTS");
    assert_eq!(refused.header("retry-after"), Some("1"));
    sent.push(send(&server, 10, Some(&bob), "bob/app"));
    until(&server, "requests", 2.0, 2.0);
    all_are_answered(&server, lane, &mut sent);
}

#[test]
fn uploads_are_received_for_each_namespace_apart() {
    let server = Server::with(|setup| {
        setup.options.admission.uploads = Bounds { waiting_per_namespace: 0, ..NARROW };
    });
    let begin = |user: &str| {
        let begun =
            server.request("POST", &format!("/v2/{user}/app/blobs/uploads/")).user(user).body("").send();
        begun.is(202).header("location").unwrap().to_owned()
    };
    let (first, second, other) = (begin("alice"), begin("alice"), begin("bob"));
    let mut slow = server.connect();
    slow.send(server.request("PATCH", &first).user("alice").header("Content-Length", 2).bytes());
    slow.send("a");
    until(&server, "uploads", 1.0, 0.0);
    server.request("PATCH", &second).user("alice").body("x").send().refuses(429, "TOOMANYREQUESTS");
    server.request("PATCH", &other).user("bob").body("x").send().is(202);
    slow.send("b");
    assert_eq!(answer(&mut slow).status, 202);
}

#[test]
fn open_upload_sessions_are_limited() {
    let server = Server::with(|setup| setup.settings.uploads_per_principal = 2);
    let begin = || server.request("POST", "/v2/alice/app/blobs/uploads/").user("alice").body("").send();
    let first = begin().is(202).header("location").unwrap().to_owned();
    begin().is(202);
    let refused = begin().refuses(429, "TOOMANYREQUESTS");
    assert_eq!(refused.header("retry-after"), Some("1"));
    server.alice("DELETE", &first).is(204);
    begin().is(202);
    let bobs = server.request("POST", "/v2/bob/app/blobs/uploads/").user("bob").body("").send();
    bobs.is(202);
}
