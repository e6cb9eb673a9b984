//! The catalog: what was granted, in pages.

use registry_core::{Actor, Error, Settings};

use crate::support::{OWNER, Site, index, name};

fn listed(site: &Site, actor: &Actor) -> Vec<String> {
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let page = site.registry.catalog(actor, last.as_ref(), 2).unwrap();
        seen.extend(page.repositories);
        last = seen.last().map(|last| name(last));
        if !page.has_more {
            return seen;
        }
    }
}

/// alice and bob with a private repository each, and a public one of acme's.
fn populated(public_catalog: bool) -> (Site, Actor, Actor) {
    let site = Site::with(Settings { public_catalog, ..Settings::default() });
    let (alice, bob) = (site.user("alice"), site.user("bob"));
    for at in ["alice/b", "alice/a/deep"] {
        site.put_as(&alice, at, "v1", &index(&[])).unwrap();
    }
    site.put_as(&bob, "bob/app", "v1", &index(&[])).unwrap();
    for (at, is_public) in [("acme/base", true), ("acme/hidden", false)] {
        site.registry.create_repository(&OWNER, &name(at), is_public).unwrap();
        site.put(at, "v1", &index(&[])).unwrap();
    }
    site.upload("alice/empty", "only a blob");
    site.settle();
    (site, alice, bob)
}

#[test]
fn everybody_sees_what_was_granted_and_nothing_else() {
    let (site, alice, bob) = populated(false);
    assert_eq!(listed(&site, &alice), ["alice/a/deep", "alice/b"]);
    assert_eq!(listed(&site, &bob), ["bob/app"]);
    assert_eq!(listed(&site, &Actor::Anonymous), Vec::<String>::new());
    let all = ["acme/base", "acme/hidden", "alice/a/deep", "alice/b", "bob/app"];
    assert_eq!(listed(&site, &OWNER), all);
}

#[test]
fn a_public_catalog_shows_public_repositories_to_all() {
    let (site, alice, _) = populated(true);
    assert_eq!(listed(&site, &alice), ["acme/base", "alice/a/deep", "alice/b"]);
    assert_eq!(listed(&site, &Actor::Anonymous), ["acme/base"]);
}

#[test]
fn a_repository_is_created_once() {
    let site = Site::new();
    site.registry.create_repository(&OWNER, &name("acme/app"), true).unwrap();
    let again = site.registry.create_repository(&OWNER, &name("acme/app"), true);
    assert!(matches!(again, Err(Error::NameTaken(what)) if what == "acme/app"));
    assert_eq!(site.tags("acme/app"), Vec::<String>::new(), "it is there although it is empty");
}
