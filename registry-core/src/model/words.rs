//! The words in the paths of repositories, by which they are searched for: a search reads the index of those who may see
//! what it finds, and so costs nobody what others have.

use std::collections::BTreeSet;

use super::authorize::Granted;
use super::keys::{Realm, RepositoryId};
use super::tables::{REPOSITORY, WORDS};
use crate::Error;
use crate::metadata::{Rows, WriteTxn};

/// Rows of the index that a search reads in each realm, whatever it finds.
const READ: usize = 1000;
/// Rows that are read at once.
const AT_ONCE: usize = 100;

/// The words of a text: what stands between anything but letters and digits.
pub(crate) fn of(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// Whether each wanted word is the beginning of one of these.
pub(crate) fn match_all(words: &BTreeSet<String>, wanted: &BTreeSet<String>) -> bool {
    let begins =
        |wanted: &String| words.range(wanted.clone()..).next().is_some_and(|w| w.starts_with(wanted));
    wanted.iter().all(begins)
}

/// Lets a new repository be found by who sees its namespace, and by who sees everything.
pub(crate) fn add(txn: &mut WriteTxn<'_>, at: Granted, path: &str) {
    for realm in [Realm::Everything, Realm::Namespace(at.namespace)] {
        put(txn, realm, at, path);
    }
}

/// Lets a repository be found by everybody.
pub(crate) fn publish(txn: &mut WriteTxn<'_>, at: Granted, path: &str) {
    put(txn, Realm::Public, at, path);
}

/// Ends that.
pub(crate) fn withdraw(txn: &mut WriteTxn<'_>, at: Granted, path: &str) {
    delete(txn, Realm::Public, at, path);
}

/// Forgets a repository. It touches at most three rows for each of the 128 words that a path can have.
pub(crate) fn remove(txn: &mut WriteTxn<'_>, at: Granted, path: &str) {
    for realm in [Realm::Everything, Realm::Namespace(at.namespace), Realm::Public] {
        delete(txn, realm, at, path);
    }
}

fn put(txn: &mut WriteTxn<'_>, realm: Realm, at: Granted, path: &str) {
    for word in of(path) {
        txn.put(&WORDS, &(realm, word, at.repository), &());
    }
}

fn delete(txn: &mut WriteTxn<'_>, realm: Realm, at: Granted, path: &str) {
    for word in of(path) {
        txn.delete(&WORDS, &(realm, word, at.repository));
    }
}

/// At most about `limit` repositories of a realm whose paths have a word that begins with each wanted one.
pub(crate) fn find(
    rows: &impl Rows,
    realm: Realm,
    wanted: &BTreeSet<String>,
    limit: usize,
) -> Result<BTreeSet<RepositoryId>, Error> {
    let mut found = BTreeSet::new();
    // The longest word leaves the fewest to look at. Whole words sort before those that only begin so.
    let Some(longest) = wanted.iter().max_by_key(|word| word.len()) else { return Ok(found) };
    let mut after = (realm, longest.clone(), RepositoryId(0));
    for _ in 0..READ / AT_ONCE {
        let read = rows.scan(&WORDS, &(realm,), Some(&after), AT_ONCE)?;
        let is_last = read.len() < AT_ONCE;
        for ((realm, word, id), ()) in read {
            if !word.starts_with(longest.as_str()) || found.len() >= limit {
                return Ok(found);
            }
            let row = rows.get(&REPOSITORY, &id)?.ok_or(Error::Corrupt("words"))?;
            if match_all(&of(&row.path), wanted) {
                found.insert(id);
            }
            after = (realm, word, id);
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wanted_word_begins_one_of_the_path() {
        let path = of("tools/base-image_v2.x");
        assert_eq!(path, ["base", "image", "tools", "v2", "x"].map(str::to_owned).into());
        for (wanted, matches) in [
            ("base", true),
            ("BAS", true),
            ("too im", true),
            ("base-image", true),
            ("", true),
            ("ase", false),
            ("base other", false),
            ("tools2", false),
        ] {
            assert_eq!(match_all(&path, &of(wanted)), matches, "{wanted}");
        }
    }
}
