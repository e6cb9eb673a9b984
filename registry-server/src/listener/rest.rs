//! What tells whether an HTTP/1.1 connection rests between two requests: then its engine, whose buffers are most of
//! what a connection costs, can be given up and begun anew.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// How many times as long as at first the pause between two looks becomes.
const LONGEST_PAUSE: u32 = 16;

/// What goes on on a connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    under_way: AtomicUsize,
    is_torn: AtomicBool,
    is_stalled: AtomicBool,
}

impl Activity {
    /// A request has begun.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay::new(Arc::clone(self))
    }

    /// Whether there was any request.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > 0
    }

    /// A request was given up with its body on the way: what comes next on the connection belongs to that.
    pub(super) fn tear(&self) {
        self.is_torn.store(true, Ordering::Relaxed);
    }

    /// Whether the socket has no room for what the engine wants to write.
    pub(super) fn set_stalled(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Ordering::Relaxed);
    }

    /// Whether every request is answered, and everything read and written that belongs to it.
    fn rests(&self) -> bool {
        // Acquire: who let go of a request last may have torn it before.
        self.under_way.load(Ordering::Acquire) == 0
            && !self.is_torn.load(Ordering::Relaxed)
            && !self.is_stalled.load(Ordering::Relaxed)
    }
}

/// Held by what belongs to a request: its body, its handler, the body of its answer.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn new(activity: Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Clone for UnderWay {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Release);
    }
}

/// Watches an engine, looking in on it from time to time so that requests cost nothing more.
pub(super) struct Watch {
    activity: Arc<Activity>,
    look: Pin<Box<Sleep>>,
    /// How long a connection rests before it is noticed, up to twice that; longer after a long request.
    interval: Duration,
    /// Until the next look: the longer a request goes on, the less it is looked at.
    pause: Duration,
    /// How long the first request may take to begin.
    patience: Duration,
    at_start: u64,
    seen: u64,
}

/// What a [`Watch`] has noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noticed {
    /// The connection rests.
    Rest,
    /// No request has begun in time.
    Silence,
}

impl Watch {
    /// Nothing may have been served of the connection's activity by the engine to be watched.
    pub(super) fn new(activity: Arc<Activity>, interval: Duration, patience: Duration) -> Self {
        let at_start = activity.begun.load(Ordering::Relaxed);
        let pause = interval.min(patience);
        let look = Box::pin(sleep(pause));
        Self { activity, look, interval, pause, patience, at_start, seen: at_start }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Noticed> {
        loop {
            ready!(self.look.as_mut().poll(cx));
            if let Some(noticed) = self.look() {
                return Poll::Ready(noticed);
            }
            self.look.as_mut().reset(Instant::now() + self.pause);
        }
    }

    fn look(&mut self) -> Option<Noticed> {
        let begun = self.activity.begun.load(Ordering::Relaxed);
        if begun == self.at_start {
            // The engine holds a part of a head: to begin anew with it would only begin its time anew.
            self.patience = self.patience.saturating_sub(self.pause);
            self.pause = self.pause.min(self.patience);
            return self.patience.is_zero().then_some(Noticed::Silence);
        }
        if begun == self.seen && self.activity.rests() {
            return Some(Noticed::Rest);
        }
        let longest = self.interval * LONGEST_PAUSE;
        self.pause = if begun == self.seen { longest.min(self.pause * 2) } else { self.interval };
        self.seen = begun;
        None
    }
}
