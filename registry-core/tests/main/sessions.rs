//! Sessions: how they begin, what ends them, and what is left of them.

use registry_core::{AccountChange, Actor, Error, Principal, SessionId, Settings};

use crate::support::{Site, name};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

fn alice(site: &Site) -> Principal {
    let Actor::User(principal) = site.user("alice") else { unreachable!() };
    principal
}

fn begin(site: &Site, principal: &Principal) -> SessionId {
    site.registry.begin_session(principal, None).unwrap().0
}

fn is_good(site: &Site, id: &SessionId) -> bool {
    site.registry.session(id).unwrap().is_some()
}

/// What the background does is done, and the rows agree.
fn settles(site: &Site) {
    site.registry.run_background().unwrap();
    assert_eq!(site.registry.audit(false).unwrap(), Vec::<String>::new());
}

#[test]
fn a_session_stands_for_who_began_it() {
    let mut site = Site::new();
    let principal = alice(&site);
    let (id, begun) = site.registry.begin_session(&principal, None).unwrap();
    assert_eq!((begun.principal, begun.account.name.as_str()), (principal, "alice"));
    site.restart();
    assert_eq!(site.registry.session(&id).unwrap(), Some(begun));
    assert_eq!(site.registry.session(&SessionId::from_bytes([7; 32])).unwrap(), None);
    settles(&site);
}

#[test]
fn ids_and_secrets_are_all_different() {
    let site = Site::new();
    let principal = alice(&site);
    let (first, one) = site.registry.begin_session(&principal, None).unwrap();
    let (second, other) = site.registry.begin_session(&principal, None).unwrap();
    assert_ne!(first, second);
    assert_ne!(one.csrf_secret, other.csrf_secret);
    assert_eq!(format!("{first:?}"), "SessionId(***)");
    assert!(!format!("{one:?}").contains("csrf_secret"));
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let site = Site::with(Settings { session_timeout_ms: DAY_MS, ..Settings::default() });
    let principal = alice(&site);
    let ids: Vec<_> = (0..50).map(|_| begin(&site, &principal)).collect();
    site.clock.advance_ms(DAY_MS - 1);
    site.registry.run_background().unwrap();
    assert!(ids.iter().all(|id| is_good(&site, id)));
    site.clock.advance_ms(1);
    assert!(!ids.iter().any(|id| is_good(&site, id)), "also before the background came by");
    settles(&site);
    site.clock.set_ms(crate::support::START_MS);
    assert!(!ids.iter().any(|id| is_good(&site, id)), "no row is left");
}

#[test]
fn of_more_than_a_hundred_sessions_the_oldest_ends() {
    let site = Site::new();
    let principal = alice(&site);
    let mut ids = Vec::new();
    for _ in 0..101 {
        site.clock.advance_ms(1);
        ids.push(begin(&site, &principal));
    }
    assert!(!is_good(&site, &ids[0]));
    assert!(ids[1..].iter().all(|id| is_good(&site, id)));
    settles(&site);
}

#[test]
fn a_session_that_another_replaces_ends() {
    let site = Site::new();
    let principal = alice(&site);
    let first = begin(&site, &principal);
    let (second, _) = site.registry.begin_session(&principal, Some(&first)).unwrap();
    assert!(!is_good(&site, &first) && is_good(&site, &second));
    settles(&site);
}

#[test]
fn signing_out_ends_all_sessions_of_the_user_and_of_nobody_else() {
    let site = Site::new();
    let principal = alice(&site);
    let Actor::User(other) = site.user("bob") else { unreachable!() };
    let (ids, bobs) = ([begin(&site, &principal), begin(&site, &principal)], begin(&site, &other));
    site.registry.end_sessions(principal.id).unwrap();
    assert!(!ids.iter().any(|id| is_good(&site, id)));
    assert!(is_good(&site, &bobs));
    settles(&site);
}

#[test]
fn a_new_password_and_disabling_end_sessions_for_good() {
    let site = Site::new();
    let principal = alice(&site);
    let id = begin(&site, &principal);
    site.registry.set_password(principal.id, "other hash").unwrap();
    assert!(!is_good(&site, &id));
    let begun = site.registry.begin_session(&principal, None);
    assert!(matches!(begun, Err(Error::CredentialRevoked)), "its password was checked before it changed");
    let renewed = site.registry.account("alice").unwrap().unwrap().principal;
    let id = begin(&site, &renewed);
    site.registry.set_disabled(principal.id, true).unwrap();
    assert!(!is_good(&site, &id));
    site.registry.set_disabled(principal.id, false).unwrap();
    assert!(!is_good(&site, &id));
    settles(&site);
}

#[test]
fn ones_own_new_password_ends_everything_but_the_session_it_was_set_in() {
    let site = Site::new();
    let principal = alice(&site);
    let (own, other) = (begin(&site, &principal), begin(&site, &principal));
    let change = AccountChange { password_hash: Some("other hash".into()), ..AccountChange::default() };
    site.registry.change_account(&Actor::User(principal), Some(&own), &change).unwrap();
    assert!(!is_good(&site, &other));
    let session = site.registry.session(&own).unwrap().unwrap();
    let account = site.registry.account("alice").unwrap().unwrap();
    assert_eq!((session.principal, "other hash"), (account.principal, account.password_hash.as_str()));
    let upload = site.try_upload(&Actor::User(principal), "alice/app", b"x");
    assert!(matches!(upload, Err(Error::CredentialRevoked)), "what a token was given for has ended");
    site.try_upload(&Actor::User(session.principal), "alice/app", b"x").unwrap();
    let again = site.registry.change_account(&Actor::User(principal), Some(&own), &change);
    assert!(matches!(again, Err(Error::CredentialRevoked)));
    site.registry.start_upload(&Actor::User(session.principal), &name("alice/app"), None).unwrap();
    settles(&site);
}

#[test]
fn nobody_elses_session_survives_a_new_password() {
    let site = Site::new();
    let principal = alice(&site);
    let Actor::User(other) = site.user("bob") else { unreachable!() };
    let (alices, bobs) = (begin(&site, &principal), begin(&site, &other));
    let change = AccountChange { password_hash: Some("other hash".into()), ..AccountChange::default() };
    site.registry.change_account(&Actor::User(principal), Some(&bobs), &change).unwrap();
    assert!(!is_good(&site, &alices) && is_good(&site, &bobs));
    settles(&site);
}

#[test]
fn an_address_changes_without_ending_anything() {
    let site = Site::new();
    let principal = alice(&site);
    let id = begin(&site, &principal);
    let change = AccountChange { email: Some("alice@lab.test".into()), ..AccountChange::default() };
    site.registry.change_account(&Actor::User(principal), None, &change).unwrap();
    assert_eq!(site.registry.session(&id).unwrap().unwrap().account.email, "alice@lab.test");
    assert_eq!(site.registry.find_user("alice").unwrap().unwrap().email, "alice@lab.test");
    assert_eq!(site.registry.find_user("nobody").unwrap(), None);
}

#[test]
fn a_session_is_fresh_for_a_while_after_each_check_of_the_password() {
    let site = Site::new();
    let principal = alice(&site);
    let id = begin(&site, &principal);
    let is_fresh = || site.registry.session(&id).unwrap().unwrap().is_fresh;
    site.clock.advance_ms(10 * MINUTE_MS - 1);
    assert!(is_fresh());
    site.clock.advance_ms(1);
    assert!(!is_fresh());
    site.registry.refresh_session(&id).unwrap();
    assert!(is_fresh());
    site.clock.set_ms(crate::support::START_MS - DAY_MS);
    assert!(!is_fresh(), "a clock that went back makes nothing fresh");
    site.registry.end_sessions(principal.id).unwrap();
    assert!(matches!(site.registry.refresh_session(&id), Err(Error::CredentialRevoked)));
}
