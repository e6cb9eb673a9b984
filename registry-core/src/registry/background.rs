//! What runs behind the foreground: expired uploads and sessions, lapsed push graces, queued unlinks, work too large for one
//! write, and, after an unclean stop, the search for files that no row names.

mod files;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::files::Swept;
use super::{Inner, Registry};
use crate::Error;
use crate::access::PrincipalId;
use crate::metadata::key::Component;
use crate::metadata::{Growth, Lane, Rows, WriteTxn};
use crate::model::authorize::Granted;
use crate::model::keys::{NamespaceId, RepositoryId, Work};
use crate::model::tables::{
    BLOB_GRACE, CODE_EXPIRY, REPOSITORY, SESSION_EXPIRY, TOKEN_EXPIRY, UPLOAD_EXPIRY, WORK,
};
use crate::model::{applications, blobs, collection, deletion, manifests, repositories, sessions, tokens};
use crate::oci::Digest;

/// Rows that one step takes up: each costs a handful, and a step must stay under 200.
const STEP: usize = 20;
/// How many referrers one step hands to their subject.
const REFERRERS_PER_STEP: usize = 60;
/// An upload that rested this long leaves memory.
const REST_MS: u64 = 5 * 60 * 1000;
/// How long the background rests when nothing calls it.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes the background when there is work.
#[derive(Debug, Default)]
pub(super) struct Wake {
    called: Mutex<bool>,
    changed: Condvar,
    is_stopping: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wake {
    /// There is work.
    pub(super) fn notify(&self) {
        *self.called.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    fn wait(&self) {
        let called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut called, _) = self
            .changed
            .wait_timeout_while(called, PAUSE, |called| !*called)
            .unwrap_or_else(PoisonError::into_inner);
        *called = false;
    }

    /// Ends the background and waits for its last step.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.notify();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic in it was logged by the panic hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}

impl Registry {
    /// Starts the threads that run the background until the registry is closed or dropped.
    pub(super) fn spawn_background(&self) {
        self.spawn("registry-background", &self.0.wake, Self::do_due_work);
        // A thread of its own, since what is in memory must not wait for a long search or a slow file.
        self.spawn("registry-trail", &self.0.trail_wake, Self::run_trail);
    }

    fn spawn(&self, name: &str, wake: &Arc<Wake>, work: fn(&Self) -> Result<(), Error>) {
        let (inner, its_wake) = (Arc::downgrade(&self.0), Arc::clone(wake));
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(move || run(&inner, &its_wake, work));
        match thread {
            Ok(thread) => {
                *wake.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
            }
            Err(cause) => tracing::error!(%cause, name, "a background thread could not be started"),
        }
    }

    /// Does everything that is due now: what the background threads do step by step.
    ///
    /// # Errors
    /// Whatever storage refuses; the rest is done at the next call.
    pub fn run_background(&self) -> Result<(), Error> {
        self.do_due_work()?;
        self.run_trail()
    }

    fn do_due_work(&self) -> Result<(), Error> {
        if self.0.needs_sweep.load(Ordering::SeqCst) {
            self.sweep()?;
        }
        while !self.0.wake.is_stopping() && self.step()? {}
        Ok(())
    }

    /// One step of each kind; true if there may be more.
    fn step(&self) -> Result<bool, Error> {
        let now_ms = self.now_ms();
        self.rest_uploads(now_ms.saturating_sub(REST_MS))?;
        let mut is_more = self.expire_sessions(now_ms)?;
        is_more |= self.expire_tokens(now_ms)?;
        if let Some(now_ms) = self.trusted_ms()? {
            is_more |= self.expire_uploads(now_ms)?;
            is_more |= self.end_graces(now_ms)?;
            is_more |= self.expire_holds(now_ms)?;
        }
        is_more |= self.do_work(now_ms)?;
        is_more |= self.collect()?;
        is_more |= self.unlink_files()?;
        Ok(is_more)
    }

    pub(super) fn background<T>(
        &self,
        work: impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.0.metadata.write_in(Lane::Background, Growth::MayUseReserve, work)
    }

    fn expire_uploads(&self, now_ms: u64) -> Result<bool, Error> {
        let due = self.0.metadata.read(|rows| rows.scan(&UPLOAD_EXPIRY, &(), None, STEP))?;
        let mut is_more = false;
        for ((expires_ms, id), ()) in due {
            if expires_ms > now_ms {
                return Ok(false);
            }
            // What is in memory was written to since the row was: it is asked again once it rests.
            if self.0.sessions.has(id) {
                continue;
            }
            match self.abandon(id) {
                Err(Error::UploadBusy) => {}
                Ok(()) | Err(Error::UploadUnknown) => is_more = true,
                Err(error) => return Err(error),
            }
        }
        Ok(is_more)
    }

    fn expire_sessions(&self, now_ms: u64) -> Result<bool, Error> {
        let first = self.0.metadata.read(|rows| rows.first(&SESSION_EXPIRY, &()))?;
        if first.is_none_or(|((expires_ms, _), ())| expires_ms > now_ms) {
            return Ok(false);
        }
        self.background(|txn| {
            let expiring = txn.scan(&SESSION_EXPIRY, &(), None, STEP)?;
            let due = expiring.iter().take_while(|((expires_ms, _), ())| *expires_ms <= now_ms);
            for ((_, key), ()) in due {
                sessions::remove(txn, *key)?;
            }
            Ok(true)
        })
    }

    /// Removes stored tokens and codes that are good no more.
    fn expire_tokens(&self, now_ms: u64) -> Result<bool, Error> {
        let (token, code) = self
            .0
            .metadata
            .read(|rows| Ok((rows.first(&TOKEN_EXPIRY, &())?, rows.first(&CODE_EXPIRY, &())?)))?;
        let is_token_due = token.is_some_and(|((expires_ms, _), ())| expires_ms <= now_ms);
        if !is_token_due && code.is_none_or(|((expires_ms, _), ())| expires_ms > now_ms) {
            return Ok(false);
        }
        self.background(|txn| {
            for ((expires_ms, token), ()) in txn.scan(&TOKEN_EXPIRY, &(), None, STEP)? {
                if expires_ms <= now_ms {
                    tokens::remove(txn, token)?;
                }
            }
            for ((expires_ms, code), ()) in txn.scan(&CODE_EXPIRY, &(), None, STEP)? {
                if expires_ms <= now_ms {
                    applications::take_code(txn, code)?;
                }
            }
            Ok(true)
        })
    }

    fn end_graces(&self, now_ms: u64) -> Result<bool, Error> {
        self.background(|txn| {
            let graces = txn.scan(&BLOB_GRACE, &(), None, STEP)?;
            let due = graces.iter().take_while(|((until_ms, _, _), ())| *until_ms <= now_ms);
            let mut is_more = false;
            for ((_, repository, digest), ()) in due {
                let row = txn.get(&REPOSITORY, repository)?.ok_or(Error::Corrupt("repository"))?;
                let at = Granted::for_background(row.namespace, *repository);
                blobs::end_grace(txn, at, digest)?;
                repositories::remove_if_never_used(txn, at)?;
                is_more = true;
            }
            Ok(is_more)
        })
    }

    /// One step of one piece of queued work, taking namespaces in turn.
    fn do_work(&self, now_ms: u64) -> Result<bool, Error> {
        let mut last = self.0.last_worked.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.0.metadata.read(|rows| {
            // No repository has the highest id: this is behind all work of the namespace.
            let after = last.map(|(namespace, _, work)| (namespace, RepositoryId(u64::MAX), work));
            match rows.scan(&WORK, &(), after.as_ref(), 1)?.pop() {
                Some(next) => Ok(Some(next)),
                None => rows.first(&WORK, &()),
            }
        })?;
        let Some((key, _)) = next else { return Ok(false) };
        *last = Some(key);
        self.background(|txn| {
            let Some(cursor) = txn.get(&WORK, &key)? else { return Ok(true) };
            match work_step(txn, &key, &cursor, now_ms)? {
                Some(cursor) => txn.put(&WORK, &key, &cursor),
                None => txn.delete(&WORK, &key),
            }
            Ok(true)
        })
    }
}

/// Does a bounded part of a piece of work; gives how far it came, or none once it is done.
fn work_step(
    txn: &mut WriteTxn<'_>,
    (namespace, repository, work): &(NamespaceId, RepositoryId, Work),
    cursor: &[u8],
    now_ms: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let at = Granted::for_background(*namespace, *repository);
    match work {
        Work::EndTags(digest) => {
            let is_done = manifests::end_some_tags(txn, at, digest, now_ms)?;
            Ok((!is_done).then(Vec::new))
        }
        Work::HoldReferrers(subject) => {
            let done =
                manifests::hold_referrers(txn, at, subject, Digest::decode(cursor), REFERRERS_PER_STEP)?;
            Ok(done.map(|last| last.encode()))
        }
        Work::NominateReferrers(subject) => {
            let after = Digest::decode(cursor);
            let done = collection::nominate_referrers(txn, at, subject, after, REFERRERS_PER_STEP)?;
            Ok(done.map(|last| last.encode()))
        }
        Work::PurgeRepository => Ok((!deletion::purge_repository(txn, at)?).then(Vec::new)),
        Work::PurgeAccount => {
            let account = PrincipalId(namespace.0);
            Ok((!deletion::purge_account(txn, account)?).then(Vec::new))
        }
        Work::PurgeNamespace => Ok((!deletion::purge_namespace(txn, *namespace)?).then(Vec::new)),
    }
}

/// A background thread: it holds the registry only while it works.
fn run(inner: &Weak<Inner>, wake: &Wake, work: fn(&Registry) -> Result<(), Error>) {
    while let Some(strong) = inner.upgrade() {
        let registry = Registry(strong, None);
        if wake.is_stopping() {
            return;
        }
        if let Err(cause) = work(&registry) {
            tracing::warn!(%cause, "the background was held up and tries again");
        }
        drop(registry);
        wake.wait();
    }
}
