//! From an accepted connection to one over TLS.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::ServerConfig;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Limits,
    accept::Accepted,
    io::PatientIo,
    stream::{Established, Stream},
};

/// What a client gets that speaks plain HTTP to a port of HTTPS.
const NEEDS_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n\
    Connection: close\r\n\r\nthis port speaks https.\n";

/// The connection once its client has shaken hands; `None` if it did not within [`Limits::head_timeout`].
pub(super) async fn establish(
    accepted: Accepted,
    config: Arc<ServerConfig>,
    limits: Limits,
) -> Option<Established> {
    let Accepted { stream, peer, slot } = accepted;
    let stream = match timeout(limits.head_timeout, shake_hands(stream, config)).await {
        Ok(Ok(Hello::Tls(stream))) => Stream::Tls(stream),
        Ok(Ok(Hello::Plain(stream))) => {
            refuse(stream, peer, &limits).await;
            return None;
        }
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "TLS handshake failed");
            return None;
        }
        Err(_) => {
            tracing::debug!(%peer, "TLS handshake took too long");
            return None;
        }
    };
    Some(Established { stream, peer, slot })
}

/// What a client began with.
enum Hello {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

async fn shake_hands(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Hello> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A method begins with a capital letter, a TLS record with 22.
    if first[0].is_ascii_uppercase() {
        return Ok(Hello::Plain(stream));
    }
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    Ok(Hello::Tls(Box::new(stream)))
}

async fn refuse(stream: TcpStream, peer: SocketAddr, limits: &Limits) {
    tracing::debug!(%peer, "plain HTTP on a port of HTTPS");
    let mut stream = PatientIo::new(stream, limits.write_idle, limits.linger);
    // The client may be gone already.
    if stream.write_all(NEEDS_HTTPS).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}
