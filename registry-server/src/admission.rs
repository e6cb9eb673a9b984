//! Who is served now and who waits: requests and uploads in flight, overall, for each namespace, each principal and each
//! client, fairly.
//!
//! A request first holds a place at the door, by its client, while its credential is looked at. Once it is known who
//! asks, and whether they have a role where they ask, it exchanges that for a place among the requests, in turn by
//! namespace, principal and client, and holds it until its answer's head is ready, apart from the time it waits for its
//! own client: while a body is received it holds an upload's place instead, and while an answer is sent it holds none.
//! So a slow client costs its connection and at most a place among the uploads. Who finds no place waits in a
//! [`FairQueue`] and is refused once that takes too long.
//!
//! There are as many places among the requests as threads in the metadata lane, so that who was let in does not wait
//! there a second time, and one namespace, principal or client gets at most three quarters of them.

mod client;
mod homes;
mod queue;
mod visitor;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

pub use self::client::Client;
pub use self::homes::Homes;
pub use self::queue::{Bounds, Busy, FairQueue, Load, Slot};
use self::visitor::Branch;
pub use self::visitor::Visitor;
use crate::listener::{BodyError, ReceivedBody};

/// How long a request waits before it is refused: within what clients wait for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What may be under way at once.
#[derive(Clone, Debug)]
pub struct AdmissionLimits {
    /// Requests that are being handled.
    pub requests: Bounds,
    /// Requests whose body is being received: uploads, manifests, forms.
    pub uploads: Bounds,
}

impl Default for AdmissionLimits {
    /// Generous, since one address may be a cluster behind a gateway or the one host that builds everything: of 2,000
    /// pulls at once from one address all are served within a moment, 96 at a time. An upload waits for its sender and
    /// costs an open file and its hash's state, so many more are let in.
    fn default() -> Self {
        Self {
            requests: Bounds {
                at_once: 128,
                at_once_per_namespace: 96,
                at_once_per_principal: 96,
                at_once_per_client: 96,
                waiting: 32_768,
                waiting_per_namespace: 24_576,
                waiting_per_client: 8_192,
                patience: PATIENCE,
            },
            uploads: Bounds {
                at_once: 4_096,
                at_once_per_namespace: 3_072,
                at_once_per_principal: 2_048,
                at_once_per_client: 1_024,
                waiting: 8_192,
                waiting_per_namespace: 6_144,
                waiting_per_client: 2_048,
                patience: PATIENCE,
            },
        }
    }
}

/// The places of one server.
#[derive(Clone, Debug)]
pub struct Admission {
    /// For requests of whom nothing is known but the client.
    door: FairQueue,
    requests: FairQueue,
    uploads: FairQueue,
}

impl Admission {
    /// With nobody in it.
    pub fn new(limits: &AdmissionLimits) -> Self {
        Self {
            door: FairQueue::new(limits.requests.clone().by_client()),
            requests: FairQueue::new(limits.requests.clone()),
            uploads: FairQueue::new(limits.uploads.clone()),
        }
    }

    /// Waits at the door for the client's turn to have a request handled.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn enter(&self, client: Client) -> Result<Turn, Busy> {
        let slot = self.door.enter(client).await?;
        let (admission, visitor) = (self.clone(), client.into());
        Ok(Turn { admission, visitor, is_known: false, slot: Mutex::new(Some(slot)) })
    }

    /// Requests being handled, also those that are still at the door.
    pub fn requests(&self) -> Load {
        let (door, requests) = (self.door.load(), self.requests.load());
        Load {
            inside: door.inside + requests.inside,
            waiting: door.waiting + requests.waiting,
            refused: door.refused + requests.refused,
        }
    }

    /// Bodies being received.
    pub fn uploads(&self) -> Load {
        self.uploads.load()
    }
}

/// A request that is being handled; its place is free again when this is dropped.
#[derive(Debug)]
pub struct Turn {
    admission: Admission,
    visitor: Visitor,
    /// Whether it was looked at who asks.
    is_known: bool,
    /// `None` while the request waits for its client.
    slot: Mutex<Option<Slot>>,
}

impl Turn {
    /// Exchanges the place at the door for one among the requests of this visitor, waiting for their turn.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn go_in(self, visitor: Visitor) -> Result<Self, Busy> {
        self.leave();
        let slot = self.admission.requests.enter(visitor).await?;
        Ok(Self { visitor, is_known: true, slot: Mutex::new(Some(slot)), ..self })
    }

    fn leave(&self) {
        drop(self.slot.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Reads a whole body of at most `limit_bytes`, without a request's place meanwhile.
    ///
    /// # Errors
    /// [`Busy`], or what keeps the body from being read.
    pub async fn collect_up_to(
        &self,
        limit_bytes: usize,
        body: &mut ReceivedBody,
    ) -> Result<Result<Bytes, BodyError>, Busy> {
        let _slot = self.receive().await?;
        let received = body.collect_up_to(limit_bytes).await;
        self.resume().await;
        Ok(received)
    }

    /// Exchanges the request's place for one among the uploads, to be held while its body is received.
    ///
    /// # Errors
    /// [`Busy`]; the request's place is given up all the same.
    pub async fn receive(&self) -> Result<Slot, Busy> {
        self.leave();
        self.admission.uploads.enter(self.visitor).await
    }

    /// Waits for the visitor's turn again, as long as it takes: who has sent its bytes is not refused for a crowd.
    pub async fn resume(&self) {
        let queue = if self.is_known { &self.admission.requests } else { &self.admission.door };
        let slot = queue.enter_patiently(self.visitor).await;
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(slot);
    }
}

#[cfg(test)]
mod tests;
