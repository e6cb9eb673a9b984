//! Blobs whose bytes are in place when the disk refuses the rest.

use registry_core::simulation::SyncPoint;
use registry_core::{Error, UploadId};

use crate::support::{OWNER, Site, digest, name};

const AT: &str = "acme/app";
const OTHER: &str = "other/app";

fn finish(site: &Site, id: UploadId, bytes: &[u8]) -> Result<(), Error> {
    site.registry.open_upload(&OWNER, &name(AT), id).unwrap().finish(&digest(bytes))
}

#[test]
fn an_upload_whose_commit_failed_does_not_write_to_the_blob_of_others() {
    let site = Site::new();
    let blob = site.upload(OTHER, "bytes");
    let id = site.begin(AT, "bytes");
    site.disk.fail_syncs(SyncPoint::Metadata, 1);
    assert!(finish(&site, id, b"bytes").is_err());
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    writer.append(b" and more").unwrap();
    drop(writer);
    assert!(site.has_blob(OTHER, &blob));
    site.settle();
}

#[test]
fn an_upload_whose_directory_was_not_synced_can_be_ended_again() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    site.disk.fail_syncs(SyncPoint::BlobDirectory, 1);
    assert!(finish(&site, id, b"bytes").is_err());
    finish(&site, id, b"bytes").unwrap();
    assert!(site.has_blob(AT, &digest(b"bytes")));
    site.settle();
}

#[test]
fn an_upload_whose_commit_failed_can_be_ended_again() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    site.disk.fail_syncs(SyncPoint::Metadata, 1);
    assert!(finish(&site, id, b"bytes").is_err());
    finish(&site, id, b"bytes").unwrap();
    site.settle();
}

#[test]
fn what_was_cut_off_as_it_partly_fitted_is_no_part_of_the_blob() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    site.disk.limit(site.disk.used_bytes() + 3);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(writer.append(b" and more"), Err(Error::StorageFull)));
    site.disk.limit(u64::MAX);
    writer.finish(&digest(b"bytes")).unwrap();
    assert!(site.has_blob(AT, &digest(b"bytes")));
    site.settle();
}
