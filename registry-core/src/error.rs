//! Every way an operation can refuse. Only the edge turns these into statuses or codes.

use std::io;

use crate::access::{Action, NamespaceAction};
use crate::oci::{Digest, RepositoryName};

/// Why an operation was refused or failed. After any of these, nothing of the operation happened; but
/// [`Error::Unavailable`] leaves open whether all of it did.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository does not exist, or must look so to this actor.
    #[error("repository {0} is not known")]
    RepositoryUnknown(RepositoryName),
    /// The repository has no such blob.
    #[error("blob {0} is not known to the repository")]
    BlobUnknown(Digest),
    /// A live manifest refers to the blob.
    #[error("blob {0} is referred to by a manifest")]
    BlobInUse(Digest),
    /// The repository has no such manifest or tag.
    #[error("manifest {0} is not known to the repository")]
    ManifestUnknown(String),
    /// A manifest refers to content that the repository does not hold.
    #[error("manifest refers to content that the repository does not hold")]
    ManifestBlobUnknown(Vec<Digest>),
    /// The upload session does not exist, has ended, or belongs to somebody else.
    #[error("upload is not known")]
    UploadUnknown,
    /// The namespace or the principal has as many uploads open as it may.
    #[error("too many uploads are open: end some, or let them expire")]
    TooManyUploads,
    /// Another request is writing to the upload.
    #[error("upload is being written by another request")]
    UploadBusy,
    /// The content does not have the digest that was announced, but this one.
    #[error("content has digest {0}, not the one announced")]
    DigestMismatch(Digest),
    /// The blob is larger than the registry takes.
    #[error("blob is larger than {limit_bytes} bytes")]
    BlobTooLarge {
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// The precondition that came with a manifest does not hold.
    #[error("the reference does not stand where the precondition wants it")]
    PreconditionFailed,
    /// The action is not granted to the actor.
    #[error("{action} on {repository} is not granted")]
    Denied {
        /// What was asked for.
        action: Action,
        /// Where.
        repository: RepositoryName,
    },
    /// Nobody is signed in, and the action is not open to everybody.
    #[error("signing in is needed to {action} on {repository}")]
    SignInNeeded {
        /// What was asked for.
        action: Action,
        /// Where.
        repository: RepositoryName,
    },
    /// The credential was revoked: its principal is gone, disabled, or has a newer one.
    #[error("the credential is no longer valid")]
    CredentialRevoked,
    /// Nobody is signed in.
    #[error("signing in is needed")]
    NotSignedIn,
    /// The action on the namespace is not granted to the actor.
    #[error("to {action} {namespace} is not granted")]
    DeniedInNamespace {
        /// What was asked for.
        action: NamespaceAction,
        /// Where.
        namespace: String,
    },
    /// The name is in the configuration as a superuser's or a reader's, or its robots' names are: what bears it cannot be
    /// deleted, renamed or taken over, as whoever came to have the name next would be one; nor does anybody else come to it.
    #[error("{0} is named in the configuration of superusers")]
    Privileged(String),
    /// Somebody is signed in who may not do this as themselves, or not by this credential.
    #[error("this is not granted to the account, or not to the credential")]
    NotForCredential,
    /// The credential is good, but not from where it is used.
    #[error("the credential is not accepted from this address")]
    AddressRefused,
    /// There is no such token, or not for this actor.
    #[error("token is not known")]
    TokenUnknown,
    /// The organization has no such application.
    #[error("application {0} is not known")]
    ApplicationUnknown(String),
    /// The application has not registered the address that a client is to be sent to.
    #[error("the redirect address is not registered")]
    RedirectRefused,
    /// No user or organization has the name.
    #[error("namespace {0} is not known")]
    NamespaceUnknown(String),
    /// The namespace is a user's, and what was asked for is for organizations.
    #[error("{0} is not an organization")]
    NotAnOrganization(String),
    /// No user or robot has the name, or none that the actor may know of.
    #[error("{0} is no user or robot that is known here")]
    PrincipalUnknown(String),
    /// The organization has no such team.
    #[error("team {0} is not known")]
    TeamUnknown(String),
    /// The organization has no such default permission.
    #[error("default permission is not known")]
    PrototypeUnknown,
    /// There is no such grant, or membership.
    #[error("{0} has no such grant")]
    GrantUnknown(String),
    /// The principal is a member of the team already.
    #[error("{0} is a member already")]
    MemberAlready(String),
    /// It would leave the organization without an administrator.
    #[error("an organization keeps at least one administrator")]
    LastAdministrator,
    /// Owners of a namespace have every right in it, which cannot be granted or taken away.
    #[error("{0} owns the namespace")]
    OwnsNamespace(String),
    /// There are as many as there may be.
    #[error("there are too many {0}")]
    TooMany(&'static str),
    /// Robots are not allowed, by the configuration or for this user.
    #[error("robots cannot be created here")]
    RobotsRefused,
    /// The name is taken by a user or an organization.
    #[error("the name {0} is taken")]
    NameTaken(String),
    /// The first administrator can only be made while there is no user.
    #[error("the registry has users already")]
    AlreadyInitialized,
    /// Nobody wants the outcome any more.
    #[error("the operation was given up")]
    GivenUp,
    /// The disk, or the space kept ahead on it, is used up.
    #[error("storage is full")]
    StorageFull,
    /// Storage failed in a way that may pass.
    #[error("storage is unavailable")]
    Unavailable,
    /// The data directory is used by another process.
    #[error("the data directory is in use: {0}")]
    InUse(String),
    /// A row does not decode: it is damaged, or a later version of this program wrote it.
    #[error("table {0} holds a row that cannot be read")]
    Corrupt(&'static str),
    /// The metadata engine failed; the cause is for the log, never for a client.
    #[error("metadata failed")]
    Metadata(#[source] Box<redb::Error>),
    /// A file failed; the cause is for the log, never for a client.
    #[error("a file failed")]
    File(#[source] io::Error),
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        if is_full(&cause) { Self::StorageFull } else { Self::File(cause) }
    }
}

/// Whether an I/O error means that there is no room: on the disk, or within the user's disk quota.
pub(crate) fn is_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
