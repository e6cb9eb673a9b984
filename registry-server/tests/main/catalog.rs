//! The catalog: what a caller may pull from, page by page.

use crate::support::{Server, image};
use crate::tags::next;

/// A server with these repositories, each with a manifest; those of alice's that begin with `public` are.
fn with_repositories(names: &[&str]) -> Server {
    let server = Server::with(|setup| setup.settings.public_catalog = true);
    for name in names {
        if name.starts_with("alice/public") {
            server.make_public(name);
        }
        server.push_blob(name, "config");
        server.push(name, "v1", &image("config", &[]).to_string());
    }
    server
}

fn listed(answer: &crate::client::Response) -> Vec<String> {
    serde_json::from_value(answer.json()["repositories"].clone()).unwrap()
}

#[test]
fn the_catalog_shows_each_caller_what_they_may_pull_from() {
    let server = with_repositories(&["alice/a", "alice/b/c", "alice/public"]);
    server.push_blob("alice/empty", "no manifest yet");
    let get = || server.get("/v2/_catalog");
    let all = ["alice/a", "alice/b/c", "alice/public"];
    assert_eq!(listed(&get().user("alice").send().is(200)), all);
    assert_eq!(listed(&get().user("bob").send().is(200)), ["alice/public"]);
    assert_eq!(listed(&get().send().is(200)), ["alice/public"]);
    let token = server.token(Some("alice"), &["registry:catalog:*"]);
    assert_eq!(listed(&get().bearer(&token).send().is(200)), all);
    // podman search asks for a token without a scope.
    let token = server.token(Some("alice"), &[]);
    assert_eq!(listed(&get().bearer(&token).send().is(200)), all);
    let token = server.token(None, &["registry:catalog:*"]);
    assert_eq!(listed(&get().bearer(&token).send().is(200)), ["alice/public"]);
}

#[test]
fn a_private_catalog_asks_everybody_to_sign_in() {
    let server = Server::start();
    server.make_public("alice/public");
    server.push_image("alice/public", "v1", "one");
    server.get("/v2/_catalog").send().refuses(401, "UNAUTHORIZED");
    let token = server.token(None, &["registry:catalog:*"]);
    assert!(listed(&server.get("/v2/_catalog").bearer(&token).send().is(200)).is_empty());
    assert!(listed(&server.get("/v2/_catalog").user("bob").send().is(200)).is_empty());
}

#[test]
fn the_catalog_is_given_in_pages() {
    let names = ["alice/a", "alice/b", "alice/b-c", "alice/b/c", "alice/z"];
    let server = with_repositories(&names);
    for n in 1..=6 {
        let (mut seen, mut target) = (Vec::new(), format!("/v2/_catalog?n={n}"));
        loop {
            let page = server.alice("GET", &target).is(200);
            assert!(listed(&page).len() <= n);
            seen.extend(listed(&page));
            match next(&page) {
                Some(next) => target = next,
                None => break,
            }
        }
        assert_eq!(seen, names, "{n} a page");
    }
    let none = server.alice("GET", "/v2/_catalog?n=0").is(200);
    assert_eq!((listed(&none).len(), next(&none)), (0, None));
}

#[test]
fn a_page_begins_after_a_name_that_need_not_exist() {
    let server = with_repositories(&["alice/a", "alice/c"]);
    assert_eq!(listed(&server.alice("GET", "/v2/_catalog?last=alice/b")), ["alice/c"]);
    assert_eq!(listed(&server.alice("GET", "/v2/_catalog?last=aaaa/z")), ["alice/a", "alice/c"]);
    assert!(listed(&server.alice("GET", "/v2/_catalog?last=zzz/a")).is_empty());
}

#[test]
fn what_is_no_number_or_no_name_is_refused() {
    let server = Server::start();
    for n in ["-1", "abc", "1.0"] {
        server.alice("GET", &format!("/v2/_catalog?n={n}")).refuses(400, "PAGINATION_NUMBER_INVALID");
    }
    server.alice("GET", "/v2/_catalog?last=Bad").refuses(400, "NAME_INVALID");
}
