//! Over real sockets: a blocking client that sees every byte, and hyper's own where HTTP/2 is spoken.

mod blobs;
mod bodies;
mod connections;
mod resting;
mod sendfile;
mod stopping;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::*;

/// A timeout that a test waits for.
const SHORT: Duration = Duration::from_millis(50);

/// How long a client waits before it declares the server hung.
const HUNG: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
}

impl Server {
    async fn start<S, F>(limits: Limits, service: S) -> Self
    where
        S: Fn(Request<ReceivedBody>, ConnectionInfo) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let traffic = Arc::<Traffic>::default();
        let ended = tokio::spawn(serve(listener, service, limits, Arc::clone(&traffic), async move {
            let _ = stopped.await;
        }));
        Self { address, traffic, stop, ended }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        stream.set_write_timeout(Some(HUNG)).unwrap();
        Client { stream, unread: Vec::new() }
    }

    async fn connect_http2(&self) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Stops the server; every client must have been dropped or be about to finish.
    async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap()
    }
}

/// A client that writes and reads bytes, blocking.
struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    fn receive(&mut self) -> usize {
        let mut buffer = [0; 64 * 1024];
        let count = self.stream.read(&mut buffer).unwrap();
        self.unread.extend_from_slice(&buffer[..count]);
        count
    }

    /// The next head, up to its empty line.
    fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                return String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
            }
            assert_ne!(self.receive(), 0, "closed before a head");
        }
    }

    fn body(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert_ne!(self.receive(), 0, "closed inside a body");
        }
        self.unread.drain(..length).collect()
    }

    /// Everything up to the end of the connection.
    fn rest(&mut self) -> Vec<u8> {
        while self.receive() != 0 {}
        std::mem::take(&mut self.unread)
    }
}

fn short_of(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn reply(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn ok(text: &'static str) -> Response<Body> {
    reply(StatusCode::OK, Body::Full(Bytes::from_static(text.as_bytes())))
}

/// Answers with the request's own body, or with the error that reading it came to.
async fn echo(request: Request<ReceivedBody>, _: ConnectionInfo) -> Response<Body> {
    match request.into_body().collect_up_to(1024 * 1024).await {
        Ok(body) => reply(StatusCode::OK, Body::Full(body)),
        Err(error) => reply(StatusCode::BAD_REQUEST, Body::Full(error.to_string().into())),
    }
}

async fn text_of(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("http://registry.test/").body(Full::new(body.into())).unwrap()
}
