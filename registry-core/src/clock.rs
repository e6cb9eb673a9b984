//! The time, so that tests can set it.

#[cfg(any(test, feature = "simulation"))]
use std::sync::Arc;
#[cfg(any(test, feature = "simulation"))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Where the time comes from: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands until a test moves it.
    #[cfg(any(test, feature = "simulation"))]
    Manual(Arc<Manual>),
}

/// What a clock shows that a test moves, in milliseconds.
#[cfg(any(test, feature = "simulation"))]
#[derive(Debug)]
pub struct Manual {
    now: AtomicU64,
    elapsed: AtomicU64,
}

impl Clock {
    /// A clock that stands at `now_ms` until it is moved.
    #[cfg(any(test, feature = "simulation"))]
    pub fn manual(now_ms: u64) -> Self {
        Self::Manual(Arc::new(Manual { now: AtomicU64::new(now_ms), elapsed: AtomicU64::new(0) }))
    }

    /// Lets time pass on a manual clock.
    #[cfg(any(test, feature = "simulation"))]
    pub fn advance_ms(&self, by_ms: u64) {
        if let Self::Manual(clock) = self {
            clock.now.fetch_add(by_ms, Ordering::SeqCst);
            clock.elapsed.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock, back as well, while no time passes.
    #[cfg(any(test, feature = "simulation"))]
    pub fn set_ms(&self, now_ms: u64) {
        if let Self::Manual(clock) = self {
            clock.now.store(now_ms, Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            #[cfg(any(test, feature = "simulation"))]
            Self::Manual(clock) => clock.now.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds that passed since some moment in the past, whatever the time was set to; those asleep count.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        match self {
            Self::System => {
                let since = clock_gettime(ClockId::Boottime);
                u64::try_from(since.tv_sec).unwrap_or(0) * 1000
                    + u64::try_from(since.tv_nsec).unwrap_or(0) / 1_000_000
            }
            #[cfg(any(test, feature = "simulation"))]
            Self::Manual(clock) => clock.elapsed.load(Ordering::SeqCst),
        }
    }
}
