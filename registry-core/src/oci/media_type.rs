//! Media types: those of manifests, and the layers that need not be here.

use std::fmt;

/// OCI image manifest (image-spec, "Image Manifest").
pub const OCI_IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index (image-spec, "Image Index"); also the type of a referrers answer.
pub const OCI_IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker image manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Layers whose licence may keep them out of registries; what follows names a compression.
const NONDISTRIBUTABLE_PREFIXES: [&str; 2] = [
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// Whether a layer of this type may be absent from the registry (image-spec, "Non-Distributable Layers").
pub fn is_nondistributable(layer_type: &str) -> bool {
    NONDISTRIBUTABLE_PREFIXES.iter().any(|prefix| layer_type.starts_with(prefix))
}

/// The kinds of manifest that are stored: these four and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ManifestKind {
    /// [`OCI_IMAGE_MANIFEST`]: an image or any other artifact.
    ImageManifest,
    /// [`OCI_IMAGE_INDEX`].
    ImageIndex,
    /// [`DOCKER_MANIFEST`].
    DockerManifest,
    /// [`DOCKER_MANIFEST_LIST`].
    DockerList,
}

impl ManifestKind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::ImageManifest, Self::ImageIndex, Self::DockerManifest, Self::DockerList];

    /// The media type of this kind.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::ImageManifest => OCI_IMAGE_MANIFEST,
            Self::ImageIndex => OCI_IMAGE_INDEX,
            Self::DockerManifest => DOCKER_MANIFEST,
            Self::DockerList => DOCKER_MANIFEST_LIST,
        }
    }

    /// Whether it lists manifests, instead of a config and layers.
    pub const fn is_index(self) -> bool {
        matches!(self, Self::ImageIndex | Self::DockerList)
    }
}

/// A media type as sent in a `Content-Type`, without its parameters.
///
/// The case is kept and counts: that is how clients compare the types of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(String);

impl MediaType {
    /// The type before the first `;`, without surrounding white space. May be empty.
    pub fn new(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default();
        Self(essence.trim().to_owned())
    }

    /// The type as text, without parameters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of manifest that it names; `None` for every other type, Docker's schema 1 included.
    pub fn kind(&self) -> Option<ManifestKind> {
        ManifestKind::ALL.into_iter().find(|kind| kind.media_type() == self.0)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_white_space_are_cut() {
        for text in [OCI_IMAGE_INDEX.to_owned(), format!(" {OCI_IMAGE_INDEX} ;charset=utf-8; q=\";\"")] {
            assert_eq!(MediaType::new(&text).as_str(), OCI_IMAGE_INDEX);
        }
        for text in ["", "  ", ";", "; charset=utf-8"] {
            assert_eq!(MediaType::new(text).as_str(), "");
        }
        assert_eq!(MediaType::new("Text/HTML").as_str(), "Text/HTML");
    }

    #[test]
    fn only_the_four_types_are_kinds_of_manifest() {
        for kind in ManifestKind::ALL {
            assert_eq!(MediaType::new(kind.media_type()).kind(), Some(kind));
        }
        for text in [
            "",
            "application/json",
            "application/vnd.docker.distribution.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "application/vnd.oci.artifact.manifest.v1+json",
            "application/vnd.oci.image.manifest.v1+JSON",
        ] {
            assert_eq!(MediaType::new(text).kind(), None, "{text:?}");
        }
    }

    #[test]
    fn foreign_layers_are_nondistributable_in_every_compression() {
        for suffix in ["", "+gzip", "+zstd"] {
            let layer = format!("application/vnd.oci.image.layer.nondistributable.v1.tar{suffix}");
            assert!(is_nondistributable(&layer));
        }
        assert!(is_nondistributable("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
        for layer in [
            "",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ] {
            assert!(!is_nondistributable(layer), "{layer:?}");
        }
    }
}
