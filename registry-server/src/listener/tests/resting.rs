use super::*;

/// A connection rests as soon as it can.
fn restless() -> Limits {
    Limits { rest: Duration::from_millis(1), ..Limits::default() }
}

impl Server {
    /// Waits until so many connections rest.
    async fn rests(&self, connections: usize) {
        while self.traffic.resting() != connections {
            tokio::task::yield_now().await;
        }
    }
}

fn exchange(client: &mut Client, text: &str) {
    client.send(format!("POST / HTTP/1.1\r\nHost: r\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(client.body(text.len()), text.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rested_serves_the_next_request() {
    let server = Server::start(restless(), echo).await;
    let mut client = server.connect();
    server.rests(1).await;
    for text in ["one", "two", "three"] {
        exchange(&mut client, text);
        server.rests(1).await;
    }
    assert_eq!(server.traffic.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_bytes_come_one_by_one_wakes_a_connection_that_rests() {
    let server = Server::start(restless(), echo).await;
    let mut client = server.connect();
    exchange(&mut client, "before");
    server.rests(1).await;
    client.stream.set_nodelay(true).unwrap();
    for byte in b"POST / HTTP/1.1\r\nHost: r\r\nContent-Length: 3\r\n\r\none" {
        client.send([*byte]);
        tokio::task::yield_now().await;
    }
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(client.body(3), b"one");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_follow_each_other_are_not_lost_between_two_engines() {
    let server = Server::start(restless(), echo).await;
    let mut client = server.connect();
    for round in 0..50 {
        let one = format!("POST / HTTP/1.1\r\nHost: r\r\nContent-Length: 2\r\n\r\n{round:02}");
        // The second comes in two halves, with the first and on its own.
        let (half, rest) = one.split_at(round % one.len());
        client.send(format!("{one}{half}"));
        assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.body(2), format!("{round:02}").as_bytes());
        client.send(rest);
        assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.body(2), format!("{round:02}").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_on_its_way_is_no_rest() {
    let server = Server::start(restless(), echo).await;
    let (mut slow, mut other) = (server.connect(), server.connect());
    slow.send("POST / HTTP/1.1\r\nHost: r\r\nContent-Length: 6\r\n\r\none");
    for _ in 0..20 {
        exchange(&mut other, "between");
        server.rests(1).await;
    }
    slow.send("two");
    assert!(slow.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(slow.body(6), b"onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rests_is_closed_at_a_stop() {
    let server = Server::start(restless(), echo).await;
    let (mut silent, mut rested) = (server.connect(), server.connect());
    exchange(&mut rested, "one");
    server.rests(2).await;
    assert_eq!(server.stop().await, Stopped { cut: 0 });
    assert_eq!((silent.rest(), rested.rest()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rests_too_long_is_closed() {
    let server = Server::start(Limits { head_timeout: SHORT, ..restless() }, echo).await;
    let (mut silent, mut rested) = (server.connect(), server.connect());
    exchange(&mut rested, "one");
    assert_eq!((silent.rest(), rested.rest()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_given_up_however_often_it_goes_on() {
    let server = Server::start(Limits { head_timeout: SHORT, ..restless() }, echo).await;
    let mut client = server.connect();
    exchange(&mut client, "one");
    server.rests(1).await;
    client.send("GET / HTTP/1.1\r\n");
    // Each header comes in time, the end of the head never does.
    while client.stream.write_all(b"name: value\r\n").is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_recognised_by_its_preface_however_it_comes() {
    let server = Server::start(restless(), echo).await;
    let mut client = server.connect();
    client.stream.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        client.send([*byte]);
        tokio::task::yield_now().await;
    }
    // An empty SETTINGS frame; the answer begins with one as well.
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    assert_eq!(client.body(9)[3], 4);
}
