//! Who may do what, through the operations: what is hidden looks exactly as what is missing.

use std::collections::BTreeSet;

use registry_core::{Actor, Error, NewUser, Principal, Settings};

use crate::support::{OWNER, Site, digest, index, name, tag};

/// What each operation answers `actor`, with the name blanked.
fn answers(site: &Site, actor: &Actor, at: &str) -> Vec<String> {
    let (registry, repository) = (&site.registry, name(at));
    let (blob, reference) = (digest(b"layer"), "v1".parse().unwrap());
    let told = |answer: Result<String, Error>| format!("{answer:?}").replace(repository.path(), "*");
    vec![
        told(registry.blob(actor, &repository, &blob).map(|found| format!("{}", found.size()))),
        told(registry.manifest(actor, &repository, &reference).map(|found| format!("{}", found.info.digest))),
        told(registry.manifest_info(actor, &repository, &reference).map(|found| format!("{}", found.digest))),
        told(registry.tags(actor, &repository, None, 9).map(|found| format!("{found:?}"))),
        told(registry.referrers(actor, &repository, &blob, None, None).map(|found| format!("{found:?}"))),
        told(registry.start_upload(actor, &repository, None).map(|_| "an upload".into())),
        told(registry.mount_blob(actor, &repository, &blob, None).map(|found| format!("{found:?}"))),
        told(
            registry
                .put_manifest(actor, &repository, &reference, &[], &index(&[]), None)
                .map(|_| "put".into()),
        ),
        told(registry.restore_tag(actor, &repository, &tag("v1"), &blob).map(|()| "restored".into())),
        told(registry.delete_manifest(actor, &repository, &reference).map(|()| "deleted".into())),
        told(registry.delete_blob(actor, &repository, &blob).map(|()| "deleted".into())),
    ]
}

fn populated() -> Site {
    let site = Site::new();
    site.push("acme/there", "v1", &["layer"]);
    site
}

#[test]
fn what_is_hidden_looks_as_if_it_were_missing() {
    let site = populated();
    let bob = site.user("bob");
    assert_eq!(answers(&site, &bob, "acme/there"), answers(&site, &bob, "acme/ghost"));
}

#[test]
fn nobody_signed_in_learns_only_that_signing_in_is_needed() {
    let site = populated();
    for at in ["acme/there", "acme/ghost", "nowhere/at"] {
        for answer in answers(&site, &Actor::Anonymous, at) {
            assert!(answer.contains("SignInNeeded"), "{at}: {answer}");
        }
    }
}

#[test]
fn a_public_repository_is_open_for_pulls_and_for_nothing_else() {
    let site = Site::new();
    site.registry.create_repository(&OWNER, &name("acme/base"), true).unwrap();
    site.push("acme/base", "v1", &["layer"]);
    let bob = site.user("bob");
    for actor in [Actor::Anonymous, bob] {
        let answers = answers(&site, &actor, "acme/base");
        assert!(answers[..5].iter().all(|answer| answer.starts_with("Ok")), "{answers:?}");
        let refusals: BTreeSet<bool> = answers[5..].iter().map(|answer| answer.starts_with("Err")).collect();
        assert_eq!(refusals, BTreeSet::from([true]), "{answers:?}");
    }
}

#[test]
fn anonymous_access_can_be_switched_off() {
    let site = Site::with(Settings { anonymous_access: false, ..Settings::default() });
    site.registry.create_repository(&OWNER, &name("acme/base"), true).unwrap();
    site.push("acme/base", "v1", &["layer"]);
    assert!(answers(&site, &Actor::Anonymous, "acme/base")[0].contains("SignInNeeded"));
    assert!(answers(&site, &site.user("bob"), "acme/base")[0].starts_with("Ok"));
}

#[test]
fn a_push_makes_a_namespace_only_where_that_is_set() {
    let site = Site::new();
    let denied = site.try_upload(&site.user("bob"), "new/app", b"x");
    assert!(matches!(denied, Err(Error::Denied { .. })));
    let site = Site::with(Settings { create_namespace_on_push: true, ..Settings::default() });
    let (bob, eve) = (site.user("bob"), site.user("eve"));
    site.try_upload(&bob, "new/app", b"x").unwrap();
    site.try_upload(&bob, "new/other", b"x").unwrap();
    assert!(matches!(site.try_upload(&eve, "new/app", b"x"), Err(Error::Denied { .. })));
    site.settle();
}

#[test]
fn a_repository_made_by_a_push_is_private_unless_set_otherwise() {
    for (is_private, is_open) in [(true, false), (false, true)] {
        let site = Site::with(Settings { create_private_on_push: is_private, ..Settings::default() });
        site.push("acme/app", "v1", &[]);
        let pulled = site.registry.manifest(&Actor::Anonymous, &name("acme/app"), &"v1".parse().unwrap());
        assert_eq!(pulled.is_ok(), is_open);
    }
}

#[test]
fn superusers_reach_everything_only_with_full_access() {
    for has_full_access in [false, true] {
        let site = Site::with(Settings {
            superusers: BTreeSet::from(["root".to_owned()]),
            superusers_have_full_access: has_full_access,
            ..Settings::default()
        });
        site.push("acme/app", "v1", &[]);
        let by_flag = NewUser {
            name: "first".parse().unwrap(),
            email: String::new(),
            password_hash: "hash".into(),
            is_superuser: true,
        };
        let id = site.registry.create_first_user(&by_flag).unwrap();
        for actor in [site.user("root"), Actor::User(Principal { id, generation: 1 })] {
            let pulled = site.registry.manifest(&actor, &name("acme/app"), &"v1".parse().unwrap());
            assert_eq!(pulled.is_ok(), has_full_access);
            assert_eq!(site.try_upload(&actor, "acme/app", b"x").is_ok(), has_full_access);
        }
    }
}
