//! Numbers for whoever watches a registry: what it holds, what its commits were.

use registry_core::Actor;
use registry_core::statistics::Stored;

use crate::support::{OWNER, Site, image, name};

fn stored(site: &Site) -> Stored {
    site.registry.stored().unwrap()
}

#[test]
fn an_empty_registry_holds_nothing() {
    assert_eq!(stored(&Site::new()), Stored::default());
}

#[test]
fn content_counts_once_whoever_pushed_it() {
    let mut site = Site::new();
    let alice: Actor = site.user("alice");
    site.push("acme/app", "v1", &["layer"]);
    let manifest_bytes = image(&["layer"]).bytes().len() as u64;
    // The config is `{}`.
    let once = Stored { blobs: 2, blob_bytes: 7, manifests: 1, manifest_bytes, open_uploads: 0 };
    assert_eq!(stored(&site), once);

    site.push("acme/other", "v1", &["layer"]);
    site.try_upload(&alice, "alice/app", b"layer").unwrap();
    assert_eq!(stored(&site), once);
    site.restart();
    assert_eq!(stored(&site), once);
    site.settle();
}

#[test]
fn a_blob_that_went_and_an_upload_that_ended_count_no_more() {
    let site = Site::new();
    site.upload("acme/app", "lonely");
    let begun = site.begin("acme/app", "more");
    assert_eq!(stored(&site), Stored { blobs: 1, blob_bytes: 6, open_uploads: 1, ..Stored::default() });
    site.registry.cancel_upload(&OWNER, &name("acme/app"), begun).unwrap();
    site.clock.advance_ms(site.registry.settings().blob_grace_ms);
    site.settle();
    assert_eq!(stored(&site), Stored::default());
}

#[test]
fn a_commit_is_counted_with_the_writes_it_made_durable() {
    let site = Site::new();
    let before = site.registry.statistics();
    site.registry.hold_commits();
    for n in 0..3 {
        site.registry.start_upload(&OWNER, &name(&format!("acme/app{n}")), None).unwrap();
    }
    assert_eq!(site.registry.statistics().commit_writes, before.commit_writes);
    site.registry.commit_held().unwrap();

    let after = site.registry.statistics();
    assert_eq!(after.commit_writes.count(), before.commit_writes.count() + 1);
    assert_eq!(after.commit_nanos.count(), after.commit_writes.count());
    let writes = after.commit_writes.sum - before.commit_writes.sum;
    // Fresh ids are written too, in blocks.
    assert!((3..=9).contains(&writes), "{writes}");
    assert_eq!(after.waiting_writes, 0);
}
