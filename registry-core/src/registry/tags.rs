//! Listing and restoring tags.

use serde_json::json;

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor};
use crate::metadata::Rows;
use crate::model::authorize::granted;
use crate::model::tables::{MANIFEST_LINKS, TAGS};
use crate::model::{manifests, tags};
use crate::oci::{Digest, RepositoryName, Tag};

/// A page of a tag list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsPage {
    /// The tags, in byte order.
    pub tags: Vec<Tag>,
    /// Whether there are more after the last one.
    pub has_more: bool,
}

impl Registry {
    /// At most `limit` tags after `last`, which need not exist. The cost is that of the page.
    ///
    /// # Errors
    /// The refusals of a pull.
    pub fn tags(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        last: Option<&Tag>,
        limit: usize,
    ) -> Result<TagsPage, Error> {
        self.0.metadata.read(|rows| {
            let at = granted(rows, &self.0.settings, actor, name, Action::Pull)?;
            let after = last.map(|tag| (at.repository, tag.clone()));
            let rows = rows.scan(&TAGS, &(at.repository,), after.as_ref(), limit.saturating_add(1))?;
            let has_more = limit > 0 && rows.len() > limit;
            let tags = rows.into_iter().take(limit).map(|((_, tag), _)| tag).collect();
            Ok(TagsPage { tags, has_more })
        })
    }

    /// Points a tag at a manifest that it, or another tag, pointed at before: also one that was deleted by digest,
    /// within the namespace's window (Quay's restore).
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`] if it is gone; the refusals of a push.
    pub fn restore_tag(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<(), Error> {
        self.end_deletion(actor, name, digest)?;
        let stamp = self.stamp(actor, 1)?;
        let now_ms = stamp.now_ms;
        self.0.metadata.write(|txn| {
            let at = granted(txn, &self.0.settings, actor, name, Action::Push)?;
            let unknown = || Error::ManifestUnknown(digest.to_string());
            let link = txn.get(&MANIFEST_LINKS, &(at.repository, *digest))?.ok_or_else(unknown)?;
            let window_ms = self.0.settings.tag_window_ms;
            if link.withdrawn_ms.is_some_and(|withdrawn| now_ms.saturating_sub(withdrawn) >= window_ms) {
                return Err(unknown());
            }
            manifests::revive(txn, at, digest, link)?;
            tags::set(txn, at, tag, digest, now_ms, true)?;
            let metadata = json!({"tag": tag.as_str(), "manifest_digest": digest.to_string()});
            stamp.record_at(txn, 0, at, name, "revert_tag", metadata)
        })?;
        tracing::info!(%actor, repository = %name, %tag, %digest, "tag restored");
        Ok(())
    }
}
