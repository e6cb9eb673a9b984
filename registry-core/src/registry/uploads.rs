//! Resumable uploads: bytes are pushed in by short calls and hashed as they arrive.
//!
//! A session is a row and a staged file. While it is written to, its hash state lives in memory; the row gets it only
//! after the file was synced that far, so on resume the file is cut to what the row says, or hashed again.

mod session;
mod sessions;
mod writer;

use std::sync::Arc;

use self::session::Session;
pub(super) use self::sessions::Sessions;
use self::sessions::Slot;
pub use self::writer::UploadWriter;
use super::Registry;
use crate::Error;
use crate::access::{Action, Actor};
use crate::content::hash_file;
use crate::files::DiskFile;
use crate::metadata::{Growth, Lane};
use crate::model::authorize::{granted, granted_or_created};
use crate::model::keys::{NamespaceId, RepositoryId, TeamId, UploadId};
use crate::model::records::Upload;
use crate::model::repositories::NewRepository;
use crate::model::uploads;
use crate::oci::{Algorithm, Hasher, RepositoryName};

impl Registry {
    /// Begins an upload; the repository is made if it is missing and the actor may make it. Without `algorithm`,
    /// sha256 is hashed while bytes arrive; any other digest can still end the upload.
    ///
    /// # Errors
    /// The refusals of a push; [`Error::TooManyUploads`].
    pub fn start_upload(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadId, Error> {
        let id = UploadId::from_random(self.0.entropy.bytes()?);
        let new = self.new_repository(actor, false, None, 0)?;
        let expires_ms = new.now_ms + self.0.settings.upload_expiry_ms;
        self.0.metadata.write(|txn| {
            let at = granted_or_created(txn, &self.0.settings, actor, name, &new)?;
            let upload = Upload {
                namespace: at.namespace,
                repository: at.repository,
                principal: actor.principal_id(),
                algorithm: if algorithm == Some(Algorithm::Sha512) { 2 } else { 1 },
                created_ms: new.now_ms,
                expires_ms,
                ..Upload::default()
            };
            uploads::check_room(txn, &self.0.settings, &upload)?;
            uploads::begin(txn, id, &upload)?;
            Ok(id)
        })
    }

    /// Fresh ids and the visibility for a repository that may turn out to be missing, in a write that records so many
    /// events of its own.
    pub(super) fn new_repository(
        &self,
        actor: &Actor,
        was_created: bool,
        is_public: Option<bool>,
        events: u64,
    ) -> Result<NewRepository, Error> {
        let stamp = self.stamp(actor, NewRepository::EVENTS + events)?;
        Ok(NewRepository {
            repository: RepositoryId(self.0.ids.fresh(&self.0.metadata)?),
            namespace: NamespaceId(self.0.ids.fresh(&self.0.metadata)?),
            owners: TeamId(self.0.ids.fresh(&self.0.metadata)?),
            is_public: is_public.unwrap_or(!self.0.settings.create_private_on_push),
            was_created,
            now_ms: stamp.now_ms,
            stamp,
        })
    }

    /// The bytes that the upload holds.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`] if it is not this actor's in this repository; [`Error::UploadBusy`]; the refusals of
    /// a push.
    pub fn upload_offset(&self, actor: &Actor, name: &RepositoryName, id: UploadId) -> Result<u64, Error> {
        self.upload_row(actor, name, id)?;
        match self.0.sessions.lock().get(&id) {
            Some(Slot::Resting(session, _)) => return Ok(session.offset),
            Some(Slot::Busy) => return Err(Error::UploadBusy),
            None => {}
        }
        // Not what the row says: the power may have gone after the file had been moved.
        Ok(self.open_upload(actor, name, id)?.offset())
    }

    /// Opens the upload for writing. One request at a time has it.
    ///
    /// # Errors
    /// As [`Registry::upload_offset`].
    pub fn open_upload(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        id: UploadId,
    ) -> Result<UploadWriter, Error> {
        self.upload_row(actor, name, id)?;
        let taken = self.0.sessions.take(id)?;
        let session = match taken.map_or_else(|| self.restore(id).map(Box::new), Ok) {
            Ok(session) => session,
            Err(error) => {
                self.0.sessions.forget(id);
                return Err(error);
            }
        };
        Ok(self.writer(actor, name, id, session))
    }

    /// As [`Registry::open_upload`] where that needs no file: `None` if the session is not in memory.
    ///
    /// # Errors
    /// As [`Registry::upload_offset`].
    pub fn open_upload_from_memory(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        id: UploadId,
    ) -> Result<Option<UploadWriter>, Error> {
        self.upload_row(actor, name, id)?;
        let session = self.0.sessions.take_from_memory(id)?;
        Ok(session.map(|session| self.writer(actor, name, id, session)))
    }

    fn writer(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        id: UploadId,
        session: Box<Session>,
    ) -> UploadWriter {
        let (registry, name) = (self.clone(), name.clone());
        UploadWriter { registry, actor: actor.clone(), name, id, session: Some(session) }
    }

    /// Gives the upload up.
    ///
    /// # Errors
    /// As [`Registry::upload_offset`].
    pub fn cancel_upload(&self, actor: &Actor, name: &RepositoryName, id: UploadId) -> Result<(), Error> {
        self.upload_row(actor, name, id)?;
        self.abandon(id)
    }

    /// Ends a session that nobody is writing to and queues its file for unlinking.
    pub(super) fn abandon(&self, id: UploadId) -> Result<(), Error> {
        drop(self.0.sessions.take(id)?);
        let discarded = self.discard(id);
        self.0.sessions.forget(id);
        discarded
    }

    /// Ends a session that the caller has taken and queues its file for unlinking.
    fn discard(&self, id: UploadId) -> Result<(), Error> {
        let discarded = self
            .0
            .metadata
            .write_in(Lane::Foreground, Growth::MayUseReserve, |txn| uploads::abandon(txn, id));
        self.0.wake.notify();
        discarded
    }

    /// The row, if the upload is this actor's in this repository and pushing is still granted.
    fn upload_row(&self, actor: &Actor, name: &RepositoryName, id: UploadId) -> Result<Upload, Error> {
        self.0.metadata.read(|rows| {
            // Asked first: what a stranger learns of a session is what he learns of the repository.
            let at = match granted(rows, &self.0.settings, actor, name, Action::Push) {
                Err(Error::RepositoryUnknown(_)) => return Err(Error::UploadUnknown),
                at => at?,
            };
            let upload = uploads::get(rows, id)?;
            let is_own = upload.repository == at.repository && upload.principal == actor.principal_id();
            if is_own { Ok(upload) } else { Err(Error::UploadUnknown) }
        })
    }

    /// Brings a session back into memory as its row and its file say. The caller has taken it, and only then is the
    /// row asked: until then others may have saved or ended it.
    fn restore(&self, id: UploadId) -> Result<Session, Error> {
        let upload = self.0.metadata.read(|rows| uploads::get(rows, id))?;
        let file = self.0.content.staged(id)?;
        let algorithm = if upload.algorithm == 2 { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let on_disk = file.len()?.min(upload.offset);
        let saved_hasher = Hasher::restore(&upload.hash_state).filter(|_| on_disk == upload.offset);
        let hasher = match saved_hasher {
            Some(hasher) => hasher,
            None => hash_file(&*file, algorithm, on_disk)?,
        };
        file.set_len(on_disk)?;
        Ok(Session::new(file, hasher, on_disk))
    }

    /// Saves what was appended until `now_ms`; from then on the session may rest.
    fn save(&self, id: UploadId, session: &mut Session, now_ms: u64) -> Result<(), Error> {
        session.finish_saving()?;
        if session.saved == session.offset {
            return Ok(());
        }
        self.state(id, session, now_ms)?.save(self)?;
        session.saved = session.offset;
        Ok(())
    }

    /// Begins to save what was appended until `now_ms`, while more is appended.
    fn save_beside(&self, id: UploadId, session: &mut Session, now_ms: u64) -> Result<(), Error> {
        session.finish_saving()?;
        let (state, registry) = (self.state(id, session, now_ms)?, self.clone());
        session.is_being_saved(self.0.saving.run(move || state.save(&registry)));
        Ok(())
    }

    /// What there is to save of a session.
    fn state(&self, id: UploadId, session: &mut Session, now_ms: u64) -> Result<State, Error> {
        Ok(State {
            id,
            file: Arc::clone(&session.file),
            hash: session.hasher()?.save(),
            offset: session.offset,
            expires_ms: now_ms + self.0.settings.upload_expiry_ms,
        })
    }

    /// Saves every session that nobody is writing to, so that a stop loses nothing.
    pub(super) fn save_uploads(&self) -> Result<(), Error> {
        self.rest_uploads(u64::MAX)
    }

    /// Saves the sessions that have rested since before `before_ms` and takes them out of memory.
    pub(super) fn rest_uploads(&self, before_ms: u64) -> Result<(), Error> {
        let mut result = Ok(());
        for (id, mut session, since_ms) in self.0.sessions.take_resting(before_ms) {
            // If it cannot be saved, the session goes on from what was saved before.
            match self.save(id, &mut session, since_ms) {
                Ok(()) | Err(Error::UploadUnknown) => {}
                Err(error) => result = Err(error),
            }
            self.0.sessions.forget(id);
        }
        result
    }
}

/// How far a session had come at a moment. It may have come further when this is saved.
struct State {
    id: UploadId,
    file: Arc<dyn DiskFile>,
    hash: Vec<u8>,
    offset: u64,
    expires_ms: u64,
}

impl State {
    /// The row follows the bytes: what it says is on disk by then.
    fn save(&self, registry: &Registry) -> Result<(), Error> {
        registry.0.content.sync_staged(&*self.file)?;
        registry.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            uploads::save(txn, self.id, self.offset, &self.hash, self.expires_ms)
        })
    }
}
