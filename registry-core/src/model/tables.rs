//! Every table, its key layout and what its rows mean. Times are milliseconds since the Unix epoch.

use super::keys::{
    ApplicationId, Grantee, Hold, NamespaceId, PrototypeId, Realm, RepositoryId, SecretHash, SessionKey,
    TeamId, Unlink, UploadId, Work,
};
use super::messages::{Message, MessageId};
use super::profiles::Profile;
use super::records::{
    Application, Blob, Code, Count, LiveTag, Manifest, ManifestLink, Namespace, Prototype, Referrer,
    Repository, RepositoryBlob, Robot, Session, TagRow, Team, Token, Totals, Upload, Usage, User,
};
use crate::access::{PrincipalId, Role, TeamRole, TokenId};
use crate::metadata::Table;
use crate::metadata::key::Descending;
use crate::oci::{Digest, Tag};

/// The registry's own values, by name.
pub(crate) const SYSTEM: Table<String, Vec<u8>> = Table::new("system");

/// Namespace name → id. Users and organizations share one space of names.
pub(crate) const NAMESPACES: Table<String, NamespaceId> = Table::new("namespaces");
/// What a namespace is.
pub(crate) const NAMESPACE: Table<NamespaceId, Namespace> = Table::new("namespace");
/// The account of a user or of a robot.
pub(crate) const USERS: Table<PrincipalId, User> = Table::new("users");
/// What a user or an organization says of itself.
pub(crate) const PROFILES: Table<NamespaceId, Profile> = Table::new("profiles");
/// What a robot is, beside its account.
pub(crate) const ROBOTS: Table<PrincipalId, Robot> = Table::new("robots");
/// (namespace, short name) → robot.
pub(crate) const ROBOT_NAMES: Table<(NamespaceId, String), PrincipalId> = Table::new("robot names");

/// A team of an organization.
pub(crate) const TEAMS: Table<TeamId, Team> = Table::new("teams");
/// (organization, name) → team.
pub(crate) const TEAM_NAMES: Table<(NamespaceId, String), TeamId> = Table::new("team names");
/// The teams of an organization whose role is more than that of a member: few, and read with every decision.
pub(crate) const TEAM_ROLES: Table<(NamespaceId, TeamId), TeamRole> = Table::new("team roles");
/// The members of a team.
pub(crate) const TEAM_MEMBERS: Table<(TeamId, PrincipalId), ()> = Table::new("team members");
/// The teams that a principal is in, by organization.
pub(crate) const MEMBERSHIPS: Table<(PrincipalId, NamespaceId, TeamId), ()> = Table::new("memberships");

/// The roles granted on a repository.
pub(crate) const GRANTS: Table<(RepositoryId, Grantee), Role> = Table::new("grants");
/// The repositories that somebody was granted roles on, by namespace.
pub(crate) const GRANTED: Table<(Grantee, NamespaceId, RepositoryId), ()> = Table::new("granted");
/// Grants that new repositories of an organization begin with.
pub(crate) const PROTOTYPES: Table<(NamespaceId, PrototypeId), Prototype> = Table::new("prototypes");

/// What somebody who signed in with a browser holds.
pub(crate) const SESSIONS: Table<SessionKey, Session> = Table::new("sessions");
/// The sessions of a user by the time they began.
pub(crate) const USER_SESSIONS: Table<(PrincipalId, u64, SessionKey), ()> = Table::new("user sessions");
/// Sessions by the time they expire.
pub(crate) const SESSION_EXPIRY: Table<(u64, SessionKey), ()> = Table::new("session expiry");

/// An OAuth application.
pub(crate) const APPLICATIONS: Table<ApplicationId, Application> = Table::new("applications");
/// Client id → application.
pub(crate) const CLIENT_IDS: Table<String, ApplicationId> = Table::new("client ids");
/// The applications of a namespace.
pub(crate) const NAMESPACE_APPLICATIONS: Table<(NamespaceId, ApplicationId), ()> =
    Table::new("namespace applications");
/// An access token of an application, or an app-specific token.
pub(crate) const TOKENS: Table<TokenId, Token> = Table::new("tokens");
/// Hash of the secret → token.
pub(crate) const TOKEN_HASHES: Table<SecretHash, TokenId> = Table::new("token hashes");
/// The tokens of a user by application; app-specific ones lie under application 0, which there is none of.
pub(crate) const USER_TOKENS: Table<(PrincipalId, ApplicationId, TokenId), ()> = Table::new("user tokens");
/// The tokens of an application, the latest first.
pub(crate) const APPLICATION_TOKENS: Table<(ApplicationId, Descending, TokenId), ()> =
    Table::new("application tokens");
/// Tokens by the time they expire.
pub(crate) const TOKEN_EXPIRY: Table<(u64, TokenId), ()> = Table::new("token expiry");
/// Authorization codes that wait to be exchanged.
pub(crate) const CODES: Table<SecretHash, Code> = Table::new("codes");
/// The same by the time they expire.
pub(crate) const CODE_EXPIRY: Table<(u64, SecretHash), ()> = Table::new("code expiry");

/// (namespace, path) → repository.
pub(crate) const REPOSITORIES: Table<(NamespaceId, String), RepositoryId> = Table::new("repositories");
/// What a repository is.
pub(crate) const REPOSITORY: Table<RepositoryId, Repository> = Table::new("repository");
/// The repositories that ever got a manifest, for listings.
pub(crate) const CATALOG: Table<(NamespaceId, String), RepositoryId> = Table::new("catalog");
/// The public ones among them.
pub(crate) const PUBLIC_CATALOG: Table<(NamespaceId, String), RepositoryId> = Table::new("public catalog");
/// Names of the namespaces that have rows in the public catalog.
pub(crate) const PUBLIC_NAMESPACES: Table<String, NamespaceId> = Table::new("public namespaces");
/// Words in the paths of repositories, apart for each realm of who may find them.
pub(crate) const WORDS: Table<(Realm, String, RepositoryId), ()> = Table::new("words");
/// The repositories that somebody starred.
pub(crate) const STARS: Table<(PrincipalId, RepositoryId), ()> = Table::new("stars");
/// Who starred a repository.
pub(crate) const STARRED_BY: Table<(RepositoryId, PrincipalId), ()> = Table::new("starred by");
/// Messages that superusers show to everybody: few.
pub(crate) const MESSAGES: Table<MessageId, Message> = Table::new("messages");

/// The live tags, which listings read: dead rows lie elsewhere.
pub(crate) const TAGS: Table<(RepositoryId, Tag), LiveTag> = Table::new("tags");
/// Every row of a tag's history, the latest first. At most the first is alive.
pub(crate) const TAG_HISTORY: Table<(RepositoryId, Tag, Descending), TagRow> = Table::new("tag history");
/// The same rows by time, the latest first.
pub(crate) const TAG_TIMES: Table<(RepositoryId, Descending, Tag), ()> = Table::new("tag times");
/// Dead rows by the time of their end → their start. Compared with the namespace's present window.
pub(crate) const DEAD_TAGS: Table<(NamespaceId, u64, RepositoryId, Tag), u64> = Table::new("dead tags");

/// A manifest, whoever pushed it.
pub(crate) const MANIFESTS: Table<Digest, Manifest> = Table::new("manifests");
/// The bytes of a manifest that is small enough to be a record; the others are blob files.
pub(crate) const MANIFEST_BYTES: Table<Digest, Vec<u8>> = Table::new("manifest bytes");
/// A manifest's presence in a repository.
pub(crate) const MANIFEST_LINKS: Table<(RepositoryId, Digest), ManifestLink> = Table::new("manifest links");
/// (repository, manifest, blob): the blobs that a manifest refers to.
pub(crate) const MANIFEST_BLOBS: Table<(RepositoryId, Digest, Digest), ()> = Table::new("manifest blobs");
/// (repository, blob, manifest): the manifests that refer to a blob.
pub(crate) const BLOB_MANIFESTS: Table<(RepositoryId, Digest, Digest), ()> = Table::new("blob manifests");
/// (repository, index, child): the manifests that an index lists. The other direction is [`Hold::Index`].
pub(crate) const MANIFEST_CHILDREN: Table<(RepositoryId, Digest, Digest), ()> =
    Table::new("manifest children");
/// What keeps a manifest.
pub(crate) const HOLDS: Table<(RepositoryId, Digest, Hold), ()> = Table::new("holds");
/// (repository, subject, referrer): the referrers that a listing shows.
pub(crate) const REFERRERS: Table<(RepositoryId, Digest, Digest), Referrer> = Table::new("referrers");
/// Manifests deleted by digest, by that time; restorable within the namespace's present window.
pub(crate) const WITHDRAWN: Table<(NamespaceId, u64, RepositoryId, Digest), ()> = Table::new("withdrawn");

/// A blob that some repository links, and how many namespaces do.
pub(crate) const BLOBS: Table<Digest, Blob> = Table::new("blobs");
/// How many repositories of a namespace link a blob.
pub(crate) const NAMESPACE_BLOBS: Table<(NamespaceId, Digest), Count> = Table::new("namespace blobs");
/// What a namespace uses.
pub(crate) const USAGE: Table<NamespaceId, Usage> = Table::new("usage");
/// A blob in a repository: linked, or only referred to.
pub(crate) const REPOSITORY_BLOBS: Table<(RepositoryId, Digest), RepositoryBlob> =
    Table::new("repository blobs");
/// (blob, repository): where a blob is linked, for mounts that name no source.
pub(crate) const BLOB_REPOSITORIES: Table<(Digest, RepositoryId), ()> = Table::new("blob repositories");
/// Push graces by the time they end.
pub(crate) const BLOB_GRACE: Table<(u64, RepositoryId, Digest), ()> = Table::new("blob grace");

/// Open upload sessions.
pub(crate) const UPLOADS: Table<UploadId, Upload> = Table::new("uploads");
/// The sessions of a repository.
pub(crate) const REPOSITORY_UPLOADS: Table<(RepositoryId, UploadId), ()> = Table::new("repository uploads");
/// The same by the time they expire.
pub(crate) const UPLOAD_EXPIRY: Table<(u64, UploadId), ()> = Table::new("upload expiry");

/// How many are open: (0, namespace) and (1, principal).
pub(crate) const UPLOAD_COUNTS: Table<(u8, u64), Count> = Table::new("upload counts");

/// First byte of a digest or of an upload's name → what there is of that in the whole registry.
pub(crate) const TOTALS: Table<u8, Totals> = Table::new("totals");

/// Manifests from which a hold was taken, and at which the collection has yet to look.
pub(crate) const CANDIDATES: Table<(NamespaceId, RepositoryId, Digest), ()> = Table::new("candidates");
/// Repositories where a walk that is too long for one write says how it is, until something changes there.
pub(crate) const WALKED: Table<RepositoryId, ()> = Table::new("walked");

/// Files that wait to be unlinked.
pub(crate) const UNLINKS: Table<Unlink, ()> = Table::new("unlinks");
/// Work that waits for the background lane → how far it came: the last digest that was done, encoded as a key.
pub(crate) const WORK: Table<(NamespaceId, RepositoryId, Work), Vec<u8>> = Table::new("work");
