//! Bounded lanes of blocking threads.
//!
//! The core is synchronous; its calls must not run on the threads that serve connections. A lane lets so many
//! of them run at once and makes the others wait without a thread. Metadata and blob I/O have lanes of their
//! own, so that slow disks do not hold up tag lookups; a writer waits in its lane for the commit, so the
//! lane's width bounds the batch.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many metadata calls run at once.
const METADATA_WIDTH: usize = 128;

/// How many reads and writes of blobs run at once.
const BLOBS_WIDTH: usize = 32;

/// The lanes of one server.
#[derive(Debug, Clone)]
pub struct Lanes {
    /// Calls that read or write metadata.
    pub metadata: Lane,
    /// Calls that read or write the bytes of blobs.
    pub blobs: Lane,
    /// Pieces of uploads on their way to the disk. Writing and hashing them takes a processor: more at once than keep
    /// the processors busy would only delay who asks for something small.
    pub pieces: Lane,
}

impl Default for Lanes {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            metadata: Lane::new(METADATA_WIDTH),
            blobs: Lane::new(BLOBS_WIDTH),
            pieces: Lane::new(processors + 1),
        }
    }
}

/// One lane; clones share its width.
#[derive(Debug, Clone)]
pub struct Lane {
    permits: Arc<Semaphore>,
    width: usize,
    waiting: Arc<AtomicUsize>,
}

/// Work that waits for room, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why work in a lane gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// The work panicked, with this message.
    #[error("blocking work panicked: {0}")]
    Panicked(String),
    /// The runtime stopped before the work began.
    #[error("runtime is stopping")]
    Stopping,
}

impl Lane {
    /// A lane in which `width` pieces of work run at once.
    pub fn new(width: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(width)), width, waiting: Arc::default() }
    }

    /// Pieces of work that run now.
    pub fn running(&self) -> usize {
        self.width.saturating_sub(self.permits.available_permits())
    }

    /// Pieces of work that wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    async fn permit(&self) -> OwnedSemaphorePermit {
        let permits = Arc::clone(&self.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return permit;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        permits.acquire_owned().await.expect("invariant: a lane's semaphore is never closed")
    }

    /// Runs `work` on a blocking thread as soon as the lane has room, first come first served.
    ///
    /// If the returned future is dropped while it waits for room, `work` never runs; once begun, `work` runs
    /// to its end and keeps its place in the lane until then, whoever still waits for it.
    ///
    /// # Errors
    /// `work` panicked, or the runtime is stopping.
    #[expect(clippy::disallowed_methods, reason = "this is the door that bounds blocking work")]
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let permit = self.permit().await;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| match error.try_into_panic() {
            Ok(payload) => LaneError::Panicked(panic_message(payload.as_ref())),
            Err(_) => LaneError::Stopping,
        })
    }
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::mpsc,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn work_runs_and_its_value_comes_back() {
        assert_eq!(Lanes::default().metadata.run(|| 6 * 7).await, Ok(42));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_gives_its_place_back() {
        let lane = Lane::new(1);
        let panicked = lane.run(|| -> u32 { panic!("no {}", "luck") }).await;
        assert_eq!(panicked, Err(LaneError::Panicked("no luck".into())));
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn a_full_lane_makes_the_next_one_wait() {
        let lane = Lane::new(1);
        let (finish, until_finish) = mpsc::channel::<()>();
        let mut first = pin!(lane.run(move || until_finish.recv()));
        assert!(poll_once(first.as_mut()).is_pending());
        let mut second = pin!(lane.run(|| ()));
        assert!(poll_once(second.as_mut()).is_pending());
        assert_eq!((lane.running(), lane.waiting()), (1, 1));
        finish.send(()).unwrap();
        first.await.unwrap().unwrap();
        second.await.unwrap();
        assert_eq!((lane.running(), lane.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn work_that_is_given_up_while_waiting_never_runs_and_leaves_nothing() {
        let lane = Lane::new(1);
        let (finish, until_finish) = mpsc::channel::<()>();
        let (ran, has_run) = mpsc::channel::<()>();
        let mut first = pin!(lane.run(move || until_finish.recv()));
        assert!(poll_once(first.as_mut()).is_pending());
        {
            let mut waiting = pin!(lane.run(move || ran.send(())));
            assert!(poll_once(waiting.as_mut()).is_pending());
        }
        assert!(has_run.recv().is_err(), "the work was dropped without running");
        finish.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_that_has_begun_keeps_its_place_when_nobody_waits_any_more() {
        let lane = Lane::new(1);
        let (finish, until_finish) = mpsc::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel();
        {
            let mut begun = pin!(lane.run(move || done.send(until_finish.recv())));
            assert!(poll_once(begun.as_mut()).is_pending());
        }
        assert_eq!(lane.permits.available_permits(), 0);
        finish.send(()).unwrap();
        is_done.await.unwrap().unwrap();
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }
}
