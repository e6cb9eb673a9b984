//! What holds content, and that it goes with the last of that.

use registry_core::oci::{Algorithm, Digest, Manifest};
use registry_core::{Error, Settings};

use crate::support::{OWNER, Site, image, index, index_about, name, referrer, tag};

const WINDOW_MS: u64 = 1_000_000;
const AT: &str = "acme/app";

fn site() -> Site {
    Site::with(Settings { tag_window_ms: WINDOW_MS, blob_grace_ms: 1000, ..Settings::default() })
}

fn pass_window(site: &Site) {
    // What ends in the millisecond in which it began ends in the next, and what follows it begins there.
    site.clock.advance_ms(WINDOW_MS + 5);
    site.settle();
}

fn sha256(manifest: &Manifest) -> Digest {
    manifest.digest(Algorithm::Sha256)
}

/// Nothing is stored any more: neither rows nor files.
fn is_empty(site: &Site) -> bool {
    let found = site.registry.stored().unwrap();
    (found.blobs, found.manifests, found.blob_bytes, found.manifest_bytes) == (0, 0, 0, 0)
}

#[test]
fn a_deleted_tag_holds_its_image_until_the_window_ends() {
    let site = site();
    let image = site.push(AT, "v1", &["one"]);
    site.clock.advance_ms(5);
    site.delete(AT, "v1").unwrap();
    site.clock.advance_ms(WINDOW_MS - 1);
    site.settle();
    assert!(site.is_pullable(AT, &image.to_string()));
    site.clock.advance_ms(1);
    site.settle();
    assert!(!site.is_pullable(AT, &image.to_string()));
    assert!(is_empty(&site));
}

#[test]
fn an_image_stays_while_another_tag_row_holds_it() {
    let site = site();
    let image = site.push(AT, "v1", &["one"]);
    site.push(AT, "v2", &["one"]);
    site.push(AT, "v2", &["two"]);
    site.delete(AT, "v1").unwrap();
    site.registry.restore_tag(&OWNER, &name(AT), &tag("v3"), &image).unwrap();
    pass_window(&site);
    assert!(site.is_pullable(AT, "v3"));
    assert!(site.is_pullable(AT, "v2"));
    site.delete(AT, "v3").unwrap();
    pass_window(&site);
    assert!(!site.is_pullable(AT, &image.to_string()));
    assert!(site.is_pullable(AT, "v2"));
}

#[test]
fn what_was_pushed_by_digest_alone_stays() {
    let site = site();
    let image = site.push(AT, "@", &["one"]);
    pass_window(&site);
    assert!(site.is_pullable(AT, &image.to_string()));
    site.delete(AT, &image.to_string()).unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

#[test]
fn an_image_of_many_platforms_goes_with_its_index() {
    let site = site();
    let children = [site.push(AT, "@", &["one"]), site.push(AT, "@", &["two"])];
    let outer = site.put(AT, "@", &index(&children)).unwrap();
    site.put(AT, "v1", &index(&[outer])).unwrap();
    site.put(AT, "@", &referrer(&children[0], "a/signature")).unwrap();
    pass_window(&site);
    assert!(site.is_pullable(AT, &children[1].to_string()));
    site.delete(AT, "v1").unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

#[test]
fn an_image_that_is_pushed_again_goes_all_the_same() {
    let site = site();
    for _ in 0..2 {
        let child = site.push(AT, "@", &["one"]);
        site.put(AT, "v1", &index(&[child])).unwrap();
    }
    site.delete(AT, "v1").unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

#[test]
fn a_child_that_is_pushed_for_the_next_index_outlives_the_last_one() {
    let site = site();
    let child = site.push(AT, "@", &["one"]);
    site.put(AT, "v1", &index(&[child])).unwrap();
    site.delete(AT, "v1").unwrap();
    site.clock.advance_ms(WINDOW_MS - 1);
    site.push(AT, "@", &["one"]);
    site.clock.advance_ms(1);
    site.settle();
    site.put(AT, "v2", &index(&[child, site.push(AT, "@", &["two"])])).unwrap();
    assert!(site.is_pullable(AT, &child.to_string()));
}

#[test]
fn what_was_deleted_by_digest_can_be_restored_until_the_window_ends() {
    let site = site();
    let image = site.push(AT, "v1", &["one"]);
    let signature = site.put(AT, "@", &referrer(&image, "a/signature")).unwrap();
    site.delete(AT, &image.to_string()).unwrap();
    site.clock.advance_ms(WINDOW_MS - 1);
    site.settle();
    site.registry.restore_tag(&OWNER, &name(AT), &tag("v1"), &image).unwrap();
    assert!(site.is_pullable(AT, &signature.to_string()));
    site.delete(AT, &image.to_string()).unwrap();
    pass_window(&site);
    let restored = site.registry.restore_tag(&OWNER, &name(AT), &tag("v1"), &image);
    assert!(matches!(restored, Err(Error::ManifestUnknown(_))));
    assert!(is_empty(&site));
}

#[test]
fn a_signature_holds_nothing_and_one_that_came_first_waits() {
    let site = site();
    let signed = image(&["one"]);
    site.upload(AT, "{}");
    let signature = site.put(AT, "@", &referrer(&sha256(&signed), "a/signature")).unwrap();
    pass_window(&site);
    assert!(site.is_pullable(AT, &signature.to_string()));
    site.push(AT, "v1", &["one"]);
    site.settle();
    site.delete(AT, "v1").unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

#[test]
fn an_index_about_its_own_child_goes_with_it() {
    let site = site();
    let child = site.push(AT, "v1", &["one"]);
    let around = site.put(AT, "@", &index_about(&child, &[child], "")).unwrap();
    pass_window(&site);
    assert!(site.is_pullable(AT, &around.to_string()));
    site.delete(AT, "v1").unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

/// More indexes than one write may visit, each about the image that it lists: they all hold each other.
fn knot(site: &Site) -> (Digest, Vec<Digest>) {
    let child = site.push(AT, "v1", &["one"]);
    let put = |number: u32| site.put(AT, "@", &index_about(&child, &[child], &number.to_string())).unwrap();
    (child, (0..700).map(put).collect())
}

#[test]
fn a_knot_too_large_for_one_write_is_held_by_one_tag_and_goes_without() {
    let site = site();
    let (child, around) = knot(&site);
    site.registry.restore_tag(&OWNER, &name(AT), &tag("last"), &around[500]).unwrap();
    site.delete(AT, "v1").unwrap();
    pass_window(&site);
    assert!(around.iter().all(|index| site.is_pullable(AT, &index.to_string())));
    assert!(site.is_pullable(AT, &child.to_string()));
    site.delete(AT, "last").unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

#[test]
fn a_long_chain_of_indexes_goes() {
    let site = site();
    let mut last = site.push(AT, "@", &["one"]);
    for _ in 0..700 {
        last = site.put(AT, "@", &index(&[last])).unwrap();
    }
    site.registry.restore_tag(&OWNER, &name(AT), &tag("v1"), &last).unwrap();
    site.delete(AT, "v1").unwrap();
    pass_window(&site);
    assert!(is_empty(&site));
}

#[test]
fn a_clock_that_goes_back_keeps_everything() {
    let site = site();
    let image = site.push(AT, "v1", &["one"]);
    site.delete(AT, "v1").unwrap();
    site.settle();
    site.clock.set_ms(1);
    site.settle();
    assert!(site.is_pullable(AT, &image.to_string()));
}

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A site with an image whose only tag was deleted, and with an upload that was begun.
fn with_something_to_end() -> (Site, Digest) {
    let site = site();
    let image = site.push(AT, "v1", &["one"]);
    site.delete(AT, "v1").unwrap();
    site.begin(AT, "half");
    site.settle();
    (site, image)
}

#[test]
fn a_clock_that_jumps_ahead_ends_nothing_until_it_is_accepted() {
    let (site, image) = with_something_to_end();
    site.clock.set_ms(site.registry.now_ms() + 400 * DAY_MS);
    site.settle();
    assert!(site.registry.doubts_clock());
    site.clock.advance_ms(HOUR_MS);
    site.settle();
    assert!(site.is_pullable(AT, &image.to_string()));
    assert_eq!(site.registry.stored().unwrap().open_uploads, 1);
    site.registry.accept_clock().unwrap();
    assert!(!site.registry.doubts_clock());
    site.settle();
    assert!(is_empty(&site));
    assert_eq!(site.registry.stored().unwrap().open_uploads, 0);
}

#[test]
fn a_clock_that_is_set_right_again_is_trusted() {
    let (site, image) = with_something_to_end();
    let now_ms = site.registry.now_ms();
    site.clock.set_ms(now_ms + 400 * DAY_MS);
    site.settle();
    site.clock.set_ms(now_ms + 1);
    site.settle();
    assert!(!site.registry.doubts_clock());
    assert!(site.is_pullable(AT, &image.to_string()));
    pass_window(&site);
    assert!(!site.is_pullable(AT, &image.to_string()));
}

#[test]
fn a_registry_that_stood_still_for_longer_than_a_week_waits_for_the_operator() {
    let (mut site, image) = with_something_to_end();
    site.clock.set_ms(site.registry.now_ms() + 6 * DAY_MS);
    site.restart();
    site.settle();
    assert!(!site.is_pullable(AT, &image.to_string()));
    let image = site.push(AT, "v1", &["one"]);
    site.delete(AT, "v1").unwrap();
    site.clock.set_ms(site.registry.now_ms() + 8 * DAY_MS);
    site.restart();
    site.settle();
    assert!(site.registry.doubts_clock());
    assert!(site.is_pullable(AT, &image.to_string()));
    site.registry.accept_clock().unwrap();
    site.kill();
    site.settle();
    assert!(!site.is_pullable(AT, &image.to_string()));
}
