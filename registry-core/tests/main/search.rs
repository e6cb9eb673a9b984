//! Finding repositories and names, stars, and messages.

use registry_core::oci::{NamespaceName, RepositoryName};
use registry_core::{Actor, EntityKind, EntityQuery, Error, Role, Settings, Severity, TeamRole, To};

use crate::support::{OWNER, Site, index, name};

fn org(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

fn found(site: &Site, actor: &Actor, query: &str) -> Vec<String> {
    let found = site.registry.find_repositories(actor, query, 100).unwrap();
    found.into_iter().map(|found| format!("{}/{}", found.info.namespace, found.info.path)).collect()
}

fn all(site: &Site, actor: &Actor) -> Vec<String> {
    let (mut seen, mut last): (Vec<String>, Option<RepositoryName>) = (Vec::new(), None);
    loop {
        let page = site.registry.all_repositories(actor, last.as_ref(), 2).unwrap();
        seen.extend(page.repositories.iter().map(|info| format!("{}/{}", info.namespace, info.path)));
        if !page.has_more {
            return seen;
        }
        last = seen.last().map(|last| name(last));
    }
}

/// alice owns acme, bob is in a team of it that may read one repository, carol is nobody there; reader reads all.
fn populated() -> (Site, Actor, Actor, Actor, Actor) {
    let site = Site::with(Settings { readers: ["reader".to_owned()].into(), ..Settings::default() });
    let [alice, bob, carol, reader] = ["alice", "bob", "carol", "reader"].map(|user| site.user(user));
    let registry = &site.registry;
    registry.create_organization(&alice, &org("acme"), "").unwrap();
    registry.put_team(&alice, &org("acme"), &org("readers"), TeamRole::Member, None).unwrap();
    registry.put_team(&alice, &org("acme"), &org("reviewers"), TeamRole::Member, None).unwrap();
    registry.add_team_member(&alice, &org("acme"), "readers", "bob").unwrap();
    for (at, is_public) in [
        ("acme/tools/base", false),
        ("acme/base", false),
        ("acme/base-image", true),
        ("acme/secret-base", false),
    ] {
        registry.create_repository(&alice, &name(at), is_public).unwrap();
        site.put_as(&alice, at, "v1", &index(&[])).unwrap();
    }
    registry.create_repository(&carol, &name("carol/basement"), false).unwrap();
    registry.grant(&alice, &name("acme/tools/base"), To::Team("readers"), Role::Read).unwrap();
    (site, alice, bob, carol, reader)
}

#[test]
fn a_search_finds_what_the_actor_sees_and_the_best_first() {
    let (site, alice, bob, carol, reader) = populated();
    let everything =
        ["acme/base", "acme/base-image", "acme/secret-base", "acme/tools/base", "carol/basement"];
    assert_eq!(found(&site, &OWNER, "base"), everything);
    assert_eq!(found(&site, &reader, "base"), everything);
    assert_eq!(found(&site, &alice, "base"), everything[..4]);
    assert_eq!(found(&site, &bob, "base"), ["acme/base-image", "acme/tools/base"]);
    assert_eq!(found(&site, &carol, "base"), ["acme/base-image", "carol/basement"]);
    assert_eq!(found(&site, &Actor::Anonymous, "base"), ["acme/base-image"]);
    assert_eq!(found(&site, &alice, "TOOL ba"), ["acme/tools/base"]);
    assert_eq!(found(&site, &alice, "base-im"), ["acme/base-image"]);
    for query in ["", " / ", "acme", "ase", "base nothing", "\u{0}", "%"] {
        assert_eq!(found(&site, &alice, query), Vec::<String>::new(), "{query:?}");
    }
}

#[test]
fn nobody_finds_anything_where_signing_in_is_needed() {
    let site = Site::with(Settings { anonymous_access: false, ..Settings::default() });
    site.registry.create_repository(&OWNER, &name("acme/base"), true).unwrap();
    site.put("acme/base", "v1", &index(&[])).unwrap();
    assert_eq!(found(&site, &Actor::Anonymous, "base"), Vec::<String>::new());
    assert_eq!(all(&site, &Actor::Anonymous), Vec::<String>::new());
    let dave = site.user("dave");
    assert_eq!(found(&site, &dave, "base"), ["acme/base"]);
}

#[test]
fn what_is_found_follows_visibility_and_removal() {
    let (site, alice, _, carol, _) = populated();
    site.registry.set_public(&alice, &name("acme/base"), true).unwrap();
    site.registry.set_public(&alice, &name("acme/base-image"), false).unwrap();
    assert_eq!(found(&site, &carol, "base"), ["acme/base", "carol/basement"]);
    // A push that comes to nothing leaves nothing to find.
    site.upload("acme/baseless", "only a blob");
    assert_eq!(found(&site, &alice, "baseless"), ["acme/baseless"]);
    site.registry.star(&alice, &name("acme/baseless")).unwrap();
    site.clock.advance_ms(2 * 60 * 60 * 1000);
    site.registry.run_background().unwrap();
    assert_eq!(found(&site, &OWNER, "baseless"), Vec::<String>::new());
    assert_eq!(site.registry.audit(false).unwrap(), Vec::<String>::new());
}

#[test]
fn a_list_of_all_repositories_goes_through_the_namespaces() {
    let (site, alice, bob, carol, reader) = populated();
    let acme = ["acme/base", "acme/base-image", "acme/secret-base", "acme/tools/base"];
    assert_eq!(all(&site, &alice), acme);
    assert_eq!(all(&site, &bob), ["acme/base-image", "acme/tools/base"]);
    assert_eq!(all(&site, &carol), ["acme/base-image", "carol/basement"]);
    assert_eq!(all(&site, &reader), [&acme[..], &["carol/basement"]].concat());
    assert_eq!(all(&site, &Actor::Anonymous), ["acme/base-image"]);
}

#[test]
fn a_repository_tells_when_a_tag_was_set_last() {
    let (site, alice, ..) = populated();
    let before = site.registry.repository(&alice, &name("acme/base")).unwrap().last_modified_ms.unwrap();
    site.clock.advance_ms(5000);
    site.put_as(&alice, "acme/base", "v2", &index(&[])).unwrap();
    let after = site.registry.repository(&alice, &name("acme/base")).unwrap().last_modified_ms.unwrap();
    assert_eq!(after, before + 5000);
    site.registry.create_repository(&alice, &name("alice/empty"), false).unwrap();
    let empty = site.registry.repository(&alice, &name("alice/empty")).unwrap();
    assert_eq!((empty.last_modified_ms, empty.is_starred), (None, Some(false)));
}

#[test]
fn stars_are_ones_own_and_go_out_of_sight_with_the_repository() {
    let (site, alice, bob, ..) = populated();
    let registry = &site.registry;
    for _ in 0..2 {
        registry.star(&bob, &name("acme/tools/base")).unwrap();
    }
    registry.star(&bob, &name("acme/base-image")).unwrap();
    let hidden = registry.star(&bob, &name("acme/base"));
    assert!(matches!(hidden, Err(Error::RepositoryUnknown(_))));
    assert!(matches!(registry.star(&Actor::Anonymous, &name("acme/base-image")), Err(Error::NotSignedIn)));
    let info = registry.repository(&alice, &name("acme/tools/base")).unwrap();
    assert_eq!((info.stars, info.is_starred), (1, Some(false)));
    let starred = |after, limit| registry.starred(&bob, after, limit).unwrap();
    let paths = |page: &registry_core::StarredPage| -> Vec<String> {
        page.repositories.iter().map(|info| info.path.clone()).collect()
    };
    let first = starred(None, 1);
    assert_eq!(paths(&first), ["tools/base"]);
    let second = starred(first.next, 1);
    assert_eq!((paths(&second), second.next), (vec!["base-image".to_owned()], None));
    registry.revoke(&alice, &name("acme/tools/base"), To::Team("readers")).unwrap();
    assert_eq!(paths(&starred(None, 10)), ["base-image"]);
    registry.unstar(&bob, &name("acme/base-image")).unwrap();
    registry.unstar(&bob, &name("acme/base-image")).unwrap();
    assert_eq!(paths(&starred(None, 10)), Vec::<String>::new());
    assert_eq!(registry.audit(false).unwrap(), Vec::<String>::new());
}

#[test]
fn names_are_found_by_their_beginning_and_what_belongs_to_a_namespace_by_its_members() {
    let (site, alice, bob, carol, _) = populated();
    site.user("albert");
    let find = |actor: &Actor, prefix: &str, namespace: Option<&NamespaceName>, is_exact| {
        let query = EntityQuery { namespace, teams: true, organizations: true, is_exact };
        let found = site.registry.find_entities(actor, prefix, &query, 10).unwrap();
        found.into_iter().map(|it| (it.name, it.kind, it.is_member)).collect::<Vec<_>>()
    };
    let user = |name: &str, is_member| (name.to_owned(), EntityKind::User, is_member);
    assert_eq!(find(&carol, "al", None, false), [user("albert", None), user("alice", None)]);
    assert_eq!(find(&carol, "al", None, true), []);
    assert_eq!(find(&carol, "alice", None, true), [user("alice", None)]);
    let acme = org("acme");
    // Who belongs to acme learns who else does; carol does not.
    assert_eq!(
        find(&bob, "al", Some(&acme), false),
        [user("albert", Some(false)), user("alice", Some(true))]
    );
    assert_eq!(find(&carol, "al", Some(&acme), false), [user("albert", None), user("alice", None)]);
    let team = |name: &str| (name.to_owned(), EntityKind::Team, Some(true));
    assert_eq!(
        find(&alice, "re", Some(&acme), false),
        [user("reader", Some(false)), team("readers"), team("reviewers")]
    );
    assert_eq!(find(&carol, "re", Some(&acme), false), [user("reader", None)]);
    assert_eq!(find(&carol, "ac", None, false), [("acme".to_owned(), EntityKind::Organization, None)]);
    let own = |actor: &Actor, prefix: &str| {
        let found = site.registry.find_own_entities(actor, prefix, 10).unwrap();
        found.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(own(&alice, "r"), ["readers", "reviewers"]);
    assert_eq!(own(&bob, "r"), ["readers"]);
    assert_eq!(own(&bob, "acm"), ["acme"]);
    assert_eq!(own(&carol, "acm"), Vec::<String>::new());
}

#[test]
fn superusers_show_messages_to_everybody() {
    let site = Site::with(Settings { superusers: ["root".to_owned()].into(), ..Settings::default() });
    let (root, alice) = (site.user("root"), site.user("alice"));
    let post = |actor: &Actor, text: &str| site.registry.post_message(actor, text, true, Severity::Warning);
    assert!(matches!(post(&alice, "no"), Err(Error::NotForCredential)));
    assert!(matches!(post(&Actor::Anonymous, "no"), Err(Error::NotSignedIn)));
    let first = post(&root, "first").unwrap();
    site.clock.advance_ms(1);
    post(&root, "second").unwrap();
    let texts = || -> Vec<String> {
        site.registry.messages().unwrap().into_iter().map(|message| message.content).collect()
    };
    assert_eq!(texts(), ["first", "second"]);
    assert!(matches!(site.registry.delete_message(&alice, first), Err(Error::NotForCredential)));
    for _ in 0..2 {
        site.registry.delete_message(&root, first).unwrap();
    }
    assert_eq!(texts(), ["second"]);
    for _ in 1..100 {
        post(&root, "more").unwrap();
    }
    assert!(matches!(post(&root, "too many"), Err(Error::TooMany("messages"))));
}

#[test]
fn collaborators_are_users_who_were_granted_something_and_are_in_no_team() {
    let (site, alice, bob, carol, _) = populated();
    site.registry.grant(&alice, &name("acme/base"), To::Principal("carol"), Role::Write).unwrap();
    site.registry.grant(&alice, &name("acme/base"), To::Principal("bob"), Role::Write).unwrap();
    let found = site.registry.collaborators(&alice, &org("acme")).unwrap();
    let found: Vec<_> = found.into_iter().map(|info| (info.name, info.repositories)).collect();
    assert_eq!(found, [("carol".to_owned(), vec!["base".to_owned()])]);
    for actor in [&bob, &carol] {
        assert!(site.registry.collaborators(actor, &org("acme")).is_err());
    }
}
