//! The audit trail: what is recorded, that it is there after any crash exactly once, and how it is read.

#[path = "trail/reading.rs"]
mod reading;
#[path = "trail/rotation.rs"]
mod rotation;

use std::time::Duration;

use registry_core::oci::Reference;
use registry_core::simulation::{SimulatedDisk, SyncPoint};
use registry_core::{
    Actor, Error, Event, EventCount, EventCursor, EventQuery, EventScope, NewUser, Observed, Origin,
    Principal, Pull, Registry, Settings, Streamed,
};

use crate::support::{OWNER, START_MS, Site, digest, image, index, name, open, tag};

const AT: &str = "acme/app";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn everything() -> EventQuery {
    EventQuery { scope: EventScope::All, performer: None, from_ms: 0, until_ms: u64::MAX }
}

fn in_repository(at: &str) -> EventQuery {
    EventQuery { scope: EventScope::Repository(name(at)), ..everything() }
}

fn in_namespace(namespace: &str) -> EventQuery {
    EventQuery { scope: EventScope::Namespace(namespace.parse().unwrap()), ..everything() }
}

fn by(performer: &str, query: EventQuery) -> EventQuery {
    EventQuery { performer: Some(performer.into()), ..query }
}

/// The events of a query, the oldest first.
fn events(registry: &Registry, query: &EventQuery) -> Vec<Event> {
    registry.run_background().unwrap();
    let mut events = registry.events(query, None, 10_000).unwrap().events;
    events.reverse();
    events
}

fn kinds(registry: &Registry, query: &EventQuery) -> Vec<String> {
    events(registry, query).into_iter().map(|event| event.kind).collect()
}

/// Every event there is, wherever it is, by kind.
fn kept(registry: &Registry) -> Vec<String> {
    let kind = |line: String| {
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    let mut kinds: Vec<String> = registry.every_event().unwrap().into_iter().map(kind).collect();
    kinds.sort();
    kinds
}

fn count(registry: &Registry, kind: &str) -> usize {
    kept(registry).iter().filter(|kept| *kept == kind).count()
}

fn pull_of(actor: Actor, at: &str) -> Pull {
    Pull {
        actor,
        repository: name(at),
        reference: Reference::Tag(tag("v1")),
        digest: digest(b"any"),
        media_type: "a/b".into(),
        is_head: false,
    }
}

fn from(address: &str) -> Origin {
    Origin {
        address: address.into(),
        user_agent: "skopeo/1".into(),
        credential: "password".into(),
        performer: None,
    }
}

#[test]
fn every_change_has_its_event() {
    let site = Site::with(Settings { create_namespace_on_push: true, ..Settings::default() });
    let alice = site.user("alice");
    let pushed = site.put_as(&alice, AT, "v1", &index(&[])).unwrap();
    site.put_as(&alice, AT, "@", &index(&[pushed])).unwrap();
    site.registry.delete_manifest(&alice, &name(AT), &"v1".parse().unwrap()).unwrap();
    site.registry.delete_manifest(&alice, &name(AT), &Reference::Digest(pushed)).unwrap();
    site.registry.restore_tag(&alice, &name(AT), &tag("v1"), &pushed).unwrap();
    site.registry.create_repository(&alice, &name("acme/other"), true).unwrap();
    let Actor::User(Principal { id, .. }) = alice else { unreachable!() };
    site.registry.set_password(id, "other").unwrap();
    site.registry.set_disabled(id, true).unwrap();
    site.registry.set_disabled(id, false).unwrap();
    let expected = [
        "user_create",
        "org_create",
        "create_repo",
        "push_repo",
        "push_repo",
        "delete_tag",
        "delete_manifest",
        "revert_tag",
        "create_repo",
        "user_change_password",
        "user_disable",
        "user_enable",
    ];
    assert_eq!(kinds(&site.registry, &everything()), expected);
    site.settle();
}

#[test]
fn an_event_says_who_what_where_and_from_where() {
    let site = Site::with(Settings { create_namespace_on_push: true, ..Settings::default() });
    let alice = site.user("alice");
    let registry = site.registry.by(from("192.0.2.1"));
    let reference = Reference::Tag(tag("v1"));
    registry.put_manifest(&alice, &name(AT), &reference, &[tag("v2")], &index(&[]), None).unwrap();
    let events = events(&site.registry, &in_repository(AT));
    let [created, first, second] = &events[..] else { panic!("{events:?}") };
    assert_eq!(created.kind, "create_repo");
    let metadata = |event: &Event| serde_json::from_str::<serde_json::Value>(&event.metadata).unwrap();
    let media_type = index(&[]).media_type().to_owned();
    assert_eq!(
        metadata(first),
        serde_json::json!({"namespace": "acme", "repo": "app", "tag": "v1", "mediaType": media_type})
    );
    assert_eq!(metadata(second)["tag"], "v2");
    for event in events {
        assert_eq!(event.time_ms, START_MS);
        assert_eq!(event.namespace.unwrap().name, "acme");
        assert_eq!(event.repository.unwrap().name, "app");
        assert_eq!(event.performer.unwrap().name, "alice");
        let said = (event.address, event.user_agent, event.credential);
        assert_eq!(said, ("192.0.2.1".into(), "skopeo/1".into(), "password".into()));
    }
}

#[test]
fn a_change_of_an_account_is_performed_by_whom_the_request_names() {
    let site = Site::new();
    let Actor::User(Principal { id, .. }) = site.user("alice") else { unreachable!() };
    let as_alice = site.registry.by(Origin { performer: Some(id), ..Origin::default() });
    as_alice.set_password(id, "her own").unwrap();
    site.registry.set_password(id, "the operator's").unwrap();
    let changed = events(&site.registry, &in_namespace("alice")).split_off(1);
    let said: Vec<_> = changed.iter().map(|event| (event.performer.is_some(), &*event.metadata)).collect();
    let metadata = |superuser| format!(r#"{{"superuser":{superuser},"username":"alice"}}"#);
    assert_eq!(said, [(true, &*metadata(false)), (false, &*metadata(true))]);
}

#[test]
fn what_is_refused_leaves_no_event() {
    let site = Site::new();
    let alice = site.user("alice");
    assert!(site.put_as(&alice, "bob/app", "v1", &index(&[])).is_err());
    assert!(site.put(AT, "v1", &image(&["absent"])).is_err());
    assert!(matches!(site.delete(AT, "v1"), Err(Error::RepositoryUnknown(_))));
    let again = NewUser {
        name: "alice".parse().unwrap(),
        email: String::new(),
        password_hash: String::new(),
        is_superuser: false,
    };
    assert!(site.registry.create_user(&again).is_err());
    assert_eq!(kinds(&site.registry, &everything()), ["user_create"]);
}

#[test]
fn a_batch_whose_commit_fails_leaves_no_event() {
    let site = Site::new();
    site.put(AT, "v1", &index(&[])).unwrap();
    site.disk.fail_syncs(SyncPoint::Metadata, 1);
    assert!(matches!(site.delete(AT, "v1"), Err(Error::Unavailable)));
    assert!(site.is_pullable(AT, "v1"));
    assert_eq!(count(&site.registry, "delete_tag"), 0);
    site.settle();
}

/// Several changes, some of which the background has moved, and one that is left.
fn moved_to(site: &Site) {
    for (number, tag) in ["v1", "v2", "v3"].into_iter().enumerate() {
        site.put(AT, tag, &index(&[digest(tag.as_bytes())])).unwrap();
        site.clock.advance_ms(DAY_MS * number as u64);
        site.registry.run_background().unwrap();
    }
    site.delete(AT, "v3").unwrap();
}

fn is_whole(
    disk: &SimulatedDisk,
    settings: &Settings,
    clock: &registry_core::Clock,
    expected: &[String],
) -> bool {
    let registry = open(disk, settings, clock, 9);
    let before = kept(&registry);
    registry.run_background().unwrap();
    assert_eq!(registry.audit(false).unwrap(), Vec::<String>::new());
    before == expected && kept(&registry) == expected
}

#[test]
fn wherever_the_power_goes_while_events_move_each_is_there_once() {
    let settings = Settings { trail_age_ms: DAY_MS, trail_limit_bytes: 500, ..Settings::default() };
    let site = Site::with(settings.clone());
    moved_to(&site);
    let expected = kept(&site.registry);
    assert_eq!(expected.len(), 6, "{expected:?}");
    let start = site.disk.log_len();
    site.registry.run_background().unwrap();
    assert_eq!(kept(&site.registry), expected);
    for at in start..=site.disk.log_len() {
        for seed in 0..6 {
            assert!(is_whole(&site.disk.cut(at, seed), &settings, &site.clock, &expected), "at {at}, {seed}");
        }
    }
}

#[test]
fn whichever_sync_fails_while_events_move_each_is_there_once() {
    let settings = Settings { trail_age_ms: DAY_MS, trail_limit_bytes: 500, ..Settings::default() };
    for point in [SyncPoint::Metadata, SyncPoint::ArchiveBytes, SyncPoint::ArchiveDirectory] {
        for after in 0..8 {
            let site = Site::with(settings.clone());
            moved_to(&site);
            let expected = kept(&site.registry);
            site.disk.fail_sync_after(point, after);
            let _ = site.registry.run_background();
            site.disk.fail_syncs(point, 0);
            assert_eq!(kept(&site.registry), expected, "{point:?} {after}");
            site.settle();
            assert_eq!(kept(&site.registry), expected, "{point:?} {after}");
        }
    }
}

#[test]
fn a_pull_is_listed_and_waits_for_no_commit() {
    let site = Site::new();
    let alice = site.user("alice");
    site.push("alice/app", "v1", &[]);
    let before = site.disk.log_len();
    site.registry.by(from("192.0.2.7")).record_pull(&pull_of(alice, "alice/app"));
    assert_eq!(site.disk.log_len(), before);
    let pulls = events(&site.registry, &by("alice", in_repository("alice/app")));
    let [pull] = &pulls[..] else { panic!("{pulls:?}") };
    assert_eq!((&*pull.kind, &*pull.address), ("pull_repo", "192.0.2.7"));
    let metadata = r#"{"mediaType":"a/b","namespace":"alice","repo":"app","tag":"v1"}"#;
    assert_eq!(pull.metadata, metadata);
    site.settle();
}

#[test]
fn pulls_in_memory_are_written_when_the_registry_is_closed() {
    let mut site = Site::new();
    site.registry.record_pull(&pull_of(OWNER, AT));
    site.restart();
    assert_eq!(count(&site.registry, "pull_repo"), 1);
}

#[test]
fn pulls_survive_a_log_that_fails_and_a_kill_once_they_were_written() {
    let mut site = Site::new();
    site.registry.record_pull(&pull_of(OWNER, AT));
    site.disk.fail_syncs(SyncPoint::Metadata, 2);
    while site.registry.run_background().is_err() {}
    assert_eq!(count(&site.registry, "pull_repo"), 1);
    site.kill();
    assert_eq!(count(&site.registry, "pull_repo"), 1);
    site.settle();
}

#[test]
fn pulls_beyond_the_queue_are_counted_in_an_event() {
    let site = Site::new();
    for number in 0..8192u64 + 5 {
        let digest = digest(&number.to_be_bytes());
        site.registry.record_pull(&Pull { digest, ..pull_of(Actor::Anonymous, AT) });
    }
    let dropped: Vec<Event> = events(&site.registry, &everything())
        .into_iter()
        .filter(|event| event.kind == "events_dropped")
        .collect();
    assert_eq!(dropped.iter().map(|event| &*event.metadata).collect::<Vec<_>>(), [r#"{"count":5}"#]);
    assert_eq!(count(&site.registry, "pull_repo"), 8192);
}

#[test]
fn what_has_no_rows_of_its_own_can_be_recorded_too() {
    let site = Site::new();
    site.user("alice");
    site.registry.record_event(Observed {
        kind: "login_failure".into(),
        actor: Actor::Anonymous,
        credential: None,
        namespace: Some("alice".into()),
        repository: None,
        metadata: r#"{"type":"quayauth"}"#.into(),
    });
    assert_eq!(kinds(&site.registry, &in_namespace("alice")), ["user_create", "login_failure"]);
}

#[test]
fn a_reader_of_the_stream_gets_what_is_written_and_is_told_what_it_missed() {
    let site = Site::new();
    let stream = site.registry.subscribe_events(2);
    site.put(AT, "v1", &index(&[])).unwrap();
    site.put(AT, "v2", &index(&[])).unwrap();
    assert!(stream.next(Duration::ZERO).is_err(), "not before it is durable in the log");
    let mut seen = Vec::new();
    site.registry.run_background().unwrap();
    while let Ok(streamed) = stream.next(Duration::ZERO) {
        seen.push(match streamed {
            Streamed::Event(event) => event.kind,
            Streamed::Missed(count) => format!("missed {count}"),
        });
        // What was missed is told at the next chance, with events or without.
        site.registry.run_background().unwrap();
    }
    assert_eq!(seen, ["org_create", "create_repo", "missed 2"]);
}

#[test]
fn on_a_full_disk_pulls_wait_and_deletions_have_their_event() {
    let mut site = Site::new();
    site.put(AT, "v1", &index(&[])).unwrap();
    site.restart();
    let disk = site.disk.cut(site.disk.log_len(), 0);
    disk.limit(disk.used_bytes() + (1 << 20));
    site.move_to(disk);
    assert!(matches!(site.put(AT, "v2", &index(&[])), Err(Error::StorageFull)));
    site.registry.record_pull(&pull_of(OWNER, AT));
    site.delete(AT, "v1").unwrap();
    site.registry.run_background().unwrap();
    assert_eq!((count(&site.registry, "delete_tag"), count(&site.registry, "pull_repo")), (1, 0));
    site.disk.limit(u64::MAX);
    site.registry.run_background().unwrap();
    assert_eq!(count(&site.registry, "pull_repo"), 1);
    site.settle();
}

#[test]
fn wherever_the_power_goes_a_new_user_and_the_event_are_there_together() {
    let site = Site::new();
    let start = site.disk.log_len();
    site.user("alice");
    site.registry.run_background().unwrap();
    for at in start..=site.disk.log_len() {
        for seed in 0..8 {
            let registry = open(&site.disk.cut(at, seed), &Settings::default(), &site.clock, seed);
            let is_there = registry.account("alice").unwrap().is_some();
            assert_eq!(count(&registry, "user_create"), usize::from(is_there), "at {at}, {seed}");
        }
    }
}

#[test]
fn changes_by_many_at_once_have_each_its_event() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open(directory.path(), Settings::default()).unwrap();
    let push = &|thread: usize| {
        for number in 0..40 {
            let reference = Reference::Tag(tag(&format!("t{thread}-{number}")));
            registry.put_manifest(&OWNER, &name(AT), &reference, &[], &index(&[]), None).unwrap();
            registry.delete_manifest(&OWNER, &name(AT), &reference).unwrap();
        }
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|thread| drop(scope.spawn(move || push(thread))));
    });
    registry.close().unwrap();
    let all = registry.events(&everything(), None, 1000).unwrap().events;
    assert_eq!(all.len(), 2 + 2 * 160, "closing writes what is on its way");
    let mut tags: Vec<_> = all.iter().map(|event| (&event.kind, &event.metadata)).collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), all.len());
    assert_eq!(registry.audit(false).unwrap(), Vec::<String>::new());
}

#[test]
fn a_real_registry_writes_by_itself_what_is_pulled() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open(directory.path(), Settings::default()).unwrap();
    let stream = registry.subscribe_events(10);
    registry.record_pull(&pull_of(OWNER, AT));
    let Streamed::Event(event) = stream.next(Duration::from_secs(60)).unwrap() else { panic!() };
    assert_eq!(event.kind, "pull_repo");
    registry.close().unwrap();
}
