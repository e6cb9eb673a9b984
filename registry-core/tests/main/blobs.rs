//! Blobs: seen only where they were linked, mounted by right, deleted when nothing refers to them.

use registry_core::oci::Digest;
use registry_core::{Actor, Error, Mounted};

use crate::support::{OWNER, Site, digest, name};

fn mount(site: &Site, actor: &Actor, at: &str, blob: &Digest, source: Option<&str>) -> Mounted {
    site.registry.mount_blob(actor, &name(at), blob, source.map(name).as_ref()).unwrap()
}

#[test]
fn a_blob_is_seen_only_where_it_was_linked() {
    let site = Site::new();
    let blob = site.upload("acme/app", "secret");
    site.upload("acme/other", "x");
    assert!(site.has_blob("acme/app", &blob) && !site.has_blob("acme/other", &blob));
}

#[test]
fn a_mount_needs_the_right_to_pull_from_the_source() {
    let site = Site::new();
    let (alice, bob) = (site.user("alice"), site.user("bob"));
    let blob = site.try_upload(&alice, "alice/app", b"layer").unwrap();
    assert_eq!(mount(&site, &bob, "bob/app", &blob, Some("alice/app")), Mounted::No);
    assert_eq!(mount(&site, &bob, "bob/app", &blob, None), Mounted::No);
    assert_eq!(mount(&site, &alice, "alice/copy", &blob, Some("alice/app")), Mounted::Yes);
    assert_eq!(mount(&site, &alice, "alice/third", &blob, None), Mounted::Yes);
    assert!(site.registry.blob(&alice, &name("alice/third"), &blob).is_ok());
    site.settle();
}

#[test]
fn a_mount_from_a_public_repository_is_open_to_everybody() {
    let site = Site::new();
    let bob = site.user("bob");
    site.registry.create_repository(&OWNER, &name("acme/base"), true).unwrap();
    let blob = site.upload("acme/base", "layer");
    assert_eq!(mount(&site, &bob, "bob/app", &blob, Some("acme/base")), Mounted::Yes);
    assert_eq!(mount(&site, &bob, "bob/other", &digest(b"nowhere"), None), Mounted::No);
}

#[test]
fn a_blob_that_no_manifest_names_goes_when_its_grace_ends() {
    let site = Site::new();
    let blob = site.upload("acme/app", "lonely");
    site.settle();
    assert!(site.has_blob("acme/app", &blob));
    site.clock.advance_ms(site.registry.settings().blob_grace_ms);
    site.settle();
    assert!(!site.has_blob("acme/app", &blob));
    let tags = site.registry.tags(&OWNER, &name("acme/app"), None, 1);
    assert!(matches!(tags, Err(Error::RepositoryUnknown(_))), "the repository never got a manifest");
}

#[test]
fn the_grace_ends_when_a_manifest_takes_the_blob() {
    let site = Site::new();
    site.push("acme/app", "v1", &["layer"]);
    site.clock.advance_ms(site.registry.settings().blob_grace_ms);
    site.settle();
    assert!(site.has_blob("acme/app", &digest(b"layer")));
}

#[test]
fn a_blob_that_a_manifest_refers_to_is_not_deleted() {
    let site = Site::new();
    let pushed = site.push("acme/app", "v1", &["layer"]);
    let delete = || site.registry.delete_blob(&OWNER, &name("acme/app"), &digest(b"layer"));
    assert!(matches!(delete(), Err(Error::BlobInUse(_))));
    site.delete("acme/app", &pushed.to_string()).unwrap();
    assert!(matches!(delete(), Err(Error::BlobUnknown(_))), "only a withdrawn manifest refers to it");
    assert_eq!(mount(&site, &OWNER, "acme/copy", &digest(b"layer"), Some("acme/app")), Mounted::No);
    site.settle();
}

#[test]
fn deleting_a_blob_leaves_that_of_others() {
    let site = Site::new();
    let blob = site.upload("acme/app", "shared");
    site.upload("zeta/app", "shared");
    site.registry.delete_blob(&OWNER, &name("acme/app"), &blob).unwrap();
    assert!(!site.has_blob("acme/app", &blob) && site.has_blob("zeta/app", &blob));
    site.settle();
    site.registry.delete_blob(&OWNER, &name("zeta/app"), &blob).unwrap();
    let before = site.disk.used_bytes();
    site.settle();
    assert!(site.disk.used_bytes() < before, "the file of the last link goes");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the damage is done behind the registry's back")]
fn a_blob_whose_file_is_damaged_is_absent_until_it_is_pushed_again() {
    let directory = tempfile::tempdir().unwrap();
    let registry =
        registry_core::Registry::open(directory.path(), registry_core::Settings::default()).unwrap();
    let site_name = name("acme/app");
    let push = || {
        let id = registry.start_upload(&OWNER, &site_name, None).unwrap();
        let mut writer = registry.open_upload(&OWNER, &site_name, id).unwrap();
        writer.append(b"bytes").unwrap();
        writer.finish(&digest(b"bytes")).unwrap();
    };
    push();
    let hex = digest(b"bytes").hex();
    let file = directory.path().join("blobs/sha256").join(&hex[..2]).join(&hex);
    let damaged: [&dyn Fn(); 2] =
        [&|| std::fs::File::options().write(true).open(&file).unwrap().set_len(3).unwrap(), &|| {
            std::fs::remove_file(&file).unwrap()
        }];
    for (number, damage) in damaged.into_iter().enumerate() {
        damage();
        let found = registry.blob(&OWNER, &site_name, &digest(b"bytes"));
        assert!(matches!(found, Err(Error::BlobUnknown(_))));
        assert_eq!(registry.missing_blobs(), number as u64 + 1);
        push();
        assert!(registry.blob(&OWNER, &site_name, &digest(b"bytes")).is_ok());
    }
    registry.close().unwrap();
}

#[test]
fn an_open_blob_stays_readable_while_it_is_deleted() {
    let site = Site::new();
    let blob = site.upload("acme/app", "bytes");
    let reader = site.registry.blob(&OWNER, &name("acme/app"), &blob).unwrap();
    site.registry.delete_blob(&OWNER, &name("acme/app"), &blob).unwrap();
    site.settle();
    let mut bytes = [0; 5];
    assert_eq!(reader.read_at(&mut bytes, 0).unwrap(), 5);
    assert_eq!(&bytes, b"bytes");
}
