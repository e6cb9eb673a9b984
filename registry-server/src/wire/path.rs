//! Paths under `/v2/`.
//!
//! Repository names contain slashes and may contain the very words that routes are made of, so a path is read
//! **from the right**: its last segments say what it is, all before them is the name.
//! `/v2/a/blobs/manifests/latest` is the tag `latest` of the repository `a/blobs`.

use super::percent::{self, PercentError, Plus};

/// What a path under `/v2/` names. Names, digests and references are percent-decoded and otherwise unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum V2Path {
    /// `/v2` or `/v2/`.
    Ping,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/auth` or `/v2/token`.
    Token,
    /// `/v2/<name>/blobs/<digest>`.
    Blob {
        /// Repository name.
        name: String,
        /// Digest as sent.
        digest: String,
    },
    /// `/v2/<name>/blobs/uploads`, with or without a slash at its end: clients send both.
    UploadStart {
        /// Repository name.
        name: String,
    },
    /// `/v2/<name>/blobs/uploads/<id>`.
    Upload {
        /// Repository name.
        name: String,
        /// Upload session as sent.
        id: String,
    },
    /// `/v2/<name>/manifests/<reference>`.
    Manifest {
        /// Repository name.
        name: String,
        /// Tag or digest as sent.
        reference: String,
    },
    /// `/v2/<name>/tags/list`.
    Tags {
        /// Repository name.
        name: String,
    },
    /// `/v2/<name>/referrers/<digest>`.
    Referrers {
        /// Repository name.
        name: String,
        /// Digest of the subject as sent.
        digest: String,
    },
    /// Anything else under `/v2/`, extensions (`_<ext>`) included.
    Unknown,
}

/// Why a path is not one of the registry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is neither `/v2` nor below it.
    #[error("path is outside /v2/")]
    OutsideV2,
    /// A segment holds an encoded slash: it could not be told from a separator once decoded.
    #[error("path segment holds an encoded slash")]
    EncodedSlash,
    /// A segment cannot be percent-decoded.
    #[error(transparent)]
    Encoding(#[from] PercentError),
}

impl V2Path {
    /// Reads the path of a request target as it came, before any decoding and without its query.
    ///
    /// Nothing is normalised: `.` and `..`, doubled slashes and a slash at the end stay part of the name or
    /// make the path unknown (only the start of an upload may end in a slash).
    ///
    /// # Errors
    /// A path outside `/v2/`, and segments that cannot be decoded or decode to something with a slash.
    pub fn parse(raw_path: &str) -> Result<Self, PathError> {
        let below = match raw_path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Ping),
            Some(rest) => rest.strip_prefix('/').ok_or(PathError::OutsideV2)?,
            None => return Err(PathError::OutsideV2),
        };
        let segments = below.split('/').map(decode_segment).collect::<Result<Vec<_>, _>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Ok(Self::from_segments(&segments))
    }

    /// The repository that it names, unchecked.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Blob { name, .. }
            | Self::UploadStart { name }
            | Self::Upload { name, .. }
            | Self::Manifest { name, .. }
            | Self::Tags { name }
            | Self::Referrers { name, .. } => Some(name),
            Self::Ping | Self::Catalog | Self::Token | Self::Unknown => None,
        }
    }

    /// The methods that the path answers to; none where nothing lies.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Ping | Self::Catalog | Self::Tags { .. } | Self::Referrers { .. } => &["GET", "HEAD"],
            Self::Token => &["GET", "POST"],
            Self::Blob { .. } => &["GET", "HEAD", "DELETE"],
            Self::UploadStart { .. } => &["POST"],
            Self::Upload { .. } => &["GET", "PATCH", "PUT", "DELETE"],
            Self::Manifest { .. } => &["GET", "HEAD", "PUT", "DELETE"],
            Self::Unknown => &[],
        }
    }

    fn from_segments(segments: &[&str]) -> Self {
        match *segments {
            ["_catalog"] => Self::Catalog,
            ["auth" | "token"] => Self::Token,
            [ref name @ .., "blobs", "uploads"] | [ref name @ .., "blobs", "uploads", ""] => {
                named(name, |name| Self::UploadStart { name })
            }
            [ref name @ .., "blobs", "uploads", id] => {
                named(name, |name| Self::Upload { name, id: id.to_owned() })
            }
            [ref name @ .., "tags", "list"] => named(name, |name| Self::Tags { name }),
            [ref name @ .., "blobs", digest] => {
                named(name, |name| Self::Blob { name, digest: digest.to_owned() })
            }
            [ref name @ .., "manifests", reference] => {
                named(name, |name| Self::Manifest { name, reference: reference.to_owned() })
            }
            [ref name @ .., "referrers", digest] => {
                named(name, |name| Self::Referrers { name, digest: digest.to_owned() })
            }
            _ => Self::Unknown,
        }
    }
}

fn named(name: &[&str], path: impl FnOnce(String) -> V2Path) -> V2Path {
    if name.is_empty() { V2Path::Unknown } else { path(name.join("/")) }
}

fn decode_segment(raw: &str) -> Result<String, PathError> {
    let segment = percent::decode(raw, Plus::Literal)?;
    if segment.contains('/') { Err(PathError::EncodedSlash) } else { Ok(segment) }
}

#[cfg(test)]
mod tests;
