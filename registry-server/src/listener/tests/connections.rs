use std::sync::{Arc, Mutex};

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: registry.test\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_request_after_request() {
    let server = Server::start(Limits::default(), echo).await;
    let mut client = server.connect();
    for text in ["one", "three"] {
        client.send(format!("POST / HTTP/1.1\r\nHost: r\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
        assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.body(text.len()), text.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_with_prior_knowledge() {
    let server = Server::start(Limits::default(), echo).await;
    let mut sender = server.connect_http2().await;
    let answers = (0..10).map(|n| sender.send_request(post(format!("body {n}")))).collect::<Vec<_>>();
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(text_of(answer.await.unwrap()).await, format!("body {n}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_learns_its_peer() {
    let service = |_, info: ConnectionInfo| async move {
        reply(StatusCode::OK, Body::Full(info.peer.to_string().into()))
    };
    let server = Server::start(Limits::default(), service).await;
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = String::from_utf8(client.rest()).unwrap();
    assert!(answer.ends_with(&client.stream.local_addr().unwrap().to_string()), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_answered_431() {
    let server = Server::start(Limits::default(), echo).await;
    let many: String = (0..101).map(|n| format!("h{n}: x\r\n")).collect();
    let long = format!("long: {}\r\n", "x".repeat(200 * 1024));
    for headers in [many, long] {
        let mut client = server.connect();
        client.send(format!("GET / HTTP/1.1\r\n{headers}\r\n"));
        assert!(client.head().starts_with("HTTP/1.1 431 "));
        client.rest();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_headers_that_are_too_large_are_refused() {
    let server = Server::start(Limits::default(), echo).await;
    let mut sender = server.connect_http2().await;
    let mut request = post("");
    request.headers_mut().insert("long", "x".repeat(100 * 1024).parse().unwrap());
    let refused = sender.send_request(request).await;
    assert!(refused.is_err() || refused.unwrap().status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_below_the_limit_is_served() {
    let server = Server::start(Limits::default(), echo).await;
    let mut client = server.connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: r\r\nlong: {}\r\n\r\n", "x".repeat(60 * 1024)));
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_slow_and_idle_connections_are_closed() {
    let server = Server::start(short_of(|limits| limits.head_timeout = SHORT), echo).await;
    for (sent, answers) in [
        ("", 0),
        ("PRI * HTTP/2.0\r\n", 0),
        ("GET / HTTP/1.1\r\nHost: registry.test\r\nslow", 0),
        (GET, 1),
        ("GET / HTTP/1.1\r\nHost: registry.test\r\n\r\nGET / HT", 1),
    ] {
        let mut client = server.connect();
        client.send(sent);
        let received = String::from_utf8(client.rest()).unwrap();
        assert_eq!(received.matches("HTTP/1.1 200 OK").count(), answers, "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_connection_without_a_request_is_closed() {
    let server = Server::start(short_of(|limits| limits.head_timeout = SHORT), echo).await;
    let mut client = server.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    client.rest();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_may_take_longer_than_a_head() {
    let (begin, begun) = oneshot::channel::<()>();
    let begun = Arc::new(Mutex::new(Some(begun)));
    let service = move |_, _| {
        let begun = begun.lock().unwrap().take().unwrap();
        async move {
            begun.await.unwrap();
            ok("late")
        }
    };
    let limits = short_of(|limits| limits.head_timeout = SHORT);
    let server = Server::start(limits, service).await;
    let mut slow = server.connect();
    slow.send(GET);
    // Silent connections, one after the other, reach their timeouts: the time for a head is long over.
    for _ in 0..2 {
        server.connect().rest();
    }
    begin.send(()).unwrap();
    assert!(slow.head().starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let served = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&served);
    let service = move |_, info: ConnectionInfo| {
        log.lock().unwrap().push(info.peer);
        async { ok("") }
    };
    let server = Server::start(short_of(|limits| limits.connections = 1), service).await;
    let (mut first, mut second) = (server.connect(), server.connect());
    let (one, two) = (first.stream.local_addr().unwrap(), second.stream.local_addr().unwrap());
    second.send(GET);
    for _ in 0..3 {
        first.send(GET);
        first.head();
    }
    drop(first);
    second.head();
    assert_eq!(*served.lock().unwrap(), [one, one, one, two]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_service_ends_its_connection_alone() {
    let service = |request: Request<ReceivedBody>, _| async move {
        assert_ne!(request.uri().path(), "/panic", "asked to panic");
        ok("fine")
    };
    let server = Server::start(Limits::default(), service).await;
    let mut unlucky = server.connect();
    unlucky.send("GET /panic HTTP/1.1\r\nHost: r\r\n\r\n");
    assert_eq!(unlucky.rest(), b"");
    let mut lucky = server.connect();
    lucky.send(GET);
    assert!(lucky.head().starts_with("HTTP/1.1 200 OK\r\n"));
}
