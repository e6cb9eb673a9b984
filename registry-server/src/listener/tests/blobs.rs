use std::{
    io,
    sync::{Arc, Mutex},
};

use hyper::header::CONTENT_LENGTH;

use super::*;
use crate::lanes::Lanes;

const LENGTH: usize = 1_000_003;

fn content() -> Bytes {
    (0..LENGTH).map(|n| (n % 251) as u8).collect()
}

/// Reads `content()`; from `broken_from` on, as `broken` says.
fn source(broken_from: u64, broken: fn() -> io::Result<Bytes>) -> BlobSource {
    let content = content();
    Box::new(move |offset, length| {
        if offset >= broken_from {
            return broken();
        }
        let offset = offset as usize;
        Ok(content.slice(offset..content.len().min(offset + length)))
    })
}

/// A source, the offset to begin at, and the length to send.
type Sent = (BlobSource, u64, u64);

async fn serving(make: fn() -> Sent) -> Server {
    let lanes = Lanes::default();
    let service = move |_, _| {
        let (source, offset, length) = make();
        let body = Body::Blob(BlobStream::new(lanes.blobs.clone(), source, offset, length));
        async move { reply(StatusCode::OK, body) }
    };
    Server::start(Limits::default(), service).await
}

fn whole() -> Sent {
    (source(u64::MAX, || unreachable!()), 0, LENGTH as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_sent_whole_with_its_length() {
    let server = serving(whole).await;
    let mut client = server.connect();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
        assert!(client.head().contains(&format!("content-length: {LENGTH}\r\n")));
        assert_eq!(client.body(LENGTH), content());
    }
    let mut sender = server.connect_http2().await;
    let answer = sender.send_request(post("")).await.unwrap();
    assert_eq!(answer.headers()[CONTENT_LENGTH], LENGTH.to_string());
    assert_eq!(text_of(answer).await, content());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_blob_is_sent() {
    let server = serving(|| (whole().0, 300_000, 400_000)).await;
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
    assert!(client.head().contains("content-length: 400000\r\n"));
    assert_eq!(client.body(400_000), content()[300_000..700_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_without_bytes_has_length_zero() {
    let server = serving(|| (whole().0, 0, 0)).await;
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n");
    assert!(client.head().contains("content-length: 0\r\n"));
    assert_eq!(client.rest(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_fails_or_ends_early_cuts_the_connection() {
    let fails: fn() -> Sent = || (source(500_000, || Err(io::Error::other("disk"))), 0, LENGTH as u64);
    let is_short: fn() -> Sent = || (source(500_000, || Ok(Bytes::new())), 0, LENGTH as u64);
    let panics: fn() -> Sent = || (source(500_000, || panic!("asked to panic")), 0, LENGTH as u64);
    for make in [fails, is_short, panics] {
        let server = serving(make).await;
        let mut client = server.connect();
        client.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
        assert!(client.head().contains(&format!("content-length: {LENGTH}\r\n")));
        let received = client.rest();
        assert!(received.len() < LENGTH, "the client sees that bytes are missing");
        assert_eq!(received, content()[..received.len()]);

        let mut sender = server.connect_http2().await;
        // The reset may overtake the headers.
        if let Ok(answer) = sender.send_request(post("")).await {
            assert!(answer.into_body().collect().await.is_err());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let service = |_, _| async {
        let mut response = reply(StatusCode::OK, Body::Empty);
        response.headers_mut().insert(CONTENT_LENGTH, LENGTH.into());
        response
    };
    let server = Server::start(Limits::default(), service).await;
    let mut client = server.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: r\r\n\r\n");
    client.send("HEAD / HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n");
    for _ in 0..2 {
        let head = client.head();
        assert_eq!(head.matches("content-length").count(), 1, "{head}");
        assert!(head.contains(&format!("content-length: {LENGTH}\r\n")), "{head}");
    }
    assert_eq!(client.rest(), b"");

    let mut sender = server.connect_http2().await;
    let head = Request::head("http://registry.test/").body(Full::default()).unwrap();
    let answer = sender.send_request(head).await.unwrap();
    assert_eq!(answer.headers()[CONTENT_LENGTH], LENGTH.to_string());
    assert_eq!(text_of(answer).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_given_up() {
    let (held, until_dropped) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let lane = Lanes::default().blobs;
    let service = move |_, _| {
        let held = held.lock().unwrap().take().unwrap();
        let endless: BlobSource = Box::new(move |_, length| {
            assert!(!held.is_closed());
            Ok(Bytes::from(vec![0; length]))
        });
        let body = Body::Blob(BlobStream::new(lane.clone(), endless, 0, 1 << 40));
        async move { reply(StatusCode::OK, body) }
    };
    let limits = short_of(|limits| limits.write_idle = SHORT);
    let server = Server::start(limits, service).await;
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
    client.head();
    let dropped = timeout(HUNG, until_dropped).await.unwrap();
    assert!(dropped.is_err(), "the source was dropped while the client held the connection");
}
