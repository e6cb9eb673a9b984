//! Which clients are served, and what others cost.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, Stream};

use super::server;
use crate::client::{Connection, Response};
use crate::support::Server;

const GET: &[u8] = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Shakes hands and gets an answer over HTTP/1.1; gives what was agreed.
fn shake_hands(server: &Server, client: &Arc<ClientConfig>) -> std::io::Result<ClientConnection> {
    use std::io::{Read, Write};

    let mut agreed = ClientConnection::new(Arc::clone(client), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(server.address)?;
    let mut stream = Stream::new(&mut agreed, &mut socket);
    stream.write_all(GET)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Response::read(&answer, false).unwrap().refuses(401, "UNAUTHORIZED");
    Ok(agreed)
}

#[test]
fn clients_of_either_version_are_served_with_and_without_alpn() {
    let (server, pair) = server(|_| {});
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (alpn, agreed) in [(&[][..], None), (&["http/1.1"], Some("http/1.1"))] {
            let client = shake_hands(&server, &pair.client_of(&[version], alpn)).unwrap();
            assert_eq!(client.protocol_version(), Some(expected));
            assert_eq!(client.alpn_protocol(), agreed.map(str::as_bytes));
        }
    }
}

#[test]
fn a_protocol_that_is_not_spoken_is_refused_in_the_handshake() {
    let (server, pair) = server(|_| {});
    let refused = shake_hands(&server, &pair.client(&["spdy/3"])).unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn a_client_that_comes_back_resumes() {
    let (server, pair) = server(|_| {});
    for version in [&TLS12, &TLS13] {
        let client = pair.client_of(&[version], &[]);
        assert_eq!(shake_hands(&server, &client).unwrap().handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(shake_hands(&server, &client).unwrap().handshake_kind(), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn plain_http_is_told_that_the_port_speaks_https() {
    let (server, _) = server(|_| {});
    for request in [GET, b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"P"] {
        let mut plain = Connection::open(server.address);
        plain.send(request);
        let answer = Response::read(&plain.rest(), false).unwrap().is(400);
        assert_eq!(answer.text(), "this port speaks https.\n");
    }
}

/// Connections whose handshakes do not go on.
fn begin(server: &Server) -> [Connection; 3] {
    [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"].map(|bytes| {
        let mut silent = Connection::open(server.address);
        silent.send(bytes);
        silent
    })
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let (server, _) = server(|setup| setup.limits.head_timeout = Duration::from_millis(50));
    for mut silent in begin(&server) {
        assert_eq!(silent.rest(), b"");
    }
}

#[test]
fn garbage_is_refused() {
    let (server, _) = server(|_| {});
    for garbage in [&[0; 512][..], b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x03\x01", b"ssh-2.0-x\r\n"] {
        let mut garbled = Connection::open(server.address);
        garbled.send(garbage);
        garbled.end();
        let answer = garbled.rest();
        assert!(answer.is_empty() || answer[0] == 21, "nothing, or an alert: {answer:?}");
    }
    server.alice("GET", "/v2/").is(200);
}

#[test]
fn handshakes_under_way_keep_neither_others_waiting_nor_a_stop() {
    let (mut server, _) = server(|setup| {
        setup.limits.head_timeout = Duration::from_secs(3600);
        setup.limits.drain = Duration::from_secs(3600);
    });
    let under_way = begin(&server);
    server.alice("GET", "/v2/").is(200);
    server.stop();
    for mut silent in under_way {
        assert_eq!(silent.rest(), b"");
    }
    server.ended();
}
