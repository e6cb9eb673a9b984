//! HTTPS: the same registry over TLS, and its certificate.

#![expect(clippy::disallowed_methods, reason = "the pair is written as an operator writes it")]

#[path = "tls/binary.rs"]
mod binary;
#[path = "tls/handshakes.rs"]
mod handshakes;
#[path = "tls/pair.rs"]
mod pair;
#[path = "tls/reload.rs"]
mod reload;
#[path = "tls/transfers.rs"]
mod transfers;

use std::sync::Arc;

use registry_core::Clock;
use registry_server::tls::Certificates;

use self::pair::Pair;
use crate::support::{Server, Setup};

/// A server with a pair of its own.
fn server(change: impl FnOnce(&mut Setup)) -> (Server, Pair) {
    let pair = Pair::new();
    let directory = tempfile::tempdir().unwrap();
    pair.write(directory.path());
    let certificates = Certificates::load(directory.path(), Clock::System).unwrap().unwrap();
    let server = Server::with(|setup| {
        setup.tls = Some((Arc::new(certificates), pair.client(&[])));
        change(setup);
    });
    (server, pair)
}

#[test]
fn a_challenge_names_https_and_a_token_fetched_there_is_taken() {
    let (server, _) = server(|_| {});
    let challenge = server.get("/v2/").send().is(401);
    let expected = "Bearer realm=\"https://registry.test/v2/auth\",service=\"registry.test\"";
    assert_eq!(challenge.header("www-authenticate"), Some(expected));
    let token = server.token(Some("alice"), &["repository:alice/app:pull,push"]);
    server.request("POST", "/v2/alice/app/blobs/uploads/").bearer(&token).body("").send().is(202);
}

#[test]
fn a_peer_that_is_no_trusted_proxy_cannot_change_the_scheme() {
    let (server, _) = server(|_| {});
    let challenge = server.get("/v2/").header("X-Forwarded-Proto", "http").send().is(401);
    assert!(challenge.header("www-authenticate").unwrap().contains("https://registry.test/"));
}
