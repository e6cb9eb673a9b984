//! Namespaces, users, repositories and the listings.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::metadata::ReadTxn;
use crate::model::keys::{NamespaceId, Realm};
use crate::model::tables::{
    CATALOG, NAMESPACE, NAMESPACES, PUBLIC_CATALOG, PUBLIC_NAMESPACES, REPOSITORIES, REPOSITORY, STARRED_BY,
    STARS, USERS, WORDS,
};
use crate::model::words;

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    namespaces(rows, findings)?;
    listings(rows, findings)?;
    stars(rows, findings)
}

fn namespaces(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let by_id = all(rows, &NAMESPACE)?;
    let live = by_id.iter().filter(|(_, row)| !row.is_deleted);
    let names = live.map(|(id, row)| (row.name.clone(), *id)).collect();
    findings.compare("namespaces", &names, &all(rows, &NAMESPACES)?);
    for (id, user) in all(rows, &USERS)?.into_iter().filter(|(_, user)| user.robot_of.is_none()) {
        let home = by_id.get(&NamespaceId::from(id));
        let is_named = user.is_deleted || home.is_some_and(|row| row.name == user.name);
        findings.require(is_named, || format!("users: {} has no namespace", user.name));
    }
    Ok(())
}

fn listings(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let listed = |is_shown: &dyn Fn(&crate::model::records::Repository) -> bool| -> BTreeMap<_, _> {
        let shown = repositories.iter().filter(|(_, row)| !row.is_deleted && is_shown(row));
        shown.map(|(id, row)| ((row.namespace, row.path.clone()), *id)).collect()
    };
    findings.compare("repositories", &listed(&|_| true), &all(rows, &REPOSITORIES)?);
    findings.compare("catalog", &listed(&|row| row.had_manifest), &all(rows, &CATALOG)?);
    let public = listed(&|row| row.had_manifest && row.is_public);
    findings.compare("public catalog", &public, &all(rows, &PUBLIC_CATALOG)?);
    let mut expected = BTreeMap::new();
    for (id, row) in repositories.iter().filter(|(_, row)| !row.is_deleted) {
        let is_public = row.had_manifest && row.is_public;
        let realms = [Realm::Everything, Realm::Namespace(row.namespace), Realm::Public];
        for realm in realms.into_iter().take(if is_public { 3 } else { 2 }) {
            expected.extend(words::of(&row.path).into_iter().map(|word| ((realm, word, *id), ())));
        }
    }
    findings.compare("words", &expected, &all(rows, &WORDS)?);
    let mut with_public = BTreeMap::new();
    for (id, row) in all(rows, &NAMESPACE)? {
        let count = public.keys().filter(|(namespace, _)| *namespace == id).count() as u64;
        findings.require(row.public_repositories == count, || {
            format!(
                "namespace {}: counts {} public repositories of {count}",
                row.name, row.public_repositories
            )
        });
        if count > 0 && !row.is_deleted {
            with_public.insert(row.name, id);
        }
    }
    findings.compare("public namespaces", &with_public, &all(rows, &PUBLIC_NAMESPACES)?);
    Ok(())
}

fn stars(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let (accounts, stars) = (all(rows, &USERS)?, all(rows, &STARS)?);
    let mut counts = BTreeMap::new();
    for (user, repository) in stars.keys() {
        *counts.entry(*repository).or_insert(0) += 1;
        findings.require(accounts.contains_key(user), || format!("stars: {user:?} is nobody"));
    }
    let given = stars.keys().map(|(user, repository)| ((*repository, *user), ())).collect();
    findings.compare("starred by", &given, &all(rows, &STARRED_BY)?);
    let starred = all(rows, &REPOSITORY)?.into_iter().filter(|(_, row)| row.stars > 0);
    findings.compare("stars", &counts, &starred.map(|(id, row)| (id, row.stars)).collect());
    Ok(())
}
