//! Reading, mounting and deleting blobs.

use std::sync::atomic::Ordering;

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor};
use crate::content::BlobReader;
use crate::metadata::{Growth, Lane, Rows};
use crate::model::authorize::{self, Granted, granted, granted_or_created};
use crate::model::tables::{BLOB_REPOSITORIES, REPOSITORY};
use crate::model::{blobs, repositories};
use crate::oci::{Digest, NamespaceName, RepositoryName};

/// A mount that names no source looks at this many repositories that have the blob.
const SOURCES_ASKED: usize = 64;

/// What is told of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// The digest.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
}

/// What became of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// The repository has the blob now.
    Yes,
    /// No source that the actor may pull from has the blob: it has to be uploaded.
    No,
}

impl Registry {
    /// Opens a blob for reading.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`], also if the file is absent or of the wrong length, so that the next push brings it
    /// back; the refusals of a pull.
    pub fn blob(&self, actor: &Actor, name: &RepositoryName, digest: &Digest) -> Result<BlobReader, Error> {
        let size = self.blob_size(actor, name, digest)?;
        self.open_file(digest, size)?.ok_or(Error::BlobUnknown(*digest))
    }

    /// As [`Registry::blob`], where that costs a few rows and no file has to be opened; `None` where one has.
    ///
    /// # Errors
    /// As [`Registry::blob`].
    pub fn blob_at_hand(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<BlobReader>, Error> {
        let size = self.blob_size(actor, name, digest)?;
        Ok(self.0.content.at_hand(digest, size))
    }

    fn blob_size(&self, actor: &Actor, name: &RepositoryName, digest: &Digest) -> Result<u64, Error> {
        self.0.metadata.read(|rows| {
            let at = granted(rows, &self.0.settings, actor, name, Action::Pull)?;
            Ok(blobs::visible(rows, at, digest)?.size)
        })
    }

    /// Opens the file of a digest that rows name, and counts it when it is not as they say.
    pub(super) fn open_file(&self, digest: &Digest, size: u64) -> Result<Option<BlobReader>, Error> {
        let file = self.0.content.read(digest, size)?;
        if file.is_none() {
            self.0.missing_blobs.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%digest, size, "a file that rows name is absent or of the wrong length");
        }
        Ok(file)
    }

    /// Makes a blob of another repository this one's too, without uploading it. With no `source`, any repository
    /// that the actor may pull from will do.
    ///
    /// # Errors
    /// The refusals of a push into `name`; never that of a source, which is [`Mounted::No`].
    pub fn mount_blob(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        digest: &Digest,
        source: Option<&RepositoryName>,
    ) -> Result<Mounted, Error> {
        let new = self.new_repository(actor, false, None, 0)?;
        let grace_ms = self.now_ms() + self.0.settings.blob_grace_ms;
        let found = self.0.metadata.read(|rows| {
            authorize::check_push(rows, &self.0.settings, actor, name)?;
            self.source(rows, actor, name, digest, source)
        })?;
        let Some(size) = found else { return Ok(Mounted::No) };
        // The lock keeps the file from being unlinked before the row that names it is committed.
        let _lock = self.0.content.lock(digest);
        if self.open_file(digest, size)?.is_none() {
            return Ok(Mounted::No);
        }
        let mounted = self.0.metadata.write(|txn| {
            let Some(size) = self.source(txn, actor, name, digest, source)? else { return Ok(Mounted::No) };
            let at = granted_or_created(txn, &self.0.settings, actor, name, &new)?;
            blobs::link(txn, at, digest, size, grace_ms)?;
            Ok(Mounted::Yes)
        })?;
        if mounted == Mounted::Yes {
            tracing::info!(%actor, repository = %name, %digest, "blob mounted");
        }
        Ok(mounted)
    }

    /// The size of the blob, if a repository that the actor may pull from has it.
    fn source(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        target: &RepositoryName,
        digest: &Digest,
        source: Option<&RepositoryName>,
    ) -> Result<Option<u64>, Error> {
        if let Some(source) = source {
            return self.pullable(rows, actor, source, digest);
        }
        if let Some(size) = self.pullable(rows, actor, target, digest)? {
            return Ok(Some(size));
        }
        for ((_, repository), ()) in rows.scan(&BLOB_REPOSITORIES, &(*digest,), None, SOURCES_ASKED)? {
            let Some(row) = rows.get(&REPOSITORY, &repository)? else { continue };
            let namespace = authorize::namespace_row(rows, row.namespace)?;
            let namespace: NamespaceName = namespace.name.parse().map_err(|_| Error::Corrupt("namespace"))?;
            let name =
                RepositoryName::new(&namespace, &row.path).map_err(|_| Error::Corrupt("repository"))?;
            if let Some(size) = self.pullable(rows, actor, &name, digest)? {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    fn pullable(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let at = match granted(rows, &self.0.settings, actor, name, Action::Pull) {
            Ok(at) => at,
            Err(Error::RepositoryUnknown(_) | Error::Denied { .. } | Error::SignInNeeded { .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        match blobs::visible(rows, at, digest) {
            Ok(blob) => Ok(Some(blob.size)),
            Err(Error::BlobUnknown(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes a blob that no live manifest of the repository refers to. Other repositories keep theirs.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`], [`Error::BlobInUse`], the refusals of a deletion.
    pub fn delete_blob(&self, actor: &Actor, name: &RepositoryName, digest: &Digest) -> Result<(), Error> {
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at: Granted = granted(txn, &self.0.settings, actor, name, Action::Delete)?;
            blobs::delete(txn, at, digest)?;
            repositories::remove_if_never_used(txn, at)
        })?;
        self.0.wake.notify();
        tracing::info!(%actor, repository = %name, %digest, "blob deleted");
        Ok(())
    }
}
