//! Uploads: resuming, restarts, refusals, expiry.

use registry_core::oci::{Algorithm, Digest};
use registry_core::{Error, Role, Settings, To};

use crate::support::{OWNER, Site, digest, name};

const AT: &str = "acme/app";

#[test]
fn an_upload_goes_on_after_a_restart() {
    let mut site = Site::new();
    let id = site.begin(AT, "hello, ");
    site.restart();
    assert_eq!(site.registry.upload_offset(&OWNER, &name(AT), id).unwrap(), 7);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    writer.append(b"world").unwrap();
    writer.finish(&digest(b"hello, world")).unwrap();
    assert!(site.has_blob(AT, &digest(b"hello, world")));
    site.settle();
}

#[test]
fn after_a_kill_an_upload_goes_on_from_what_was_saved() {
    let mut site = Site::with(Settings { upload_save_bytes: 4, ..Settings::default() });
    let id = site.begin(AT, "saved");
    site.registry.open_upload(&OWNER, &name(AT), id).unwrap().append(b"no").unwrap();
    assert_eq!(site.registry.upload_offset(&OWNER, &name(AT), id).unwrap(), 7);
    site.kill();
    assert_eq!(site.registry.upload_offset(&OWNER, &name(AT), id).unwrap(), 5);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    writer.append(b" again").unwrap();
    writer.finish(&digest(b"saved again")).unwrap();
    site.settle();
}

#[test]
fn another_digest_than_announced_ends_the_session() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    let writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    let refused = writer.finish(&digest(b"other bytes"));
    assert!(matches!(refused, Err(Error::DigestMismatch(actual)) if actual == digest(b"bytes")));
    let gone = site.registry.upload_offset(&OWNER, &name(AT), id);
    assert!(matches!(gone, Err(Error::UploadUnknown)));
    assert!(!site.has_blob(AT, &digest(b"bytes")));
    site.settle();
}

#[test]
fn a_digest_of_another_algorithm_can_end_an_upload() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    let sha512 = Digest::of(Algorithm::Sha512, b"bytes");
    site.registry.open_upload(&OWNER, &name(AT), id).unwrap().finish(&sha512).unwrap();
    assert!(site.has_blob(AT, &sha512) && !site.has_blob(AT, &digest(b"bytes")));
    site.settle();
}

#[test]
fn one_request_at_a_time_writes_to_a_session() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    let writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(site.registry.open_upload(&OWNER, &name(AT), id), Err(Error::UploadBusy)));
    assert!(matches!(site.registry.cancel_upload(&OWNER, &name(AT), id), Err(Error::UploadBusy)));
    drop(writer);
    assert_eq!(site.registry.open_upload(&OWNER, &name(AT), id).unwrap().offset(), 5);
}

#[test]
fn a_session_is_bound_to_its_repository_and_its_user() {
    let site = Site::new();
    let (alice, id) = (site.user("alice"), site.begin(AT, "bytes"));
    let offset = |actor, at: &str| site.registry.upload_offset(actor, &name(at), id);
    site.upload("acme/other", "x");
    assert!(matches!(offset(&OWNER, "acme/other"), Err(Error::UploadUnknown)));
    assert!(matches!(offset(&alice, AT), Err(Error::Denied { .. })));
}

#[test]
fn a_cancelled_upload_leaves_nothing_not_even_its_repository() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    site.registry.cancel_upload(&OWNER, &name(AT), id).unwrap();
    let tags = site.registry.tags(&OWNER, &name(AT), None, 1);
    assert!(matches!(tags, Err(Error::RepositoryUnknown(_))));
    site.settle();
}

#[test]
fn an_upload_that_rests_too_long_expires() {
    let site = Site::new();
    let id = site.begin(AT, "bytes");
    site.clock.advance_ms(site.registry.settings().upload_expiry_ms);
    site.settle();
    assert!(matches!(site.registry.upload_offset(&OWNER, &name(AT), id), Err(Error::UploadUnknown)));
}

#[test]
fn an_upload_that_goes_on_slowly_does_not_expire() {
    let site = Site::new();
    let (id, expiry_ms) = (site.begin(AT, "slow"), site.registry.settings().upload_expiry_ms);
    for _ in 0..4 {
        site.clock.advance_ms(expiry_ms / 2);
        site.registry.open_upload(&OWNER, &name(AT), id).unwrap().append(b"er").unwrap();
        // Too little to be saved on the way, and no pause in which it would have been.
        site.clock.advance_ms(1_000);
        site.settle();
    }
    assert_eq!(site.registry.upload_offset(&OWNER, &name(AT), id).unwrap(), 12);
    site.clock.advance_ms(expiry_ms);
    site.settle();
    assert!(matches!(site.registry.upload_offset(&OWNER, &name(AT), id), Err(Error::UploadUnknown)));
}

#[test]
fn a_blob_above_the_limit_is_refused_and_what_came_before_stays() {
    let site = Site::with(Settings { blob_limit_bytes: 8, ..Settings::default() });
    let id = site.begin(AT, "12345678");
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(writer.append(b"9"), Err(Error::BlobTooLarge { limit_bytes: 8 })));
    writer.finish(&digest(b"12345678")).unwrap();
}

#[test]
fn a_namespace_and_a_principal_have_so_many_uploads_open_and_no_more() {
    let site =
        Site::with(Settings { uploads_per_namespace: 3, uploads_per_principal: 2, ..Settings::default() });
    let (alice, bob) = (site.user("alice"), site.user("bob"));
    site.registry.create_repository(&alice, &name("alice/app"), false).unwrap();
    site.registry.grant(&alice, &name("alice/app"), To::Principal("bob"), Role::Write).unwrap();
    let begin = |actor, at| site.registry.start_upload(actor, &name(at), None);
    let first = begin(&alice, "alice/app").unwrap();
    begin(&alice, "alice/other").unwrap();
    assert!(matches!(begin(&alice, "alice/app"), Err(Error::TooManyUploads)), "of the principal");
    begin(&bob, "alice/app").unwrap();
    assert!(matches!(begin(&bob, "alice/app"), Err(Error::TooManyUploads)), "of the namespace");
    begin(&bob, "bob/app").unwrap();
    site.registry.cancel_upload(&alice, &name("alice/app"), first).unwrap();
    begin(&alice, "alice/app").unwrap();
    site.clock.advance_ms(site.registry.settings().upload_expiry_ms);
    site.settle();
    begin(&alice, "alice/app").unwrap();
    begin(&bob, "alice/app").unwrap();
    site.settle();
}
