//! `GET /v2/_catalog` (Docker's registry API): the repositories that the caller may pull from.

use hyper::StatusCode;
use serde_json::json;

use super::refusal::{Code, Refusal};
use super::{Call, Reply, reply};

impl Call {
    pub(super) async fn catalog(&self) -> Reply {
        // Some clients only sign in when they are told to, and anonymously there may be nothing to see.
        if !self.caller.has_credential && !self.app.registry.settings().public_catalog {
            return Err(Refusal::sign_in());
        }
        let limit = self.page_size()?;
        let last = match self.query.get("last").filter(|last| !last.is_empty()) {
            Some(last) => Some(
                self.app
                    .repository(last)
                    .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::NameInvalid, error))?,
            ),
            None => None,
        };
        let actor = self.caller.actor.clone();
        let page = self.registry(move |registry| registry.catalog(&actor, last.as_ref(), limit)).await?;
        let body = json!({ "repositories": page.repositories });
        let mut response = reply::json(StatusCode::OK, "application/json", &body);
        if let (true, Some(last)) = (page.has_more, page.repositories.last()) {
            reply::link_next(&mut response, "/v2/_catalog", &[("n", &limit.to_string()), ("last", last)]);
        }
        Ok(response)
    }
}
