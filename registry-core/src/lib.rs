//! The rules and the storage of a container registry, without any network.
//!
//! [`Registry`] is the whole of it: open one on a directory, act on behalf of an [`Actor`]. Everything that may be
//! done and everything that may exist is decided here, so that every caller meets the same rules.

mod access;
mod address;
mod audit;
mod clock;
mod content;
mod entropy;
mod error;
mod files;
mod helpers;
mod ids;
mod metadata;
mod model;
pub mod oci;
mod registry;
mod settings;
pub mod statistics;
mod trail;

pub use access::{
    AccountAction, Action, Actor, Credential, Globs, InvalidGlob, InvalidScopes, Job, NamespaceAction,
    Principal, PrincipalId, Role, Scope, Scopes, TeamRole, TokenId,
};
pub use address::AddressBlock;
pub use audit::AuditReport;
pub use clock::Clock;
pub use content::{BlobReader, OpenBlobCounts};
pub use entropy::Entropy;
pub use error::Error;
pub use model::keys::{PrototypeId, UploadId};
pub use model::messages::MessageId;
pub use model::profiles::{Profile, ProfileField};
pub use registry::{
    Account, AccountChange, AccountInfo, ApplicationDetails, ApplicationInfo, Authorization,
    AuthorizationInfo, BlobInfo, CatalogPage, Delegate, Entity, EntityKind, EntityQuery, Export,
    FoundRepository, IssuedToken, KeptSecret, ManifestContent, ManifestInfo, MemberInfo, MessageInfo,
    Mounted, NewPrototype, NewRobot, NewToken, NewUser, OrganizationInfo, OrganizationRow, Permission,
    Precondition, PrototypeInfo, Pushed, ReferrersPage, Registry, RepositoriesPage, RepositoryInfo,
    RepositoryRole, RobotInfo, RobotLimits, RobotReach, RobotToken, Session, SessionId, Severity,
    StarredPage, Swept, TagInfo, TagsPage, TeamInfo, TeamMember, TeamMembers, To, TokenHolder, UploadWriter,
    UserChange,
};
pub use settings::{Audited, Settings};
pub use trail::{
    Event, EventCount, EventCursor, EventQuery, EventScope, EventStream, EventsPage, Named, Observed, Origin,
    Pull, Refused, SignIn, SignInOutcome, SignInWay, Streamed,
};

/// What tests of durability need: a disk in memory on which the power can be cut.
#[cfg(any(test, feature = "simulation"))]
pub mod simulation {
    pub use crate::files::{SimulatedDisk, SyncPoint};
}
