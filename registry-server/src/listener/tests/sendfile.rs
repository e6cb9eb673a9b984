//! What may happen to a file, or to its reader, while the file is being sent.

use std::{fs::File, io::Read, os::unix::fs::FileExt};

use hyper::header::CONTENT_LENGTH;
use registry_core::BlobReader;

use super::blobs::{GET, Way, content, file_of, serving};
use super::*;

/// More than the sockets take up between a server and a client that came by [`connect`].
const LARGE: usize = 8 << 20;

/// A client whose socket takes little that it does not read.
fn connect(server: &Server) -> Client {
    let client = server.connect();
    rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 64 << 10).unwrap();
    client
}

fn large_file() -> File {
    file_of(&content(LARGE))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_truncated_under_its_reader_gives_a_short_body_and_an_end() {
    for way in Way::ALL {
        let file = large_file();
        let server = serving(way, Limits::default(), file.try_clone().unwrap().into()).await;
        let mut client = connect(&server);
        client.send(GET);
        client.head();
        file.set_len(0).unwrap();
        let received = client.rest();
        assert!(received.len() < LARGE, "{way:?}");
        assert!(received == content(LARGE)[..received.len()], "{way:?}");

        let mut other = server.connect();
        other.send("GET /0/0 HTTP/1.1\r\nHost: r\r\n\r\n");
        assert!(other.head().starts_with("HTTP/1.1 200 "), "{way:?}: the server goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_unlinked_or_replaced_under_its_reader_still_gives_its_bytes() {
    let content = content(LARGE);
    for way in Way::ALL {
        for is_replaced in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("blob");
            let named = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
            named.as_file().write_all_at(&content, 0).unwrap();
            let file = named.persist(&path).unwrap();
            let server = serving(way, Limits::default(), file.into()).await;
            let mut client = connect(&server);
            client.send(GET);
            client.head();
            if is_replaced {
                tempfile::NamedTempFile::new_in(directory.path()).unwrap().persist(&path).unwrap();
            } else {
                directory.close().unwrap();
            }
            assert!(client.body(LARGE) == content, "{way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::unbuffered_bytes, reason = "a call for each byte is what is tested")]
async fn a_client_may_take_one_byte_at_a_time() {
    const LENGTH: usize = 70_003;
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(&content(LENGTH)).into()).await;
        let mut client = connect(&server);
        client.send("GET / HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n");
        let received: Vec<u8> = (&client.stream).bytes().map(Result::unwrap).collect();
        assert!(received.ends_with(&content(LENGTH)), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away_in_the_middle_harm_nobody() {
    let content = content(LARGE);
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(&content).into()).await;
        for taken in [0, 1, 100_000, 3 << 20] {
            let mut leaving = connect(&server);
            leaving.send(GET);
            leaving.head();
            leaving.body(taken);
            // Bytes are unread: the socket sends a reset.
            drop(leaving);
        }
        let mut client = server.connect();
        client.send(GET);
        client.head();
        assert!(client.body(LARGE) == content, "{way:?}");
        drop(client);
        assert_eq!(server.stop().await, Stopped { cut: 0 });
    }
}

/// Serves the blob at `/large`, a part at `/part`, text at `/small`, and 404 elsewhere.
async fn mixed(way: Way, blob: BlobReader) -> Server {
    let service = move |request: Request<ReceivedBody>, _| {
        let is_head = request.method() == "HEAD";
        let mut response = match request.uri().path() {
            "/large" => reply(StatusCode::OK, Body::Blob(way.stream(&request, &blob, 0, blob.size()))),
            "/part" => {
                let part = way.stream(&request, &blob, 1_000_000, 2_000_000);
                reply(StatusCode::PARTIAL_CONTENT, Body::Blob(part))
            }
            "/small" => ok("small"),
            _ => reply(StatusCode::NOT_FOUND, Body::Full("nothing here".into())),
        };
        if is_head {
            response.headers_mut().insert(CONTENT_LENGTH, blob.size().into());
            *response.body_mut() = Body::Empty;
        }
        async move { response }
    };
    Server::start(Limits::default(), service).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_their_order_and_to_the_byte() {
    let content = content(3_000_011);
    let requests: [(&str, &str, &[u8]); 8] = [
        ("GET /small", "200", b"small"),
        ("GET /large", "200", &content),
        ("GET /nowhere", "404", b"nothing here"),
        ("GET /part", "206", &content[1_000_000..3_000_000]),
        ("HEAD /large", "200", b""),
        ("GET /part", "206", &content[1_000_000..3_000_000]),
        ("GET /large", "200", &content),
        ("GET /small", "200", b"small"),
    ];
    for way in Way::ALL {
        let server = mixed(way, file_of(&content).into()).await;
        let mut client = server.connect();
        let all: String =
            requests.iter().map(|(line, _, _)| format!("{line} HTTP/1.1\r\nHost: r\r\n\r\n")).collect();
        client.send(all.repeat(2));
        for (line, status, body) in requests.iter().chain(&requests) {
            assert!(client.head().starts_with(&format!("HTTP/1.1 {status} ")), "{way:?} {line}");
            assert!(client.body(body.len()) == *body, "{way:?} {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_share_one_open_file() {
    let content = content(1_500_000);
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(&content).into()).await;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut client = server.connect();
                    for _ in 0..4 {
                        client.send(GET);
                        client.head();
                        assert!(client.body(content.len()) == content, "{way:?}");
                    }
                });
            }
        });
    }
}
