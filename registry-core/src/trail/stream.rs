//! Handing events on as they are written.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Event;

/// What a reader of the stream gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Streamed {
    /// An event, durable in the log. After a failure one can come twice; its id tells.
    Event(Box<Event>),
    /// The reader was too slow for this many events before the next one.
    Missed(u64),
}

/// The events that are written from now on, in the order in which they are.
#[derive(Debug)]
pub struct EventStream(Receiver<Streamed>);

impl EventStream {
    /// Waits for what comes next, at most this long.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] if nothing came; [`RecvTimeoutError::Disconnected`] once the registry is gone and
    /// everything was read.
    pub fn next(&self, at_most: Duration) -> Result<Streamed, RecvTimeoutError> {
        self.0.recv_timeout(at_most)
    }
}

/// The readers of the stream.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Vec<Reader>>);

#[derive(Debug)]
struct Reader {
    sender: SyncSender<Streamed>,
    /// Events that it is yet to be told to have missed.
    missed: u64,
}

impl Streams {
    /// One more reader, which may be `capacity` events behind.
    pub(crate) fn subscribe(&self, capacity: usize) -> EventStream {
        let (sender, receiver) = sync_channel(capacity.max(1));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Reader { sender, missed: 0 });
        EventStream(receiver)
    }

    /// Gives the readers these events without waiting for any of them, and tells those that missed some before.
    pub(crate) fn send(&self, events: &[Event]) {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain_mut(|reader| {
            reader.tell_missed() && events.iter().all(|event| reader.give(event.clone()))
        });
    }
}

impl Reader {
    /// False if nobody reads any more.
    fn tell_missed(&mut self) -> bool {
        if self.missed == 0 {
            return true;
        }
        match self.sender.try_send(Streamed::Missed(self.missed)) {
            Ok(()) => self.missed = 0,
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }

    fn give(&mut self, event: Event) -> bool {
        if !self.tell_missed() {
            return false;
        }
        // What comes after a gap must not come before the reader was told of it.
        if self.missed > 0 {
            self.missed += 1;
            return true;
        }
        match self.sender.try_send(Streamed::Event(Box::new(event))) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64) -> Event {
        Event { id, ..Event::default() }
    }

    fn read(stream: &EventStream) -> Vec<String> {
        let mut seen = Vec::new();
        while let Ok(streamed) = stream.next(Duration::ZERO) {
            seen.push(match streamed {
                Streamed::Event(event) => event.id.to_string(),
                Streamed::Missed(count) => format!("missed {count}"),
            });
        }
        seen
    }

    #[test]
    fn a_slow_reader_is_told_how_many_it_missed_and_where() {
        let streams = Streams::default();
        let (slow, fast) = (streams.subscribe(2), streams.subscribe(10));
        streams.send(&[1, 2, 3, 4].map(event));
        assert_eq!(read(&slow), ["1", "2"]);
        streams.send(&[event(5)]);
        assert_eq!(read(&slow), ["missed 2", "5"]);
        assert_eq!(read(&fast), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn what_was_missed_is_told_without_waiting_for_another_event() {
        let streams = Streams::default();
        let slow = streams.subscribe(1);
        streams.send(&[1, 2].map(event));
        assert_eq!(read(&slow), ["1"]);
        streams.send(&[]);
        assert_eq!(read(&slow), ["missed 1"]);
    }

    #[test]
    fn a_reader_that_went_away_is_forgotten() {
        let streams = Streams::default();
        drop(streams.subscribe(1));
        streams.send(&[event(1)]);
        assert!(streams.0.lock().unwrap().is_empty());
    }

    #[test]
    fn the_stream_ends_with_its_registry() {
        let streams = Streams::default();
        let stream = streams.subscribe(1);
        drop(streams);
        assert_eq!(stream.next(Duration::MAX), Err(RecvTimeoutError::Disconnected));
    }
}
