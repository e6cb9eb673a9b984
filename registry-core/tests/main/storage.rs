//! A disk that fills up or fails: clear refusals, nothing lost, and work goes on afterwards.

use registry_core::oci::Digest;
use registry_core::simulation::SyncPoint;
use registry_core::{Error, Registry, Settings, UploadId};

use crate::support::{OWNER, Site, digest, index, large, name, open};

const AT: &str = "acme/app";

#[test]
fn a_full_disk_refuses_what_grows_and_lets_deletions_through() {
    let site = Site::new();
    let pushed = site.push(AT, "v1", &["layer"]);
    let id = site.begin(AT, "under way");
    site.disk.limit(site.disk.used_bytes());
    // The space kept ahead is what is missing once the file has grown into it: take it away.
    let big = vec![7; 1 << 20];
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(writer.append(&big), Err(Error::StorageFull)));
    drop(writer);
    site.delete(AT, &pushed.to_string()).unwrap();
    site.disk.limit(u64::MAX);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert_eq!(writer.offset(), 9, "the session was kept");
    writer.append(&big).unwrap();
    writer.finish(&digest(&[b"under way".as_slice(), &big].concat())).unwrap();
    site.settle();
}

#[test]
fn a_failed_sync_of_the_metadata_is_told_and_healed_by_reopening() {
    let site = Site::new();
    site.push(AT, "v1", &["layer"]);
    site.disk.fail_syncs(SyncPoint::Metadata, 1);
    let failed = site.registry.start_upload(&OWNER, &name(AT), None);
    assert!(matches!(failed, Err(Error::Unavailable)), "{failed:?}");
    assert_eq!(site.registry.reopenings(), 1);
    assert!(site.is_pullable(AT, "v1"));
    site.push(AT, "v2", &["another"]);
    site.settle();
}

#[test]
fn bytes_whose_sync_failed_are_taken_for_lost() {
    let site = Site::with(Settings { upload_save_bytes: 4, ..Settings::default() });
    let id = site.begin(AT, "saved");
    site.disk.fail_syncs(SyncPoint::StagedBytes, 1);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    // The save that this begins fails while more is appended.
    writer.append(b" and lost").unwrap();
    assert!(writer.append(b" as well").is_err());
    assert!(matches!(writer.append(b"!"), Err(Error::UploadUnknown)), "nothing more is taken");
    drop(writer);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert_eq!(writer.offset(), 5);
    writer.append(b"!").unwrap();
    writer.finish(&digest(b"saved!")).unwrap();
    site.settle();
}

#[test]
fn one_process_at_a_time_has_the_data() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open(directory.path(), Settings::default()).unwrap();
    let second = Registry::open(directory.path(), Settings::default());
    let Err(Error::InUse(holder)) = second else { panic!("{second:?}") };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    registry.close().unwrap();
    drop(registry);
    Registry::open(directory.path(), Settings::default()).unwrap().close().unwrap();
}

#[test]
fn a_secret_is_kept() {
    let mut site = Site::new();
    let secret = site.registry.secret("a").unwrap();
    assert_ne!(secret, site.registry.secret("b").unwrap());
    site.restart();
    assert_eq!(site.registry.secret("a").unwrap(), secret);
}

#[test]
fn a_key_outside_the_database_is_kept_from_the_moment_that_it_is_given_out() {
    let mut site = Site::new();
    let before = site.disk.log_len();
    let key = site.registry.key_file("a.key").unwrap();
    assert_eq!(site.registry.key_file("a.key").unwrap(), key);
    assert_ne!(site.registry.key_file("b.key").unwrap(), key);
    let at = site.disk.log_len();
    site.kill();
    assert_eq!(site.registry.key_file("a.key").unwrap(), key);
    let original = site.disk.clone();
    for moment in before..at {
        site.move_to(original.cut(moment, 0));
        site.registry.key_file("a.key").unwrap();
    }
}

#[test]
fn files_left_by_a_kill_are_found_and_removed() {
    let mut site = Site::new();
    site.begin(AT, "never saved");
    site.push(AT, "v1", &["layer"]);
    site.kill();
    let swept = site.registry.sweep().unwrap();
    // The names that blobs had while they were staged may be back.
    assert!(swept.files >= 2 && swept.unnamed <= 2, "{swept:?}");
    site.settle();
}

#[test]
fn what_a_refused_write_left_behind_does_not_get_into_the_blob() {
    let site = Site::new();
    let id = site.begin(AT, "whole");
    site.disk.limit(site.disk.used_bytes() + 5);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(writer.append(b" and more than fits"), Err(Error::StorageFull)));
    site.disk.limit(u64::MAX);
    writer.finish(&digest(b"whole")).unwrap();
    assert!(site.has_blob(AT, &digest(b"whole")));
    site.settle();
}

/// A registry with a little content, opened on a disk that has no room for the space it wants to keep ahead.
fn on_a_full_disk() -> (Site, UploadId) {
    let mut site = Site::new();
    site.push(AT, "v1", &["layer"]);
    site.upload("zeta/app", "under way");
    let id = site.begin(AT, "under way");
    site.restart();
    let disk = site.disk.cut(site.disk.log_len(), 0);
    disk.limit(disk.used_bytes() + (1 << 20));
    site.move_to(disk);
    (site, id)
}

#[test]
fn without_space_kept_ahead_what_grows_is_refused_and_the_rest_goes_on() {
    let (site, _) = on_a_full_disk();
    let refused =
        |outcome: Result<(), Error>| assert!(matches!(outcome, Err(Error::StorageFull)), "{outcome:?}");
    refused(site.registry.start_upload(&OWNER, &name(AT), None).map(drop));
    refused(site.put(AT, "v2", &index(&[])).map(drop));
    refused(site.registry.create_repository(&OWNER, &name("acme/new"), true));
    let mounted = site.registry.mount_blob(&OWNER, &name("acme/new"), &digest(b"layer"), Some(&name(AT)));
    refused(mounted.map(drop));
    assert!(site.is_pullable(AT, "v1"));
    let pushed = site.registry.manifest_info(&OWNER, &name(AT), &"v1".parse().unwrap()).unwrap().digest;
    site.delete(AT, "v1").unwrap();
    site.delete(AT, &pushed.to_string()).unwrap();
    site.settle();
    site.disk.limit(u64::MAX);
    site.push(AT, "v1", &["layer"]);
    site.settle();
}

#[test]
fn an_upload_that_a_full_disk_keeps_from_ending_ends_once_there_is_room() {
    let (site, id) = on_a_full_disk();
    let end = || {
        let writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
        assert_eq!(writer.offset(), 9);
        writer.finish(&digest(b"under way"))
    };
    for _ in 0..2 {
        assert!(matches!(end(), Err(Error::StorageFull)));
    }
    site.disk.limit(u64::MAX);
    end().unwrap();
    assert!(site.has_blob(AT, &digest(b"under way")) && site.has_blob("zeta/app", &digest(b"under way")));
    site.settle();
}

#[test]
fn a_large_manifest_whose_directory_was_not_synced_leaves_no_file() {
    let site = Site::new();
    site.push(AT, "v1", &["layer"]);
    site.disk.fail_syncs(SyncPoint::BlobDirectory, 1);
    assert!(site.put(AT, "v2", &large()).is_err());
    site.settle();
}

#[test]
fn a_secret_can_be_read_when_the_disk_was_full_at_the_start() {
    let site = Site::new();
    let secret = site.registry.secret("a").unwrap();
    // After a kill nothing is kept ahead yet, and now there is no room for it.
    let disk = site.disk.cut(site.disk.log_len(), 0);
    disk.limit(disk.used_bytes() + (1 << 20));
    let registry = open(&disk, site.registry.settings(), &site.clock, 2);
    assert!(matches!(registry.start_upload(&OWNER, &name(AT), None), Err(Error::StorageFull)));
    assert_eq!(registry.secret("a").unwrap(), secret);
}

#[test]
fn an_upload_that_outlasts_the_stop_leaves_no_file_that_is_never_found() {
    let site = Site::new();
    site.push(AT, "v1", &["layer"]);
    let id = site.begin(AT, "bytes");
    let writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    site.registry.close().unwrap();
    let closed = site.disk.log_len();
    writer.finish(&digest(b"bytes")).unwrap();
    for at in closed..=site.disk.log_len() {
        let (disk, settings) = (site.disk.cut(at, 1), site.registry.settings().clone());
        let registry = open(&disk, &settings, &site.clock, 2);
        let after = Site::on(disk, site.clock.clone(), registry, settings);
        after.settle();
    }
}

#[expect(clippy::disallowed_methods, reason = "a name is taken behind the registry's back")]
#[test]
fn a_file_that_cannot_be_unlinked_does_not_hold_up_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open(directory.path(), Settings::default()).unwrap();
    let file =
        |digest: &Digest| directory.path().join("blobs/sha256").join(&digest.hex()[..2]).join(digest.hex());
    let mut digests: Vec<Digest> = ["one", "two", "three"]
        .iter()
        .map(|content| {
            let id = registry.start_upload(&OWNER, &name(AT), None).unwrap();
            let mut writer = registry.open_upload(&OWNER, &name(AT), id).unwrap();
            writer.append(content.as_bytes()).unwrap();
            writer.finish(&digest(content.as_bytes())).unwrap();
            digest(content.as_bytes())
        })
        .collect();
    digests.sort();
    // A directory is no file. It lies where the first in the queue lay.
    std::fs::rename(file(&digests[0]), directory.path().join("aside")).unwrap();
    std::fs::create_dir(file(&digests[0])).unwrap();
    for digest in &digests {
        registry.delete_blob(&OWNER, &name(AT), digest).unwrap();
    }
    registry.run_background().unwrap();
    assert!(!file(&digests[1]).exists() && !file(&digests[2]).exists());
    std::fs::remove_dir(file(&digests[0])).unwrap();
    registry.run_background().unwrap();
    assert_eq!(registry.audit(true).unwrap(), Vec::<String>::new());
}
