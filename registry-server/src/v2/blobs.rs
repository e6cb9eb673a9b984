//! Reading and deleting blobs (distribution-spec, "Pulling blobs" and "Deleting Blobs").

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use hyper::{Method, Response, StatusCode};
use registry_core::BlobReader;
use registry_core::oci::{Digest, RepositoryName};

use super::refusal::{Code, Refusal};
use super::reply::{self, CONTENT_DIGEST};
use super::{Call, Reply};
use crate::listener::{BlobStream, Body, Outbox};
use crate::wire::conditions::{if_none_match, if_range};
use crate::wire::range::RangeAnswer;
use crate::wire::scope::Actions;

/// Content under its digest never changes.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";

/// A blob that may be read, and its bytes if it is small and they are wanted.
struct Found {
    blob: BlobReader,
    small: Option<Bytes>,
}

impl Call {
    /// `GET`, `HEAD` and `DELETE` of `/v2/<name>/blobs/<digest>`.
    pub(super) async fn blob(&self, name: &str, digest: &str) -> Reply {
        let is_delete = self.head.method == Method::DELETE;
        let repository = self.repository(name, if is_delete { Actions::DELETE } else { Actions::PULL })?;
        let digest = digest_of(digest)?;
        if is_delete {
            self.delete_blob(repository, digest).await
        } else {
            self.get_blob(repository, digest).await
        }
    }

    async fn delete_blob(&self, repository: RepositoryName, digest: Digest) -> Reply {
        let actor = self.caller.actor.clone();
        self.registry(move |registry| registry.delete_blob(&actor, &repository, &digest)).await?;
        Ok(reply::empty(StatusCode::ACCEPTED))
    }

    async fn get_blob(&self, repository: RepositoryName, digest: Digest) -> Reply {
        let found = self.find_blob(repository, digest).await?;
        let tag = digest.to_string();
        let mut response = if if_none_match(self.headers(IF_NONE_MATCH), Some(&tag)) {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            self.content(found, &tag)?
        };
        reply::set(&mut response, CONTENT_DIGEST, digest);
        reply::set(&mut response, ETAG, reply::entity_tag(&digest));
        reply::set(&mut response, CACHE_CONTROL, IMMUTABLE);
        Ok(response)
    }

    /// At once if the blob is open, else where waiting for the disk is fine.
    async fn find_blob(&self, repository: RepositoryName, digest: Digest) -> Result<Found, Refusal> {
        let (asking, is_get, at) =
            (self.caller.actor.clone(), self.head.method == Method::GET, repository.clone());
        let found = move |blob: BlobReader| {
            let small = if is_get { blob.small()? } else { None };
            Ok(Found { blob, small })
        };
        let at_hand = self.ask(move |registry| {
            let blob = registry.blob_at_hand(&asking, &at, &digest)?;
            blob.filter(|blob| !is_get || blob.is_at_hand()).map(found).transpose()
        });
        match at_hand.await? {
            Some(found) => Ok(found),
            None => {
                let actor = self.caller.actor.clone();
                self.registry(move |registry| found(registry.blob(&actor, &repository, &digest)?)).await
            }
        }
    }

    /// The blob, or the part of it that was asked for. A range means something to GET alone (RFC 9110, section 14.2).
    fn content(&self, found: Found, tag: &str) -> Reply {
        let size = found.blob.size();
        let is_current = self.header(IF_RANGE).is_none_or(|value| if_range(value, tag));
        let answer = match self.header(RANGE) {
            Some(range) if is_current && self.head.method == Method::GET => RangeAnswer::to(range, size),
            _ => RangeAnswer::Full,
        };
        let mut response = match answer {
            RangeAnswer::Full => Response::new(self.part(found, 0, size)),
            RangeAnswer::Part { start, end_inclusive } => {
                let part = self.part(found, start, end_inclusive - start + 1);
                let mut response = Response::new(part);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                reply::set(
                    &mut response,
                    CONTENT_RANGE,
                    format_args!("bytes {start}-{end_inclusive}/{size}"),
                );
                response
            }
            RangeAnswer::Unsatisfiable => {
                return Err(unsatisfiable(size));
            }
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        Ok(response)
    }

    fn part(&self, found: Found, start: u64, length: u64) -> Body {
        match found.small {
            Some(bytes) => Body::Full(slice(&bytes, start, length)),
            None => {
                let (lane, outbox) = (self.app.lanes.blobs.clone(), self.head.extensions.get::<Outbox>());
                Body::Blob(BlobStream::new(lane, found.blob, start, length, outbox))
            }
        }
    }

    pub(super) fn headers(&self, name: hyper::header::HeaderName) -> impl Iterator<Item = &str> {
        self.head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }
}

fn unsatisfiable(size: u64) -> Refusal {
    let message = "no byte of the blob lies in the range";
    let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::RangeInvalid, message);
    match HeaderValue::try_from(format!("bytes */{size}")) {
        Ok(value) => refusal.with(CONTENT_RANGE, value),
        Err(_) => refusal,
    }
}

fn slice(bytes: &Bytes, start: u64, length: u64) -> Bytes {
    let index = |position| usize::try_from(position).unwrap_or(bytes.len()).min(bytes.len());
    bytes.slice(index(start)..index(start.saturating_add(length)))
}

/// Reads a digest from a path or a query.
pub(super) fn digest_of(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, error))
}
