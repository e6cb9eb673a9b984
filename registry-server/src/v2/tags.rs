//! `GET /v2/<name>/tags/list` (distribution-spec, "Listing Tags").

use hyper::StatusCode;
use registry_core::oci::Tag;
use serde_json::json;

use super::refusal::{Code, Refusal};
use super::{Call, Reply, reply};
use crate::wire::scope::Actions;

impl Call {
    pub(super) async fn tags(&self, name: &str) -> Reply {
        let repository = self.repository(name, Actions::PULL)?;
        let limit = self.page_size()?;
        let last = match self.query.get("last").filter(|last| !last.is_empty()) {
            Some(last) => Some(
                last.parse::<Tag>()
                    .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::TagInvalid, error))?,
            ),
            None => None,
        };
        let actor = self.caller.actor.clone();
        let page =
            self.registry(move |registry| registry.tags(&actor, &repository, last.as_ref(), limit)).await?;
        let tags: Vec<&str> = page.tags.iter().map(Tag::as_str).collect();
        let mut response =
            reply::json(StatusCode::OK, "application/json", &json!({ "name": name, "tags": tags }));
        if let (true, Some(last)) = (page.has_more, tags.last()) {
            let path = format!("/v2/{name}/tags/list");
            reply::link_next(&mut response, &path, &[("n", &limit.to_string()), ("last", last)]);
        }
        Ok(response)
    }

    /// The entries asked for with `n`, at most a page.
    pub(super) fn page_size(&self) -> Result<usize, Refusal> {
        let most = self.app.options.page_size;
        let Some(n) = self.query.get("n").filter(|n| !n.is_empty()) else { return Ok(most) };
        let is_number = n.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            let message = "n is not a number of entries";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::PaginationNumberInvalid, message));
        }
        // A number too large for the machine asks for more than a page all the same.
        Ok(n.parse().unwrap_or(most).min(most))
    }
}
