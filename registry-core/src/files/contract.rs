//! Facts that hold for both forms of the disk.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::{Disk, DiskFile, RealDisk, SimulatedDisk, SyncPoint};

/// Checks a fact on each form, in an empty directory.
fn on_both(fact: impl Fn(&dyn Disk, &Path)) {
    let directory = tempfile::tempdir().unwrap();
    fact(&RealDisk, directory.path());

    let simulated = SimulatedDisk::new();
    simulated.create_directory(Path::new("/data")).unwrap();
    fact(&simulated, Path::new("/data"));
}

fn file_with(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.create(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn read(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

fn read_at_path(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    read(&*disk.open_read(path).unwrap())
}

fn names(disk: &dyn Disk, path: &Path) -> Vec<String> {
    let mut names = disk.list(path).unwrap();
    names.sort();
    names
}

#[test]
fn a_new_file_is_empty_and_takes_its_name() {
    on_both(|disk, root| {
        let path = root.join("file");
        assert_eq!(disk.create(&path).unwrap().len().unwrap(), 0);
        assert_eq!(disk.create(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    });
}

#[test]
fn a_file_knows_how_many_names_it_has() {
    on_both(|disk, root| {
        let file = file_with(disk, &root.join("file"), b"bytes");
        assert_eq!(file.stat().unwrap().names, 1);
        disk.rename(&root.join("file"), &root.join("renamed")).unwrap();
        assert_eq!(file.stat().unwrap().names, 1);
        disk.unlink(&root.join("renamed")).unwrap();
        assert_eq!(file.stat().unwrap().names, 0);
    });
}

#[test]
fn what_is_missing_is_not_found() {
    on_both(|disk, root| {
        let path = root.join("missing");
        let below = path.join("file");
        let not_found = Err(ErrorKind::NotFound);
        assert_eq!(disk.open(&path).map(drop).map_err(|cause| cause.kind()), not_found);
        assert_eq!(disk.open_read(&path).map(drop).map_err(|cause| cause.kind()), not_found);
        assert_eq!(disk.create(&below).map(drop).map_err(|cause| cause.kind()), not_found);
        assert_eq!(disk.create_directory(&below).map_err(|cause| cause.kind()), not_found);
        assert_eq!(disk.rename(&path, &root.join("other")).map_err(|cause| cause.kind()), not_found);
        assert_eq!(disk.list(&path).map(drop).map_err(|cause| cause.kind()), not_found);
        assert_eq!(disk.sync_directory(&path, SyncPoint::Layout).map_err(|cause| cause.kind()), not_found);
    });
}

#[test]
fn a_directory_that_is_there_is_left_as_it_is() {
    on_both(|disk, root| {
        let path = root.join("directory");
        disk.create_directory(&path).unwrap();
        file_with(disk, &path.join("file"), b"kept");
        disk.create_directory(&path).unwrap();
        assert_eq!(names(disk, &path), ["file"]);
    });
}

#[test]
fn a_file_stands_in_the_way_of_a_directory() {
    on_both(|disk, root| {
        let path = root.join("file");
        disk.create(&path).unwrap();
        assert_eq!(disk.create_directory(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    });
}

#[test]
fn what_is_written_is_read_by_all_who_have_the_file_open() {
    on_both(|disk, root| {
        let path = root.join("file");
        let writer = file_with(disk, &path, b"hello world");
        let reader = disk.open_read(&path).unwrap();
        writer.write_all_at(b"W", 6).unwrap();
        assert_eq!(read(&*reader), b"hello World");
        let again = disk.open(&path).unwrap();
        again.write_all_at(b"!", 11).unwrap();
        assert_eq!(read(&*reader), b"hello World!");
    });
}

#[test]
fn reading_stops_at_the_end() {
    on_both(|disk, root| {
        let file = file_with(disk, &root.join("file"), b"abc");
        let mut buffer = [b'-'; 4];
        assert_eq!(file.read_at(&mut buffer, 1).unwrap(), 2);
        assert_eq!(&buffer, b"bc--");
        assert_eq!(file.read_at(&mut buffer, 3).unwrap(), 0);
        assert_eq!(file.read_at(&mut buffer, 1000).unwrap(), 0);
    });
}

#[test]
fn what_is_read_at_once_is_what_is_read() {
    on_both(|disk, root| {
        let file = file_with(disk, &root.join("file"), b"abc");
        let mut buffer = [b'-'; 4];
        // A file system that cannot tell answers with nothing.
        if let Some(count) = file.read_at_once(&mut buffer, 1).unwrap() {
            assert_eq!((count, &buffer), (2, b"bc--"));
        }
    });
}

#[test]
fn gaps_and_added_length_read_as_zeros() {
    on_both(|disk, root| {
        let file = file_with(disk, &root.join("file"), b"abc");
        file.set_len(1).unwrap();
        file.write_all_at(b"z", 3).unwrap();
        file.set_len(6).unwrap();
        assert_eq!(read(&*file), b"a\0\0z\0\0");
    });
}

#[test]
fn writing_nothing_changes_nothing() {
    on_both(|disk, root| {
        let file = file_with(disk, &root.join("file"), b"abc");
        file.write_all_at(b"", 9).unwrap();
        assert_eq!(read(&*file), b"abc");
    });
}

#[test]
fn a_file_opened_for_reading_refuses_changes() {
    on_both(|disk, root| {
        let path = root.join("file");
        file_with(disk, &path, b"abc");
        let file = disk.open_read(&path).unwrap();
        assert!(file.write_all_at(b"x", 0).is_err());
        assert!(file.set_len(0).is_err());
        assert!(file.allocate(4096).is_err());
        assert_eq!(read(&*file), b"abc");
    });
}

#[test]
fn allocating_ahead_leaves_length_and_bytes() {
    on_both(|disk, root| {
        let file = file_with(disk, &root.join("file"), b"abc");
        file.allocate(1 << 20).unwrap();
        file.allocate(0).unwrap();
        assert_eq!(read(&*file), b"abc");
    });
}

#[test]
fn a_rename_replaces() {
    on_both(|disk, root| {
        let directory = root.join("directory");
        disk.create_directory(&directory).unwrap();
        let (from, to) = (root.join("from"), directory.join("to"));
        file_with(disk, &from, b"new");
        let replaced = file_with(disk, &to, b"old");
        disk.rename(&from, &to).unwrap();
        assert_eq!(read_at_path(disk, &to), b"new");
        assert_eq!(read(&*replaced), b"old");
        assert_eq!(names(disk, root), ["directory"]);
        disk.rename(&to, &directory.join("again")).unwrap();
        assert_eq!(names(disk, &directory), ["again"]);
    });
}

#[test]
fn a_file_renamed_to_its_own_name_stays() {
    on_both(|disk, root| {
        let path = root.join("file");
        file_with(disk, &path, b"abc");
        disk.rename(&path, &path).unwrap();
        assert_eq!(read_at_path(disk, &path), b"abc");
    });
}

#[test]
fn an_unlinked_file_is_read_by_who_has_it_open() {
    on_both(|disk, root| {
        let path = root.join("file");
        let file = file_with(disk, &path, b"abc");
        disk.unlink(&path).unwrap();
        assert_eq!(read(&*file), b"abc");
        assert!(names(disk, root).is_empty());
        disk.unlink(&path).unwrap();
    });
}

#[test]
fn a_directory_is_not_unlinked() {
    on_both(|disk, root| {
        let path = root.join("directory");
        disk.create_directory(&path).unwrap();
        assert!(disk.unlink(&path).is_err());
        assert_eq!(names(disk, root), ["directory"]);
    });
}

#[test]
fn files_and_directories_sync() {
    on_both(|disk, root| {
        file_with(disk, &root.join("file"), b"abc").sync(SyncPoint::StagedBytes).unwrap();
        disk.sync_directory(root, SyncPoint::StagingDirectory).unwrap();
    });
}

#[test]
fn a_lock_is_one_holders_until_dropped() {
    on_both(|disk, root| {
        let path = root.join("lock");
        let held = disk.lock(&path).unwrap();
        let refused = disk.lock(&path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        assert_eq!(refused.to_string(), format!("held by process {}", std::process::id()));
        drop(held);
        disk.lock(&path).unwrap();
    });
}
