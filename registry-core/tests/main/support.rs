//! A registry on a simulated disk, and the few moves that every test makes.

use registry_core::oci::{Algorithm, Digest, Manifest, NamespaceName, Reference, RepositoryName, Tag};
use registry_core::simulation::SimulatedDisk;
use registry_core::{Actor, Clock, Entropy, Error, NewUser, Principal, Registry, Settings, UploadId};

/// The embedder, who may do everything.
pub(crate) const OWNER: Actor = Actor::Owner;

/// When every test begins.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// A registry whose disk and clock a test can reach.
pub(crate) struct Site {
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    settings: Settings,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (disk, clock) = (SimulatedDisk::new(), Clock::manual(START_MS));
        let registry = open(&disk, &settings, &clock, 1);
        Self { disk, clock, registry, settings }
    }

    /// With a registry that is open already.
    pub(crate) fn on(disk: SimulatedDisk, clock: Clock, registry: Registry, settings: Settings) -> Self {
        Self { disk, clock, registry, settings }
    }

    /// Closes the registry and opens it again.
    pub(crate) fn restart(&mut self) {
        self.registry.close().unwrap();
        self.reopen();
    }

    /// Opens the registry again as after a kill: nothing was closed, and what was written is there.
    pub(crate) fn kill(&mut self) {
        self.move_to(self.disk.cut(self.disk.log_len(), 0));
    }

    /// Opens the registry on another disk.
    pub(crate) fn move_to(&mut self, disk: SimulatedDisk) {
        self.disk = disk;
        self.registry = open(&self.disk, &self.settings, &self.clock, 4);
    }

    fn reopen(&mut self) {
        // The old one must be gone before the lock can be taken again.
        let placeholder = open(&SimulatedDisk::new(), &self.settings, &self.clock, 0);
        drop(std::mem::replace(&mut self.registry, placeholder));
        self.registry = open(&self.disk, &self.settings, &self.clock, 3);
    }

    /// Creates a user and gives the actor that signs in as it.
    pub(crate) fn user(&self, name: &str) -> Actor {
        let user = NewUser {
            name: name.parse().unwrap(),
            email: String::new(),
            password_hash: "hash".into(),
            is_superuser: false,
        };
        let id = self.registry.create_user(&user).unwrap();
        Actor::User(Principal { id, generation: 1 })
    }

    /// Uploads a blob as `actor`.
    pub(crate) fn try_upload(&self, actor: &Actor, at: &str, bytes: &[u8]) -> Result<Digest, Error> {
        let id = self.registry.start_upload(actor, &name(at), None)?;
        let mut writer = self.registry.open_upload(actor, &name(at), id)?;
        writer.append(bytes)?;
        let digest = digest(bytes);
        writer.finish(&digest)?;
        Ok(digest)
    }

    /// Uploads a blob.
    pub(crate) fn upload(&self, at: &str, text: &str) -> Digest {
        self.try_upload(&OWNER, at, text.as_bytes()).unwrap()
    }

    /// Begins an upload and appends `text`.
    pub(crate) fn begin(&self, at: &str, text: &str) -> UploadId {
        let id = self.registry.start_upload(&OWNER, &name(at), None).unwrap();
        self.registry.open_upload(&OWNER, &name(at), id).unwrap().append(text.as_bytes()).unwrap();
        id
    }

    /// Puts a manifest under a reference: a tag or `@` for its digest.
    pub(crate) fn put(&self, at: &str, reference: &str, manifest: &Manifest) -> Result<Digest, Error> {
        self.put_as(&OWNER, at, reference, manifest)
    }

    pub(crate) fn put_as(
        &self,
        actor: &Actor,
        at: &str,
        reference: &str,
        manifest: &Manifest,
    ) -> Result<Digest, Error> {
        let digest = manifest.digest(Algorithm::Sha256);
        let reference = if reference == "@" { Reference::Digest(digest) } else { reference.parse().unwrap() };
        Ok(self.registry.put_manifest(actor, &name(at), &reference, &[], manifest, None)?.digest)
    }

    /// Uploads a config and layers and puts an image of them.
    pub(crate) fn push(&self, at: &str, reference: &str, layers: &[&str]) -> Digest {
        self.upload(at, "{}");
        for layer in layers {
            self.upload(at, layer);
        }
        self.put(at, reference, &image(layers)).unwrap()
    }

    pub(crate) fn is_pullable(&self, at: &str, reference: &str) -> bool {
        self.registry.manifest(&OWNER, &name(at), &reference.parse().unwrap()).is_ok()
    }

    pub(crate) fn has_blob(&self, at: &str, digest: &Digest) -> bool {
        self.registry.blob(&OWNER, &name(at), digest).is_ok()
    }

    pub(crate) fn delete(&self, at: &str, reference: &str) -> Result<(), Error> {
        self.registry.delete_manifest(&OWNER, &name(at), &reference.parse().unwrap())
    }

    pub(crate) fn tags(&self, at: &str) -> Vec<String> {
        let page = self.registry.tags(&OWNER, &name(at), None, 10_000).unwrap();
        page.tags.iter().map(Tag::to_string).collect()
    }

    /// Does all background work and proves that everything agrees.
    pub(crate) fn settle(&self) {
        self.registry.run_background().unwrap();
        assert_eq!(self.registry.audit(true).unwrap(), Vec::<String>::new());
    }
}

/// Opens a registry on a disk.
pub(crate) fn open(disk: &SimulatedDisk, settings: &Settings, clock: &Clock, seed: u64) -> Registry {
    Registry::open_simulated(disk, settings.clone(), clock.clone(), Entropy::seeded(seed)).unwrap()
}

pub(crate) fn name(text: &str) -> RepositoryName {
    RepositoryName::parse(text, &"library".parse::<NamespaceName>().unwrap()).unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

pub(crate) fn manifest(json: &str) -> Manifest {
    Manifest::parse(json.to_owned().into_bytes().into(), None).unwrap()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> String {
    let (digest, size) = (digest(bytes), bytes.len());
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

/// An image with an empty config and these layers.
pub(crate) fn image(layers: &[&str]) -> Manifest {
    image_of(layers, "")
}

/// An artifact without layers that refers to `subject`.
pub(crate) fn referrer(subject: &Digest, artifact_type: &str) -> Manifest {
    let more = format!(
        r#","artifactType":"{artifact_type}","annotations":{{"a":"b"}},"subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{subject}","size":1}}"#
    );
    image_of(&[], &more)
}

fn image_of(layers: &[&str], more: &str) -> Manifest {
    let layers: Vec<String> = layers
        .iter()
        .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer.as_bytes()))
        .collect();
    let config = descriptor("application/vnd.oci.empty.v1+json", b"{}");
    manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{config},"layers":[{}]{more}}}"#,
        layers.join(",")
    ))
}

/// An index of these manifests.
pub(crate) fn index(children: &[Digest]) -> Manifest {
    index_of(children, "")
}

/// An index of these manifests that refers to `subject` itself. Another `note` makes another index.
pub(crate) fn index_about(subject: &Digest, children: &[Digest], note: &str) -> Manifest {
    let more = format!(
        r#","annotations":{{"a":"{note}"}},"subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{subject}","size":1}}"#
    );
    index_of(children, &more)
}

fn index_of(children: &[Digest], more: &str) -> Manifest {
    let children: Vec<String> = children
        .iter()
        .map(|child| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{child}","size":1}}"#
            )
        })
        .collect();
    manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]{more}}}"#,
        children.join(",")
    ))
}

/// An index that is too large for a record, so that it is a file.
pub(crate) fn large() -> Manifest {
    manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"a":"{}"}}}}"#,
        "x".repeat(65 << 10)
    ))
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
