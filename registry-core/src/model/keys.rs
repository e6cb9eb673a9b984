//! The components that keys are made of, beside the plain ones of the codec.

mod bytes;

pub use self::bytes::{PrototypeId, UploadId};
pub(crate) use self::bytes::{SecretHash, SessionKey};
use crate::access::PrincipalId;
use crate::metadata::key::{Component, take, write_text};
use crate::metadata::record::{Field, Record};
use crate::oci::{Algorithm, Digest, Tag};

/// Declares a compact id: a number that is never given out twice.
macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) u64);
        id_encodings!($name);
    };
}

macro_rules! id_encodings {
    ($name:ident) => {
        impl Component for $name {
            fn write(&self, out: &mut Vec<u8>) {
                Component::write(&self.0, out);
            }
            fn read(input: &mut &[u8]) -> Option<Self> {
                <u64 as Component>::read(input).map(Self)
            }
        }
        impl Field for $name {
            fn write(&self, out: &mut Vec<u8>) {
                Field::write(&self.0, out);
            }
            fn read(input: &mut &[u8]) -> Option<Self> {
                <u64 as Field>::read(input).map(Self)
            }
        }
        impl Record for $name {
            fn encode(&self) -> Vec<u8> {
                Component::encode(self)
            }
            fn decode(bytes: &[u8]) -> Option<Self> {
                Component::decode(bytes)
            }
        }
    };
}

id! {
    /// A user's or an organization's namespace.
    NamespaceId
}
id! {
    /// A repository.
    RepositoryId
}
id! {
    /// A team of an organization.
    TeamId
}
id! {
    /// An OAuth application.
    ApplicationId
}
id_encodings!(PrincipalId);

/// A user's id is that of the namespace that bears the user's name.
impl From<PrincipalId> for NamespaceId {
    fn from(id: PrincipalId) -> Self {
        Self(id.0)
    }
}

/// An algorithm byte, then the raw bytes of the hash.
impl Component for Digest {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self.algorithm() {
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
        });
        out.extend_from_slice(self.raw());
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        match take::<1>(input)? {
            [1] => Self::from_raw(Algorithm::Sha256, &take::<32>(input)?),
            [2] => Self::from_raw(Algorithm::Sha512, &take::<64>(input)?),
            _ => None,
        }
    }
}

impl Component for Tag {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self.as_str(), out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        <String as Component>::read(input)?.parse().ok()
    }
}

/// Who finds a repository by a word of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Realm {
    /// Who sees everything.
    Everything,
    /// Everybody.
    Public,
    /// Who sees all of the namespace.
    Namespace(NamespaceId),
}

impl Component for Realm {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Everything => 1u8.write(out),
            Self::Public => 2u8.write(out),
            Self::Namespace(id) => (3u8, *id).write(out),
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Some(match take::<1>(input)? {
            [1] => Self::Everything,
            [2] => Self::Public,
            [3] => Self::Namespace(Component::read(input)?),
            _ => return None,
        })
    }
}

/// Who can be granted a role on a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Grantee {
    /// A user or a robot.
    Principal(PrincipalId),
    /// The members of a team.
    Team(TeamId),
}

impl Component for Grantee {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Principal(id) => (1u8, *id).write(out),
            Self::Team(id) => (2u8, *id).write(out),
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        match take::<1>(input)? {
            [1] => <PrincipalId as Component>::read(input).map(Self::Principal),
            [2] => <TeamId as Component>::read(input).map(Self::Team),
            _ => None,
        }
    }
}

/// A grantee as a field; the default only stands in for a field that an older record lacks.
impl Default for Grantee {
    fn default() -> Self {
        Self::Principal(PrincipalId::default())
    }
}

impl Field for Grantee {
    fn write(&self, out: &mut Vec<u8>) {
        Component::write(self, out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Component::read(input)
    }
}

/// What keeps a manifest in a repository (see ARCHITECTURE.md, "What holds a manifest"). That a subject does is in the
/// referrer's link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hold {
    /// A live tag points at it.
    LiveTag(Tag),
    /// A tag pointed at it until it was moved or ended; the row that started then can be restored.
    DeadTag(Tag, u64),
    /// An index lists it. The row exists as soon as the index does, even while the child is absent.
    Index(Digest),
    /// It was pushed by digest alone, or before its subject.
    Push,
    /// It was deleted by digest and can be restored.
    Withdrawn,
}

impl Component for Hold {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::LiveTag(tag) => (1u8, tag.clone()).write(out),
            Self::DeadTag(tag, start) => (2u8, tag.clone(), *start).write(out),
            Self::Index(parent) => (3u8, *parent).write(out),
            Self::Push => 4u8.write(out),
            Self::Withdrawn => 5u8.write(out),
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Some(match take::<1>(input)? {
            [1] => Self::LiveTag(Component::read(input)?),
            [2] => Self::DeadTag(Component::read(input)?, Component::read(input)?),
            [3] => Self::Index(Component::read(input)?),
            [4] => Self::Push,
            [5] => Self::Withdrawn,
            _ => return None,
        })
    }
}

impl Hold {
    /// The component that every [`Hold::LiveTag`] key starts with, for scans.
    pub(crate) const LIVE_TAGS: u8 = 1;
    /// The same of every [`Hold::Index`] key.
    pub(crate) const INDEXES: u8 = 3;
}

/// A file that no row names any more and that waits to be unlinked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unlink {
    /// The file of this digest.
    Blob(Digest),
    /// The staged file of this upload.
    Staged(UploadId),
}

impl Component for Unlink {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Blob(digest) => (1u8, *digest).write(out),
            Self::Staged(upload) => (2u8, *upload).write(out),
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        match take::<1>(input)? {
            [1] => Digest::read(input).map(Self::Blob),
            [2] => UploadId::read(input).map(Self::Staged),
            _ => None,
        }
    }
}

/// Work that is too large for one write and waits for the background lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// End the tags that still point at a manifest deleted by digest.
    EndTags(Digest),
    /// A subject came after its referrers: it holds them now, and their own push no longer does.
    HoldReferrers(Digest),
    /// A subject went: the collection looks at its referrers.
    NominateReferrers(Digest),
    /// Remove what is left of a deleted repository.
    PurgeRepository,
    /// Remove what is left of a deleted account.
    PurgeAccount,
    /// Remove what is left of a deleted namespace.
    PurgeNamespace,
}

impl Component for Work {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::EndTags(digest) => (1u8, *digest).write(out),
            Self::HoldReferrers(subject) => (2u8, *subject).write(out),
            Self::PurgeRepository => out.push(3),
            Self::PurgeAccount => out.push(4),
            Self::PurgeNamespace => out.push(5),
            Self::NominateReferrers(subject) => (6u8, *subject).write(out),
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        match take::<1>(input)? {
            [1] => Digest::read(input).map(Self::EndTags),
            [2] => Digest::read(input).map(Self::HoldReferrers),
            [3] => Some(Self::PurgeRepository),
            [4] => Some(Self::PurgeAccount),
            [5] => Some(Self::PurgeNamespace),
            [6] => Digest::read(input).map(Self::NominateReferrers),
            _ => None,
        }
    }
}
