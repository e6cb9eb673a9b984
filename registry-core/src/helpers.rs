//! Threads that take work off a caller who has other work to do meanwhile.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A few threads, each started when it is first needed.
#[derive(Debug)]
pub(crate) struct Helpers {
    name: &'static str,
    /// How many threads there may be.
    most: usize,
    crew: Arc<Crew>,
    /// Work waits until its value is asked for, so that a schedule runs on one thread.
    #[cfg(any(test, feature = "simulation"))]
    is_deferring: bool,
}

#[derive(Debug, Default)]
struct Crew {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    threads: usize,
    /// Threads that wait for work.
    idle: usize,
    queue: VecDeque<Work>,
    is_over: bool,
}

type Work = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

impl Helpers {
    /// At most `most` threads of this name.
    pub(crate) fn new(name: &'static str, most: usize) -> Self {
        Self {
            name,
            most,
            crew: Arc::default(),
            #[cfg(any(test, feature = "simulation"))]
            is_deferring: false,
        }
    }

    /// No threads: work is done as late as it can be, on the thread that asks for its value.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn deferring() -> Self {
        let mut helpers = Self::new("none", 0);
        helpers.is_deferring = true;
        helpers
    }

    /// Has `work` done beside the caller; on the spot if no thread is free, so that nothing ever queues up.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        #[cfg(any(test, feature = "simulation"))]
        if self.is_deferring {
            return Task(Some(Progress::Deferred(Box::new(work))));
        }
        let mut state = self.crew.lock();
        if state.idle <= state.queue.len() && !self.hire(&mut state) {
            drop(state);
            return Task::done(work());
        }
        let (done, value) = sync_channel(1);
        // Nobody may be left who waits for the value.
        state.queue.push_back(Box::new(move || drop(done.send(work()))));
        drop(state);
        self.crew.changed.notify_one();
        Task(Some(Progress::Elsewhere(value)))
    }

    /// Starts one more thread, if there may be one.
    fn hire(&self, state: &mut State) -> bool {
        let crew = Arc::clone(&self.crew);
        let is_hired = state.threads < self.most
            && std::thread::Builder::new().name(self.name.into()).spawn(move || crew.serve()).is_ok();
        state.threads += usize::from(is_hired);
        is_hired
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.crew.lock().is_over = true;
        self.crew.changed.notify_all();
    }
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until there is nobody to work for.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // A panic is told by the value that does not come; the hook has logged it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                state = self.lock();
            } else if state.is_over {
                return;
            } else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

/// A value that may still be on its way. Dropping it waits for the work to end.
#[derive(Debug)]
pub(crate) struct Task<T>(Option<Progress<T>>);

enum Progress<T> {
    Done(T),
    Elsewhere(Receiver<T>),
    #[cfg(any(test, feature = "simulation"))]
    Deferred(Box<dyn FnOnce() -> T + Send>),
}

impl<T> std::fmt::Debug for Progress<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Done(_)) { "Done" } else { "Pending" })
    }
}

impl<T> Task<T> {
    /// A value that is there already.
    pub(crate) fn done(value: T) -> Self {
        Self(Some(Progress::Done(value)))
    }

    /// Waits for the value and takes it; `None` if the work panicked, or the value was taken before.
    pub(crate) fn take(&mut self) -> Option<T> {
        match self.0.take()? {
            Progress::Done(value) => Some(value),
            Progress::Elsewhere(value) => value.recv().ok(),
            #[cfg(any(test, feature = "simulation"))]
            Progress::Deferred(work) => Some(work()),
        }
    }

    /// Does now what was deferred, since nobody may come to ask for it.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn catch_up(&mut self) {
        if matches!(self.0, Some(Progress::Deferred(_))) {
            self.0 = self.take().map(Progress::Done);
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn work_goes_on_beside_its_caller() {
        let helpers = Helpers::new("test", 1);
        let (sender, receiver) = channel();
        let mut task = helpers.run(move || receiver.recv().unwrap());
        sender.send("met").unwrap();
        assert_eq!(task.take(), Some("met"));
    }

    #[test]
    fn work_for_which_no_thread_is_free_is_done_on_the_spot() {
        let helpers = Helpers::new("test", 1);
        let (release, until_released) = channel::<()>();
        let mut first = helpers.run(move || until_released.recv());
        let here = std::thread::current().id();
        assert_eq!(helpers.run(|| std::thread::current().id()).take(), Some(here));
        release.send(()).unwrap();
        first.take().unwrap().unwrap();
    }

    #[test]
    fn a_thread_that_is_free_again_is_used_again() {
        let helpers = Helpers::new("test", 1);
        let first = helpers.run(|| std::thread::current().id()).take();
        while helpers.crew.lock().idle == 0 {
            std::thread::yield_now();
        }
        assert_eq!(helpers.run(|| std::thread::current().id()).take(), first);
        assert_eq!(helpers.crew.lock().threads, 1);
    }

    #[test]
    fn a_panic_gives_no_value_and_the_thread_works_on() {
        let helpers = Helpers::new("test", 1);
        assert_eq!(helpers.run(|| -> u32 { panic!("on purpose") }).take(), None);
        while helpers.crew.lock().idle == 0 {
            std::thread::yield_now();
        }
        assert_eq!(helpers.run(|| 1).take(), Some(1));
    }

    #[test]
    fn dropping_a_task_waits_for_its_end() {
        let helpers = Helpers::new("test", 1);
        let (sender, receiver) = channel();
        drop(helpers.run(move || sender.send(()).unwrap()));
        receiver.try_recv().unwrap();
    }

    #[test]
    fn what_is_deferred_is_done_when_it_is_asked_for() {
        let helpers = Helpers::deferring();
        let (sender, receiver) = channel();
        let mut task = helpers.run(move || sender.send(()).unwrap());
        assert!(receiver.try_recv().is_err());
        task.take().unwrap();
        receiver.try_recv().unwrap();
    }
}
