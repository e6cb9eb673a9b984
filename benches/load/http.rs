//! A client for HTTP/1.1 that costs little, so that the server is what is measured: blocking sockets, one thread each,
//! and bodies that are thrown away without being copied.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustix::net::RecvFlags;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What one read of a body asks for, at most.
const READ_BYTES: usize = 1 << 20;

/// The server to speak to.
#[derive(Debug)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// A bearer token to send with each request.
    pub(crate) token: Option<String>,
    /// Speak TLS, and trust this.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A configuration that trusts the certificates in a PEM file.
///
/// # Errors
/// If the file cannot be read or holds what is not a certificate.
pub(crate) fn trusting(path: &Path) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Bytes of the body, as announced.
    pub(crate) length: u64,
    /// Path and query of `Location`.
    pub(crate) location: Option<String>,
}

impl Answer {
    /// Itself, if its status is `status`.
    ///
    /// # Errors
    /// If it is another.
    pub(crate) fn expect(self, status: u16) -> io::Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(io::Error::other(format!("answered {} where {status} was expected", self.status)))
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection, with what was received of the answer that is being read.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    /// The lines that every request has, after its first.
    headers: String,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where bodies are thrown; empty until there is one.
    scratch: Vec<u8>,
}

impl Connection {
    /// Connects, and shakes hands if `target` wants TLS.
    ///
    /// # Errors
    /// Whatever the network or the other side refuses.
    pub(crate) fn open(target: &Target) -> io::Result<Self> {
        let socket = TcpStream::connect(target.address)?;
        socket.set_nodelay(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(socket),
            Some(config) => {
                let name = ServerName::IpAddress(target.address.ip().into());
                let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        // Without it docker-registry converts what it serves, or has none.
        let mut headers = format!(
            "Host: {}\r\nAccept: application/vnd.oci.image.manifest.v1+json, */*\r\n",
            target.address
        );
        if let Some(token) = &target.token {
            headers += &format!("Authorization: Bearer {token}\r\n");
        }
        Ok(Self { stream, headers, buffer: vec![0; 4 << 10], start: 0, end: 0, scratch: Vec::new() })
    }

    /// Sends a request and reads its answer; the body of the answer is thrown away.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub(crate) fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.send_head(method, path, body.len() as u64)?;
        self.send(body)?;
        let answer = self.receive_head()?;
        if method != "HEAD" {
            self.discard(answer.length)?;
        }
        Ok(answer)
    }

    /// Sends the head of a request whose body of `length` bytes follows.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub(crate) fn send_head(&mut self, method: &str, path: &str, length: u64) -> io::Result<()> {
        let content_type = match (method, path.contains("/manifests/")) {
            ("PUT", true) => "application/vnd.oci.image.manifest.v1+json",
            _ => "application/octet-stream",
        };
        let headers = &self.headers;
        let head = match length {
            0 if matches!(method, "GET" | "HEAD") => format!("{method} {path} HTTP/1.1\r\n{headers}\r\n"),
            _ => format!(
                "{method} {path} HTTP/1.1\r\n{headers}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
            ),
        };
        self.send(head.as_bytes())
    }

    /// Sends bytes of a body.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(session) => session.write_all(bytes),
        }
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// Whatever the connection fails with; if the head is none of HTTP/1.1, or does not announce a length.
    pub(crate) fn receive_head(&mut self) -> io::Result<Answer> {
        loop {
            let received = &self.buffer[self.start..self.end];
            if let Some(length) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&received[..length]).into_owned();
                self.start += length + 4;
                return parse_head(&head);
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let free = &mut self.buffer[self.end..];
            let count = match &mut self.stream {
                Stream::Plain(socket) => socket.read(free)?,
                Stream::Tls(session) => session.read(free)?,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.end += count;
        }
    }

    /// Throws away the next `length` bytes of a body.
    ///
    /// # Errors
    /// If the connection ends before.
    pub(crate) fn discard(&mut self, length: u64) -> io::Result<()> {
        let buffered = length.min((self.end - self.start) as u64);
        self.start += usize::try_from(buffered).expect("invariant: no more than the buffer holds");
        let mut left = length - buffered;
        if left == 0 {
            return Ok(());
        }
        self.scratch.resize(READ_BYTES, 0);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES);
            let count = match &mut self.stream {
                // The kernel drops what arrived, without copying it.
                Stream::Plain(socket) => {
                    rustix::net::recv(&*socket, &mut self.scratch[..most], RecvFlags::TRUNC)?.1
                }
                Stream::Tls(session) => session.read(&mut self.scratch[..most])?,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= count as u64;
        }
        Ok(())
    }

    /// The socket, of a connection without TLS.
    pub(crate) fn into_socket(self) -> Option<TcpStream> {
        match self.stream {
            Stream::Plain(socket) => Some(socket),
            Stream::Tls(_) => None,
        }
    }
}

fn parse_head(head: &str) -> io::Result<Answer> {
    let bad = || io::Error::other(format!("not an answer that is understood: {head}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let mut answer = Answer { status: status.ok_or_else(bad)?, length: 0, location: None };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => answer.length = value.parse().map_err(|_| bad())?,
            "location" => answer.location = Some(path_of(value).to_owned()),
            "transfer-encoding" => return Err(bad()),
            _ => {}
        }
    }
    Ok(answer)
}

/// Path and query of a URL, which may be nothing else already.
fn path_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return url };
    rest.find('/').map_or("/", |start| &rest[start..])
}
