//! Listing what refers to a manifest.

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor};
use crate::metadata::Rows;
use crate::model::authorize::granted;
use crate::model::tables::REFERRERS;
use crate::oci::{Descriptor, Digest, Manifest, Reference, RepositoryName};

/// At most this many rows are looked at for one page, whether the filter lets them pass or not.
const ROWS_PER_PAGE: usize = 500;
/// A page ends before its descriptors are larger than this: an answer stays below the size of a manifest.
const PAGE_BYTES: usize = 3 << 20;

/// A page ends before more bytes of manifests than this were read for it.
const READ_BYTES: u64 = 32 << 20;

/// A page of a referrers list.
#[derive(Clone, Debug)]
pub struct ReferrersPage {
    /// A descriptor of each referrer, in the order of their digests.
    pub manifests: Vec<Descriptor>,
    /// The digest that the next page comes after, if there is one.
    pub next: Option<Digest>,
}

impl Registry {
    /// The manifests whose `subject` is exactly this digest, present or not; only those of one artifact type if that
    /// is given. Pages come after the digest `after`.
    ///
    /// # Errors
    /// The refusals of a pull, but that an unknown repository has an empty list.
    pub fn referrers(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<ReferrersPage, Error> {
        let (digests, mut next) = match self.referrer_digests(actor, name, subject, artifact_type, after) {
            Err(Error::RepositoryUnknown(_)) => (Vec::new(), None),
            listed => listed?,
        };
        let (mut manifests, mut size, mut read) = (Vec::new(), 0, 0);
        for digest in digests {
            let Some(descriptor) = self.referrer(actor, name, digest)? else { continue };
            size +=
                descriptor.annotations.iter().map(|(key, value)| key.len() + value.len() + 8).sum::<usize>();
            read += descriptor.size;
            if (size > PAGE_BYTES || read > READ_BYTES) && !manifests.is_empty() {
                next = manifests.last().map(|last: &Descriptor| last.digest);
                break;
            }
            manifests.push(descriptor);
        }
        Ok(ReferrersPage { manifests, next })
    }

    fn referrer_digests(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<(Vec<Digest>, Option<Digest>), Error> {
        self.0.metadata.read(|rows| {
            let at = granted(rows, &self.0.settings, actor, name, Action::Pull)?;
            let after = after.map(|digest| (at.repository, *subject, *digest));
            let listed =
                rows.scan(&REFERRERS, &(at.repository, *subject), after.as_ref(), ROWS_PER_PAGE + 1)?;
            let next = (listed.len() > ROWS_PER_PAGE).then(|| listed[ROWS_PER_PAGE - 1].0.2);
            let digests = listed
                .into_iter()
                .take(ROWS_PER_PAGE)
                .filter(|(_, row)| {
                    artifact_type.is_none_or(|wanted| row.artifact_type.as_deref() == Some(wanted))
                })
                .map(|((_, _, digest), _)| digest)
                .collect();
            Ok((digests, next))
        })
    }

    /// The descriptor of a referrer, read from the manifest itself; none if it went meanwhile.
    fn referrer(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<Descriptor>, Error> {
        let content = match self.manifest(actor, name, &Reference::Digest(digest)) {
            Err(Error::ManifestUnknown(_) | Error::RepositoryUnknown(_)) => return Ok(None),
            content => content?,
        };
        let manifest = Manifest::parse(content.bytes, Some(&content.info.media_type))
            .map_err(|_| Error::Corrupt("manifest bytes"))?;
        Ok(Some(Descriptor {
            media_type: content.info.media_type,
            digest,
            size: content.info.size,
            urls: Vec::new(),
            artifact_type: manifest.artifact_type().map(str::to_owned),
            annotations: manifest.annotations().clone(),
        }))
    }
}
