//! Manifests (distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting Manifests").

use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION,
};
use hyper::{Method, Response, StatusCode};
use registry_core::oci::{
    Digest, InvalidManifest, InvalidReference, Manifest, Reference, RepositoryName, Tag,
};
use registry_core::{ManifestInfo, Precondition, Pull};

use super::refusal::{Code, Refusal};
use super::reply::{self, CONTENT_DIGEST};
use super::{Call, Reply};
use crate::listener::{Body, BodyError, ReceivedBody};
use crate::wire::conditions::if_none_match;
use crate::wire::scope::Actions;

/// Tags that one push may set by query; the specification wants at least ten.
const MAX_TAGS: usize = 64;

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

impl Call {
    /// `GET`, `HEAD`, `PUT` and `DELETE` of `/v2/<name>/manifests/<reference>`.
    pub(super) async fn manifest(
        &self,
        name: &str,
        reference: &str,
        body: &mut Option<ReceivedBody>,
    ) -> Reply {
        let repository = match self.head.method {
            Method::PUT => self.pushable(name).await?,
            Method::DELETE => self.repository(name, Actions::DELETE)?,
            _ => self.repository(name, Actions::PULL)?,
        };
        let reference = reference_of(reference, &self.head.method)?;
        match self.head.method {
            Method::PUT => self.put_manifest(name, repository, reference, body).await,
            Method::DELETE => self.delete_manifest(repository, reference).await,
            Method::HEAD => self.head_manifest(repository, reference).await,
            _ => self.get_manifest(repository, reference).await,
        }
    }

    async fn get_manifest(&self, repository: RepositoryName, reference: Reference) -> Reply {
        let (actor, at, asked) = (self.caller.actor.clone(), repository.clone(), reference.clone());
        let (info, row) = self.ask(move |registry| registry.manifest_row(&actor, &at, &asked)).await?;
        self.pulled(&repository, &reference, &info);
        if let Some(bytes) = row {
            return Ok(self.described(&info, &reference, Body::Full(bytes)));
        }
        // A file is read, so the whole question goes to where waiting is fine.
        let (actor, asked) = (self.caller.actor.clone(), reference.clone());
        let manifest = self.registry(move |registry| registry.manifest(&actor, &repository, &asked)).await?;
        Ok(self.described(&manifest.info, &reference, Body::Full(manifest.bytes)))
    }

    async fn head_manifest(&self, repository: RepositoryName, reference: Reference) -> Reply {
        let (actor, at, asked) = (self.caller.actor.clone(), repository.clone(), reference.clone());
        let info = self.ask(move |registry| registry.manifest_info(&actor, &at, &asked)).await?;
        self.pulled(&repository, &reference, &info);
        let mut response = self.described(&info, &reference, Body::Empty);
        if response.status() == StatusCode::OK {
            reply::set(&mut response, hyper::header::CONTENT_LENGTH, info.size);
        }
        Ok(response)
    }

    /// Notes the pull in the audit trail, which waits for nothing.
    fn pulled(&self, repository: &RepositoryName, reference: &Reference, info: &ManifestInfo) {
        self.app.by_request().record_pull(&Pull {
            actor: self.caller.actor.clone(),
            repository: repository.clone(),
            reference: reference.clone(),
            digest: info.digest,
            media_type: info.media_type.clone(),
            is_head: self.head.method == Method::HEAD,
        });
    }

    /// The stored manifest, always: it is neither converted nor hidden, whatever `Accept` says.
    fn described(&self, info: &ManifestInfo, reference: &Reference, body: Body) -> Response<Body> {
        let tag = info.digest.to_string();
        let mut response = if if_none_match(self.headers(IF_NONE_MATCH), Some(&tag)) {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            Response::new(body)
        };
        reply::set(&mut response, CONTENT_TYPE, &info.media_type);
        reply::set(&mut response, CONTENT_DIGEST, info.digest);
        reply::set(&mut response, ETAG, reply::entity_tag(&info.digest));
        let cache = match reference {
            Reference::Tag(_) => "no-cache",
            Reference::Digest(_) => "private, max-age=31536000, immutable",
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        response
    }

    async fn put_manifest(
        &self,
        name: &str,
        repository: RepositoryName,
        reference: Reference,
        body: &mut Option<ReceivedBody>,
    ) -> Reply {
        let tags = self.tags_by_query(&reference)?;
        let precondition = self.precondition()?;
        let manifest = self.received_manifest(body).await?;
        let subject = manifest.subject().copied();
        let (actor, more) = (self.caller.actor.clone(), tags.clone());
        let pushed = self
            .registry(move |registry| {
                registry.put_manifest(&actor, &repository, &reference, &more, &manifest, precondition)
            })
            .await?;
        let mut response = reply::empty(StatusCode::CREATED);
        reply::set(&mut response, LOCATION, format_args!("/v2/{name}/manifests/{}", pushed.digest));
        reply::set(&mut response, CONTENT_DIGEST, pushed.digest);
        if let Some(subject) = subject.filter(|_| self.app.options.referrers_api) {
            reply::set(&mut response, OCI_SUBJECT, subject);
        }
        for tag in tags {
            reply::set(&mut response, OCI_TAG, tag);
        }
        Ok(response)
    }

    async fn received_manifest(&self, body: &mut Option<ReceivedBody>) -> Result<Manifest, Refusal> {
        let Some(body) = body else { return Err(Refusal::from(registry_core::Error::Unavailable)) };
        let received = self.turn.collect_up_to(registry_core::oci::manifest::MAX_BYTES, body).await?;
        let bytes = received.map_err(|error| {
            let status = match error {
                BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::Idle | BodyError::Broken(_) => StatusCode::REQUEST_TIMEOUT,
            };
            Refusal::new(status, Code::ManifestInvalid, error)
        })?;
        Manifest::parse(bytes, self.header(CONTENT_TYPE)).map_err(invalid)
    }

    /// The tags that a push by digest sets as well.
    fn tags_by_query(&self, reference: &Reference) -> Result<Vec<Tag>, Refusal> {
        if matches!(reference, Reference::Tag(_)) {
            return Ok(Vec::new());
        }
        let mut tags = Vec::new();
        for text in self.query.all("tag") {
            let tag: Tag = text
                .parse()
                .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::TagInvalid, error))?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        if tags.len() > MAX_TAGS {
            let message = format!("a push sets at most {MAX_TAGS} tags");
            return Err(Refusal::new(StatusCode::URI_TOO_LONG, Code::TagInvalid, message));
        }
        Ok(tags)
    }

    /// `If-Match` with one digest or `*`, and `If-None-Match: *`, which guard tags against lost updates.
    fn precondition(&self) -> Result<Option<Precondition>, Refusal> {
        let unsupported = || {
            let message = "If-Match takes one digest or *, If-None-Match takes *";
            Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, message)
        };
        let mut given = [IF_MATCH, IF_NONE_MATCH].into_iter().flat_map(|name| {
            let values = self.head.headers.get_all(&name).iter();
            values.map(|value| (name.clone(), value.to_str().unwrap_or(""))).collect::<Vec<_>>()
        });
        let Some((name, value)) = given.next() else { return Ok(None) };
        if given.next().is_some() {
            return Err(unsupported());
        }
        match (name == IF_MATCH, value) {
            (true, "*") => Ok(Some(Precondition::Exists)),
            (false, "*") => Ok(Some(Precondition::Absent)),
            (true, tag) => {
                let digest: Digest = tag.trim_matches('"').parse().map_err(|_| unsupported())?;
                Ok(Some(Precondition::Is(digest)))
            }
            (false, _) => Err(unsupported()),
        }
    }

    async fn delete_manifest(&self, repository: RepositoryName, reference: Reference) -> Reply {
        let actor = self.caller.actor.clone();
        self.registry(move |registry| registry.delete_manifest(&actor, &repository, &reference)).await?;
        Ok(reply::empty(StatusCode::ACCEPTED))
    }
}

/// Reads a reference. A tag that cannot exist is refused when it is to be set and simply unknown otherwise.
fn reference_of(text: &str, method: &Method) -> Result<Reference, Refusal> {
    text.parse().map_err(|error| match error {
        InvalidReference::Digest(_) => Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, error),
        InvalidReference::Tag(_) if *method == Method::PUT => {
            Refusal::new(StatusCode::BAD_REQUEST, Code::TagInvalid, error)
        }
        InvalidReference::Tag(_) => Refusal::new(StatusCode::NOT_FOUND, Code::ManifestUnknown, error),
    })
}

fn invalid(error: InvalidManifest) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, Code::ManifestInvalid, error)
}
