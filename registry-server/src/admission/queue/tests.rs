//! Facts about the queue, among them a random walk beside a plain account of who should be where.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::*;
use crate::admission::Client;

mod shares;

const BOUNDS: Bounds = Bounds {
    at_once: 4,
    at_once_per_namespace: 4,
    at_once_per_principal: 4,
    at_once_per_client: 3,
    waiting: 6,
    waiting_per_namespace: 6,
    waiting_per_client: 4,
    patience: Duration::from_millis(20),
};

fn client(number: u8) -> Client {
    Client::from(IpAddr::from(Ipv4Addr::new(10, 0, 0, number)))
}

/// Whether somebody who waits was woken.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Entry = Pin<Box<dyn Future<Output = Slot>>>;

/// Somebody who asked to enter, and the waker that they were polled with.
struct Guest {
    client: u8,
    entry: Entry,
    woken: Arc<Woken>,
}

impl Guest {
    /// Asks, and gives the slot if there was room at once.
    fn ask(queue: &FairQueue, number: u8) -> Result<Slot, Self> {
        Self::ask_as(queue, number, client(number).into())
    }

    fn ask_as(queue: &FairQueue, number: u8, visitor: Visitor) -> Result<Slot, Self> {
        let queue = queue.clone();
        let entry: Entry = Box::pin(async move { queue.enter_patiently(visitor).await });
        let mut guest = Self { client: number, entry, woken: Arc::default() };
        match guest.poll() {
            Poll::Ready(slot) => Ok(slot),
            Poll::Pending => Err(guest),
        }
    }

    fn poll(&mut self) -> Poll<Slot> {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.entry.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst)
    }
}

fn waits(queue: &FairQueue, number: u8) -> Guest {
    Guest::ask(queue, number).expect_err("no room")
}

fn enters(queue: &FairQueue, number: u8) -> Slot {
    queue.try_enter(client(number)).unwrap()
}

#[test]
fn one_clients_thousand_delay_another_by_one_turn() {
    let queue = FairQueue::new(BOUNDS);
    let mut inside: Vec<Slot> =
        vec![enters(&queue, 1), enters(&queue, 1), enters(&queue, 1), enters(&queue, 3)];
    let crowd: Vec<Guest> = (0..1000).map(|_| waits(&queue, 3)).collect();
    let mut other = waits(&queue, 2);
    drop(inside.pop());
    assert!(crowd[0].is_woken(), "it came first");
    assert!(!other.is_woken());
    drop(inside.pop());
    assert!(other.is_woken() && !crowd[1].is_woken(), "and then it is the other's turn");
    assert!(other.poll().is_ready());
}

#[test]
fn a_client_leaves_room_for_others() {
    let queue = FairQueue::new(BOUNDS);
    let first: Vec<Slot> = (0..3).map(|_| enters(&queue, 1)).collect();
    let own = waits(&queue, 1);
    let _other = enters(&queue, 2);
    drop(first);
    assert!(own.is_woken());
}

#[test]
fn who_is_let_in_and_has_gone_meanwhile_passes_it_on() {
    let queue = FairQueue::new(Bounds { at_once: 1, ..BOUNDS });
    let inside = enters(&queue, 1);
    let (first, mut second) = (waits(&queue, 1), waits(&queue, 2));
    drop(inside);
    assert!(first.is_woken() && !second.is_woken());
    drop(first);
    assert!(second.is_woken());
    drop(second.poll());
    assert_eq!(queue.load(), Load { inside: 0, waiting: 0, refused: 0 });
    assert!(queue.tree().is_empty(), "nothing is left of them");
}

#[tokio::test]
async fn so_many_wait_and_so_long() {
    let queue = FairQueue::new(BOUNDS);
    let _inside: Vec<Slot> = (1..=4).map(|number| enters(&queue, number)).collect();
    let mut waiting: Vec<Guest> = (0..4).map(|_| waits(&queue, 1)).collect();
    assert_eq!(queue.enter(client(1)).await.unwrap_err(), Busy, "its own line is full");
    waiting.extend((0..2).map(|_| waits(&queue, 2)));
    assert_eq!(queue.enter(client(3)).await.unwrap_err(), Busy, "all lines are");
    assert_eq!(queue.load(), Load { inside: 4, waiting: 6, refused: 2 });
    waiting.pop();
    assert_eq!(queue.enter(client(3)).await.unwrap_err(), Busy, "it took too long");
    assert_eq!(queue.load(), Load { inside: 4, waiting: 5, refused: 3 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_keep_the_bounds_and_all_get_in() {
    let queue = FairQueue::new(BOUNDS);
    let tasks: Vec<_> = (0..200)
        .map(|number: u8| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for round in 0..50 {
                    let asked = queue.enter_patiently(client(number % 7));
                    // Some lose patience at just any moment.
                    if round % 5 == 4 {
                        let _ = timeout(Duration::from_micros(50), asked).await;
                        continue;
                    }
                    let _slot = asked.await;
                    assert!(queue.load().inside <= BOUNDS.at_once);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(queue.load(), Load { inside: 0, waiting: 0, refused: 0 });
    assert!(queue.tree().is_empty());
}

/// Who is where, kept without any cleverness.
#[derive(Default)]
struct Account {
    inside: Vec<(u8, Slot)>,
    /// In the order in which they came.
    waiting: Vec<Guest>,
    /// For each client that could be let in: how often each other one was since.
    passed_over: HashMap<u8, HashMap<u8, usize>>,
}

impl Account {
    fn inside_of(&self, client: u8) -> usize {
        self.inside.iter().filter(|(other, _)| *other == client).count()
    }

    fn ask(&mut self, queue: &FairQueue, client: u8) {
        let has_room =
            self.inside.len() < BOUNDS.at_once && self.inside_of(client) < BOUNDS.at_once_per_client;
        match Guest::ask(queue, client) {
            Ok(slot) => {
                assert!(has_room, "let in over the bounds");
                self.inside.push((client, slot));
            }
            Err(guest) => {
                assert!(!has_room, "left outside although there is room");
                self.waiting.push(guest);
            }
        }
    }

    fn leave(&mut self, pick: usize) {
        if !self.inside.is_empty() {
            drop(self.inside.swap_remove(pick % self.inside.len()));
            self.let_in();
        }
    }

    /// Gives up, which lets somebody else in if this one had just been.
    fn give_up(&mut self, pick: usize) {
        if !self.waiting.is_empty() {
            drop(self.waiting.remove(pick % self.waiting.len()));
        }
    }

    /// Takes in who was woken: at most one, the first of its client, and nobody twice past a client that waits.
    fn let_in(&mut self) {
        let woken: Vec<usize> = (0..self.waiting.len()).filter(|at| self.waiting[*at].is_woken()).collect();
        assert!(woken.len() <= 1);
        if let Some(at) = woken.first() {
            let mut guest = self.waiting.remove(*at);
            assert!(self.waiting[..*at].iter().all(|before| before.client != guest.client), "out of order");
            let Poll::Ready(slot) = guest.poll() else { panic!("woken for nothing") };
            self.inside.push((guest.client, slot));
            self.passed_over.remove(&guest.client);
            for others in self.passed_over.values_mut() {
                let times = others.entry(guest.client).or_default();
                *times += 1;
                assert!(*times <= 1, "one client had two turns while another waited for its own");
            }
        }
    }

    fn check(&mut self, queue: &FairQueue) {
        let load = queue.load();
        assert_eq!((load.inside, load.waiting), (self.inside.len(), self.waiting.len()));
        for client in 0..5 {
            let is_kept_out = self.inside_of(client) >= BOUNDS.at_once_per_client;
            if is_kept_out || self.waiting.iter().all(|guest| guest.client != client) {
                self.passed_over.remove(&client);
                continue;
            }
            assert!(self.inside.len() >= BOUNDS.at_once, "somebody waits who could be inside");
            self.passed_over.entry(client).or_default();
        }
    }
}

proptest! {
    #[test]
    fn a_random_walk_keeps_bounds_order_and_turns(
        moves in prop::collection::vec((0u8..4, 0u8..5, any::<usize>()), 0..300),
    ) {
        let queue = FairQueue::new(BOUNDS);
        let mut account = Account::default();
        for (kind, client, pick) in moves {
            match kind {
                0 | 1 => account.ask(&queue, client),
                2 => account.leave(pick),
                _ => account.give_up(pick),
            }
            account.check(&queue);
        }
        while !account.inside.is_empty() {
            account.leave(0);
            account.check(&queue);
        }
        prop_assert!(account.waiting.is_empty());
        prop_assert!(queue.tree().is_empty());
    }
}
