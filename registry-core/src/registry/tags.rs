//! Listing and restoring tags.

use serde_json::json;

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor};
use crate::metadata::Rows;
use crate::model::authorize::granted;
use crate::model::records::ManifestLink;
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

/// A live tag, and what it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagInfo {
    /// The tag.
    pub tag: Tag,
    /// The manifest.
    pub digest: Digest,
    /// Since when it points there, in milliseconds since the Unix epoch.
    pub set_ms: u64,
    /// What the layers of the manifest add up to, in bytes; none for an index.
    pub layers_bytes: Option<u64>,
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

    /// At most `limit` live tags with what they point at, in byte order. The cost is that of two rows for each.
    ///
    /// # Errors
    /// The refusals of a pull.
    pub fn tag_infos(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        limit: usize,
    ) -> Result<Vec<TagInfo>, Error> {
        self.0.metadata.read(|rows| {
            let at = granted(rows, &self.0.settings, actor, name, Action::Pull)?;
            let tags = rows.scan(&TAGS, &(at.repository,), None, limit)?;
            let infos = tags.into_iter().map(|((_, tag), live)| {
                let digest = live.digest.0;
                let link = rows.get(&MANIFEST_LINKS, &(at.repository, digest))?;
                // The tags of a manifest that was deleted end a moment later, if they are many.
                let link = link.filter(|link| link.withdrawn_ms.is_none());
                let of = |link: ManifestLink| TagInfo {
                    tag,
                    digest,
                    set_ms: live.start_ms,
                    layers_bytes: link.layers_bytes,
                };
                Ok(link.map(of))
            });
            infos.filter_map(Result::transpose).collect()
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
