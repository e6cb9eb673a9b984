//! A client that writes and reads bytes itself, so that nothing between the test and the wire hides or mends anything.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::support::PASSWORD;

/// How long a client waits before it declares the server hung.
const HUNG: Duration = Duration::from_secs(30);

/// A request that is being put together. It closes its connection, and each goes over one of its own.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    is_chunked: bool,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { address, tls: None, method, target, headers: Vec::new(), body: None, is_chunked: false }
    }

    /// Goes over TLS, if there is a configuration for it.
    pub(crate) fn over(mut self, tls: Option<Arc<ClientConfig>>) -> Self {
        self.tls = tls;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Signs in with Basic, unasked.
    pub(crate) fn user(self, name: &str) -> Self {
        self.password(name, PASSWORD)
    }

    pub(crate) fn password(self, name: &str, password: &str) -> Self {
        self.header("Authorization", basic(name, password))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sends the body with its length.
    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Sends the body in chunked transfer encoding.
    pub(crate) fn chunked(mut self, body: impl AsRef<[u8]>) -> Self {
        self.is_chunked = true;
        self.body(body)
    }

    /// Sends it and checks that the answer has what every answer has.
    pub(crate) fn send(self) -> Response {
        let response = self.send_unchecked();
        if self.target == "/v2" || self.target.starts_with("/v2/") {
            response.check_v2(self.method == "HEAD");
        }
        response.check_hardened();
        response
    }

    fn send_unchecked(&self) -> Response {
        let mut connection = Connection::over(self.tls.as_ref(), self.address);
        connection.send(self.bytes());
        let whole = connection.rest();
        let response = Response::read(&whole, self.method == "HEAD");
        response.unwrap_or_else(|| panic!("{} {}: {:?}", self.method, self.target, text(&whole)))
    }

    /// Sends it; `None` if the server is gone before its answer is complete.
    pub(crate) fn send_unless_gone(&self) -> Option<Response> {
        let mut connection = Connection::try_over(self.tls.as_ref(), self.address).ok()?;
        connection.send(self.bytes());
        let whole = connection.rest();
        let head = whole.windows(4).position(|window| window == b"\r\n\r\n")?;
        let lines = text(&whole[..head]).to_ascii_lowercase();
        let length = lines.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let is_whole = self.method == "HEAD" || whole.len() - head - 4 >= length.unwrap_or(0);
        if is_whole { Response::read(&whole, self.method == "HEAD") } else { None }
    }

    /// The request as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head.push_str("Host: registry.test\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = self.body.clone().unwrap_or_default();
        if self.is_chunked {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            return [head.as_bytes(), &chunk(&body), b"0\r\n\r\n"].concat();
        }
        if self.body.is_some() && !self.headers.iter().any(|(name, _)| name == "Content-Length") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &body].concat()
    }
}

pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// One chunk of a body in chunked transfer encoding; none for no bytes, since that would end the body.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// An answer, with its body as the connection carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Reads all that a connection carried: one answer, after any `100 Continue`.
    pub(crate) fn read(mut whole: &[u8], is_head: bool) -> Option<Self> {
        loop {
            let end = whole.windows(4).position(|window| window == b"\r\n\r\n")?;
            let (head, body) = (text(&whole[..end]), &whole[end + 4..]);
            let mut lines = head.split("\r\n");
            let status: u16 = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
            if status == 100 {
                whole = body;
                continue;
            }
            let headers: Vec<_> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let mut response = Self { status, headers, body: body.to_vec() };
            response.settle_body(is_head);
            return Some(response);
        }
    }

    /// Checks the body against its framing.
    fn settle_body(&mut self, is_head: bool) {
        if is_head || matches!(self.status, 204 | 304) {
            assert_eq!(text(&self.body), "", "an answer without a body has none on the wire");
            return;
        }
        assert_eq!(self.header("transfer-encoding"), None, "every length is known beforehand");
        let length: usize = self.header("content-length").expect("a length").parse().unwrap();
        assert_eq!(self.body.len(), length, "the body is as long as announced");
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands once");
        all.first().copied()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        text(&self.body)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and code of the first error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["errors"][0]["code"].as_str().unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }

    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        assert_eq!(self.refusal(), (status, code.to_owned()));
        self
    }

    /// What every answer under `/v2/` has.
    fn check_v2(&self, is_head: bool) {
        assert_eq!(self.header("docker-distribution-api-version"), Some("registry/2.0"));
        assert_eq!(self.header("content-encoding"), None);
        assert_eq!(self.header("www-authenticate").is_some(), self.status == 401);
        assert_eq!(self.header("allow").is_some(), self.status == 405);
        if self.status < 400 {
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/json"));
        if is_head {
            return;
        }
        let json = self.json();
        let errors = json["errors"].as_array().unwrap();
        assert!(!errors.is_empty());
        for error in errors {
            let code = error["code"].as_str().unwrap();
            assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
            assert!(!error["message"].as_str().unwrap().is_empty());
            assert!(error.get("detail").is_some());
        }
    }

    fn check_hardened(&self) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        let policy = self.header("content-security-policy").unwrap();
        // A page that asks something has a form, which a sandbox would not send.
        let is_page = self.text().starts_with("<!doctype html>");
        let form = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";
        assert_eq!(policy, if is_page { form } else { "default-src 'none'; sandbox" });
    }
}

/// A connection whose bytes the test writes and reads.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    /// The socket, or TLS on it.
    stream: Box<dyn Stream>,
}

trait Stream: Read + Write + Debug {}

impl<T: Read + Write + Debug> Stream for T {}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::over(None, address)
    }

    /// A connection from another address of this machine.
    pub(crate) fn from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let socket = runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((source, 0).into()).unwrap();
            socket.connect(address).await.unwrap().into_std().unwrap()
        });
        socket.set_nonblocking(false).unwrap();
        Self::on(socket, None)
    }

    /// A connection over TLS, if there is a configuration for it. Hands are shaken with the first byte.
    pub(crate) fn over(tls: Option<&Arc<ClientConfig>>, address: SocketAddr) -> Self {
        Self::try_over(tls, address).unwrap()
    }

    fn try_over(tls: Option<&Arc<ClientConfig>>, address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self::on(TcpStream::connect(address)?, tls))
    }

    fn on(socket: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Self {
        socket.set_read_timeout(Some(HUNG)).unwrap();
        socket.set_write_timeout(Some(HUNG)).unwrap();
        let wire = socket.try_clone().unwrap();
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(wire),
            Some(tls) => {
                let client = ClientConnection::new(Arc::clone(tls), "localhost".try_into().unwrap()).unwrap();
                Box::new(StreamOwned::new(client, wire))
            }
        };
        Self { socket, stream }
    }

    /// Sends, or as much as the server takes: it may have closed already.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Says that nothing more comes, and goes on reading.
    pub(crate) fn end(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The next bytes, up to the empty line after a head.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(self.stream.read(&mut byte).unwrap(), 1, "closed within a head: {}", text(&head));
            head.push(byte[0]);
        }
        text(&head)
    }

    /// Everything up to the end of the connection, which over TLS must have been announced.
    pub(crate) fn announced_rest(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        self.stream.read_to_end(&mut whole).unwrap();
        whole
    }

    /// Everything up to the end of the connection, or to its reset.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return whole,
                Ok(count) => whole.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the server hangs"),
                Err(_) => return whole,
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
