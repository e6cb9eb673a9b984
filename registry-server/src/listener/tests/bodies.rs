use super::*;

/// Refuses every request before its body is read, and discards up to `bytes` of it.
fn refusing(
    bytes: u64,
) -> impl Fn(Request<ReceivedBody>, ConnectionInfo) -> std::future::Ready<Response<Body>> + Clone {
    move |request, _| {
        request.into_body().discard(bytes, 2 * HUNG);
        std::future::ready(reply(StatusCode::UNAUTHORIZED, Body::Full(Bytes::from_static(b"no"))))
    }
}

fn put(length: usize, headers: &str) -> String {
    format!("PUT / HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_still_sending_sees_the_refusal_and_may_go_on() {
    const LENGTH: usize = 8 * 1024 * 1024;
    let server = Server::start(Limits::default(), refusing(LENGTH as u64)).await;
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(put(LENGTH, ""));
        client.send(vec![b'x'; LENGTH / 2]);
        assert!(client.head().starts_with("HTTP/1.1 401 "), "the answer comes before the body's end");
        client.send(vec![b'x'; LENGTH / 2]);
        assert_eq!(client.body(2), b"no");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_beyond_the_bound_still_sees_the_refusal() {
    const LENGTH: usize = 12 * 1024 * 1024;
    let server = Server::start(short_of(|limits| limits.linger = HUNG), refusing(1024)).await;
    let mut client = server.connect();
    client.send(put(LENGTH, ""));
    client.send(vec![b'x'; LENGTH]);
    assert!(client.head().starts_with("HTTP/1.1 401 "));
    assert_eq!(client.rest(), b"no");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_http2_a_refusal_does_not_disturb_the_connection() {
    let server = Server::start(Limits::default(), refusing(0)).await;
    let mut sender = server.connect_http2().await;
    for _ in 0..3 {
        let answer = sender.send_request(post(vec![b'x'; 256 * 1024])).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(text_of(answer).await, "no");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_is_not_told_to_continue() {
    let server = Server::start(Limits::default(), refusing(u64::MAX)).await;
    let mut client = server.connect();
    client.send(put(1024, "Expect: 100-continue\r\n"));
    assert!(client.head().starts_with("HTTP/1.1 401 "));
    assert_eq!(client.rest(), b"no", "the connection is closed: its body never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_length_beyond_the_limit_is_refused_without_continue() {
    let server = Server::start(Limits::default(), echo).await;
    let mut client = server.connect();
    client.send(put(1024 * 1024 + 1, "Expect: 100-continue\r\n"));
    assert!(client.head().starts_with("HTTP/1.1 400 "));
    assert_eq!(client.rest(), b"request body is too large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_to_continue_when_its_body_is_read() {
    let server = Server::start(Limits::default(), echo).await;
    let mut client = server.connect();
    client.send(put(4, "Expect: 100-Continue\r\n"));
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(client.body(4), b"body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_is_given_up() {
    let server = Server::start(short_of(|limits| limits.body_idle = SHORT), echo).await;
    let mut client = server.connect();
    client.send(put(10, ""));
    client.send("half");
    assert!(client.head().starts_with("HTTP/1.1 400 "));
    assert_eq!(client.body(20), b"request body stalled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_an_error() {
    let (report, reported) = oneshot::channel();
    let report = std::sync::Arc::new(std::sync::Mutex::new(Some(report)));
    let service = move |request: Request<ReceivedBody>, _| {
        let report = report.lock().unwrap().take().unwrap();
        async move {
            let mut body = request.into_body();
            let first = body.next().await.unwrap().unwrap();
            let second = body.next().await.unwrap();
            report.send((first, second)).unwrap();
            ok("")
        }
    };
    let server = Server::start(Limits::default(), service).await;
    let mut client = server.connect();
    client.send(put(10, ""));
    client.send("half");
    drop(client);
    let (first, second) = reported.await.unwrap();
    assert_eq!(first, "half");
    assert!(matches!(second, Err(BodyError::Broken(_))), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_is_bounded_as_it_comes() {
    let server = Server::start(Limits::default(), echo).await;
    let mut client = server.connect();
    client.send("PUT / HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nfirst\r\n6\r\nsecond\r\n0\r\ntrailer: x\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(client.body(11), b"firstsecond");

    client.send("PUT / HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("{:x}\r\n{}\r\n", 2 * 1024 * 1024, "x".repeat(2 * 1024 * 1024)));
    assert!(client.head().starts_with("HTTP/1.1 400 "));
    assert_eq!(client.rest(), b"request body is too large");
}
