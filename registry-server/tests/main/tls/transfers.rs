//! Bytes in and out over TLS.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsConnector;

use super::{Pair, server};
use crate::client::{Response, basic};
use crate::support::{PASSWORD, Server, sha256};

/// Bytes that do not repeat where buffers do.
fn content() -> Vec<u8> {
    (0..9_000_007_u32).map(|n| (n % 251) as u8).collect()
}

#[test]
fn a_large_blob_comes_back_as_it_was_pushed() {
    let (server, pair) = server(|_| {});
    let content = content();
    let digest = sha256(&content);
    let upload = server.begin("alice/app");
    let half = content.len() / 2;
    server.request("PATCH", &upload).user("alice").chunked(&content[..half]).send().is(202);
    let put = server.request("PUT", &format!("{upload}?digest={digest}")).user("alice");
    put.body(&content[half..]).send().is(201);

    let blob = format!("/v2/alice/app/blobs/{digest}");
    assert!(server.alice("GET", &blob).is(200).body == content);
    let part = server.get(&blob).user("alice").header("Range", "bytes=65535-8000000").send().is(206);
    assert!(part.body == content[65_535..=8_000_000]);
    let over_http_2 =
        tokio::runtime::Runtime::new().unwrap().block_on(pull_over_http_2(&server, &pair, &blob));
    assert!(over_http_2 == content);
}

async fn pull_over_http_2(server: &Server, pair: &Pair, blob: &str) -> Bytes {
    let socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let connector = TlsConnector::from(pair.client(&["h2", "http/1.1"]));
    let stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(format!("https://localhost{blob}"));
    let request = request.header("authorization", basic("alice", PASSWORD));
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap().to_bytes()
}

#[test]
fn the_end_of_a_connection_is_announced() {
    let (server, _) = server(|_| {});
    let mut connection = server.connect();
    connection.send(server.get("/v2/").user("alice").bytes());
    Response::read(&connection.announced_rest(), false).unwrap().is(200);
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let (server, _) = server(|setup| setup.limits.linger = Duration::from_secs(30));
    let mut connection = server.connect();
    let refused = server.request("POST", "/v2/alice/app/blobs/uploads/?digest=wrong");
    // More than what is read and thrown away before the connection is closed.
    connection.send(refused.body(vec![0; 24 << 20]).bytes());
    Response::read(&connection.announced_rest(), false).unwrap().refuses(401, "UNAUTHORIZED");
}

#[test]
fn a_pull_in_flight_is_finished_at_a_stop() {
    let (mut server, _) = server(|_| {});
    let content = content();
    let digest = server.push_blob("alice/app", &content);
    let mut pulling = server.connect();
    pulling.send(server.get(&format!("/v2/alice/app/blobs/{digest}")).user("alice").bytes());
    assert!(pulling.head().starts_with("HTTP/1.1 200 "));
    let mut idle = server.connect();
    idle.send("GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n\r\n");
    assert!(idle.head().starts_with("HTTP/1.1 401 "));
    server.stop();
    idle.announced_rest();
    assert!(pulling.announced_rest() == content);
    server.ended();
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let (server, _) = server(|setup| {
        setup.limits.write_idle = Duration::from_millis(50);
        setup.limits.connections = 1;
    });
    let content = content();
    let digest = server.push_blob("alice/app", &content);
    let mut stalled = server.connect();
    stalled.send(server.get(&format!("/v2/alice/app/blobs/{digest}")).user("alice").bytes());
    assert!(stalled.head().starts_with("HTTP/1.1 200 "));
    // The only connection there may be is free again, while the client still holds its end.
    server.alice("GET", "/v2/").is(200);
    assert!(stalled.rest().len() < content.len());
}
