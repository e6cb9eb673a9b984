//! Messages that superusers show to everybody. Quay records no events of them.

use super::Registry;
use crate::Error;
use crate::access::{AccountAction, Actor};
use crate::metadata::{Growth, Lane, Rows};
use crate::model::messages::{Message, MessageId};
use crate::model::standing;
use crate::model::tables::MESSAGES;

/// The most messages there may be: all are shown at once.
const MESSAGES_MAX: usize = 100;

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// To be known.
    Info,
    /// To be heeded.
    Warning,
    /// Something is wrong.
    Error,
}

impl Severity {
    /// Every one, so that lists of them leave none out.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// Its name in Quay.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// Its name.
    pub id: MessageId,
    /// What it says.
    pub content: String,
    /// Whether that is Markdown, and not plain text.
    pub is_markdown: bool,
    /// How grave it is.
    pub severity: Severity,
}

impl Registry {
    /// Every message, the oldest first.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn messages(&self) -> Result<Vec<MessageInfo>, Error> {
        self.0.metadata.read(|rows| {
            let mut messages = rows.scan(&MESSAGES, &(), None, MESSAGES_MAX)?;
            messages.sort_by_key(|(id, row)| (row.created_ms, *id));
            messages.into_iter().map(|(id, row)| info(id, row)).collect()
        })
    }

    /// Shows a message to everybody.
    ///
    /// # Errors
    /// [`Error::TooMany`]; the refusals of ruling the registry.
    pub fn post_message(
        &self,
        actor: &Actor,
        content: &str,
        is_markdown: bool,
        severity: Severity,
    ) -> Result<MessageId, Error> {
        let (id, created_ms) = (MessageId::from_random(self.random()?), self.now_ms());
        self.0.metadata.write(|txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)?;
            if txn.scan(&MESSAGES, &(), None, MESSAGES_MAX)?.len() == MESSAGES_MAX {
                return Err(Error::TooMany("messages"));
            }
            let message = Message {
                content: content.to_owned(),
                media_type: if is_markdown { MARKDOWN } else { PLAIN }.to_owned(),
                severity: severity.name().to_owned(),
                created_ms,
            };
            txn.put(&MESSAGES, &id, &message);
            Ok(())
        })?;
        tracing::info!(%actor, message = %id, "message posted");
        Ok(id)
    }

    /// Takes a message away, if it is there.
    ///
    /// # Errors
    /// the refusals of ruling the registry.
    pub fn delete_message(&self, actor: &Actor, id: MessageId) -> Result<(), Error> {
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)?;
            txn.delete(&MESSAGES, &id);
            Ok(())
        })?;
        tracing::info!(%actor, message = %id, "message deleted");
        Ok(())
    }
}

const MARKDOWN: &str = "text/markdown";
const PLAIN: &str = "text/plain";

fn info(id: MessageId, row: Message) -> Result<MessageInfo, Error> {
    let severity = Severity::ALL.into_iter().find(|severity| severity.name() == row.severity);
    let severity = severity.ok_or(Error::Corrupt("messages"))?;
    Ok(MessageInfo { id, content: row.content, is_markdown: row.media_type == MARKDOWN, severity })
}
