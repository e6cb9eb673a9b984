//! Who is inside and who waits, as a tree: namespaces, in them principals, in these clients. Each node has turns for those
//! below it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::sync::oneshot;

use super::{Bounds, Slot};
use crate::admission::{Branch, Visitor};

/// How many levels lie below the root.
const LEVELS: usize = 3;

/// Everybody. Whenever the queue's lock is free, nobody waits who could be inside.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
    next_ticket: u64,
}

/// One namespace, principal or client: absent when it would be empty.
#[derive(Debug, Default)]
struct Node {
    inside: usize,
    waiting: usize,
    /// Whether it stands in the turns of the node above.
    has_turn: bool,
    below: HashMap<Branch, Node>,
    /// Those below with somebody to let in, the next one first; some of them may have gone since.
    turns: VecDeque<Branch>,
    /// Of a client: by ticket, so that the first is who came first.
    line: BTreeMap<u64, oneshot::Sender<Slot>>,
}

/// Somebody who waited and comes in.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) visitor: Visitor,
    pub(super) grant: oneshot::Sender<Slot>,
}

/// How many of a branch may be inside at once.
fn limit(branch: &Branch, bounds: &Bounds) -> usize {
    match branch {
        Branch::Namespace(_) | Branch::Others => bounds.at_once_per_namespace,
        Branch::Principal(_) => bounds.at_once_per_principal,
        Branch::Nobody => bounds.at_once,
        Branch::Client(_) => bounds.at_once_per_client,
    }
}

impl Tree {
    /// Those inside, and those who wait.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.root.inside, self.root.waiting)
    }

    /// Goes inside if there is room.
    pub(super) fn enter(&mut self, visitor: Visitor, bounds: &Bounds) -> bool {
        let has_room = self.root.inside < bounds.at_once && self.root.has_room(&visitor.path(), bounds);
        if has_room {
            self.root.go_in(&visitor.path());
        }
        has_room
    }

    pub(super) fn has_room_to_wait(&self, visitor: Visitor, bounds: &Bounds) -> bool {
        let [namespace, principal, client] = visitor.path();
        let of_namespace = self.root.below.get(&namespace);
        let of_client =
            of_namespace.and_then(|node| node.below.get(&principal)).and_then(|node| node.below.get(&client));
        let waiting = |node: Option<&Node>| node.map_or(0, |node| node.waiting);
        self.root.waiting < bounds.waiting
            && waiting(of_namespace) < bounds.waiting_per_namespace
            && waiting(of_client) < bounds.waiting_per_client
    }

    /// Lines up; gives the ticket by which to give up.
    pub(super) fn wait(&mut self, visitor: Visitor, bounds: &Bounds) -> (u64, oneshot::Receiver<Slot>) {
        let (grant, granted) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.root.line_up(&visitor.path(), ticket, grant, bounds);
        (ticket, granted)
    }

    /// Somebody who waited does so no longer.
    pub(super) fn give_up(&mut self, visitor: Visitor, ticket: u64) {
        self.root.give_up(&visitor.path(), ticket);
    }

    /// Goes out; gives who comes in instead.
    pub(super) fn leave(&mut self, visitor: Visitor, bounds: &Bounds) -> Option<Granted> {
        self.root.go_out(&visitor.path(), bounds);
        if self.root.inside >= bounds.at_once {
            return None;
        }
        let mut path = Vec::with_capacity(LEVELS);
        let grant = self.root.let_in(&mut path, bounds)?;
        Some(Granted { visitor: Visitor::of(&path)?, grant })
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_empty() && self.root.turns.is_empty()
    }
}

impl Node {
    fn has_room(&self, path: &[Branch], bounds: &Bounds) -> bool {
        let Some((branch, rest)) = path.split_first() else { return true };
        match self.below.get(branch) {
            Some(node) => node.inside < limit(branch, bounds) && node.has_room(rest, bounds),
            None => true,
        }
    }

    fn go_in(&mut self, path: &[Branch]) {
        self.inside += 1;
        if let Some((branch, rest)) = path.split_first() {
            self.below.entry(*branch).or_default().go_in(rest);
        }
    }

    fn line_up(&mut self, path: &[Branch], ticket: u64, grant: oneshot::Sender<Slot>, bounds: &Bounds) {
        self.waiting += 1;
        match path.split_first() {
            None => drop(self.line.insert(ticket, grant)),
            Some((branch, rest)) => {
                self.below.entry(*branch).or_default().line_up(rest, ticket, grant, bounds);
                self.take_turn(*branch, bounds);
            }
        }
    }

    /// False if the ticket's holder was let in before.
    fn give_up(&mut self, path: &[Branch], ticket: u64) -> bool {
        let was_waiting = match path.split_first() {
            None => self.line.remove(&ticket).is_some(),
            Some((branch, rest)) => {
                let gone = self.below.get_mut(branch).is_some_and(|node| node.give_up(rest, ticket));
                self.tidy(branch);
                gone
            }
        };
        self.waiting -= usize::from(was_waiting);
        was_waiting
    }

    fn go_out(&mut self, path: &[Branch], bounds: &Bounds) {
        self.inside -= 1;
        let Some((branch, rest)) = path.split_first() else { return };
        if let Some(node) = self.below.get_mut(branch) {
            node.go_out(rest, bounds);
        }
        self.take_turn(*branch, bounds);
        self.tidy(branch);
    }

    /// Lets the next one in; `path` is how it was found.
    fn let_in(&mut self, path: &mut Vec<Branch>, bounds: &Bounds) -> Option<oneshot::Sender<Slot>> {
        if path.len() == LEVELS {
            let (_, grant) = self.line.pop_first()?;
            self.inside += 1;
            self.waiting -= 1;
            return Some(grant);
        }
        while let Some(branch) = self.turns.pop_front() {
            let Some(node) = self.below.get_mut(&branch) else { continue };
            node.has_turn = false;
            path.push(branch);
            // Somebody of it may have gone in since it lined up.
            let has_room = node.inside < limit(&branch, bounds);
            let found = if has_room { node.let_in(path, bounds) } else { None };
            if found.is_some() {
                self.take_turn(branch, bounds);
                self.inside += 1;
                self.waiting -= 1;
                return found;
            }
            path.pop();
            self.tidy(&branch);
        }
        None
    }

    /// Lines a branch up for its next turn, unless nobody of it can be let in.
    fn take_turn(&mut self, branch: Branch, bounds: &Bounds) {
        let Some(node) = self.below.get_mut(&branch) else { return };
        let can_go_in =
            node.inside < limit(&branch, bounds) && (!node.line.is_empty() || !node.turns.is_empty());
        if can_go_in && !node.has_turn {
            node.has_turn = true;
            self.turns.push_back(branch);
        }
    }

    /// Forgets a branch of which nothing is left.
    fn tidy(&mut self, branch: &Branch) {
        if self.below.get(branch).is_some_and(|node| node.is_empty() && !node.has_turn) {
            self.below.remove(branch);
        }
    }

    fn is_empty(&self) -> bool {
        self.inside == 0 && self.waiting == 0 && self.below.is_empty()
    }
}
