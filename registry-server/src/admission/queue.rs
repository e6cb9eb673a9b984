//! So many at once, and a queue in front: round robin over namespaces, in one over principals, in one of these over
//! clients, and first come first served within one.

mod tree;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use self::tree::{Granted, Tree};
use super::Visitor;

/// How many may be inside and how many may wait.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Inside at once; at least 1.
    pub at_once: usize,
    /// Of these, for one namespace, or for all together who have no role where they ask; at least 1.
    pub at_once_per_namespace: usize,
    /// Of these, from one principal; at least 1.
    pub at_once_per_principal: usize,
    /// Of these, from one client; at least 1.
    pub at_once_per_client: usize,
    /// Waiting at once; beyond them one is refused without waiting.
    pub waiting: usize,
    /// Of these, for one namespace.
    pub waiting_per_namespace: usize,
    /// Of these, from one client.
    pub waiting_per_client: usize,
    /// How long one waits before it is refused.
    pub patience: Duration,
}

impl Bounds {
    /// The same for visitors of whom nothing is known but the client.
    pub(super) fn by_client(self) -> Self {
        Self {
            at_once_per_namespace: self.at_once,
            at_once_per_principal: self.at_once,
            waiting_per_namespace: self.waiting,
            ..self
        }
    }
}

/// There was no room within the time and the number of those who may wait; answered as 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests at once")]
pub struct Busy;

/// How full a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Inside now.
    pub inside: usize,
    /// Waiting now.
    pub waiting: usize,
    /// Refused since the start.
    pub refused: u64,
}

/// Lets so many in at once; clones are the same queue.
///
/// A place that becomes free goes to the namespace whose turn it is, so that one with a thousand waiting delays another's
/// only one by a single turn; and so within it. An entry without waiting takes one short lock; dropping a [`Slot`],
/// another.
#[derive(Clone, Debug)]
pub struct FairQueue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Bounds,
    tree: Mutex<Tree>,
    refused: AtomicU64,
}

impl FairQueue {
    /// A queue with nobody in it.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Inner { bounds, tree: Mutex::default(), refused: AtomicU64::new(0) }))
    }

    /// Enters if there is room at this moment.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn try_enter(&self, visitor: impl Into<Visitor>) -> Result<Slot, Busy> {
        let visitor = visitor.into();
        if self.tree().enter(visitor, &self.0.bounds) { Ok(self.slot(visitor)) } else { Err(self.refuse()) }
    }

    /// Enters, waiting if need be. Dropping the future gives its place up.
    ///
    /// # Errors
    /// [`Busy`]: too many wait already, or it took too long.
    pub async fn enter(&self, visitor: impl Into<Visitor>) -> Result<Slot, Busy> {
        let visitor = visitor.into();
        let place = {
            let mut tree = self.tree();
            if tree.enter(visitor, &self.0.bounds) {
                drop(tree);
                return Ok(self.slot(visitor));
            }
            tree.has_room_to_wait(visitor, &self.0.bounds).then(|| self.place(&mut tree, visitor))
        };
        let place = place.ok_or_else(|| self.refuse())?;
        timeout(self.0.bounds.patience, place.granted()).await.map_err(|_| self.refuse())
    }

    /// Enters, however many wait and however long it takes. Dropping the future gives its place up.
    pub async fn enter_patiently(&self, visitor: impl Into<Visitor>) -> Slot {
        let visitor = visitor.into();
        let place = {
            let mut tree = self.tree();
            if tree.enter(visitor, &self.0.bounds) {
                drop(tree);
                return self.slot(visitor);
            }
            self.place(&mut tree, visitor)
        };
        place.granted().await
    }

    /// How full it is.
    pub fn load(&self) -> Load {
        let (inside, waiting) = self.tree().load();
        Load { inside, waiting, refused: self.0.refused.load(Ordering::Relaxed) }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.0.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, visitor: Visitor) -> Slot {
        Slot { queue: self.clone(), visitor }
    }

    fn place(&self, tree: &mut Tree, visitor: Visitor) -> Place {
        let (ticket, granted) = tree.wait(visitor, &self.0.bounds);
        Place { queue: self.clone(), visitor, ticket, granted }
    }

    fn refuse(&self) -> Busy {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Busy
    }

    fn leave(&self, visitor: Visitor) {
        let next = self.tree().leave(visitor, &self.0.bounds);
        if let Some(Granted { visitor, grant }) = next {
            // Outside the lock: if the receiver went this very moment, the slot comes back and is dropped here, which
            // lets the one after in.
            let _ = grant.send(self.slot(visitor));
        }
    }
}

/// A place inside; dropping it lets the next one in.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub struct Slot {
    queue: FairQueue,
    visitor: Visitor,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.queue.leave(self.visitor);
    }
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
struct Place {
    queue: FairQueue,
    visitor: Visitor,
    ticket: u64,
    granted: oneshot::Receiver<Slot>,
}

impl Place {
    async fn granted(mut self) -> Slot {
        let granted = (&mut self.granted).await;
        granted.expect("invariant: a sender leaves the queue to grant, or after its receiver")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.tree().give_up(self.visitor, self.ticket);
    }
}

#[cfg(test)]
mod tests;
