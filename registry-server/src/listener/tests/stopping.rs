use tokio::sync::{mpsc, watch};

use super::*;

/// A service whose requests report that they have begun, then wait for leave to end.
struct Held {
    begun: mpsc::UnboundedReceiver<()>,
    leave: watch::Sender<bool>,
    server: Server,
}

impl Held {
    async fn start(limits: Limits) -> Self {
        let (begin, begun) = mpsc::unbounded_channel();
        let (leave, has_leave) = watch::channel(false);
        let service = move |_, _| {
            let (begin, mut has_leave) = (begin.clone(), has_leave.clone());
            async move {
                begin.send(()).unwrap();
                let _ = has_leave.wait_for(|leave| *leave).await;
                ok("finished")
            }
        };
        Self { begun, leave, server: Server::start(limits, service).await }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_requests_in_flight_finish_and_closes_the_rest() {
    let mut held = Held::start(Limits::default()).await;
    let (mut silent, mut busy) = (held.server.connect(), held.server.connect());
    let mut sender = held.server.connect_http2().await;
    busy.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
    let answer = tokio::spawn(sender.send_request(post("")));
    held.begun.recv().await.unwrap();
    held.begun.recv().await.unwrap();

    let address = held.server.address;
    let stopped = tokio::spawn(held.server.stop());
    assert_eq!(silent.rest(), b"", "an idle connection is closed");
    drop(silent);
    held.leave.send(true).unwrap();
    assert!(busy.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(busy.rest(), b"finished");
    drop(busy);
    assert_eq!(text_of(answer.await.unwrap().unwrap()).await, "finished");
    drop(sender);
    assert_eq!(stopped.await.unwrap(), Stopped { cut: 0 });
    assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_what_does_not_finish() {
    let mut held = Held::start(short_of(|limits| limits.drain = SHORT)).await;
    let mut hung = held.server.connect();
    hung.send("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
    held.begun.recv().await.unwrap();
    assert_eq!(held.server.stop().await, Stopped { cut: 1 });
    assert_eq!(hung.rest(), b"");
}
