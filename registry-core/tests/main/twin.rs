//! A plain twin of the registry, in maps, and the random moves that both make.

use std::collections::{BTreeMap, BTreeSet};

use registry_core::UploadId;
use registry_core::oci::{Algorithm, Digest, Manifest};

use crate::support::{Random, digest, image, index, large, referrer};

pub(crate) const REPOSITORIES: [&str; 3] = ["acme/app", "acme/tools", "zeta/app"];
const TAGS: [&str; 3] = ["latest", "v1", "v2"];
pub(crate) const CONTENTS: [&str; 6] = ["{}", "one", "two", "three", "four", "five five five five five five"];
pub(crate) const GRACE_MS: u64 = 60_000;

/// What is known of a blob in a repository.
#[derive(Clone, Default)]
struct Blob {
    is_linked: bool,
    grace_ms: Option<u64>,
}

#[derive(Clone)]
struct Stored {
    manifest: Manifest,
    is_withdrawn: bool,
}

#[derive(Clone, Default)]
struct Repository {
    tags: BTreeMap<&'static str, Digest>,
    manifests: BTreeMap<Digest, Stored>,
    blobs: BTreeMap<Digest, Blob>,
}

impl Repository {
    /// How many manifests, present or withdrawn, refer to the blob.
    fn references(&self, blob: &Digest, is_withdrawn: bool) -> usize {
        let refers = |stored: &&Stored| {
            stored.is_withdrawn == is_withdrawn
                && stored.manifest.blobs().iter().any(|found| found.digest == *blob)
        };
        self.manifests.values().filter(refers).count()
    }

    fn is_visible(&self, blob: &Digest) -> bool {
        let known = self.blobs.get(blob);
        known.is_some_and(|known| {
            known.is_linked && (known.grace_ms.is_some() || self.references(blob, false) > 0)
        })
    }

    fn is_present(&self, manifest: &Digest) -> bool {
        self.manifests.get(manifest).is_some_and(|stored| !stored.is_withdrawn)
    }
}

/// An upload that was begun, and how much of its content was saved.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) at: &'static str,
    pub(crate) id: UploadId,
    pub(crate) content: &'static str,
    pub(crate) saved: u64,
}

/// The twin.
#[derive(Clone, Default)]
pub(crate) struct Twin {
    repositories: BTreeMap<&'static str, Repository>,
    pub(crate) uploads: Vec<Open>,
    /// What was recorded, and how often. That repositories were made is left out.
    events: BTreeMap<String, usize>,
    pub(crate) now_ms: u64,
}

/// A move.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Upload {
        at: &'static str,
        content: &'static str,
    },
    Begin {
        at: &'static str,
        content: &'static str,
        bytes: usize,
    },
    Finish {
        upload: Open,
    },
    Cancel {
        upload: Open,
    },
    PutImage {
        at: &'static str,
        reference: Option<&'static str>,
        layers: Vec<&'static str>,
    },
    PutIndex {
        at: &'static str,
        reference: Option<&'static str>,
        children: Vec<Digest>,
    },
    PutReferrer {
        at: &'static str,
        subject: Digest,
    },
    PutLarge {
        at: &'static str,
        reference: Option<&'static str>,
    },
    DeleteTag {
        at: &'static str,
        tag: &'static str,
    },
    DeleteManifest {
        at: &'static str,
        digest: Digest,
    },
    DeleteBlob {
        at: &'static str,
        content: &'static str,
    },
    Mount {
        from: &'static str,
        at: &'static str,
        content: &'static str,
    },
    Restore {
        at: &'static str,
        tag: &'static str,
        digest: Digest,
    },
    DeleteRepository {
        at: &'static str,
    },
    /// With everything in it, be it an organization that a push made.
    DeleteOrganization {
        named: &'static str,
    },
    Background {
        after_ms: u64,
    },
}

impl Move {
    /// Whether it is made of several commits, each of which is seen.
    pub(crate) fn is_gradual(&self) -> bool {
        matches!(self, Self::Background { .. })
    }

    /// What is recorded of it, if it is granted.
    fn event(&self) -> Option<String> {
        let pushed = |at: &str, reference: &Option<&str>, manifest: Manifest| {
            let digest = manifest.digest(Algorithm::Sha256).to_string();
            Some(format!("push_repo {at} {}", reference.unwrap_or(&digest)))
        };
        match self {
            Self::PutImage { at, reference, layers } => pushed(at, reference, image(layers)),
            Self::PutIndex { at, reference, children } => pushed(at, reference, index(children)),
            Self::PutReferrer { at, subject } => pushed(at, &None, referrer(subject, "a/type")),
            Self::PutLarge { at, reference } => pushed(at, reference, large()),
            Self::DeleteTag { at, tag } => Some(format!("delete_tag {at} {tag}")),
            Self::DeleteManifest { at, digest } => Some(format!("delete_manifest {at} {digest}")),
            Self::Restore { at, tag, .. } => Some(format!("revert_tag {at} {tag}")),
            Self::DeleteRepository { at } => Some(format!("delete_repo {at} ")),
            Self::DeleteOrganization { named } => Some(format!("org_delete {named}/ ")),
            _ => None,
        }
    }

    /// Whether it can be one of several in a batch with one commit: it must not read what the batch has written.
    pub(crate) fn can_be_batched(&self) -> bool {
        !matches!(
            self,
            Self::Upload { .. } | Self::Begin { .. } | Self::Mount { .. } | Self::Background { .. }
        )
    }
}

impl Twin {
    /// Of a registry that is new.
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { now_ms, ..Self::default() }
    }

    /// Chooses a move, mostly one that can be made.
    pub(crate) fn choose(&self, random: &mut Random) -> Move {
        let at = random.pick(&REPOSITORIES);
        let content = random.pick(&CONTENTS);
        let reference = (random.below(3) > 0).then(|| random.pick(&TAGS));
        match random.below(30) {
            0..=4 => Move::Upload { at, content },
            5 => Move::Begin { at, content, bytes: random.below(content.len() + 1) },
            6..=11 => self.choose_image(at, reference, random),
            12..=13 => Move::PutIndex { at, reference, children: vec![self.some_digest(at, random)] },
            14 => Move::PutReferrer { at, subject: self.some_digest(at, random) },
            15..=16 => Move::DeleteTag { at, tag: random.pick(&TAGS) },
            17 => Move::DeleteManifest { at, digest: self.some_digest(at, random) },
            18 => Move::DeleteBlob { at, content },
            19..=20 => Move::Mount { from: random.pick(&REPOSITORIES), at, content },
            21 => Move::Restore { at, tag: random.pick(&TAGS), digest: self.some_digest(at, random) },
            22 => Move::Background { after_ms: 0 },
            23 => Move::PutLarge { at, reference },
            24..=26 if !self.uploads.is_empty() => {
                let upload = self.uploads[random.below(self.uploads.len())].clone();
                if random.below(4) > 0 { Move::Finish { upload } } else { Move::Cancel { upload } }
            }
            24..=26 => Move::Begin { at, content, bytes: random.below(content.len() + 1) },
            // One that is certain to be there: a session that a cut left open may have made others.
            27 if self.manifests(at).next().is_some() => self.choose_deletion(at, random),
            _ => Move::Background { after_ms: random.below(GRACE_MS as usize) as u64 },
        }
    }

    fn choose_deletion(&self, at: &'static str, random: &mut Random) -> Move {
        let namespace = at.split('/').next().unwrap_or(at);
        match random.below(3) {
            0 => Move::DeleteOrganization { named: namespace },
            _ => Move::DeleteRepository { at },
        }
    }

    /// An image of blobs that are there, seldom of others.
    fn choose_image(&self, at: &'static str, reference: Option<&'static str>, random: &mut Random) -> Move {
        let repository = self.repositories.get(at).cloned().unwrap_or_default();
        let is_there = |content: &str| repository.is_visible(&digest(content.as_bytes()));
        let is_careless = random.below(10) == 0;
        if !is_careless && !is_there(CONTENTS[0]) {
            return Move::Upload { at, content: CONTENTS[0] };
        }
        let mut layers = CONTENTS[1..].to_vec();
        layers.retain(|layer| (is_careless || is_there(layer)) && random.below(3) > 0);
        Move::PutImage { at, reference, layers }
    }

    /// A manifest that the repository knows, or one that it does not.
    fn some_digest(&self, at: &str, random: &mut Random) -> Digest {
        let known: Vec<Digest> = self
            .repositories
            .get(at)
            .map(|found| found.manifests.keys().copied().collect())
            .unwrap_or_default();
        if known.is_empty() || random.below(8) == 0 {
            image(&["one"]).digest(Algorithm::Sha256)
        } else {
            random.pick(&known)
        }
    }

    fn at(&mut self, at: &'static str) -> &mut Repository {
        self.repositories.entry(at).or_default()
    }

    /// Makes the move and says whether it is granted.
    pub(crate) fn apply(&mut self, the_move: &Move, begun: Option<UploadId>) -> bool {
        let is_granted = self.change(the_move, begun);
        if let Some(event) = the_move.event().filter(|_| is_granted) {
            *self.events.entry(event).or_default() += 1;
        }
        is_granted
    }

    fn change(&mut self, the_move: &Move, begun: Option<UploadId>) -> bool {
        let now_ms = self.now_ms;
        match the_move {
            Move::Upload { at, content } => self.at(at).link(&digest(content.as_bytes()), now_ms),
            Move::Begin { at, content, bytes } => {
                if let Some(id) = begun {
                    self.uploads.push(Open { at, id, content, saved: *bytes as u64 });
                }
                return true;
            }
            Move::Finish { upload } => {
                self.uploads.retain(|open| open.id != upload.id);
                self.at(upload.at).link(&digest(upload.content.as_bytes()), now_ms);
            }
            Move::Cancel { upload } => self.uploads.retain(|open| open.id != upload.id),
            Move::PutLarge { at, reference } => return self.at(at).put(&large(), *reference),
            Move::PutImage { at, reference, layers } => return self.at(at).put(&image(layers), *reference),
            Move::PutIndex { at, reference, children } => {
                return self.at(at).put(&index(children), *reference);
            }
            Move::PutReferrer { at, subject } => return self.at(at).put(&referrer(subject, "a/type"), None),
            Move::DeleteTag { at, tag } => return self.at(at).tags.remove(tag).is_some(),
            Move::DeleteManifest { at, digest } => return self.at(at).withdraw(digest),
            Move::DeleteBlob { at, content } => return self.at(at).delete_blob(&digest(content.as_bytes())),
            Move::Mount { from, at, content } => {
                let blob = digest(content.as_bytes());
                if !self.at(from).is_visible(&blob) {
                    return false;
                }
                self.at(at).link(&blob, now_ms);
            }
            Move::Restore { at, tag, digest } => return self.at(at).restore(tag, digest),
            Move::DeleteRepository { at } => self.forget(|other| other == *at),
            Move::DeleteOrganization { named } => self.forget(|other| other.split('/').next() == Some(named)),
            Move::Background { after_ms } => {
                self.now_ms += after_ms;
                let now_ms = self.now_ms;
                self.repositories.values_mut().for_each(|repository| repository.end_graces(now_ms));
            }
        }
        true
    }

    fn forget(&mut self, is_meant: impl Fn(&str) -> bool) {
        self.repositories.retain(|at, _| !is_meant(at));
        self.uploads.retain(|upload| !is_meant(upload.at));
    }

    /// The manifests of a repository, the withdrawn ones among them.
    pub(crate) fn manifests(&self, at: &str) -> impl Iterator<Item = (&Digest, &Manifest)> {
        let repository = self.repositories.get(at).into_iter();
        repository.flat_map(|found| found.manifests.iter().map(|(digest, stored)| (digest, &stored.manifest)))
    }

    /// Everything that can be seen: what is asked → what is answered. Asked is for every manifest that `asking` knows.
    pub(crate) fn seen(&self, asking: &Self) -> BTreeMap<String, String> {
        let mut seen = BTreeMap::from([("events".to_owned(), format!("{:?}", self.events))]);
        for at in REPOSITORIES {
            let repository = self.repositories.get(at).cloned().unwrap_or_default();
            for content in CONTENTS {
                let is_visible = repository.is_visible(&digest(content.as_bytes()));
                seen.insert(format!("{at} blob {content}"), is_visible.to_string());
            }
            seen.insert(format!("{at} tags"), format!("{:?}", repository.tags));
            for (digest, _) in asking.manifests(at) {
                seen.insert(format!("{at} manifest {digest}"), repository.is_present(digest).to_string());
                let refers =
                    |stored: &Stored| !stored.is_withdrawn && stored.manifest.subject() == Some(digest);
                let referrers = repository.manifests.iter().filter(|(_, stored)| refers(stored));
                let referrers: BTreeSet<String> = referrers.map(|(digest, _)| digest.to_string()).collect();
                seen.insert(format!("{at} referrers {digest}"), format!("{referrers:?}"));
            }
        }
        seen
    }
}

impl Repository {
    fn link(&mut self, blob: &Digest, now_ms: u64) {
        let grace_ms = (self.references(blob, false) == 0).then_some(now_ms + GRACE_MS);
        self.blobs.insert(*blob, Blob { is_linked: true, grace_ms });
    }

    fn put(&mut self, manifest: &Manifest, tag: Option<&'static str>) -> bool {
        if !manifest.blobs().iter().all(|blob| self.is_visible(&blob.digest)) {
            return false;
        }
        let digest = manifest.digest(Algorithm::Sha256);
        self.manifests.insert(digest, Stored { manifest: manifest.clone(), is_withdrawn: false });
        self.end_references_grace(&digest);
        if let Some(tag) = tag {
            self.tags.insert(tag, digest);
        }
        true
    }

    fn end_references_grace(&mut self, manifest: &Digest) {
        for blob in self.manifests[manifest].manifest.blobs().to_vec() {
            self.blobs.entry(blob.digest).or_default().grace_ms = None;
        }
    }

    fn withdraw(&mut self, digest: &Digest) -> bool {
        if !self.is_present(digest) {
            return false;
        }
        self.manifests.get_mut(digest).unwrap().is_withdrawn = true;
        self.tags.retain(|_, target| target != digest);
        true
    }

    fn restore(&mut self, tag: &'static str, digest: &Digest) -> bool {
        let Some(stored) = self.manifests.get_mut(digest) else { return false };
        stored.is_withdrawn = false;
        self.end_references_grace(digest);
        self.tags.insert(tag, *digest);
        true
    }

    fn delete_blob(&mut self, blob: &Digest) -> bool {
        if !self.is_visible(blob) || self.references(blob, false) > 0 {
            return false;
        }
        let is_needed = self.references(blob, true) > 0;
        self.blobs.insert(*blob, Blob { is_linked: is_needed, grace_ms: None });
        true
    }

    fn end_graces(&mut self, now_ms: u64) {
        for blob in self.blobs.keys().copied().collect::<Vec<_>>() {
            if self.blobs[&blob].grace_ms.is_some_and(|until| until <= now_ms) {
                let is_needed = self.references(&blob, false) + self.references(&blob, true) > 0;
                self.blobs.insert(blob, Blob { is_linked: is_needed, grace_ms: None });
            }
        }
    }
}
