//! Sessions and their indexes.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::metadata::ReadTxn;
use crate::model::sessions::MAX_OF_USER;
use crate::model::tables::{SESSION_EXPIRY, SESSIONS, USER_SESSIONS, USERS};

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let users = all(rows, &USERS)?;
    let (mut by_user, mut by_expiry, mut counts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (key, session) in all(rows, &SESSIONS)? {
        let id = session.principal;
        by_user.insert((id, session.created_ms, key), ());
        by_expiry.insert((session.expires_ms, key), ());
        *counts.entry(id).or_insert(0) += 1;
        let is_current = users.get(&id).is_some_and(|user| user.generation == session.generation);
        findings
            .require(is_current, || format!("sessions: one of user {} is of a generation that ended", id.0));
    }
    findings.compare("user sessions", &by_user, &all(rows, &USER_SESSIONS)?);
    findings.compare("session expiry", &by_expiry, &all(rows, &SESSION_EXPIRY)?);
    for (id, count) in counts {
        findings.require(count <= MAX_OF_USER, || format!("sessions: user {} has {count}", id.0));
    }
    Ok(())
}
