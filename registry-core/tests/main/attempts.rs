//! Sign-ins, refusals and exports in the audit trail, and what the settings leave out of it.

use std::sync::Arc;

use registry_core::{
    Action, Actor, Audited, Error, Event, EventQuery, EventScope, Origin, Pull, Refused, Registry, Settings,
    SignIn, SignInOutcome, SignInWay,
};
use serde_json::{Value, json};

use crate::support::{OWNER, Site, digest, name, tag};

const ALL: Audited = Audited {
    sign_ins: true,
    failed_sign_ins: true,
    failed_pulls: true,
    failed_pushes: true,
    failed_deletions: true,
};

fn query(scope: EventScope) -> EventQuery {
    EventQuery { scope, performer: None, from_ms: 0, until_ms: u64::MAX }
}

fn events(registry: &Registry, scope: EventScope) -> Vec<Event> {
    registry.run_background().unwrap();
    registry.events(&query(scope), None, 10_000).unwrap().events
}

fn kinds(registry: &Registry) -> Vec<String> {
    let mut kinds: Vec<String> =
        events(registry, EventScope::All).into_iter().map(|event| event.kind).collect();
    kinds.sort();
    kinds
}

fn of_kind(registry: &Registry, kind: &str) -> Vec<Value> {
    let events = events(registry, EventScope::All);
    let found = events.iter().filter(|event| event.kind == kind);
    found.map(|event| serde_json::from_str(&event.metadata).unwrap()).collect()
}

fn sign_in(name: &str, outcome: SignInOutcome) -> SignIn {
    SignIn { way: SignInWay::Client, name: name.into(), credential: None, outcome }
}

fn refused(action: Action, at: &str, reference: &str) -> Refused {
    Refused {
        action,
        actor: Actor::Anonymous,
        repository: name(at),
        reference: Some(reference.into()),
        message: "no".into(),
    }
}

fn attempt_all(registry: &Registry) {
    for outcome in [SignInOutcome::SignedIn, SignInOutcome::Refused("wrong"), SignInOutcome::SignedOut] {
        registry.record_sign_in(&sign_in("alice", outcome));
    }
    for action in Action::ALL {
        registry.record_refused(&refused(action, "alice/app", "v1"));
    }
}

#[test]
fn attempts_leave_the_events_that_the_settings_want() {
    let site = Site::new();
    attempt_all(&site.registry);
    assert_eq!(kinds(&site.registry), ["login_success", "logout_success"], "as Quay without settings");
    let site = Site::with(Settings { audited: ALL, ..Settings::default() });
    attempt_all(&site.registry);
    let expected = [
        "delete_tag_failed",
        "login_failure",
        "login_success",
        "logout_success",
        "pull_repo_failed",
        "push_repo_failed",
    ];
    assert_eq!(kinds(&site.registry), expected);
    let none = Audited { sign_ins: false, ..Audited::default() };
    let site = Site::with(Settings { audited: none, ..Settings::default() });
    attempt_all(&site.registry);
    assert_eq!(kinds(&site.registry), [""; 0]);
}

#[test]
fn a_sign_in_lies_in_the_namespace_of_whom_it_is_about_and_has_no_performer() {
    let site = Site::new();
    site.user("alice");
    let origin = Origin { address: "192.0.2.1".into(), user_agent: "skopeo/1".into(), ..Origin::default() };
    site.registry.by(origin).record_sign_in(&sign_in("alice+ci", SignInOutcome::SignedIn));
    let events = events(&site.registry, EventScope::Namespace("alice".parse().unwrap()));
    let event = events.iter().find(|event| event.kind == "login_success").unwrap();
    assert_eq!((&event.performer, &*event.address), (&None, "192.0.2.1"));
    let expected =
        json!({ "type": "v2auth", "kind": "robot", "useragent": "skopeo/1", "username": "alice+ci" });
    assert_eq!(serde_json::from_str::<Value>(&event.metadata).unwrap(), expected);
}

#[test]
fn alike_attempts_that_wait_together_are_one_event_and_the_next_is_another() {
    let site = Site::with(Settings { audited: ALL, ..Settings::default() });
    for _ in 0..3 {
        site.registry.record_refused(&refused(Action::Pull, "acme/app", "v1"));
    }
    site.registry.record_refused(&refused(Action::Pull, "acme/app", "v2"));
    let digest = digest(b"a").to_string();
    site.registry.record_refused(&refused(Action::Pull, "acme/app", &digest));
    let mut times: Vec<String> = of_kind(&site.registry, "pull_repo_failed")
        .iter()
        .map(|event| format!("{} {} {}", event["tag"], event["manifest_digest"], event["times"]))
        .collect();
    times.sort();
    let by_digest = format!("null \"{digest}\" null");
    assert_eq!(times, ["\"v1\" null 3", "\"v2\" null null", &by_digest]);
    site.registry.record_refused(&refused(Action::Pull, "acme/app", "v1"));
    assert_eq!(of_kind(&site.registry, "pull_repo_failed").len(), 4);
}

#[test]
fn a_flood_of_failures_is_counted_and_takes_no_place_from_others() {
    let site = Site::with(Settings { audited: ALL, ..Settings::default() });
    for number in 0..20_000 {
        site.registry.record_sign_in(&sign_in(&format!("guess{number}"), SignInOutcome::Refused("wrong")));
    }
    site.registry.record_sign_in(&sign_in("alice", SignInOutcome::SignedIn));
    assert_eq!(of_kind(&site.registry, "login_failure").len(), 1_000);
    assert_eq!(of_kind(&site.registry, "login_success").len(), 1);
    assert_eq!(of_kind(&site.registry, "events_dropped").len(), 0);
    assert_eq!(of_kind(&site.registry, "failures_unrecorded").len(), 0, "that costs an event as well");
    site.clock.advance_ms(10_000);
    assert_eq!(of_kind(&site.registry, "failures_unrecorded"), [json!({ "count": 19_000 })]);
}

#[test]
fn nothing_is_recorded_in_namespaces_that_the_settings_name() {
    let site = Site::with(Settings {
        audited: ALL,
        unaudited: Arc::new(["alice".to_owned()].into()),
        unaudited_pulls: ["bob".to_owned()].into(),
        ..Settings::default()
    });
    site.user("alice");
    site.user("bob");
    attempt_all(&site.registry);
    for at in ["alice/app", "bob/app"] {
        site.push(at, "v1", &[]);
        site.registry.record_pull(&Pull {
            actor: OWNER,
            repository: name(at),
            reference: registry_core::oci::Reference::Tag(tag("v1")),
            digest: digest(b"any"),
            media_type: "a/b".into(),
            is_head: false,
        });
        site.registry.record_refused(&refused(Action::Pull, at, "v1"));
        site.registry.record_refused(&refused(Action::Push, at, "v1"));
    }
    let expected = ["create_repo", "push_repo", "push_repo_failed", "user_create"];
    assert_eq!(kinds(&site.registry), expected);
}

fn export(site: &Site) -> Result<String, Error> {
    let export = site.registry.begin_export(query(EventScope::Namespace("alice".parse().unwrap())))?;
    let id = export.id().to_owned();
    site.registry.write_export(export, &|event| json!({ "kind": event.kind }), &|| true)?;
    Ok(id)
}

fn exported(site: &Site, id: &str) -> Option<Value> {
    let file = site.registry.exported(id).unwrap()?;
    let mut bytes = vec![0; usize::try_from(file.size()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn an_export_has_every_event_and_is_fetched_for_a_day_by_its_id_alone() {
    let site = Site::new();
    site.user("alice");
    for number in 0..1_200 {
        let at = format!("alice/app{number}");
        site.registry.create_repository(&OWNER, &name(&at), false).unwrap();
    }
    site.registry.run_background().unwrap();
    let id = export(&site).unwrap();
    let found = exported(&site, &id).unwrap();
    assert_eq!(found["export_id"], id);
    let logs = found["logs"].as_array().unwrap();
    assert_eq!(
        (logs.len(), &logs[1_200], &logs[1_201]),
        (1_202, &json!({"kind": "user_create"}), &json!({"terminator": true}))
    );
    for other in ["", "..", "/", &id[1..], &id.to_uppercase(), &"0".repeat(32)] {
        assert_eq!(exported(&site, other).filter(|_| *other != *id), None, "{other}");
    }
    site.clock.advance_ms(24 * 60 * 60 * 1000);
    assert_eq!(exported(&site, &id), None, "it has expired");
}

#[test]
fn a_namespace_has_eight_exports_at_once_until_they_expire_or_are_given_up() {
    let mut site = Site::new();
    site.user("alice");
    let all = || query(EventScope::Namespace("alice".parse().unwrap()));
    let first = site.registry.begin_export(all()).unwrap();
    (0..7).for_each(|_| drop(export(&site).unwrap()));
    assert!(matches!(export(&site), Err(Error::TooMany(_))));
    let given_up = site.registry.write_export(first, &|_| json!({}), &|| false);
    assert!(matches!(given_up, Err(Error::GivenUp)));
    let second = site.registry.begin_export(all()).unwrap();
    assert!(matches!(export(&site), Err(Error::TooMany(_))));
    std::mem::forget(second);
    site.kill();
    export(&site).unwrap();
    site.clock.advance_ms(24 * 60 * 60 * 1000);
    site.registry.run_background().unwrap();
    (0..8).for_each(|_| drop(export(&site).unwrap()));
    let missing = query(EventScope::Namespace("nobody".parse().unwrap()));
    assert!(matches!(site.registry.begin_export(missing), Err(Error::NamespaceUnknown(_))));
}

#[test]
fn an_export_stays_with_the_namespace_that_it_was_begun_for() {
    let site = Site::new();
    let (alice, bob) = (site.user("alice"), site.user("bob"));
    let acme = "acme".parse().unwrap();
    site.registry.create_organization(&alice, &acme, "").unwrap();
    let all = || query(EventScope::Namespace(acme.clone()));
    let (early, late) =
        (site.registry.begin_export(all()).unwrap(), site.registry.begin_export(all()).unwrap());
    let shown = |event: &registry_core::Event| json!({ "kind": event.kind });
    let ids = [early.id().to_owned(), late.id().to_owned()];
    site.registry.run_background().unwrap();
    assert_eq!(site.registry.write_export(early, &shown, &|| true).unwrap(), 1);
    assert!(exported(&site, &ids[0]).is_some());
    // Somebody else gets the name before the second one is written.
    site.registry.delete_organization(&alice, &acme).unwrap();
    site.registry.create_organization(&bob, &acme, "").unwrap();
    for number in 0..9 {
        site.registry.create_repository(&bob, &name(&format!("acme/secret{number}")), false).unwrap();
    }
    site.registry.run_background().unwrap();
    assert_eq!(site.registry.write_export(late, &shown, &|| true).unwrap(), 2, "founded and deleted");
    for id in ids {
        assert_eq!(exported(&site, &id), None, "it is about what is gone");
    }
}
