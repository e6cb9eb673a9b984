//! The records that tables hold. Times are milliseconds since the Unix epoch.

mod fields;

pub(crate) use self::fields::{DigestField, RoleField};
use super::keys::{ApplicationId, Grantee, NamespaceId, RepositoryId};
use crate::access::{PrincipalId, TeamRole};
use crate::metadata::record::record;

record! {
    /// A user's or an organization's namespace.
    pub(crate) struct Namespace {
        name: String,
        /// Otherwise it is a user's.
        is_organization: bool,
        created_ms: u64,
        /// How many of its repositories are in the public catalog.
        public_repositories: u64,
        /// Where an organization is written to; may be empty. A user's is with the account.
        email: String,
        /// Nobody finds it any more; what is left of it goes in the background.
        is_deleted: bool,
    }
}

record! {
    /// The account of a user or of a robot.
    pub(crate) struct User {
        /// Of a robot the part behind the plus sign: see `accounts::get` for the whole.
        name: String,
        email: String,
        /// An Argon2id hash in PHC form.
        password_hash: String,
        /// Raised by whatever ends the credentials given out so far.
        generation: u64,
        is_disabled: bool,
        /// Made a superuser by the one-time code; the configuration can name others.
        is_superuser: bool,
        created_ms: u64,
        /// A robot's namespace; it has no password.
        robot_of: Option<NamespaceId>,
        /// Nobody finds it any more; what is left of it goes in the background.
        is_deleted: bool,
    }
}

record! {
    /// What a robot is, beside its account.
    pub(crate) struct Robot {
        description: String,
        /// A JSON object that clients keep there; empty if none.
        metadata: String,
        /// What the present token was made with; see `registry::robots`.
        nonce: Vec<u8>,
        /// SHA-256 of the token.
        token_hash: Vec<u8>,
        /// Whether other organizations may grant it roles.
        is_usable_elsewhere: bool,
        /// When its credentials end; never without.
        expires_ms: Option<u64>,
        /// Patterns of the repositories that it keeps to, with blanks between them; all without.
        repositories: String,
        /// Blocks of addresses that it is used from, with blanks between them; everywhere without.
        networks: String,
        /// About when it signed in last: to the hour.
        accessed_ms: Option<u64>,
    }
}

record! {
    /// An OAuth application.
    pub(crate) struct Application {
        namespace: NamespaceId,
        client_id: String,
        name: String,
        description: String,
        application_uri: String,
        redirect_uri: String,
        avatar_email: Option<String>,
        /// What the present client secret was made with.
        nonce: Vec<u8>,
        /// SHA-256 of that secret.
        secret_hash: Vec<u8>,
        created_ms: u64,
        /// How many tokens it has.
        tokens: u64,
        /// Whether it is being deleted: its tokens are good no more.
        is_ending: bool,
        /// When the present redirect address was set, if it ever changed.
        redirect_set_ms: u64,
    }
}

record! {
    /// An access token of an application, or an app-specific token.
    pub(crate) struct Token {
        principal: PrincipalId,
        /// None for an app-specific token.
        application: Option<ApplicationId>,
        title: String,
        /// As [`crate::access::Scopes`] numbers them; of an app-specific token none.
        scopes: u64,
        /// What an app-specific token was made with, so that it can be shown again.
        nonce: Vec<u8>,
        /// SHA-256 of the token.
        secret_hash: Vec<u8>,
        created_ms: u64,
        expires_ms: Option<u64>,
        /// About when it was used last: written at most once an hour.
        accessed_ms: Option<u64>,
    }
}

record! {
    /// An authorization code that waits to be exchanged for a token.
    pub(crate) struct Code {
        principal: PrincipalId,
        application: ApplicationId,
        scopes: u64,
        /// Where it was sent to, which has to be repeated when it is exchanged.
        redirect_uri: String,
        expires_ms: u64,
        /// The generation of the principal who granted it: what ends their credentials ends it too.
        generation: u64,
    }
}

record! {
    /// A team of an organization.
    pub(crate) struct Team {
        organization: NamespaceId,
        name: String,
        description: String,
        role: TeamRole,
        /// How many members it has, robots among them.
        members: u64,
    }
}

record! {
    /// A grant that new repositories begin with.
    pub(crate) struct Prototype {
        /// Only for repositories that this user or robot creates.
        activating: Option<PrincipalId>,
        delegate: Grantee,
        role: RoleField,
    }
}

record! {
    /// What somebody who signed in with a browser holds.
    pub(crate) struct Session {
        principal: PrincipalId,
        /// The user's generation; with another one the session is no longer good.
        generation: u64,
        /// 32 random bytes: what a page of this session knows and another site's does not.
        csrf_secret: Vec<u8>,
        created_ms: u64,
        /// When the password was checked last.
        fresh_ms: u64,
        expires_ms: u64,
    }
}

record! {
    /// A repository.
    pub(crate) struct Repository {
        namespace: NamespaceId,
        path: String,
        is_public: bool,
        created_ms: u64,
        /// Manifests linked, the withdrawn ones among them.
        manifests: u64,
        /// Blobs linked.
        blobs: u64,
        /// Upload sessions open.
        uploads: u64,
        /// Whether a manifest was ever put; a repository that a push made goes when its last upload and blob go
        /// before one was.
        had_manifest: bool,
        /// Whether it was created for itself and not by a push: it stays, empty or not.
        was_created: bool,
        /// What people say of it; none if a push made it.
        description: Option<String>,
        /// Whether it takes no content (Quay: `READ_ONLY`).
        is_read_only: bool,
        /// Nobody finds it any more; what is left of it goes in the background.
        is_deleted: bool,
        /// How many starred it.
        stars: u64,
        /// Sizes of the blobs linked, each once, and of the manifests.
        blob_bytes: u64,
        manifest_bytes: u64,
        /// Tags that are alive.
        tags: u64,
    }
}

record! {
    /// What a namespace uses.
    pub(crate) struct Usage {
        /// Repositories that were not deleted.
        repositories: u64,
        /// Blobs that its repositories link, each once, and their sizes added up.
        blobs: u64,
        blob_bytes: u64,
        /// Manifests of its repositories, and their sizes. One that several of them have counts in each.
        manifests: u64,
        manifest_bytes: u64,
        /// Tags that are alive.
        tags: u64,
    }
}

record! {
    /// A tag as it stands.
    pub(crate) struct LiveTag { digest: DigestField, start_ms: u64, }
}

record! {
    /// One row of a tag's history.
    pub(crate) struct TagRow {
        digest: DigestField,
        /// When it was moved or ended; alive without.
        end_ms: Option<u64>,
        /// Whether a restore made it.
        is_reversion: bool,
    }
}

record! {
    /// A manifest, whoever pushed it.
    pub(crate) struct Manifest {
        size: u64,
        /// Whether its bytes are a blob file rather than a record.
        is_file: bool,
        /// How many repositories link it.
        repositories: u64,
    }
}

record! {
    /// A manifest's presence in a repository.
    pub(crate) struct ManifestLink {
        /// The type it was pushed with.
        media_type: String,
        pushed_ms: u64,
        /// When it was deleted by digest: it is absent to everybody, but can be restored.
        withdrawn_ms: Option<u64>,
        subject: Option<DigestField>,
        artifact_type: Option<String>,
        /// What its layers add up to; none for an index.
        layers_bytes: Option<u64>,
    }
}

record! {
    /// An entry of a referrers list; the rest of the descriptor is read from the manifest.
    pub(crate) struct Referrer { artifact_type: Option<String>, }
}

record! {
    /// A blob that some repository links.
    pub(crate) struct Blob {
        size: u64,
        /// Where its bytes are: 0, the path of its digest.
        place: u64,
        /// How many namespaces link it.
        namespaces: u64,
    }
}

record! {
    /// A blob in a repository.
    pub(crate) struct RepositoryBlob {
        /// Whether its bytes were uploaded or mounted here; otherwise manifests only refer to it.
        is_linked: bool,
        /// Manifests that refer to it, without the withdrawn ones.
        manifests: u64,
        /// Withdrawn manifests that refer to it.
        withdrawn: u64,
        /// Until when it stays although no manifest refers to it.
        grace_ms: Option<u64>,
    }
}

impl RepositoryBlob {
    /// Whether it can be pulled, mounted and referred to by a new manifest.
    pub(crate) fn is_visible(&self) -> bool {
        self.is_linked && (self.manifests > 0 || self.grace_ms.is_some())
    }
}

record! {
    /// A number of rows elsewhere.
    pub(crate) struct Count { count: u64, }
}

record! {
    /// A share of what the whole registry holds.
    pub(crate) struct Totals {
        /// Rows of blobs, and the sizes in them added up.
        blobs: u64,
        blob_bytes: u64,
        /// The same of manifests.
        manifests: u64,
        manifest_bytes: u64,
        /// Open upload sessions.
        uploads: u64,
    }
}

record! {
    /// An open upload session.
    pub(crate) struct Upload {
        namespace: NamespaceId,
        repository: RepositoryId,
        /// Who began it; none for the embedder.
        principal: Option<PrincipalId>,
        /// Bytes that were on disk when the state was saved.
        offset: u64,
        /// The hash's state after these bytes; empty before anything was saved.
        hash_state: Vec<u8>,
        /// The algorithm announced: 1 sha256, 2 sha512.
        algorithm: u64,
        created_ms: u64,
        expires_ms: u64,
    }
}
