//! Connections that the server opens itself: the one door to them.
//!
//! Users choose some of the addresses, and the server stands where they do not: so nothing goes out but to what
//! `SSRF_ALLOWED_HOSTS` names, by name, address or block. Names are resolved here, every address is checked, and the
//! connection is made to the address that was checked. Redirects are answers like any other and are not followed.

mod addresses;
#[cfg(feature = "tls")]
mod secured;

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use self::addresses::special_block;
#[cfg(feature = "tls")]
use self::secured::Trust;
use crate::origin::AddressBlock;

/// How long a request may take, from the name's resolution to the head of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest head of an answer, in bytes. Bodies are not read.
const HEAD_MAX_BYTES: usize = 64 << 10;
/// The longest URL that is taken, in bytes.
const URL_MAX_BYTES: usize = 2048;

/// Something that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Host(String),
    Block(AddressBlock),
}

impl Allowed {
    fn parse(entry: &str) -> Option<Self> {
        if let Some(block) = AddressBlock::parse(entry) {
            return Some(Self::Block(block));
        }
        let name = entry.trim_end_matches('.').to_ascii_lowercase();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (!name.is_empty() && name.bytes().all(is_name)).then_some(Self::Host(name))
    }
}

/// What may be connected to; without entries nothing.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    allowed: Vec<Allowed>,
    #[cfg(feature = "tls")]
    trust: Trust,
}

/// An `http` or `https` URL whose parts are known to be good. Where it leads is checked when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    /// In lower case; an IPv6 address without brackets.
    host: String,
    port: u16,
    path_and_query: String,
}

/// Why nothing was sent, or no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The URL is not one that can be used.
    #[error("the URL is not usable: {0}")]
    Invalid(&'static str),
    /// The host is not allowed, or has no address that is. Which of these is not told: whoever names hosts would learn
    /// what there is.
    #[error("the host does not resolve, or SSRF_ALLOWED_HOSTS does not name it")]
    NotAllowed,
    /// It took too long.
    #[error("no answer came in time")]
    TimedOut,
    /// The connection or the exchange failed; the cause is for the log.
    #[error("the exchange failed: {0}")]
    Failed(String),
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`OutboundError::Invalid`].
    pub fn parse(url: &str) -> Result<Self, OutboundError> {
        let invalid = OutboundError::Invalid;
        if url.len() > URL_MAX_BYTES {
            return Err(invalid("it is too long"));
        }
        let uri: Uri = url.parse().map_err(|_| invalid("it is malformed"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid("it is neither http nor https")),
        };
        let authority = uri.authority().ok_or(invalid("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("it must not hold a user name or a password"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        if host.is_empty() {
            return Err(invalid("it has no host"));
        }
        let path_and_query = uri.path_and_query().map_or("", |path| path.as_str());
        let slash = if path_and_query.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            path_and_query: format!("{slash}{path_and_query}"),
        })
    }

    /// The URL without its query, which may hold a secret: for logs.
    pub fn shown(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        format!("{scheme}://{}{path}", self.authority())
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let is_usual = self.port == if self.is_tls { 443 } else { 80 };
        if is_usual { host } else { format!("{host}:{}", self.port) }
    }
}

impl Outbound {
    /// Whether an entry is the name of a host, an address or a block of addresses.
    pub fn is_entry(entry: &str) -> bool {
        Allowed::parse(entry).is_some()
    }

    /// What these entries name: names of hosts, addresses and blocks of addresses. `None` if one is none of these.
    pub fn allowing<'e>(entries: impl IntoIterator<Item = &'e str>) -> Option<Self> {
        let allowed: Option<Vec<_>> = entries.into_iter().map(Allowed::parse).collect();
        let allowed = allowed?;
        #[cfg(feature = "tls")]
        let trust = if allowed.is_empty() { Trust::default() } else { Trust::of_system() };
        Some(Self {
            allowed,
            #[cfg(feature = "tls")]
            trust,
        })
    }

    /// The addresses of a target that may be connected to.
    ///
    /// # Errors
    /// [`OutboundError::NotAllowed`], [`OutboundError::TimedOut`].
    pub async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, OutboundError> {
        let is_named = self.allowed.contains(&Allowed::Host(target.host.clone()));
        let has_blocks = self.allowed.iter().any(|entry| matches!(entry, Allowed::Block(_)));
        if !is_named && (is_local_name(&target.host) || !has_blocks) {
            return Err(OutboundError::NotAllowed);
        }
        let found = timeout(PATIENCE, lookup_host((target.host.as_str(), target.port)));
        let found = found.await.map_err(|_| OutboundError::TimedOut)?;
        let addresses = found.map_err(|_| OutboundError::NotAllowed)?;
        let allowed: Vec<_> = addresses.filter(|found| is_named || self.allows(found.ip())).collect();
        if allowed.is_empty() { Err(OutboundError::NotAllowed) } else { Ok(allowed) }
    }

    /// Whether a block names the address. A wide block such as `0.0.0.0/0` means the internet: an address with a special
    /// purpose, a private one say, is named by a block that lies within that purpose's.
    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let special = special_block(address);
        self.allowed.iter().any(|entry| match entry {
            Allowed::Host(_) => false,
            Allowed::Block(block) => {
                let is_narrow = special.is_none_or(|special| {
                    block.prefix_bits >= special.prefix_bits && special.contains(block.address)
                });
                block.contains(address) && is_narrow
            }
        })
    }

    /// Sends JSON with `POST` and gives the status of the answer.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn post_json(&self, target: &Target, body: Bytes) -> Result<StatusCode, OutboundError> {
        let exchange = async {
            let addresses = self.resolve(target).await?;
            let stream = TcpStream::connect(&*addresses).await.map_err(failed)?;
            self.send(target, stream, body).await
        };
        timeout(PATIENCE, exchange).await.unwrap_or(Err(OutboundError::TimedOut))
    }

    async fn send(
        &self,
        target: &Target,
        stream: TcpStream,
        body: Bytes,
    ) -> Result<StatusCode, OutboundError> {
        if !target.is_tls {
            return exchange(target, stream, body).await;
        }
        #[cfg(feature = "tls")]
        return exchange(target, self.trust.secure(target, stream).await?, body).await;
        #[cfg(not(feature = "tls"))]
        Err(OutboundError::Invalid("https is not part of this build"))
    }
}

/// Names that mean this machine, or the cluster that it is part of.
fn is_local_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("kubernetes")
}

fn failed(cause: impl std::fmt::Display) -> OutboundError {
    OutboundError::Failed(cause.to_string())
}

async fn exchange(
    target: &Target,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    body: Bytes,
) -> Result<StatusCode, OutboundError> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.path_and_query.parse().map_err(failed)?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(target.authority()).map_err(failed)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("registry-server"));
    let mut client = hyper::client::conn::http1::Builder::new();
    client.max_buf_size(HEAD_MAX_BYTES);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let mut answer = pin!(sender.send_request(request));
    // Once the answer's head has come the connection is dropped, and its body with it.
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    };
    Ok(answer.map_err(failed)?.status())
}

#[cfg(test)]
mod tests;
