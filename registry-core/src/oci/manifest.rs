//! Manifests: image manifests and indexes, of OCI and of Docker, read for what they refer to.
//!
//! The pushed bytes are kept and served unchanged; nothing is ever written anew from what was
//! parsed. Reading is lenient: a manifest is refused only where two readers could disagree on what
//! it refers to, that is for repeated keys, for a type that its body contradicts, and for a field
//! used here that has another JSON type than the specification gives it. Annotations refer to
//! nothing: those whose value is no string are left out. Unknown fields, unknown types of config,
//! layers and children, and empty lists are all fine.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use serde::Deserialize;

use super::descriptor::Descriptor;
use super::digest::{Algorithm, Digest};
use super::excerpt;
use super::json::{self, Object};
use super::media_type::{ManifestKind, MediaType, is_nondistributable};

/// The largest manifest accepted, in bytes. The caller bounds what it reads with it, before parsing.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most descriptors in one manifest, counting config, layers, manifests and subject, repeated
/// ones too: storing a manifest is one transaction, whose size this bounds.
pub const MAX_DESCRIPTORS: usize = 2_000;

/// The most JSON objects and arrays within each other. Real manifests need about five.
pub const MAX_DEPTH: usize = 64;

/// Why bytes are no acceptable manifest. Messages are for the client that sent them; what they
/// repeat of the input is cut to a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// Not JSON; the text says what and where.
    #[error("manifest is not JSON: {0}")]
    NotJson(String),
    /// This key stands twice in one object, at whatever depth.
    #[error("manifest has the key {0:?} twice in one object")]
    DuplicateKey(String),
    /// Deeper than [`MAX_DEPTH`].
    #[error("manifest has more than {} objects and arrays within each other", MAX_DEPTH)]
    TooDeep,
    /// Sent as, or calling itself, something that is not stored here. Docker's schema 1 is among these.
    #[error("manifests of type {0:?} are not supported")]
    UnsupportedMediaType(String),
    /// The type that it was sent as and the type that it calls itself differ.
    #[error("manifest was sent as {content_type:?} and calls itself {media_type:?}")]
    MediaTypeMismatch {
        /// From the `Content-Type` of the request.
        content_type: String,
        /// From `mediaType` in the body.
        media_type: String,
    },
    /// JSON, but not of the shape of a manifest of its type; the text says where.
    #[error("manifest is malformed: {0}")]
    Schema(String),
    /// More than [`MAX_DESCRIPTORS`].
    #[error("manifest has more than {} descriptors", MAX_DESCRIPTORS)]
    TooManyDescriptors,
}

/// A blob that an image manifest refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobReference {
    /// The digest of the blob.
    pub digest: Digest,
    /// Whether a push may ask for the blob to be there. It may not for layers that are fetched from
    /// elsewhere: those of a non-distributable type or with `urls`.
    pub required: bool,
}

/// A manifest as pushed, and what it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    kind: ManifestKind,
    blobs: Vec<BlobReference>,
    layers_bytes: Option<u64>,
    children: Vec<Digest>,
    subject: Option<Digest>,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Parses `bytes`, which the caller has bounded by [`MAX_BYTES`].
    ///
    /// `content_type` is the request's header, whose parameters are ignored. Without it (or with an
    /// empty one) the type is `mediaType` of the body, or else OCI's for its shape: an image
    /// manifest if there is a `config` or `layers`, an index if there are `manifests`.
    pub fn parse(bytes: Bytes, content_type: Option<&str>) -> Result<Self, InvalidManifest> {
        let content_type =
            content_type.map(MediaType::new).filter(|media_type| !media_type.as_str().is_empty());
        if let Some(media_type) = &content_type {
            supported_kind(media_type)?;
        }
        json::check(&bytes)?;
        let document = Document::parse(&bytes)?;
        let kind = document.kind(content_type)?;
        document.check_shape(kind)?;
        Ok(Self {
            kind,
            blobs: distinct_blobs(document.config.iter().map(|config| &config.0), document.layers()),
            layers_bytes: (!kind.is_index()).then(|| document.layers_bytes()),
            children: distinct_digests(document.manifests()),
            subject: document.subject.as_ref().map(|subject| subject.0.digest),
            artifact_type: document.artifact_type(),
            annotations: document.annotations,
            bytes,
        })
    }

    /// The bytes as pushed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The media type to store and serve it with.
    pub fn media_type(&self) -> &str {
        self.kind.media_type()
    }

    /// Its kind, which says the same as its media type.
    pub fn kind(&self) -> ManifestKind {
        self.kind
    }

    /// The digest of the bytes; hashes them on each call.
    pub fn digest(&self, algorithm: Algorithm) -> Digest {
        Digest::of(algorithm, &self.bytes)
    }

    /// The config and the layers of an image manifest, in order; of equal digests the first stands
    /// for all, and is required if any of them is. Empty for an index.
    pub fn blobs(&self) -> &[BlobReference] {
        &self.blobs
    }

    /// What the layers of an image manifest add up to, as it says itself and each as often as it is named, in bytes; none
    /// for an index.
    pub fn layers_bytes(&self) -> Option<u64> {
        self.layers_bytes
    }

    /// The distinct digests that an index lists, in order: of manifests, or of blobs, since build
    /// caches are stored so. Empty for an image manifest.
    pub fn children(&self) -> &[Digest] {
        &self.children
    }

    /// What it refers to as its subject, which need not exist.
    pub fn subject(&self) -> Option<&Digest> {
        self.subject.as_ref()
    }

    /// Its type in a referrers answer: its `artifactType`, or the type of the config of an image
    /// manifest that has none (distribution-spec, "Listing Referrers"). Empty counts as none.
    pub fn artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref()
    }

    /// Its own annotations whose value is a string.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }
}

/// The fields of a manifest that count here. Null is as good as absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Object<Descriptor>>,
    layers: Option<Vec<Object<Descriptor>>>,
    manifests: Option<Vec<Object<Descriptor>>>,
    subject: Option<Object<Descriptor>>,
    #[serde(default, deserialize_with = "json::string_values")]
    annotations: BTreeMap<String, String>,
}

impl Document {
    fn parse(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let parsed: Result<Object<Self>, _> = serde_json::from_slice(bytes);
        let Object(document) =
            parsed.map_err(|error| InvalidManifest::Schema(excerpt(&error.to_string())))?;
        Ok(document)
    }

    fn layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().flatten().map(|layer| &layer.0)
    }

    fn layers_bytes(&self) -> u64 {
        self.layers().map(|layer| layer.size).fold(0, u64::saturating_add)
    }

    fn manifests(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().flatten().map(|child| &child.0)
    }

    /// The kind that the header and the body agree on.
    fn kind(&self, content_type: Option<MediaType>) -> Result<ManifestKind, InvalidManifest> {
        let own = self.media_type.as_deref().filter(|media_type| !media_type.is_empty());
        match (content_type, own) {
            (Some(content_type), Some(own)) if content_type.as_str() != own => {
                Err(InvalidManifest::MediaTypeMismatch {
                    content_type: excerpt(content_type.as_str()),
                    media_type: excerpt(own),
                })
            }
            (Some(media_type), _) => supported_kind(&media_type),
            (None, Some(own)) => supported_kind(&MediaType::new(own)),
            (None, None) => self.kind_by_shape(),
        }
    }

    fn kind_by_shape(&self) -> Result<ManifestKind, InvalidManifest> {
        if self.config.is_some() || self.layers.is_some() {
            Ok(ManifestKind::ImageManifest)
        } else if self.manifests.is_some() {
            Ok(ManifestKind::ImageIndex)
        } else {
            Err(schema("neither its type is given nor has it layers or manifests"))
        }
    }

    /// Refuses what could be read as an image manifest by one client and as an index by another.
    fn check_shape(&self, kind: ManifestKind) -> Result<(), InvalidManifest> {
        if self.schema_version != Some(2) {
            return Err(schema("schemaVersion is not 2"));
        }
        if self.layers.is_some() && self.manifests.is_some() {
            return Err(schema("it has both layers and manifests"));
        }
        if kind.is_index() && (self.config.is_some() || self.layers.is_some()) {
            return Err(schema("an index has neither config nor layers"));
        }
        if !kind.is_index() && self.manifests.is_some() {
            return Err(schema("an image manifest has no manifests"));
        }
        let single = usize::from(self.config.is_some()) + usize::from(self.subject.is_some());
        if single + self.layers().count() + self.manifests().count() > MAX_DESCRIPTORS {
            return Err(InvalidManifest::TooManyDescriptors);
        }
        Ok(())
    }

    fn artifact_type(&self) -> Option<String> {
        let config_type = self.config.as_ref().map(|config| &config.0.media_type);
        let candidates = self.artifact_type.iter().chain(config_type);
        candidates.into_iter().find(|artifact_type| !artifact_type.is_empty()).cloned()
    }
}

fn supported_kind(media_type: &MediaType) -> Result<ManifestKind, InvalidManifest> {
    media_type.kind().ok_or_else(|| InvalidManifest::UnsupportedMediaType(excerpt(media_type.as_str())))
}

fn schema(detail: &str) -> InvalidManifest {
    InvalidManifest::Schema(detail.to_owned())
}

fn distinct_blobs<'a>(
    config: impl Iterator<Item = &'a Descriptor>,
    layers: impl Iterator<Item = &'a Descriptor>,
) -> Vec<BlobReference> {
    let layers =
        layers.map(|layer| (layer, layer.urls.is_empty() && !is_nondistributable(&layer.media_type)));
    let mut blobs: Vec<BlobReference> = Vec::new();
    let mut places: HashMap<Digest, usize> = HashMap::new();
    for (descriptor, required) in config.map(|config| (config, true)).chain(layers) {
        match places.entry(descriptor.digest) {
            Entry::Occupied(place) => blobs[*place.get()].required |= required,
            Entry::Vacant(place) => {
                place.insert(blobs.len());
                blobs.push(BlobReference { digest: descriptor.digest, required });
            }
        }
    }
    blobs
}

fn distinct_digests<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Vec<Digest> {
    let mut seen = HashSet::new();
    descriptors.map(|descriptor| descriptor.digest).filter(|digest| seen.insert(*digest)).collect()
}

#[cfg(test)]
mod tests;
