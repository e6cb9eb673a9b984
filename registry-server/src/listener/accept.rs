//! Accepting connections, so many at once and no more.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use super::{
    Limits,
    traffic::{Opened, Traffic},
};
use crate::admission::{self, Bounds, Client, FairQueue};

/// How long accepting rests after an error that will not go away by itself, such as a lack of file
/// descriptors.
const REST: Duration = Duration::from_millis(500);

/// A listening socket and the number of connections it may still accept.
pub(super) struct Acceptor {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    /// What each client has of the slots.
    shares: FairQueue,
    traffic: Arc<Traffic>,
}

/// A connection with the slot it takes until it is dropped.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) slot: Slot,
}

/// What a connection takes up.
#[derive(Debug)]
pub(super) struct Slot {
    _opened: Opened,
    /// Given back before the permit, of which there are as many.
    _share: admission::Slot,
    _permit: OwnedSemaphorePermit,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, limits: &Limits, traffic: Arc<Traffic>) -> Self {
        let shares = FairQueue::new(Bounds {
            at_once: limits.connections,
            at_once_per_namespace: limits.connections,
            at_once_per_principal: limits.connections,
            at_once_per_client: limits.connections_per_client,
            waiting: 0,
            waiting_per_namespace: 0,
            waiting_per_client: 0,
            patience: Duration::ZERO,
        });
        Self { listener, slots: Arc::new(Semaphore::new(limits.connections)), shares, traffic }
    }

    /// The next connection, once there is room for it. Cancelling loses none.
    pub(super) async fn accept(&self) -> Accepted {
        let slots = Arc::clone(&self.slots);
        let permit =
            slots.acquire_owned().await.expect("invariant: the semaphore of connections is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let Ok(share) = self.shares.try_enter(Client::from(peer.ip())) else {
                        self.traffic.refuse();
                        tracing::debug!(%peer, "client has its share of connections");
                        continue;
                    };
                    let slot = Slot { _opened: self.traffic.opened(), _share: share, _permit: permit };
                    // What is written is written whole; waiting to fill a packet only delays it. It fails on a
                    // dead socket, as reads will.
                    let _ = stream.set_nodelay(true);
                    return Accepted { stream, peer, slot };
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(REST).await;
                }
            }
        }
    }
}

/// Whether an accept failed because of the connection that was to be accepted, so that the next one may
/// succeed.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn accepting_rests_when_the_machine_is_short_of_something() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(!concerns_one_connection(&errno.into()), "{errno:?}");
        }
        for errno in [Errno::CONNABORTED, Errno::CONNRESET] {
            assert!(concerns_one_connection(&errno.into()), "{errno:?}");
        }
    }
}
