//! Threads, the clock, and what is told of many durations.

use std::io;
use std::iter::Sum;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Runs `work` on `count` threads, each with its number, and gives what they gave.
///
/// # Errors
/// The first that any of them failed with.
pub(crate) fn on_threads<T: Send>(
    count: usize,
    work: impl Fn(usize) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked"))))
            .collect()
    })
}

/// Waits until `due`.
#[expect(clippy::disallowed_methods, reason = "the pace of a load is an amount of time and no event")]
pub(crate) fn pause_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// How long operations took.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Runs `operation` and keeps how long it took.
    ///
    /// # Errors
    /// Whatever it fails with.
    pub(crate) fn time<T>(&mut self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let start = Instant::now();
        let value = operation()?;
        self.add(start.elapsed());
        Ok(value)
    }

    /// Keeps how long an operation took.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// How many there are, how many in each of `elapsed`'s seconds, and their distribution in milliseconds.
    pub(crate) fn report(mut self, elapsed: Duration) -> Value {
        self.0.sort_unstable();
        let at = |share: f64| {
            let last = self.0.len().saturating_sub(1);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of an index"
            )]
            let index = (last as f64 * share).ceil() as usize;
            self.0.get(index).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
        };
        let count = self.0.len();
        json!({
            "count": count, "seconds": elapsed.as_secs_f64(), "per_second": count as f64 / elapsed.as_secs_f64(),
            "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0),
        })
    }
}

impl Sum for Latencies {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        Self(all.flat_map(|some| some.0).collect())
    }
}
