//! The time, so that tests can set it.

#[cfg(any(test, feature = "simulation"))]
use std::sync::Arc;
#[cfg(any(test, feature = "simulation"))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands until a test moves it.
    #[cfg(any(test, feature = "simulation"))]
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `now_ms` until it is moved.
    #[cfg(any(test, feature = "simulation"))]
    pub fn manual(now_ms: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(now_ms)))
    }

    /// Moves a manual clock on.
    #[cfg(any(test, feature = "simulation"))]
    pub fn advance_ms(&self, by_ms: u64) {
        if let Self::Manual(now) = self {
            now.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock, back as well.
    #[cfg(any(test, feature = "simulation"))]
    pub fn set_ms(&self, now_ms: u64) {
        if let Self::Manual(now) = self {
            now.store(now_ms, Ordering::SeqCst);
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
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }
}
