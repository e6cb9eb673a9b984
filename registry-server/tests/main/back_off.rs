//! The wait after a wrong password, wherever it is sent.

use std::net::Ipv4Addr;

use crate::browser::Browser;
use crate::client::{Connection, Response};
use crate::support::{PASSWORD, Server};

const FORM: &str = "grant_type=password&username=alice&password=";

/// The ways to sign in.
const WAYS: [&str; 3] = ["Basic", "token", "browser"];

fn sign_in(server: &Server, way: &str, password: &str) -> Response {
    match way {
        "Basic" => server.get("/v2/").password("alice", password).send(),
        "token" => server.request("POST", "/v2/auth").body(format!("{FORM}{password}")).send(),
        _ => Browser::visitor(server).sign_in(server, "alice", password),
    }
}

#[test]
fn one_wrong_password_is_waited_for_everywhere_and_the_right_one_too() {
    for wrong_way in WAYS {
        let server = Server::start();
        let refused = sign_in(&server, wrong_way, "wrong").status;
        assert_eq!(refused, if wrong_way == "browser" { 403 } else { 401 });
        for way in WAYS {
            let early = sign_in(&server, way, PASSWORD).is(429);
            assert_eq!(early.header("retry-after"), Some("1"), "{wrong_way} {way}");
            if way == "browser" {
                assert_eq!(early.header("content-type"), Some("text/plain; charset=utf-8"));
            } else {
                early.refuses(429, "TOOMANYREQUESTS");
            }
        }
        server.clock.advance_ms(10);
        sign_in(&server, wrong_way, PASSWORD).is(200);
        for way in WAYS {
            sign_in(&server, way, PASSWORD).is(200);
        }
    }
}

#[test]
fn each_further_wrong_password_is_waited_for_longer_up_to_a_minute() {
    let server = Server::start();
    let mut seconds = Vec::new();
    for n in 0..15 {
        sign_in(&server, "token", &format!("wrong{n}")).is(401);
        let early = sign_in(&server, "token", PASSWORD).is(429);
        seconds.push(early.header("retry-after").unwrap().parse::<u64>().unwrap());
        server.clock.advance_ms(60_000);
    }
    assert_eq!(seconds, [1, 1, 1, 1, 1, 1, 1, 2, 3, 6, 11, 21, 41, 60, 60]);
    sign_in(&server, "token", PASSWORD).is(200);
    sign_in(&server, "token", "wrong").is(401);
    server.clock.advance_ms(10);
    sign_in(&server, "token", PASSWORD).is(200);
}

#[test]
fn who_guesses_elsewhere_locks_nobody_out() {
    let server = Server::start();
    let request = |password: &str| server.get("/v2/").password("alice", password).bytes();
    let from = |last: u8, password: &str| {
        let mut connection = Connection::from(Ipv4Addr::new(127, 0, 0, last), server.address);
        connection.send(request(password));
        Response::read(&connection.rest(), false).unwrap().status
    };
    assert_eq!((from(2, "wrong"), from(2, PASSWORD)), (401, 429));
    assert_eq!(from(3, PASSWORD), 200);
    assert_eq!(from(2, PASSWORD), 429, "and their success does not help who guessed");
    server.get("/v2/").user("bob").send().is(200);
}

#[test]
fn a_name_that_nobody_has_is_waited_for_alike() {
    let server = Server::start();
    server.get("/v2/").user("nobody").send().is(401);
    server.get("/v2/").password("nobody", "other").send().refuses(429, "TOOMANYREQUESTS");
}

#[test]
fn a_client_that_falls_back_with_the_same_wrong_password_is_told_that_it_is_wrong() {
    let server = Server::start();
    sign_in(&server, "token", "wrong").is(401);
    server.get("/v2/auth").password("alice", "wrong").send().refuses(401, "UNAUTHORIZED");
    server.get("/v2/auth").password("alice", "wrong").send().refuses(429, "TOOMANYREQUESTS");
}

#[test]
fn a_browser_that_sends_the_same_wrong_password_waits() {
    let server = Server::start();
    sign_in(&server, "browser", "wrong").is(403);
    sign_in(&server, "browser", "wrong").is(429);
}
