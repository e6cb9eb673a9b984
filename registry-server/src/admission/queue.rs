//! So many at once, and a queue in front: round robin over clients, first come first served within one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Client;

/// How many may be inside and how many may wait.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Inside at once; at least 1.
    pub at_once: usize,
    /// Of these, from one client; at least 1.
    pub at_once_per_client: usize,
    /// Waiting at once; beyond them one is refused without waiting.
    pub waiting: usize,
    /// Of these, from one client.
    pub waiting_per_client: usize,
    /// How long one waits before it is refused.
    pub patience: Duration,
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
/// A place that becomes free goes to the client whose turn it is, so that one with a thousand waiting delays another's
/// only one by a single turn. An entry without waiting takes one short lock; dropping a [`Slot`], another.
#[derive(Clone, Debug)]
pub struct FairQueue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Bounds,
    state: Mutex<State>,
    refused: AtomicU64,
}

/// Whenever the lock is free, nobody waits who could be inside.
#[derive(Debug, Default)]
struct State {
    inside: usize,
    waiting: usize,
    next_ticket: u64,
    lines: HashMap<Client, Line>,
    /// Clients with somebody to let in, the next one first; some of them may have gone since.
    turns: VecDeque<Client>,
}

/// One client's: absent when it would be empty.
#[derive(Debug, Default)]
struct Line {
    inside: usize,
    /// By ticket, so that the first is who came first.
    waiting: BTreeMap<u64, oneshot::Sender<Slot>>,
    /// Whether the client stands in `turns`.
    has_turn: bool,
}

impl FairQueue {
    /// A queue with nobody in it.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Inner { bounds, state: Mutex::default(), refused: AtomicU64::new(0) }))
    }

    /// Enters if there is room at this moment.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn try_enter(&self, client: Client) -> Result<Slot, Busy> {
        if self.state().enter(client, &self.0.bounds) { Ok(self.slot(client)) } else { Err(self.refuse()) }
    }

    /// Enters, waiting if need be. Dropping the future gives its place up.
    ///
    /// # Errors
    /// [`Busy`]: too many wait already, or it took too long.
    pub async fn enter(&self, client: Client) -> Result<Slot, Busy> {
        let place = {
            let mut state = self.state();
            if state.enter(client, &self.0.bounds) {
                drop(state);
                return Ok(self.slot(client));
            }
            state.has_room_to_wait(client, &self.0.bounds).then(|| self.place(&mut state, client))
        };
        let place = place.ok_or_else(|| self.refuse())?;
        timeout(self.0.bounds.patience, place.granted()).await.map_err(|_| self.refuse())
    }

    /// Enters, however many wait and however long it takes. Dropping the future gives its place up.
    pub async fn enter_patiently(&self, client: Client) -> Slot {
        let place = {
            let mut state = self.state();
            if state.enter(client, &self.0.bounds) {
                drop(state);
                return self.slot(client);
            }
            self.place(&mut state, client)
        };
        place.granted().await
    }

    /// How full it is.
    pub fn load(&self) -> Load {
        let state = self.state();
        let refused = self.0.refused.load(Ordering::Relaxed);
        Load { inside: state.inside, waiting: state.waiting, refused }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, client: Client) -> Slot {
        Slot { queue: self.clone(), client }
    }

    fn place(&self, state: &mut State, client: Client) -> Place {
        let (ticket, granted) = state.wait(client, &self.0.bounds);
        Place { queue: self.clone(), client, ticket, granted }
    }

    fn refuse(&self) -> Busy {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Busy
    }

    fn leave(&self, client: Client) {
        let next = self.state().leave(client, &self.0.bounds);
        if let Some((client, waiting)) = next {
            // Outside the lock: if the receiver went this very moment, the slot comes back and is dropped here, which
            // lets the one after in.
            let _ = waiting.send(self.slot(client));
        }
    }
}

impl State {
    /// Goes inside if there is room.
    fn enter(&mut self, client: Client, bounds: &Bounds) -> bool {
        if self.inside >= bounds.at_once {
            return false;
        }
        let line = self.lines.entry(client).or_default();
        if line.inside >= bounds.at_once_per_client {
            return false;
        }
        line.inside += 1;
        self.inside += 1;
        true
    }

    fn has_room_to_wait(&self, client: Client, bounds: &Bounds) -> bool {
        let of_client = self.lines.get(&client).map_or(0, |line| line.waiting.len());
        self.waiting < bounds.waiting && of_client < bounds.waiting_per_client
    }

    fn wait(&mut self, client: Client, bounds: &Bounds) -> (u64, oneshot::Receiver<Slot>) {
        let (grant, granted) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting += 1;
        let line = self.lines.entry(client).or_default();
        line.waiting.insert(ticket, grant);
        line.take_turn(client, &mut self.turns, bounds);
        (ticket, granted)
    }

    /// Somebody who waited does so no longer.
    fn give_up(&mut self, client: Client, ticket: u64) {
        let Some(line) = self.lines.get_mut(&client) else { return };
        if line.waiting.remove(&ticket).is_some() {
            self.waiting -= 1;
            self.tidy(client);
        }
    }

    /// Goes out; gives who comes in instead.
    fn leave(&mut self, client: Client, bounds: &Bounds) -> Option<(Client, oneshot::Sender<Slot>)> {
        self.inside -= 1;
        if let Some(line) = self.lines.get_mut(&client) {
            line.inside -= 1;
            line.take_turn(client, &mut self.turns, bounds);
        }
        self.tidy(client);
        self.let_in(bounds)
    }

    fn let_in(&mut self, bounds: &Bounds) -> Option<(Client, oneshot::Sender<Slot>)> {
        while self.inside < bounds.at_once {
            let client = self.turns.pop_front()?;
            let line = self.lines.entry(client).or_default();
            line.has_turn = false;
            if let Some((_, grant)) = line.waiting.pop_first() {
                line.inside += 1;
                line.take_turn(client, &mut self.turns, bounds);
                self.inside += 1;
                self.waiting -= 1;
                return Some((client, grant));
            }
            self.tidy(client);
        }
        None
    }

    /// Forgets a client of whom nothing is left.
    fn tidy(&mut self, client: Client) {
        let is_empty = |line: &Line| line.inside == 0 && line.waiting.is_empty() && !line.has_turn;
        if self.lines.get(&client).is_some_and(is_empty) {
            self.lines.remove(&client);
        }
    }
}

impl Line {
    /// Lines the client up for its next turn, unless nobody of it waits or it has all it may have.
    fn take_turn(&mut self, client: Client, turns: &mut VecDeque<Client>, bounds: &Bounds) {
        if !self.has_turn && !self.waiting.is_empty() && self.inside < bounds.at_once_per_client {
            self.has_turn = true;
            turns.push_back(client);
        }
    }
}

/// A place inside; dropping it lets the next one in.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub struct Slot {
    queue: FairQueue,
    client: Client,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.queue.leave(self.client);
    }
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
struct Place {
    queue: FairQueue,
    client: Client,
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
        self.queue.state().give_up(self.client, self.ticket);
    }
}

#[cfg(test)]
mod tests;
