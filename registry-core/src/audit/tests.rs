//! An audit is worth what it notices: every row that is missing, and every count that is off.

use std::collections::BTreeSet;

use super::all;
use crate::metadata::key::{Component, Descending};
use crate::metadata::{Metadata, Record, Rows, Table, WriteTxn};
use crate::model::tables;
use crate::oci::{Algorithm, Digest, Manifest, NamespaceName, Reference, RepositoryName};
use crate::simulation::SimulatedDisk;
use crate::{
    Actor, Authorization, Clock, Entropy, KeptSecret, NewRobot, NewToken, NewUser, Principal, Registry,
    RobotToken, Role, Settings, To, trail,
};

fn open(disk: &SimulatedDisk) -> Registry {
    let settings = Settings { create_namespace_on_push: true, ..Settings::default() };
    Registry::open_simulated(disk, settings, Clock::manual(1_000_000), Entropy::seeded(1)).unwrap()
}

fn upload(registry: &Registry, actor: &Actor, name: &RepositoryName, bytes: &[u8]) -> Digest {
    let id = registry.start_upload(actor, name, None).unwrap();
    let mut writer = registry.open_upload(actor, name, id).unwrap();
    writer.append(bytes).unwrap();
    let digest = Digest::of(Algorithm::Sha256, bytes);
    writer.finish(&digest).unwrap();
    digest
}

fn put(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    reference: Option<&str>,
    json: String,
) -> Digest {
    let manifest = Manifest::parse(json.into_bytes().into(), None).unwrap();
    let digest = manifest.digest(Algorithm::Sha256);
    let reference = reference.map_or(Reference::Digest(digest), |tag| tag.parse().unwrap());
    registry.put_manifest(actor, name, &reference, &[], &manifest, None).unwrap().digest
}

fn index(more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{more}]}}"#
    )
}

/// A disk with a registry on it that has rows in every table that the audit looks at.
fn populated() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let registry = open(&disk);
    let user = NewUser {
        name: "alice".parse().unwrap(),
        email: String::new(),
        password_hash: String::new(),
        is_superuser: false,
    };
    let principal = Principal { id: registry.create_user(&user).unwrap(), generation: 1 };
    registry.begin_session(&principal, None).unwrap();
    let alice = Actor::User(principal);
    let name = RepositoryName::parse("acme/app", &"library".parse::<NamespaceName>().unwrap()).unwrap();
    registry.create_repository(&alice, &name, true).unwrap();
    let robot = NewRobot {
        short_name: "builder".parse().unwrap(),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        limits: Default::default(),
    };
    registry.create_robot(&alice, &"acme".parse().unwrap(), &robot).unwrap();
    registry.grant(&alice, &name, To::Team("owners"), Role::Read).unwrap();
    add_tokens(&registry, &alice);
    registry.star(&alice, &name).unwrap();
    let layer = upload(&registry, &alice, &name, b"layer");
    upload(&registry, &alice, &name, b"lonely");
    let image = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"a/b","digest":"{layer}","size":5}},"layers":[]}}"#
    );
    let image = put(&registry, &alice, &name, Some("v1"), image);
    let child = index(&format!(r#"{{"mediaType":"a/b","digest":"{image}","size":1}}"#));
    let parent = put(&registry, &alice, &name, Some("v1"), child);
    let referrer = index("").replace(
        "]}",
        &format!(r#"],"artifactType":"a/b","subject":{{"mediaType":"a/b","digest":"{parent}","size":1}}}}"#),
    );
    put(&registry, &alice, &name, None, referrer);
    put(&registry, &alice, &name, None, index("").replace("]}", r#"],"annotations":{"a":"b"}}"#));
    let withdrawn = put(&registry, &alice, &name, Some("gone"), index(""));
    registry.delete_manifest(&alice, &name, &Reference::Digest(withdrawn)).unwrap();
    put(&registry, &alice, &name, Some("large"), index(&" ".repeat(70_000)));
    registry.start_upload(&alice, &name, None).unwrap();
    registry.run_background().unwrap();
    assert_eq!(registry.audit(true).unwrap(), Vec::<String>::new());
    disk
}

/// Makes an application with a token and a code, and an app-specific token.
fn add_tokens(registry: &Registry, alice: &Actor) {
    let (acme, kept) = ("acme".parse().unwrap(), |seed| KeptSecret { nonce: [seed; 16], hash: [seed; 32] });
    registry.create_application(alice, &acme, "client", &Default::default(), &kept(1)).unwrap();
    let scopes = "repo:read".parse().unwrap();
    let new = NewToken { title: String::new(), scopes, hash: [2; 32], lifetime_ms: 1000 };
    registry.create_application_token(alice, &acme, "client", &new).unwrap();
    let asked =
        Authorization { client_id: "client".into(), redirect_uri: String::new(), is_local: true, scopes };
    registry.authorize_by_code(alice, &asked, [3; 32]).unwrap();
    registry.create_app_token(alice, "laptop", &kept(4)).unwrap();
}

/// One of a registry's databases.
type Database = fn(&Registry) -> &Metadata;

/// Takes each row of a table away in turn; gives the table's name if one is not missed.
fn unmissed<K: Component, V: Record>(
    disk: &SimulatedDisk,
    database: Database,
    table: &Table<K, V>,
) -> Option<&'static str> {
    let registry = open(&disk.cut(disk.log_len(), 0));
    let rows = database(&registry).read(|rows| rows.scan(table, &(), None, usize::MAX)).unwrap();
    assert!(!rows.is_empty(), "{} has no row to take away", table.name);
    let is_missed = |(key, _): &(K, V)| {
        let damaged = open(&disk.cut(disk.log_len(), 0));
        database(&damaged)
            .write(|txn| {
                txn.delete(table, key);
                Ok(())
            })
            .unwrap();
        !damaged.audit(false).unwrap().is_empty()
    };
    (!rows.iter().all(is_missed)).then_some(table.name)
}

macro_rules! unmissed_in {
    ($disk:expr, $database:path, $tables:ident, $($table:ident)+) => {
        [$(unmissed($disk, $database, &$tables::$table)),+].into_iter().flatten().collect()
    };
}

#[test]
fn every_row_that_is_missing_is_noticed() {
    let disk = populated();
    let unmissed: BTreeSet<&str> = unmissed_in!(&disk, Registry::metadata, tables,
        NAMESPACES NAMESPACE ROBOTS ROBOT_NAMES TEAMS TEAM_NAMES TEAM_ROLES TEAM_MEMBERS MEMBERSHIPS GRANTS GRANTED
        REPOSITORIES REPOSITORY CATALOG PUBLIC_CATALOG PUBLIC_NAMESPACES WORDS STARS STARRED_BY
        TAGS DEAD_TAGS MANIFESTS MANIFEST_BYTES MANIFEST_LINKS MANIFEST_BLOBS BLOB_MANIFESTS MANIFEST_CHILDREN
        HOLDS REFERRERS WITHDRAWN BLOBS NAMESPACE_BLOBS REPOSITORY_BLOBS BLOB_REPOSITORIES BLOB_GRACE
        UPLOADS UPLOAD_EXPIRY UPLOAD_COUNTS USAGE SESSIONS USER_SESSIONS SESSION_EXPIRY TOTALS
        APPLICATIONS CLIENT_IDS NAMESPACE_APPLICATIONS TOKENS TOKEN_HASHES USER_TOKENS APPLICATION_TOKENS TOKEN_EXPIRY
        CODES CODE_EXPIRY
    );
    assert_eq!(unmissed, BTreeSet::new());
}

#[test]
fn every_row_of_the_log_that_is_missing_is_noticed() {
    let unmissed: BTreeSet<&str> =
        unmissed_in!(&populated(), Registry::logs, trail, EVENTS INDEX COUNTS TALLY);
    assert_eq!(unmissed, BTreeSet::new());
}

#[test]
fn rows_of_the_log_that_should_not_be_there_are_noticed() {
    let disk = populated();
    let is_noticed = |damage: &dyn Fn(&mut WriteTxn<'_>)| {
        let damaged = open(&disk.cut(disk.log_len(), 0));
        let write = |txn: &mut WriteTxn<'_>| {
            damage(txn);
            Ok(())
        };
        damaged.logs().write(write).unwrap();
        !damaged.audit(false).unwrap().is_empty()
    };
    let key = (trail::Scope::All, Descending(1), Descending(1));
    assert!(is_noticed(&|txn| txn.put(&trail::INDEX, &key, &())));
    assert!(is_noticed(&|txn| txn.put(&trail::EVENTS, &(1, 1), &trail::Event::default())));
    let archive = trail::Archive { name: "absent".into(), is_written: true, ..trail::Archive::default() };
    assert!(is_noticed(&|txn| txn.put(&trail::ARCHIVE, &0, &archive)));
    assert!(!is_noticed(&|_| {}));
}

#[test]
fn every_count_that_is_off_is_noticed() {
    let disk = populated();
    let registry = open(&disk.cut(disk.log_len(), 0));
    macro_rules! noticed {
        ($table:ident, $($field:ident),+) => { noticed!(in metadata, tables::$table, $($field),+); };
        (in $database:ident, $table:path, $($field:ident),+) => {$(
            let rows = registry.$database().read(|rows| all(rows, &$table)).unwrap();
            for (key, row) in rows {
                let mut off = row.clone();
                off.$field += 1;
                registry.$database().write(|txn| { txn.put(&$table, &key, &off); Ok(()) }).unwrap();
                let found = registry.audit(false).unwrap();
                assert!(!found.is_empty(), "{}.{}", $table.name, stringify!($field));
                registry.$database().write(|txn| { txn.put(&$table, &key, &row); Ok(()) }).unwrap();
            }
        )+};
    }
    noticed!(SESSIONS, generation, created_ms, expires_ms);
    noticed!(NAMESPACE, public_repositories);
    noticed!(TEAMS, members);
    noticed!(REPOSITORY, manifests, manifest_bytes, blobs, blob_bytes, tags, uploads, stars);
    noticed!(USAGE, repositories, manifests, manifest_bytes, blobs, blob_bytes, tags);
    noticed!(APPLICATIONS, tokens);
    noticed!(CODES, expires_ms);
    noticed!(MANIFESTS, repositories, size);
    noticed!(BLOBS, namespaces, size);
    noticed!(NAMESPACE_BLOBS, count);
    noticed!(UPLOAD_COUNTS, count);
    noticed!(REPOSITORY_BLOBS, manifests, withdrawn);
    noticed!(in logs, trail::COUNTS, count);
    noticed!(in logs, trail::TALLY, events, bytes);
    noticed!(TOTALS, blobs, blob_bytes, manifests, manifest_bytes, uploads);
    assert_eq!(registry.audit(true).unwrap(), Vec::<String>::new());
}
