//! What is served on: a socket, in plain or over TLS.

#[cfg(feature = "tls")]
use std::sync::Arc;

use tokio::{net::TcpListener, task::JoinSet};

#[cfg(feature = "tls")]
use super::handshake;
use super::{Limits, accept::Accepted, stream::Established};
#[cfg(feature = "tls")]
use crate::tls::Certificates;

/// A listening socket, and how connections to it are secured. A [`TcpListener`] alone is served in plain.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) socket: TcpListener,
    pub(super) security: Security,
}

/// How connections are secured.
#[derive(Debug)]
pub(super) enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<Certificates>),
}

impl From<TcpListener> for Endpoint {
    fn from(socket: TcpListener) -> Self {
        Self { socket, security: Security::Plain }
    }
}

impl Endpoint {
    /// Serves HTTPS and nothing else, with the pair that is current when a connection comes.
    #[cfg(feature = "tls")]
    pub fn https(socket: TcpListener, certificates: Arc<Certificates>) -> Self {
        Self { socket, security: Security::Tls(certificates) }
    }
}

impl Security {
    /// Begins a connection: in plain it is established already, over TLS once its task in `handshakes` says so.
    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, reason = "in plain there are no hands to shake")
    )]
    pub(super) fn begin(
        &self,
        accepted: Accepted,
        limits: &Limits,
        handshakes: &mut JoinSet<Option<Established>>,
    ) -> Option<Established> {
        match self {
            Self::Plain => Some(Established::plain(accepted)),
            #[cfg(feature = "tls")]
            Self::Tls(certificates) => {
                handshakes.spawn(handshake::establish(accepted, certificates.current(), limits.clone()));
                None
            }
        }
    }
}
