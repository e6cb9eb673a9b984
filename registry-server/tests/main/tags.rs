//! Listing tags, page by page.

use serde_json::json;

use crate::client::Response;
use crate::support::{Server, image};

const LIST: &str = "/v2/alice/app/tags/list";

/// A server whose `alice/app` has one manifest under these tags.
fn with_tags(tags: &[&str]) -> Server {
    let server = Server::start();
    server.push_blob("alice/app", "config");
    for tag in tags {
        set(&server, tag);
    }
    server
}

fn set(server: &Server, tag: &str) {
    server.push("alice/app", tag, &image("config", &[]).to_string());
}

fn tags(answer: &Response) -> Vec<String> {
    serde_json::from_value(answer.json()["tags"].clone()).unwrap()
}

/// Where the next page is.
pub(crate) fn next(answer: &Response) -> Option<String> {
    let link = answer.header("link")?;
    let target = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"").expect("a link to the next page");
    Some(target.to_owned())
}

#[test]
fn tags_are_listed_in_the_order_of_their_bytes() {
    let server = with_tags(&["b", "a", "B", "_x", "1.0", "a-1", "a.1"]);
    let answer = server.alice("GET", LIST).is(200);
    let expected = ["1.0", "B", "_x", "a", "a-1", "a.1", "b"];
    assert_eq!(answer.json(), json!({ "name": "alice/app", "tags": expected }));
    assert_eq!((answer.header("content-type"), answer.header("link")), (Some("application/json"), None));
    assert_eq!(server.alice("HEAD", LIST).is(200).length(), answer.body.len());
}

#[test]
fn a_repository_without_tags_has_an_empty_list_and_an_unknown_one_none() {
    let server = with_tags(&[]);
    assert_eq!(server.alice("GET", LIST).is(200).json(), json!({ "name": "alice/app", "tags": [] }));
    server.alice("GET", "/v2/alice/nothing/tags/list").refuses(404, "NAME_UNKNOWN");
}

#[test]
fn a_page_has_as_many_tags_as_were_asked_for() {
    let server = with_tags(&["a", "b", "c"]);
    for (query, expected, has_next) in [
        ("?n=0", &[][..], false),
        ("?n=1", &["a"], true),
        ("?n=2", &["a", "b"], true),
        ("?n=3", &["a", "b", "c"], false),
        ("?n=1000000", &["a", "b", "c"], false),
        ("?n=99999999999999999999999999", &["a", "b", "c"], false),
        ("?n=", &["a", "b", "c"], false),
        ("?last=a", &["b", "c"], false),
        ("?last=aa", &["b", "c"], false),
        ("?last=&n=1", &["a"], true),
        ("?last=zz", &[], false),
        ("?n=1&last=a", &["b"], true),
        ("?n=2&last=a", &["b", "c"], false),
        ("?n=0&last=a", &[], false),
        ("?unknown=1&n=1", &["a"], true),
    ] {
        let page = server.alice("GET", &format!("{LIST}{query}")).is(200);
        assert_eq!(
            (tags(&page), next(&page).is_some()),
            (expected.iter().map(ToString::to_string).collect(), has_next),
            "{query}"
        );
    }
}

#[test]
fn what_is_no_number_or_no_tag_is_refused() {
    let server = with_tags(&["a"]);
    for n in ["-1", "1.5", "abc", "0x10", "%2B1", "1%20", "+1"] {
        server.alice("GET", &format!("{LIST}?n={n}")).refuses(400, "PAGINATION_NUMBER_INVALID");
    }
    for last in ["-a", "a/b", "%00", "a%20b"] {
        server.alice("GET", &format!("{LIST}?last={last}")).refuses(400, "TAG_INVALID");
    }
    server.alice("GET", &format!("{LIST}?last=%ff")).is(400);
}

#[test]
fn more_than_a_page_is_never_given_but_linked() {
    let server = Server::with(|setup| setup.options.page_size = 2);
    server.push_blob("alice/app", "config");
    ["a", "b", "c"].iter().for_each(|tag| set(&server, tag));
    for query in ["", "?n=3", "?n=100000"] {
        let page = server.alice("GET", &format!("{LIST}{query}")).is(200);
        assert_eq!(tags(&page), ["a", "b"]);
        let page = server.alice("GET", &next(&page).unwrap()).is(200);
        assert_eq!((tags(&page), next(&page)), (vec!["c".to_owned()], None));
    }
}

#[test]
fn following_the_links_meets_each_tag_once_while_others_come_and_go() {
    let names: Vec<String> = (10..40).map(|n| format!("tag-{n}")).collect();
    let server = with_tags(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut seen = Vec::new();
    let mut target = format!("{LIST}?n=7");
    for step in 0.. {
        let page = server.alice("GET", &target).is(200);
        seen.extend(tags(&page));
        // The last one seen goes, one ahead goes, one comes behind and one ahead.
        let last = seen.last().unwrap();
        server.alice("DELETE", &format!("/v2/alice/app/manifests/{last}")).is(202);
        set(&server, &format!("before-{step}"));
        set(&server, &format!("zz-{step}"));
        match next(&page) {
            Some(next) => target = next,
            None => break,
        }
    }
    let kept: Vec<&String> = seen.iter().filter(|tag| tag.starts_with("tag-")).collect();
    assert_eq!(kept, names.iter().collect::<Vec<_>>());
    let mut distinct = seen.clone();
    distinct.dedup();
    assert_eq!(seen, distinct);
}

#[test]
fn a_signature_tag_is_a_tag() {
    let server = with_tags(&[]);
    let hex = "0".repeat(64);
    let signatures = [format!("sha256-{hex}"), format!("sha256-{hex}.att"), format!("sha256-{hex}.sig")];
    for tag in &signatures {
        set(&server, tag);
        set(&server, tag);
        server.alice("GET", &format!("/v2/alice/app/manifests/{tag}")).is(200);
    }
    assert_eq!(tags(&server.alice("GET", LIST)), signatures);
    server.alice("DELETE", &format!("/v2/alice/app/manifests/{}", signatures[2])).is(202);
    assert_eq!(tags(&server.alice("GET", LIST)), signatures[..2]);
}

#[test]
fn the_longest_tag_is_listed_and_linked() {
    let (a, b) = (format!("_{}", "a.-_Z9".repeat(21)), "z".repeat(128));
    let server = with_tags(&[&a, &b]);
    let page = server.alice("GET", &format!("{LIST}?n=1")).is(200);
    assert_eq!(tags(&page), [a]);
    assert_eq!(tags(&server.alice("GET", &next(&page).unwrap())), [b]);
}
