//! The certificate of HTTPS: a pair of PEM files, `ssl.cert` and `ssl.key` as Quay names them, read again when they
//! change.
//!
//! A change is seen in the bytes of the files and not in their times, so that a rename, a swapped symbolic link and
//! writing in place are all the same. While the two do not fit, as between two writes, the pair before them stays.

mod pair;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use registry_core::Clock;
use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};

pub use self::pair::PairError;
use self::pair::PairText;
use crate::lanes::Lane;

/// How often the files are compared with what was read last.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The pair in use, and the directory that it comes from.
pub struct Certificates {
    directory: PathBuf,
    clock: Clock,
    state: RwLock<State>,
}

struct State {
    /// What stood in the files when they were read last, whether or not it could be used.
    read: Result<PairText, PairError>,
    current: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads `ssl.cert`, a chain in PEM with the server's certificate first, and `ssl.key`, in `directory`; `None` if
    /// there is neither. A certificate that is not valid at this time is used, with a warning in the log.
    ///
    /// # Errors
    /// One file without the other, and a pair that cannot be used.
    pub fn load(directory: &Path, clock: Clock) -> Result<Option<Self>, PairError> {
        if !pair::is_any_there(directory) {
            return Ok(None);
        }
        let text = PairText::read(directory)?;
        let current = text.server_config(directory, &clock)?;
        let state = RwLock::new(State { read: Ok(text), current });
        Ok(Some(Self { directory: directory.to_owned(), clock, state }))
    }

    /// What new connections are to be secured with.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).current)
    }

    /// Reads the files and takes the pair, for connections from now on.
    ///
    /// # Errors
    /// A pair that cannot be used; the one before it stays.
    pub fn reload(&self) -> Result<(), PairError> {
        self.take(PairText::read(&self.directory))
    }

    /// Reloads if the files hold something else than they did when they were read last; `None` if they do not.
    pub fn reload_if_changed(&self) -> Option<Result<(), PairError>> {
        let read = PairText::read(&self.directory);
        let is_known = self.state.read().unwrap_or_else(PoisonError::into_inner).read == read;
        (!is_known).then(|| self.take(read))
    }

    fn take(&self, read: Result<PairText, PairError>) -> Result<(), PairError> {
        let config = read
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|text| text.server_config(&self.directory, &self.clock));
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.read = read;
        state.current = config?;
        Ok(())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Reloads the pair within a second of a change, and at once after each `hangup`; never ends. Files are read on `lane`.
/// What came of it is logged once for each change and each signal.
pub async fn keep_fresh(certificates: Arc<Certificates>, lane: Lane, mut hangup: Signal) {
    let mut check = interval(CHECK_INTERVAL);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_told = tokio::select! {
            _ = check.tick() => false,
            Some(()) = hangup.recv() => true,
        };
        let certificates = Arc::clone(&certificates);
        let reload = move || {
            if is_told { Some(certificates.reload()) } else { certificates.reload_if_changed() }
        };
        match lane.run(reload).await {
            Ok(None) => {}
            Ok(Some(Ok(()))) => tracing::info!("the certificate was reloaded"),
            Ok(Some(Err(error))) => {
                tracing::warn!(%error, "the certificate is kept: the new one cannot be used")
            }
            Err(error) => tracing::error!(%error, "the certificate could not be reloaded"),
        }
    }
}
