//! A plain twin of the registry, in maps, and the random moves that both make.

use std::collections::{BTreeMap, BTreeSet};

use registry_core::UploadId;
use registry_core::oci::{Algorithm, Digest, Manifest};

use crate::support::{Random, digest, image, index, large, referrer};

pub(crate) const REPOSITORIES: [&str; 3] = ["acme/app", "acme/tools", "zeta/app"];
const TAGS: [&str; 3] = ["latest", "v1", "v2"];
pub(crate) const CONTENTS: [&str; 6] = ["{}", "one", "two", "three", "four", "five five five five five five"];
pub(crate) const GRACE_MS: u64 = 60_000;
pub(crate) const WINDOW_MS: u64 = 45_000;

/// What is known of a blob in a repository.
#[derive(Clone, Default)]
struct Blob {
    is_linked: bool,
    grace_ms: Option<u64>,
}

#[derive(Clone)]
struct Stored {
    manifest: Manifest,
    withdrawn_ms: Option<u64>,
    /// Whether its own push holds it.
    is_pushed: bool,
}

/// A row of a tag's history.
#[derive(Clone)]
struct Row {
    digest: Digest,
    start_ms: u64,
    end_ms: Option<u64>,
}

#[derive(Clone, Default)]
struct Repository {
    tags: BTreeMap<&'static str, Vec<Row>>,
    manifests: BTreeMap<Digest, Stored>,
    /// Every manifest that ever was there.
    known: BTreeMap<Digest, Manifest>,
    blobs: BTreeMap<Digest, Blob>,
}

impl Repository {
    /// How many manifests, present or withdrawn, refer to the blob.
    fn references(&self, blob: &Digest, is_withdrawn: bool) -> usize {
        let refers = |stored: &&Stored| {
            stored.withdrawn_ms.is_some() == is_withdrawn
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
        self.manifests.get(manifest).is_some_and(|stored| stored.withdrawn_ms.is_none())
    }

    fn live_tags(&self) -> BTreeMap<&'static str, Digest> {
        let live = |rows: &Vec<Row>| rows.last().filter(|row| row.end_ms.is_none()).map(|row| row.digest);
        self.tags.iter().filter_map(|(tag, rows)| Some((*tag, live(rows)?))).collect()
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
        let known: Vec<Digest> =
            self.repositories.get(at).map(|found| found.known.keys().copied().collect()).unwrap_or_default();
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
            Move::PutLarge { at, reference } => return self.at(at).put(&large(), *reference, now_ms),
            Move::PutImage { at, reference, layers } => {
                return self.at(at).put(&image(layers), *reference, now_ms);
            }
            Move::PutIndex { at, reference, children } => {
                return self.at(at).put(&index(children), *reference, now_ms);
            }
            Move::PutReferrer { at, subject } => {
                return self.at(at).put(&referrer(subject, "a/type"), None, now_ms);
            }
            Move::DeleteTag { at, tag } => return self.at(at).end(tag, now_ms),
            Move::DeleteManifest { at, digest } => return self.at(at).withdraw(digest, now_ms),
            Move::DeleteBlob { at, content } => return self.at(at).delete_blob(&digest(content.as_bytes())),
            Move::Mount { from, at, content } => {
                let blob = digest(content.as_bytes());
                if !self.at(from).is_visible(&blob) {
                    return false;
                }
                self.at(at).link(&blob, now_ms);
            }
            Move::Restore { at, tag, digest } => return self.at(at).restore(tag, digest, now_ms),
            Move::DeleteRepository { at } => self.forget(|other| other == *at),
            Move::DeleteOrganization { named } => self.forget(|other| other.split('/').next() == Some(named)),
            Move::Background { after_ms } => {
                self.now_ms += after_ms;
                let now_ms = self.now_ms;
                self.repositories.values_mut().for_each(|repository| repository.collect(now_ms));
            }
        }
        true
    }

    fn forget(&mut self, is_meant: impl Fn(&str) -> bool) {
        self.repositories.retain(|at, _| !is_meant(at));
        self.uploads.retain(|upload| !is_meant(upload.at));
    }

    /// The manifests that a repository ever had.
    pub(crate) fn manifests(&self, at: &str) -> impl Iterator<Item = (&Digest, &Manifest)> {
        let repository = self.repositories.get(at).into_iter();
        repository.flat_map(|found| found.known.iter())
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
            seen.insert(format!("{at} tags"), format!("{:?}", repository.live_tags()));
            for (digest, _) in asking.manifests(at) {
                seen.insert(format!("{at} manifest {digest}"), repository.is_present(digest).to_string());
            }
            for (digest, manifest) in asking.manifests(at) {
                if let Some(subject) = manifest.subject() {
                    let is_listed = repository.is_present(digest);
                    seen.insert(format!("{at} referrer {subject} {digest}"), is_listed.to_string());
                }
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

    fn put(&mut self, manifest: &Manifest, tag: Option<&'static str>, now_ms: u64) -> bool {
        if !manifest.blobs().iter().all(|blob| self.is_visible(&blob.digest)) {
            return false;
        }
        let digest = manifest.digest(Algorithm::Sha256);
        self.known.insert(digest, manifest.clone());
        let stored = Stored { manifest: manifest.clone(), withdrawn_ms: None, is_pushed: false };
        let stored = self.manifests.entry(digest).or_insert(stored);
        stored.withdrawn_ms = None;
        self.end_references_grace(&digest);
        for child in manifest.children() {
            self.manifests.entry(*child).and_modify(|stored| stored.is_pushed = false);
        }
        match tag {
            Some(tag) => self.set(tag, &digest, now_ms),
            None => self.hold_by_push(&digest),
        }
        true
    }

    fn hold_by_push(&mut self, digest: &Digest) {
        let is_tagged = self.live_tags().values().any(|tagged| tagged == digest);
        let subject = self.manifests[digest].manifest.subject();
        if !is_tagged && !subject.is_some_and(|subject| self.is_present(subject)) {
            self.manifests.get_mut(digest).unwrap().is_pushed = true;
        }
    }

    fn set(&mut self, tag: &'static str, digest: &Digest, now_ms: u64) {
        let rows = self.tags.entry(tag).or_default();
        let last = rows.last().map_or(0, |last| (last.start_ms + 1).max(last.end_ms.unwrap_or(0)));
        let start_ms = now_ms.max(last);
        self.end(tag, start_ms);
        self.tags.entry(tag).or_default().push(Row { digest: *digest, start_ms, end_ms: None });
        self.manifests.get_mut(digest).unwrap().is_pushed = false;
    }

    /// Ends the tag, if it is alive.
    fn end(&mut self, tag: &str, now_ms: u64) -> bool {
        let last = self.tags.get_mut(tag).and_then(|rows| rows.last_mut());
        let Some(live) = last.filter(|row| row.end_ms.is_none()) else { return false };
        live.end_ms = Some(now_ms.max(live.start_ms + 1));
        true
    }

    fn end_references_grace(&mut self, manifest: &Digest) {
        for blob in self.manifests[manifest].manifest.blobs().to_vec() {
            self.blobs.entry(blob.digest).or_default().grace_ms = None;
        }
    }

    fn withdraw(&mut self, digest: &Digest, now_ms: u64) -> bool {
        if !self.is_present(digest) {
            return false;
        }
        let stored = self.manifests.get_mut(digest).unwrap();
        stored.withdrawn_ms = Some(now_ms);
        stored.is_pushed = false;
        for (tag, _) in self.live_tags().into_iter().filter(|(_, tagged)| tagged == digest) {
            self.end(tag, now_ms);
        }
        true
    }

    fn restore(&mut self, tag: &'static str, digest: &Digest, now_ms: u64) -> bool {
        let Some(stored) = self.manifests.get_mut(digest) else { return false };
        if stored.withdrawn_ms.is_some_and(|at_ms| at_ms + WINDOW_MS <= now_ms) {
            return false;
        }
        stored.withdrawn_ms = None;
        self.end_references_grace(digest);
        self.set(tag, digest, now_ms);
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

    /// Everything goes that time has ended and that nothing else holds.
    fn collect(&mut self, now_ms: u64) {
        for rows in self.tags.values_mut() {
            rows.retain(|row| row.end_ms.is_none_or(|end_ms| end_ms + WINDOW_MS > now_ms));
        }
        let present: BTreeSet<Digest> =
            self.manifests.keys().filter(|digest| self.is_present(digest)).copied().collect();
        for stored in self.manifests.values_mut() {
            // A subject that came later takes over from the push.
            stored.is_pushed &= !stored.manifest.subject().is_some_and(|subject| present.contains(subject));
        }
        let held = self.held(now_ms);
        self.manifests.retain(|digest, _| held.contains(digest));
        self.end_graces(now_ms);
        for blob in self.blobs.keys().copied().collect::<Vec<_>>() {
            let is_needed = self.references(&blob, false) + self.references(&blob, true) > 0;
            if !is_needed && self.blobs[&blob].grace_ms.is_none() {
                self.blobs.remove(&blob);
            }
        }
    }

    /// The manifests that something holds: as "What holds a manifest" of the architecture says.
    fn held(&self, now_ms: u64) -> BTreeSet<Digest> {
        let tagged: BTreeSet<Digest> = self.tags.values().flatten().map(|row| row.digest).collect();
        let is_restorable = |stored: &Stored| stored.withdrawn_ms.is_some_and(|at| at + WINDOW_MS > now_ms);
        let is_root = |(digest, stored): &(&Digest, &Stored)| {
            tagged.contains(*digest) || stored.is_pushed || is_restorable(stored)
        };
        let mut held: BTreeSet<Digest> =
            self.manifests.iter().filter(is_root).map(|(digest, _)| *digest).collect();
        loop {
            let is_below = |(digest, stored): &(&Digest, &Stored)| {
                let is_listed = |above: &Digest| self.manifests[above].manifest.children().contains(digest);
                self.is_present(digest)
                    && (held.iter().any(is_listed)
                        || stored.manifest.subject().is_some_and(|subject| held.contains(subject)))
            };
            let below: Vec<Digest> =
                self.manifests.iter().filter(is_below).map(|(digest, _)| *digest).collect();
            let before = held.len();
            held.extend(below);
            if held.len() == before {
                return held;
            }
        }
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
