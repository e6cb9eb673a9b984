//! Deleting and renaming: over at once for people, with nothing left behind in the end.

use registry_core::oci::NamespaceName;
use registry_core::{
    Actor, Error, NewPrototype, NewRobot, Principal, RobotLimits, RobotToken, Role, Settings, TeamRole, To,
};

use crate::support::{OWNER, Site, digest, image, index, large, name, referrer};

fn org(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

fn signed_in(site: &Site, name: &str) -> Actor {
    Actor::User(principal(site, name))
}

fn principal(site: &Site, name: &str) -> Principal {
    site.registry.account(name).unwrap().unwrap().principal
}

fn robot(site: &Site, by: &Actor, namespace: &str, short: &str) {
    let new = NewRobot {
        short_name: org(short),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: true,
        token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        limits: RobotLimits::default(),
    };
    site.registry.create_robot(by, &org(namespace), &new).unwrap();
}

/// An organization of alice's with everything that there is.
fn acme(site: &Site) -> Actor {
    let alice = site.user("alice");
    let registry = &site.registry;
    registry.create_organization(&alice, &org("acme"), "").unwrap();
    registry.create_repository(&alice, &name("acme/app"), true).unwrap();
    fill(site, "acme/app");
    robot(site, &alice, "acme", "bot");
    registry.put_team(&alice, &org("acme"), &org("devs"), TeamRole::Creator, None).unwrap();
    registry.add_team_member(&alice, &org("acme"), "devs", "acme+bot").unwrap();
    registry.grant(&alice, &name("acme/app"), To::Team("devs"), Role::Write).unwrap();
    registry.grant(&alice, &name("acme/app"), To::Principal("acme+bot"), Role::Write).unwrap();
    let new = NewPrototype { activating: None, delegate: To::Team("devs"), role: Role::Read };
    registry.create_prototype(&alice, &org("acme"), &new).unwrap();
    alice
}

/// A manifest of each kind, tags alive and dead, a withdrawn image, an open upload, a blob in its grace.
fn fill(site: &Site, at: &str) {
    let first = site.push(at, "v1", &["one", "two"]);
    site.push(at, "v1", &["one", "three"]);
    let withdrawn = site.push(at, "gone", &["four"]);
    site.delete(at, &withdrawn.to_string()).unwrap();
    site.put(at, "many", &index(&[first])).unwrap();
    site.put(at, "@", &referrer(&first, "a/signature")).unwrap();
    site.put(at, "large", &large()).unwrap();
    site.upload(at, "in its grace");
    site.begin(at, "half of it");
}

#[test]
fn a_deleted_repository_is_gone_at_once_and_leaves_nothing() {
    let site = Site::new();
    site.push("zeta/other", "v1", &["one"]);
    let before = site.registry.stored().unwrap();
    fill(&site, "zeta/app");
    let unfinished = site.begin("zeta/app", "hal");

    site.registry.delete_repository(&OWNER, &name("zeta/app")).unwrap();
    assert!(!site.is_pullable("zeta/app", "v1"));
    assert!(!site.has_blob("zeta/app", &digest(b"one")));
    // As good as deleted, to who may know that it is missing.
    let stranger = site.user("bob");
    let again = site.registry.delete_repository(&stranger, &name("zeta/app")).unwrap_err();
    assert!(matches!(again, Error::RepositoryUnknown(_)), "{again:?}");
    // The name is free, and what was begun under it does not end up in the new one.
    site.push("zeta/app", "v1", &["five"]);
    let ended = site.registry.upload_offset(&OWNER, &name("zeta/app"), unfinished).unwrap_err();
    assert!(matches!(ended, Error::UploadUnknown), "{ended:?}");
    assert_eq!(site.registry.audit(true).unwrap(), Vec::<String>::new());

    site.settle();
    assert_eq!(site.tags("zeta/app"), ["v1"]);
    assert!(site.is_pullable("zeta/other", "v1"));
    site.registry.delete_repository(&OWNER, &name("zeta/app")).unwrap();
    site.settle();
    assert_eq!(site.registry.stored().unwrap(), before);
}

#[test]
fn an_upload_that_is_being_written_to_ends_with_its_repository() {
    let site = Site::new();
    let id = site.begin("zeta/app", "half");
    let mut writer = site.registry.open_upload(&OWNER, &name("zeta/app"), id).unwrap();
    site.registry.delete_repository(&OWNER, &name("zeta/app")).unwrap();
    site.push("zeta/app", "v1", &["one"]);
    site.registry.run_background().unwrap();
    writer.append(b" and more").unwrap();
    let refused = writer.finish(&digest(b"half and more")).unwrap_err();
    assert!(matches!(refused, Error::UploadUnknown), "{refused:?}");
    site.settle();
    assert!(!site.has_blob("zeta/app", &digest(b"half and more")));
}

#[test]
fn a_deleted_organization_frees_its_name_and_ends_its_robots() {
    let site = Site::new();
    let before = site.registry.stored().unwrap();
    let alice = acme(&site);
    let bob = site.user("bob");
    let bot = signed_in(&site, "acme+bot");
    assert!(site.registry.manifest_info(&bot, &name("acme/app"), &"v1".parse().unwrap()).is_ok());
    let refused = site.registry.delete_organization(&bob, &org("acme")).unwrap_err();
    assert!(matches!(refused, Error::DeniedInNamespace { .. }), "{refused:?}");

    site.registry.delete_organization(&alice, &org("acme")).unwrap();
    let ended = site.registry.check_actor(&bot).unwrap_err();
    assert!(matches!(ended, Error::CredentialRevoked), "{ended:?}");
    assert!(site.registry.account("acme+bot").unwrap().is_none());
    assert_eq!(site.registry.organizations_of(&alice).unwrap(), Vec::<String>::new());
    assert_eq!(site.registry.catalog(&alice, None, 10).unwrap().repositories, Vec::<String>::new());

    // Somebody else has the name before anything of the old one went.
    site.registry.create_organization(&bob, &org("acme"), "").unwrap();
    site.registry.create_repository(&bob, &name("acme/app"), true).unwrap();
    robot(&site, &bob, "acme", "bot");
    site.push("acme/app", "new", &["one"]);
    assert!(site.registry.manifest_info(&alice, &name("acme/app"), &"v1".parse().unwrap()).is_err());
    assert!(site.registry.put_team(&alice, &org("acme"), &org("t"), TeamRole::Member, None).is_err());
    assert_eq!(site.registry.audit(true).unwrap(), Vec::<String>::new());

    site.settle();
    assert_eq!(site.tags("acme/app"), ["new"]);
    site.registry.delete_organization(&bob, &org("acme")).unwrap();
    site.settle();
    assert_eq!(site.registry.stored().unwrap(), before);
}

#[test]
fn many_repositories_and_tags_go_in_steps() {
    let site = Site::new();
    let before = site.registry.stored().unwrap();
    let alice = acme(&site);
    for number in 0..90 {
        site.push(&format!("acme/many{number}"), "v1", &["one"]);
    }
    for number in 0..200 {
        site.put("acme/app", &format!("tag{number}"), &image(&["one", "two"])).unwrap();
    }
    site.registry.delete_organization(&alice, &org("acme")).unwrap();
    site.settle();
    assert_eq!(site.registry.stored().unwrap(), before);
}

#[test]
fn a_deleted_user_ends_at_once_but_never_leaves_an_organization_without_an_administrator() {
    let site = Site::new();
    let alice = acme(&site);
    let bob = site.user("bob");
    let refused = site.registry.delete_own_account(&alice).unwrap_err();
    assert!(matches!(refused, Error::LastAdministrator), "{refused:?}");
    assert!(site.registry.check_actor(&alice).is_ok());

    site.registry.add_team_member(&alice, &org("acme"), "owners", "bob").unwrap();
    site.push("alice/own", "v1", &["mine"]);
    site.registry.grant(&alice, &name("alice/own"), To::Principal("bob"), Role::Read).unwrap();
    site.registry.delete_own_account(&alice).unwrap();
    assert!(site.registry.check_actor(&alice).is_err());
    assert!(!site.is_pullable("alice/own", "v1"));
    let members = site.registry.team_members(&bob, &org("acme"), "owners").unwrap().members;
    assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["bob"]);
    // The rows of alice are still there, but alice is no administrator.
    let refused = site.registry.delete_own_account(&bob).unwrap_err();
    assert!(matches!(refused, Error::LastAdministrator), "{refused:?}");

    let new_alice = site.user("alice");
    assert!(site.registry.check_actor(&alice).is_err());
    assert!(!site.registry.organization(&new_alice, &org("acme")).unwrap().is_member);
    site.settle();
    assert!(site.registry.check_actor(&new_alice).is_ok());
}

#[test]
fn only_superusers_govern_and_what_the_configuration_names_stays() {
    let site = Site::with(Settings {
        superusers: ["root".into()].into(),
        readers: ["ops+auto".into()].into(),
        ..Settings::default()
    });
    let alice = acme(&site);
    let root = site.user("root");
    site.registry.create_organization(&root, &org("ops"), "").unwrap();
    site.registry.add_team_member(&root, &org("ops"), "owners", "alice").unwrap();
    for refused in [
        site.registry.rename_organization(&alice, &org("acme"), &org("new")),
        site.registry.delete_user(&alice, "alice"),
        site.registry.take_ownership(&alice, &org("acme")),
    ] {
        assert!(matches!(refused, Err(Error::NotForCredential)), "{refused:?}");
    }
    for refused in [
        site.registry.delete_organization(&alice, &org("ops")),
        site.registry.rename_organization(&root, &org("ops"), &org("new")),
        site.registry.rename_own_account(&root, &org("other")),
        site.registry.delete_user(&root, "root"),
    ] {
        assert!(matches!(refused, Err(Error::Privileged(_))), "{refused:?}");
    }
    // Governing needs no full access, and brings none.
    site.registry.delete_organization(&root, &org("acme")).unwrap();
    site.settle();
}

#[test]
fn a_renamed_organization_keeps_everything_and_its_old_name_is_free() {
    let site = Site::with(Settings { superusers: ["root".into()].into(), ..Settings::default() });
    let alice = acme(&site);
    let root = site.user("root");
    let taken = site.registry.rename_organization(&root, &org("acme"), &org("alice")).unwrap_err();
    assert!(matches!(taken, Error::NameTaken(_)), "{taken:?}");
    let bot = signed_in(&site, "acme+bot");
    site.registry.rename_organization(&root, &org("acme"), &org("corp")).unwrap();

    assert!(site.is_pullable("corp/app", "v1"));
    assert!(!site.is_pullable("acme/app", "v1"));
    assert!(site.registry.account("acme+bot").unwrap().is_none());
    assert_eq!(signed_in(&site, "corp+bot"), bot);
    assert!(site.registry.manifest_info(&bot, &name("corp/app"), &"v1".parse().unwrap()).is_ok());
    let permissions = site.registry.permissions(&alice, &name("corp/app")).unwrap();
    assert!(permissions.iter().any(|permission| permission.name == "corp+bot"));
    assert_eq!(site.registry.catalog(&alice, None, 10).unwrap().repositories, ["corp/app"]);
    site.user("acme");
    site.settle();
}

#[test]
fn a_renamed_user_keeps_their_repositories() {
    let site = Site::new();
    let alice = site.user("alice");
    site.push("alice/own", "v1", &["mine"]);
    site.registry.rename_own_account(&alice, &org("alicia")).unwrap();
    assert!(site.registry.check_actor(&alice).is_ok());
    assert!(site.is_pullable("alicia/own", "v1"));
    assert!(site.registry.find_user("alice").unwrap().is_none());
    site.settle();
}

#[test]
fn a_renamed_repository_keeps_its_content_and_its_grants() {
    let site = Site::new();
    let alice = acme(&site);
    let bob = site.user("bob");
    site.registry.grant(&alice, &name("acme/app"), To::Principal("bob"), Role::Admin).unwrap();
    let rename = |actor, to| site.registry.rename_repository(actor, &name("acme/app"), &name(to));
    assert!(matches!(rename(&bob, "acme/new"), Err(Error::DeniedInNamespace { .. })));
    assert!(matches!(rename(&alice, "alice/new"), Err(Error::NamespaceUnknown(_))));
    site.registry.create_repository(&alice, &name("acme/taken"), false).unwrap();
    assert!(matches!(rename(&alice, "acme/taken"), Err(Error::NameTaken(_))));
    rename(&alice, "acme/a/b").unwrap();
    assert!(site.is_pullable("acme/a/b", "v1"));
    assert!(!site.is_pullable("acme/app", "v1"));
    assert!(site.registry.manifest_info(&bob, &name("acme/a/b"), &"v1".parse().unwrap()).is_ok());
    assert_eq!(site.registry.catalog(&alice, None, 10).unwrap().repositories, ["acme/a/b"]);
    site.settle();
}

#[test]
fn a_superuser_takes_an_organization_or_a_users_namespace_over() {
    let site = Site::with(Settings { superusers: ["root".into()].into(), ..Settings::default() });
    let alice = acme(&site);
    let root = site.user("root");
    site.registry.take_ownership(&root, &org("acme")).unwrap();
    assert!(site.registry.organization(&root, &org("acme")).unwrap().is_admin);

    let carol = site.user("carol");
    site.push("carol/own", "v1", &["mine"]);
    site.registry.take_ownership(&root, &org("carol")).unwrap();
    assert!(site.registry.check_actor(&carol).is_err());
    assert!(site.registry.organization(&root, &org("carol")).unwrap().is_admin);
    assert!(site.is_pullable("carol/own", "v1"));
    site.settle();
    assert!(site.registry.check_actor(&alice).is_ok());
}

#[test]
fn a_user_becomes_an_organization_of_another() {
    let site = Site::new();
    let (alice, bob) = (site.user("alice"), site.user("bob"));
    site.push("alice/own", "v1", &["mine"]);
    robot(&site, &alice, "alice", "bot");
    let [alice_id, bob_id] = ["alice", "bob"].map(|name| principal(&site, name));
    assert!(matches!(site.registry.convert_account(&alice, &alice_id), Err(Error::OwnsNamespace(_))));
    site.registry.convert_account(&alice, &bob_id).unwrap();
    assert!(site.registry.check_actor(&alice).is_err());
    assert!(site.registry.organization(&bob, &org("alice")).unwrap().is_admin);
    assert!(site.registry.check_actor(&signed_in(&site, "alice+bot")).is_ok());
    site.settle();
    assert_eq!(site.tags("alice/own"), ["v1"]);
}

#[test]
fn who_is_disabled_is_no_administrator_and_who_was_none_may_go() {
    let site = Site::new();
    let alice = acme(&site);
    let (bob, carl) = (site.user("bob"), site.user("carl"));
    let registry = &site.registry;
    registry.add_team_member(&alice, &org("acme"), "owners", "bob").unwrap();
    registry.add_team_member(&alice, &org("acme"), "devs", "carl").unwrap();
    registry.set_disabled(principal(&site, "bob").id, true).unwrap();
    let refused = [
        registry.delete_own_account(&alice),
        registry.remove_team_member(&alice, &org("acme"), "owners", "alice"),
        registry.remove_member(&alice, &org("acme"), "alice"),
        registry.convert_account(&alice, &principal(&site, "carl")),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(Error::LastAdministrator)), "{answer:?}");
    }
    registry.set_disabled(principal(&site, "alice").id, true).unwrap();
    registry.delete_own_account(&carl).unwrap();
    registry.set_disabled(principal(&site, "bob").id, false).unwrap();
    assert!(registry.check_actor(&bob).is_err(), "what he had has ended");
    registry.remove_member(&signed_in(&site, "bob"), &org("acme"), "alice").unwrap();
    site.settle();
}

#[test]
fn a_robot_that_is_the_last_administrator_stays() {
    let site = Site::new();
    let alice = acme(&site);
    let registry = &site.registry;
    registry.add_team_member(&alice, &org("acme"), "owners", "acme+bot").unwrap();
    registry.remove_member(&alice, &org("acme"), "alice").unwrap();
    let refused = registry.delete_robot(&OWNER, &org("acme"), "bot");
    assert!(matches!(refused, Err(Error::LastAdministrator)), "{refused:?}");
    assert!(registry.check_actor(&signed_in(&site, "acme+bot")).is_ok());
    registry.add_team_member(&OWNER, &org("acme"), "owners", "alice").unwrap();
    registry.delete_robot(&OWNER, &org("acme"), "bot").unwrap();
    site.settle();
}
