//! [`Registry`]: every operation, one file for each noun.
//!
//! An operation reads like its own specification: parse before entering (arguments are types that cannot be wrong),
//! then decide and change in one transaction.

mod accounts;
mod app_tokens;
mod applications;
mod authorizations;
mod background;
mod blobs;
mod catalog;
mod collection;
mod entities;
mod keys;
mod manifests;
mod messages;
mod namespaces;
mod opening;
mod organizations;
mod permissions;
mod prototypes;
mod referrers;
mod repositories;
mod robot_limits;
mod robots;
mod search;
mod sessions;
mod stars;
mod tags;
mod teams;
mod tokens;
mod trail;
mod trusted_time;
mod uploads;
mod users;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use accounts::{Account, AccountChange, AccountInfo, NewUser};
pub use applications::{ApplicationDetails, ApplicationInfo, KeptSecret};
pub use authorizations::{Authorization, AuthorizationInfo};
pub use background::Swept;
pub use blobs::{BlobInfo, Mounted};
pub use catalog::CatalogPage;
pub use entities::{Entity, EntityKind, EntityQuery};
pub use manifests::{ManifestContent, ManifestInfo, Precondition, Pushed};
pub use messages::{MessageInfo, Severity};
pub use organizations::{MemberInfo, OrganizationInfo};
pub use permissions::{Permission, RepositoryRole, To};
pub use prototypes::{Delegate, NewPrototype, PrototypeInfo};
pub use referrers::ReferrersPage;
pub use repositories::{RepositoriesPage, RepositoryInfo};
pub use robot_limits::RobotLimits;
pub use robots::{NewRobot, RobotInfo, RobotReach, RobotToken};
pub use search::FoundRepository;
pub use sessions::{Session, SessionId};
pub use stars::StarredPage;
pub use tags::{TagInfo, TagsPage};
pub use teams::{TeamInfo, TeamMember, TeamMembers};
pub use tokens::{IssuedToken, NewToken, TokenHolder};
pub use trail::Export;
pub use uploads::UploadWriter;
pub use users::{OrganizationRow, UserChange};

use crate::content::Content;
use crate::files::{Disk, DiskLock};
use crate::helpers::Helpers;
use crate::ids::Ids;
use crate::metadata::{Growth, Lane, Metadata, Rows};
use crate::model::keys::{NamespaceId, RepositoryId, Work};
use crate::model::tables::SYSTEM;
use crate::model::totals;
use crate::statistics::{Statistics, Stored};
use crate::trail::Origin;
use crate::{Clock, Entropy, Error, Settings};

/// Name of the row that holds the format.
const FORMAT_ROW: &str = "format";

/// A container registry in a directory. Cheap to clone; all clones are the same registry, and differ only in where the
/// requests come from that are made through them ([`Registry::by`]).
///
/// ```
/// use registry_core::oci::{Manifest, NamespaceName, Reference, RepositoryName};
/// use registry_core::{Actor, Registry, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let registry = Registry::open(directory.path(), Settings::default())?;
/// let name = RepositoryName::parse("acme/tools", &"library".parse::<NamespaceName>()?)?;
///
/// let index = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
/// let index = Manifest::parse(index.to_vec().into(), None)?;
/// let tag: Reference = "v1".parse()?;
/// let pushed = registry.put_manifest(&Actor::Owner, &name, &tag, &[], &index, None)?;
///
/// let pulled = registry.manifest(&Actor::Owner, &name, &tag)?;
/// assert_eq!((pulled.info.digest, pulled.bytes), (pushed.digest, index.bytes().clone()));
/// registry.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>, Option<Arc<Origin>>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    settings: Settings,
    clock: Clock,
    entropy: Entropy,
    metadata: Metadata,
    content: Content,
    sessions: uploads::Sessions,
    ids: Ids,
    /// Hashes uploads while they are written.
    hashing: Helpers,
    /// Saves uploads while they go on.
    saving: Helpers,
    wake: Arc<background::Wake>,
    trail: trail::Trail,
    trail_wake: Arc<background::Wake>,
    /// The queued work that had the last turn.
    last_worked: Mutex<Option<(NamespaceId, RepositoryId, Work)>>,
    /// The namespace at whose candidates the collection looked last.
    last_collected: Mutex<Option<NamespaceId>>,
    trusted_time: trusted_time::TrustedTime,
    /// Before this nothing ends by time.
    next_expiry_ms: AtomicU64,
    /// Files may lie about that no row names.
    needs_sweep: AtomicBool,
    /// They are being looked for.
    is_sweeping: AtomicBool,
    missing_blobs: AtomicU64,
    /// Held as long as the registry lives.
    _lock: DiskLock,
}

impl Registry {
    /// From now on operations return before their commit, until [`Registry::commit_held`]: a batch, on one thread.
    #[cfg(any(test, feature = "simulation"))]
    pub fn hold_commits(&self) {
        self.0.metadata.hold_commits();
    }

    /// Commits what was done since [`Registry::hold_commits`]; only then may it count as acknowledged.
    ///
    /// # Errors
    /// Whatever storage refuses; then nothing of the batch happened.
    #[cfg(any(test, feature = "simulation"))]
    pub fn commit_held(&self) -> Result<(), Error> {
        self.0.metadata.commit_held()
    }

    /// What the registry was opened with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// A secret of 32 bytes that this registry keeps under `name`; made when it is first asked for.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn secret(&self, name: &str) -> Result<[u8; 32], Error> {
        let fresh = self.0.entropy.bytes::<32>()?;
        let key = format!("secret {name}");
        // Asked for at every start, and starting is needed to free space.
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            match txn.get(&SYSTEM, &key)? {
                Some(kept) => kept.try_into().map_err(|_| Error::Corrupt("system")),
                None => {
                    txn.put(&SYSTEM, &key, &fresh.to_vec());
                    Ok(fresh)
                }
            }
        })
    }

    /// Random bytes from the registry's source, fit for secrets.
    ///
    /// # Errors
    /// [`Error::File`] if the operating system gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        self.0.entropy.bytes()
    }

    /// The registry's time, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    /// Whether files may lie about that no row names, as after an unclean stop, and the search for them has not ended.
    pub fn awaits_sweep(&self) -> bool {
        self.0.needs_sweep.load(Ordering::SeqCst) || self.0.is_sweeping.load(Ordering::SeqCst)
    }

    /// How often a blob that rows name was found absent or of the wrong length since the start.
    pub fn missing_blobs(&self) -> u64 {
        self.0.missing_blobs.load(Ordering::Relaxed)
    }

    /// How often the metadata file was reopened after a failure since the start.
    pub fn reopenings(&self) -> u64 {
        self.0.metadata.reopenings()
    }

    /// What the registry holds; reads at most 256 rows.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn stored(&self) -> Result<Stored, Error> {
        self.0.metadata.read(totals::sum)
    }

    /// How the registry does. Reads memory alone, so it answers while storage does not.
    pub fn statistics(&self) -> Statistics {
        let commits = self.0.metadata.commits();
        Statistics {
            waiting_writes: commits.waiting(),
            commit_writes: commits.writes(),
            commit_nanos: commits.nanos(),
            reopenings: self.reopenings(),
            doubts_clock: self.doubts_clock(),
            missing_blobs: self.missing_blobs(),
            open_blobs: self.0.content.open_blobs(),
        }
    }

    /// Whether what only reads a few rows is likely to be answered without waiting for the disk, so that it may be called
    /// on a thread that serves others. Now and then it does wait.
    pub fn answers_from_memory(&self) -> bool {
        self.0.metadata.is_in_memory()
    }

    /// Whether a read of the rows succeeds, for health checks.
    pub fn is_healthy(&self) -> bool {
        self.0.metadata.read(|rows| rows.contains(&SYSTEM, &FORMAT_ROW.to_owned())).is_ok()
    }
}

impl Registry {
    /// The rows, for the audit.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The files, for the audit.
    pub(crate) fn content(&self) -> &Content {
        &self.0.content
    }
}
