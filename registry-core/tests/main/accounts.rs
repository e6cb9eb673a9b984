//! Users: the first one, names, and credentials that end at once.

use std::sync::{Arc, Barrier};

use registry_core::{Actor, Error, NewUser, Principal, Registry, Settings};

use crate::support::{Site, name};

fn new_user(name: &str) -> NewUser {
    NewUser {
        name: name.parse().unwrap(),
        email: format!("{name}@example.com"),
        password_hash: "hash".into(),
        is_superuser: false,
    }
}

#[test]
fn among_concurrent_first_users_exactly_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open(directory.path(), Settings::default()).unwrap();
    let start = Arc::new(Barrier::new(16));
    let threads: Vec<_> = (0..16)
        .map(|n| {
            let (registry, start) = (registry.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                registry.create_first_user(&new_user(&format!("user{n}")))
            })
        })
        .collect();
    let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::AlreadyInitialized))));
    registry.close().unwrap();
}

#[test]
fn a_name_is_given_out_once() {
    let site = Site::new();
    site.registry.create_user(&new_user("alice")).unwrap();
    let again = site.registry.create_user(&new_user("alice"));
    assert!(matches!(again, Err(Error::NameTaken(name)) if name == "alice"));
    site.upload("acme/app", "makes an organization");
    assert!(matches!(site.registry.create_user(&new_user("acme")), Err(Error::NameTaken(_))));
}

#[test]
fn a_new_password_and_disabling_end_what_was_signed_in() {
    let site = Site::new();
    let Actor::User(principal) = site.user("alice") else { unreachable!() };
    let actor = Actor::User(principal);
    site.try_upload(&actor, "alice/app", b"x").unwrap();
    site.registry.set_password(principal.id, "other hash").unwrap();
    assert!(matches!(site.try_upload(&actor, "alice/app", b"x"), Err(Error::CredentialRevoked)));
    let account = site.registry.account("alice").unwrap().unwrap();
    assert_eq!(account.password_hash, "other hash");
    let renewed = Actor::User(account.principal);
    site.try_upload(&renewed, "alice/app", b"x").unwrap();
    site.registry.set_disabled(principal.id, true).unwrap();
    assert!(matches!(site.registry.check_actor(&renewed), Err(Error::CredentialRevoked)));
}

#[test]
fn rights_are_decided_again_when_an_upload_ends() {
    let site = Site::new();
    let actor = site.user("alice");
    let id = site.registry.start_upload(&actor, &name("alice/app"), None).unwrap();
    let mut writer = site.registry.open_upload(&actor, &name("alice/app"), id).unwrap();
    writer.append(b"x").unwrap();
    let Actor::User(Principal { id, .. }) = actor else { unreachable!() };
    site.registry.set_password(id, "changed meanwhile").unwrap();
    let finished = writer.finish(&crate::support::digest(b"x"));
    assert!(matches!(finished, Err(Error::CredentialRevoked)));
    site.settle();
}
