//! The data model of the OCI and Docker specifications: parsing and printing, no I/O.
//!
//! A value of these types exists only once it was parsed, so nothing further in checks it again.
//! Every parser is total: whatever the network sends, the answer is a value or an error, in time
//! linear in the input (`n log n` where digests or keys are compared).

pub mod descriptor;
pub mod digest;
mod json;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod reference;

pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher, InvalidDigest};
pub use manifest::{BlobReference, InvalidManifest, Manifest};
pub use media_type::{ManifestKind, MediaType};
pub use name::{InvalidName, InvalidTag, NamespaceName, RepositoryName, Tag};
pub use reference::{InvalidReference, Reference};

/// How much of refused input an error message repeats, in bytes.
const EXCERPT_BYTES: usize = 200;

/// The beginning of refused input: error messages quote it, and stay small whatever was sent.
fn excerpt(text: &str) -> String {
    if text.len() <= EXCERPT_BYTES {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(EXCERPT_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_excerpt_is_cut_between_characters() {
        assert_eq!(excerpt("short"), "short");
        let long = excerpt(&"é".repeat(EXCERPT_BYTES));
        assert_eq!(long, format!("{}...", "é".repeat(EXCERPT_BYTES / 2)));
        let odd = excerpt(&format!("a{}", "é".repeat(EXCERPT_BYTES)));
        assert!(odd.len() <= EXCERPT_BYTES + 3);
    }
}
