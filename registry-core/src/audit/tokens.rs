//! OAuth applications, stored tokens and codes.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::metadata::ReadTxn;
use crate::metadata::key::Descending;
use crate::model::keys::SecretHash;
use crate::model::tables::{
    APPLICATION_TOKENS, APPLICATIONS, CLIENT_IDS, CODE_EXPIRY, CODES, NAMESPACE, NAMESPACE_APPLICATIONS,
    TOKEN_EXPIRY, TOKEN_HASHES, TOKENS, USER_TOKENS, USERS,
};
use crate::model::tokens::APP_SPECIFIC;

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    applications(rows, findings)?;
    tokens(rows, findings)?;
    let expiry = all(rows, &CODES)?.into_iter().map(|(key, code)| ((code.expires_ms, key), ())).collect();
    findings.compare("code expiry", &expiry, &all(rows, &CODE_EXPIRY)?);
    Ok(())
}

fn applications(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let (applications, namespaces) = (all(rows, &APPLICATIONS)?, all(rows, &NAMESPACE)?);
    let client_ids = applications.iter().map(|(id, row)| (row.client_id.clone(), *id)).collect();
    findings.compare("client ids", &client_ids, &all(rows, &CLIENT_IDS)?);
    let listed = applications.iter().map(|(id, row)| ((row.namespace, *id), ())).collect();
    findings.compare("namespace applications", &listed, &all(rows, &NAMESPACE_APPLICATIONS)?);
    for row in applications.values() {
        findings.require(namespaces.contains_key(&row.namespace), || {
            format!("application {}: its namespace is not there", row.client_id)
        });
    }
    Ok(())
}

fn tokens(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let (users, applications) = (all(rows, &USERS)?, all(rows, &APPLICATIONS)?);
    let (mut hashes, mut by_user, mut by_expiry) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut by_application, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for (id, token) in all(rows, &TOKENS)? {
        match token.secret_hash.as_slice().try_into() {
            Ok(hash) => drop(hashes.insert(SecretHash(hash), id)),
            Err(_) => findings.require(false, || format!("token {id}: has no hash")),
        }
        by_user.insert((token.principal, token.application.unwrap_or(APP_SPECIFIC), id), ());
        if let Some(expires_ms) = token.expires_ms {
            by_expiry.insert((expires_ms, id), ());
        }
        if let Some(application) = token.application {
            by_application.insert((application, Descending(token.created_ms), id), ());
            *counts.entry(application).or_insert(0) += 1;
            findings.require(applications.contains_key(&application), || {
                format!("token {id}: its application is not there")
            });
        }
        findings.require(users.contains_key(&token.principal), || format!("token {id}: its user is nobody"));
    }
    findings.compare("token hashes", &hashes, &all(rows, &TOKEN_HASHES)?);
    findings.compare("user tokens", &by_user, &all(rows, &USER_TOKENS)?);
    findings.compare("token expiry", &by_expiry, &all(rows, &TOKEN_EXPIRY)?);
    findings.compare("application tokens", &by_application, &all(rows, &APPLICATION_TOKENS)?);
    for (id, row) in applications {
        let count = counts.get(&id).copied().unwrap_or(0);
        findings.require(row.tokens == count, || {
            format!("application {}: counts {} tokens of {count}", row.client_id, row.tokens)
        });
    }
    Ok(())
}
