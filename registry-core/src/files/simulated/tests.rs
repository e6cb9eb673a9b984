//! Facts about power cuts and faults.

use std::io::ErrorKind;
use std::path::Path;

use super::SimulatedDisk;
use crate::files::{Disk, SyncPoint};

/// Enough for chance to show everything that it can do.
const SEEDS: u64 = 64;

/// A disk that durably holds the directories `/a` and `/b`.
fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.create_directory(Path::new("/a")).unwrap();
    disk.create_directory(Path::new("/b")).unwrap();
    disk.sync_directory(Path::new("/"), SyncPoint::Layout).unwrap();
    disk
}

/// Writes and syncs a file, and its name.
fn durable(disk: &SimulatedDisk, path: &str, bytes: &[u8]) {
    let path = Path::new(path);
    let file = disk.create(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync(SyncPoint::StagedBytes).unwrap();
    disk.sync_directory(path.parent().unwrap(), SyncPoint::StagingDirectory).unwrap();
}

fn contents(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open_read(Path::new(path)).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    Some(bytes)
}

fn text(disk: &SimulatedDisk, path: &str) -> Option<String> {
    contents(disk, path).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// What cuts now may leave, each once and sorted.
fn outcomes<T: Ord>(disk: &SimulatedDisk, look: impl Fn(&SimulatedDisk) -> T) -> Vec<T> {
    let mut seen: Vec<T> = (0..SEEDS).map(|seed| look(&disk.cut(disk.log_len(), seed))).collect();
    seen.sort();
    seen.dedup();
    seen
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn what_is_synced_survives_every_cut_after_it() {
    let disk = disk();
    durable(&disk, "/a/file", b"kept");
    let synced = disk.log_len();
    disk.create(Path::new("/a/other")).unwrap().write_all_at(b"noise", 0).unwrap();
    for at in synced..=disk.log_len() {
        for seed in 0..SEEDS {
            assert_eq!(text(&disk.cut(at, seed), "/a/file"), some("kept"));
        }
    }
}

#[test]
fn what_happened_after_the_cut_is_not_there() {
    let disk = disk();
    let before = disk.log_len();
    durable(&disk, "/a/file", b"late");
    assert!((0..SEEDS).all(|seed| contents(&disk.cut(before, seed), "/a/file").is_none()));
}

#[test]
fn unsynced_bytes_may_be_lost_under_a_name_that_stays() {
    let disk = disk();
    disk.create(Path::new("/a/file")).unwrap().write_all_at(b"new", 0).unwrap();
    disk.sync_directory(Path::new("/a"), SyncPoint::StagingDirectory).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [some(""), some("new")]);
}

#[test]
fn an_unsynced_name_may_be_lost_with_its_synced_bytes() {
    let disk = disk();
    let file = disk.create(Path::new("/a/file")).unwrap();
    file.write_all_at(b"new", 0).unwrap();
    file.sync(SyncPoint::StagedBytes).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [None, some("new")]);
}

#[test]
fn an_overwrite_shows_old_or_new_bytes_and_writes_are_lost_one_by_one() {
    let disk = disk();
    durable(&disk, "/a/file", b"12");
    let file = disk.open(Path::new("/a/file")).unwrap();
    file.write_all_at(b"x", 0).unwrap();
    file.write_all_at(b"y", 1).unwrap();
    let expected = ["12", "1y", "x2", "xy"].map(some);
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), expected);
}

#[test]
fn a_write_tears_between_sectors_only() {
    let disk = disk();
    durable(&disk, "/a/file", &[b'o'; 1024]);
    disk.open(Path::new("/a/file")).unwrap().write_all_at(&[b'n'; 1024 - 100], 100).unwrap();
    let seen = outcomes(&disk, |left| contents(left, "/a/file").unwrap());
    let mixed = |first: u8, second: u8| {
        let mut bytes = vec![b'o'; 100];
        bytes.resize(512, first);
        bytes.resize(1024, second);
        bytes
    };
    assert_eq!(seen, [mixed(b'n', b'n'), mixed(b'n', b'o'), mixed(b'o', b'n'), mixed(b'o', b'o')]);
}

#[test]
fn an_unsynced_length_may_be_lost() {
    let disk = disk();
    durable(&disk, "/a/file", b"long");
    disk.open(Path::new("/a/file")).unwrap().set_len(2).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [some("lo"), some("long")]);
}

#[test]
fn a_rename_within_a_directory_happened_or_did_not() {
    let disk = disk();
    durable(&disk, "/a/from", b"moved");
    disk.rename(Path::new("/a/from"), Path::new("/a/to")).unwrap();
    let seen = outcomes(&disk, |left| (text(left, "/a/from"), text(left, "/a/to")));
    assert_eq!(seen, [(None, some("moved")), (some("moved"), None)]);
}

#[test]
fn a_replaced_name_holds_the_old_file_or_the_new_one() {
    let disk = disk();
    durable(&disk, "/a/from", b"new");
    durable(&disk, "/b/to", b"old");
    disk.rename(Path::new("/a/from"), Path::new("/b/to")).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/b/to")), [some("new"), some("old")]);
}

#[test]
fn each_side_of_a_rename_across_directories_needs_its_own_sync() {
    let disk = disk();
    durable(&disk, "/a/file", b"moved");
    disk.rename(Path::new("/a/file"), Path::new("/b/file")).unwrap();
    let both = |left: &SimulatedDisk| (text(left, "/a/file").is_some(), text(left, "/b/file").is_some());
    assert_eq!(outcomes(&disk, both), [(false, false), (false, true), (true, false), (true, true)]);
    disk.sync_directory(Path::new("/b"), SyncPoint::BlobDirectory).unwrap();
    assert_eq!(outcomes(&disk, both), [(false, true), (true, true)]);
    disk.sync_directory(Path::new("/a"), SyncPoint::StagingDirectory).unwrap();
    assert_eq!(outcomes(&disk, both), [(false, true)]);
}

#[test]
fn an_unsynced_unlink_may_be_undone() {
    let disk = disk();
    durable(&disk, "/a/file", b"back");
    disk.unlink(Path::new("/a/file")).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [None, some("back")]);
    disk.sync_directory(Path::new("/a"), SyncPoint::BlobDirectory).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [None]);
}

#[test]
fn a_lost_directory_takes_along_what_was_synced_in_it() {
    let disk = disk();
    disk.create_directory(Path::new("/a/deep")).unwrap();
    durable(&disk, "/a/deep/file", b"there");
    assert_eq!(outcomes(&disk, |left| text(left, "/a/deep/file")), [None, some("there")]);
    disk.sync_directory(Path::new("/a"), SyncPoint::Layout).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/deep/file")), [some("there")]);
}

#[test]
fn every_sync_can_be_left_out_alone() {
    for point in SyncPoint::ALL {
        let disk = disk();
        // A disk of its own from here on, so that the directories above are not at stake.
        let disk = disk.cut(disk.log_len(), 0);
        for name in SyncPoint::ALL {
            let path = format!("/a/{name:?}");
            let file = disk.create(Path::new(&path)).unwrap();
            disk.sync_directory(Path::new("/a"), SyncPoint::Layout).unwrap();
            disk.sync_directory(Path::new("/a"), SyncPoint::BlobDirectory).unwrap();
            file.write_all_at(b"bytes", 0).unwrap();
            file.sync(name).unwrap();
        }
        assert_eq!(losses(&disk), []);
        disk.omit(point);
        assert_eq!(losses(&disk), [point]);
    }
}

/// The syncs whose files some cut leaves without their bytes.
fn losses(disk: &SimulatedDisk) -> Vec<SyncPoint> {
    let lost =
        |point: &SyncPoint| outcomes(disk, |left| text(left, &format!("/a/{point:?}"))) != [some("bytes")];
    SyncPoint::ALL.into_iter().filter(lost).collect()
}

#[test]
fn an_omitted_directory_sync_loses_names() {
    let disk = disk();
    disk.omit(SyncPoint::StagingDirectory);
    durable(&disk, "/a/file", b"bytes");
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [None, some("bytes")]);
}

#[test]
fn the_same_seed_leaves_the_same() {
    let disk = disk();
    for name in 0..20 {
        let file = disk.create(Path::new(&format!("/a/{name}"))).unwrap();
        file.write_all_at(&[name; 2000], 0).unwrap();
    }
    let look = |seed| {
        let left = disk.cut(disk.log_len(), seed);
        (0..20).map(|name| contents(&left, &format!("/a/{name}"))).collect::<Vec<_>>()
    };
    assert_eq!(look(7), look(7));
    assert_ne!(look(7), look(8));
}

#[test]
fn a_cut_disk_is_cut_again() {
    let disk = disk();
    disk.omit(SyncPoint::StagedBytes);
    disk.create(Path::new("/a/file")).unwrap().write_all_at(b"first", 0).unwrap();
    let seeds = 0..SEEDS;
    let left = seeds
        .map(|seed| disk.cut(disk.log_len(), seed))
        .find(|left| text(left, "/a/file") == some("first"))
        .unwrap();
    // What a cut left is durable; what is written after it is at stake again, and what was omitted still is.
    let file = left.open(Path::new("/a/file")).unwrap();
    file.write_all_at(b"again", 0).unwrap();
    file.sync(SyncPoint::StagedBytes).unwrap();
    assert_eq!(outcomes(&left, |left| text(left, "/a/file")), [some("again"), some("first")]);
    assert_eq!(text(&left.cut(0, 1), "/a/file"), some("first"));
}

#[test]
fn a_cut_leaves_the_running_disk_alone() {
    let disk = disk();
    durable(&disk, "/a/file", b"bytes");
    let left = disk.cut(disk.log_len(), 0);
    left.unlink(Path::new("/a/file")).unwrap();
    assert_eq!(text(&disk, "/a/file"), some("bytes"));
}

#[test]
fn nobody_holds_a_lock_after_a_cut() {
    let disk = disk();
    let _held = disk.lock(Path::new("/a/lock")).unwrap();
    disk.cut(disk.log_len(), 0).lock(Path::new("/a/lock")).unwrap();
}

#[test]
fn a_full_disk_refuses_growth_until_something_is_unlinked() {
    let disk = disk();
    durable(&disk, "/a/big", &[1; 6000]);
    durable(&disk, "/a/small", &[2; 2000]);
    disk.limit(9000);
    let file = disk.open(Path::new("/a/small")).unwrap();
    let full = Err(ErrorKind::StorageFull);
    assert_eq!(file.set_len(3001).map_err(|cause| cause.kind()), full);
    assert_eq!(file.allocate(3001).map_err(|cause| cause.kind()), full);
    assert_eq!(contents(&disk, "/a/small").unwrap(), [2; 2000]);
    assert_eq!(file.write_all_at(&[3; 1001], 2000).map_err(|cause| cause.kind()), full);
    assert_eq!(
        contents(&disk, "/a/small").unwrap(),
        [[2; 2000].as_slice(), &[3; 1000]].concat(),
        "what fits"
    );

    file.allocate(3000).unwrap();
    assert_eq!(disk.used_bytes(), 9000);
    assert_eq!(disk.create(Path::new("/a/new")).unwrap_err().kind(), ErrorKind::StorageFull);
    // What was allocated, and what is overwritten, needs no room.
    file.write_all_at(&[3; 3000], 0).unwrap();

    disk.unlink(Path::new("/a/big")).unwrap();
    assert_eq!(disk.used_bytes(), 3000);
    file.write_all_at(&[4; 9000], 0).unwrap();
}

#[test]
fn a_failing_sync_makes_nothing_durable() {
    let disk = disk();
    let file = disk.create(Path::new("/a/file")).unwrap();
    disk.sync_directory(Path::new("/a"), SyncPoint::StagingDirectory).unwrap();
    file.write_all_at(b"bytes", 0).unwrap();
    disk.fail_syncs(SyncPoint::StagedBytes, 1);
    let failed = file.sync(SyncPoint::StagedBytes).unwrap_err();
    assert_eq!(failed.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [some(""), some("bytes")]);
    file.sync(SyncPoint::StagedBytes).unwrap();
    assert_eq!(outcomes(&disk, |left| text(left, "/a/file")), [some("bytes")]);
}

#[test]
fn failing_syncs_end_when_told() {
    let disk = disk();
    disk.fail_syncs(SyncPoint::Layout, usize::MAX);
    for _ in 0..3 {
        disk.sync_directory(Path::new("/"), SyncPoint::Layout).unwrap_err();
    }
    disk.fail_syncs(SyncPoint::Layout, 0);
    disk.sync_directory(Path::new("/"), SyncPoint::Layout).unwrap();
}
