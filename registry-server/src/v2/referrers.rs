//! `GET /v2/<name>/referrers/<digest>` (distribution-spec, "Listing Referrers").

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use registry_core::oci::Digest;
use registry_core::oci::media_type::OCI_IMAGE_INDEX;
use serde_json::json;

use super::blobs::digest_of;
use super::{Call, Reply, reply, unknown_path};
use crate::wire::scope::Actions;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

impl Call {
    pub(super) async fn referrers(&self, name: &str, digest: &str) -> Reply {
        if !self.app.options.referrers_api {
            return Err(unknown_path());
        }
        let repository = self.repository(name, Actions::PULL)?;
        let subject = digest_of(digest)?;
        let artifact_type = self.query.get("artifactType").filter(|wanted| !wanted.is_empty());
        let last: Option<Digest> = match self.query.get("last").filter(|last| !last.is_empty()) {
            Some(last) => Some(digest_of(last)?),
            None => None,
        };
        let (actor, wanted) = (self.caller.actor.clone(), artifact_type.map(str::to_owned));
        let page = self
            .registry(move |registry| {
                registry.referrers(&actor, &repository, &subject, wanted.as_deref(), last.as_ref())
            })
            .await?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE_INDEX,
            "manifests": page.manifests,
        });
        let mut response = reply::json(StatusCode::OK, OCI_IMAGE_INDEX, &index);
        if artifact_type.is_some() {
            response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
        }
        if let Some(next) = page.next {
            let path = format!("/v2/{name}/referrers/{subject}");
            let next = next.to_string();
            let mut parameters = vec![("last", next.as_str())];
            parameters.extend(artifact_type.map(|wanted| ("artifactType", wanted)));
            reply::link_next(&mut response, &path, &parameters);
        }
        Ok(response)
    }
}
