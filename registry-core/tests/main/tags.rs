//! Tags: histories, deletion, restoring.

use registry_core::oci::Algorithm;
use registry_core::{Error, Registry};

use crate::support::{OWNER, Site, image, index, name, referrer, tag};

const AT: &str = "acme/app";

fn restore(registry: &Registry, to: &str, digest: &registry_core::oci::Digest) -> Result<(), Error> {
    registry.restore_tag(&OWNER, &name(AT), &tag(to), digest)
}

#[test]
fn a_tag_that_is_deleted_leaves_its_manifest() {
    let site = Site::new();
    let pushed = site.push(AT, "v1", &["layer"]);
    site.delete(AT, "v1").unwrap();
    assert!(!site.is_pullable(AT, "v1") && site.is_pullable(AT, &pushed.to_string()));
    assert!(matches!(site.delete(AT, "v1"), Err(Error::ManifestUnknown(what)) if what == "v1"));
    restore(&site.registry, "v1", &pushed).unwrap();
    assert!(site.is_pullable(AT, "v1"));
    site.settle();
}

#[test]
fn a_manifest_that_is_deleted_is_gone_for_everybody_and_can_be_restored() {
    let site = Site::new();
    let pushed = site.push(AT, "v1", &["layer"]);
    site.put(AT, "v2", &image(&["layer"])).unwrap();
    let signature = site.put(AT, "@", &referrer(&pushed, "a/signature")).unwrap();
    site.delete(AT, &signature.to_string()).unwrap();
    site.delete(AT, &pushed.to_string()).unwrap();
    assert_eq!(site.tags(AT), Vec::<String>::new());
    for reference in ["v1", "v2", &pushed.to_string()] {
        assert!(!site.is_pullable(AT, reference));
    }
    let listed = site.registry.referrers(&OWNER, &name(AT), &pushed, None, None).unwrap();
    assert_eq!(listed.manifests.len(), 0);
    restore(&site.registry, "back", &pushed).unwrap();
    assert_eq!(site.tags(AT), ["back"]);
    assert!(site.has_blob(AT, &crate::support::digest(b"layer")));
    site.settle();
}

#[test]
fn a_deletion_is_for_good_once_the_window_has_passed() {
    let site = Site::new();
    let pushed = site.push(AT, "v1", &["layer"]);
    site.delete(AT, &pushed.to_string()).unwrap();
    site.clock.advance_ms(site.registry.settings().tag_window_ms);
    assert!(matches!(restore(&site.registry, "v1", &pushed), Err(Error::ManifestUnknown(_))));
}

#[test]
fn pushing_a_deleted_manifest_brings_it_back() {
    let site = Site::new();
    let pushed = site.push(AT, "v1", &["layer"]);
    site.delete(AT, &pushed.to_string()).unwrap();
    let refused = site.put(AT, "v1", &image(&["layer"]));
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(_))), "its blobs went out of sight with it");
    assert_eq!(site.push(AT, "v1", &["layer"]), pushed);
    assert!(site.is_pullable(AT, "v1"));
    site.settle();
}

#[test]
fn a_row_never_starts_before_the_one_it_follows() {
    let site = Site::new();
    for (number, layer) in ["one", "two", "three"].iter().enumerate() {
        site.clock.set_ms(crate::support::START_MS - 1_000 * number as u64);
        site.push(AT, "v1", &[layer]);
        site.push(AT, "v1", &[layer]);
    }
    site.delete(AT, "v1").unwrap();
    // The audit proves that every row ends after it starts and has an entry of its own everywhere.
    site.settle();
}

#[test]
fn the_many_tags_of_a_deleted_manifest_end_in_the_background() {
    let site = Site::new();
    let index = index(&[]);
    for n in 0..250 {
        site.put(AT, &format!("t{n}"), &index).unwrap();
    }
    site.delete(AT, &index.digest(Algorithm::Sha256).to_string()).unwrap();
    assert!(!site.is_pullable(AT, "t1") && !site.is_pullable(AT, "t249"));
    site.settle();
    assert_eq!(site.tags(AT), Vec::<String>::new());
}

#[test]
fn tags_that_a_deletion_has_yet_to_end_do_not_come_back_with_their_manifest() {
    for is_restored in [false, true] {
        let site = Site::new();
        let index = index(&[]);
        for n in 0..350 {
            site.put(AT, &format!("t{n}"), &index).unwrap();
        }
        let digest = index.digest(Algorithm::Sha256);
        site.delete(AT, &digest.to_string()).unwrap();
        if is_restored {
            restore(&site.registry, "new", &digest).unwrap();
        } else {
            site.put(AT, "new", &index).unwrap();
        }
        assert_eq!(site.tags(AT), ["new"]);
        site.settle();
        assert_eq!(site.tags(AT), ["new"]);
    }
}

#[test]
fn pages_of_tags_are_in_byte_order_and_visit_each_once() {
    let site = Site::new();
    let mut tags: Vec<String> = ["b", "A", "a", "10", "9", "a.b", "_x"].map(str::to_owned).to_vec();
    for tag in &tags {
        site.put(AT, tag, &index(&[])).unwrap();
    }
    tags.sort();
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let page = site.registry.tags(&OWNER, &name(AT), last.as_ref(), 2).unwrap();
        seen.extend(page.tags.iter().map(ToString::to_string));
        last = page.tags.last().cloned();
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, tags);
    let after = site.registry.tags(&OWNER, &name(AT), Some(&tag("a.a")), 9).unwrap();
    assert_eq!(after.tags, [tag("a.b"), tag("b")]);
    let none = site.registry.tags(&OWNER, &name(AT), None, 0).unwrap();
    assert!(none.tags.is_empty() && !none.has_more);
}

#[test]
fn tags_are_told_with_their_manifest_and_what_its_layers_add_up_to() {
    let site = Site::new();
    let pushed = site.push(AT, "v1", &["layer", "another layer"]);
    let of_both = site.put(AT, "both", &index(&[pushed])).unwrap();
    site.put(AT, "empty", &image(&[])).unwrap();
    let told = |limit| site.registry.tag_infos(&OWNER, &name(AT), limit).unwrap();
    let rows: Vec<_> =
        told(9).into_iter().map(|info| (info.tag.to_string(), info.digest, info.layers_bytes)).collect();
    assert_eq!(rows[0], ("both".to_owned(), of_both, None));
    assert_eq!((rows[1].0.as_str(), rows[1].2), ("empty", Some(0)));
    assert_eq!(rows[2], ("v1".to_owned(), pushed, Some(5 + 13)));
    assert_eq!(told(2).len(), 2);
    site.delete(AT, &pushed.to_string()).unwrap();
    assert_eq!(told(9).len(), 2);
}
