//! Facts that only the operating system's files have.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::RealDisk;
use crate::files::{Disk, SyncPoint};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_made_is_its_owners_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("directory");
    RealDisk.create_directory(&path).unwrap();
    RealDisk.create(&path.join("file")).unwrap();
    let _held = RealDisk.lock(&path.join("lock")).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("file")), 0o600);
    assert_eq!(mode(&path.join("lock")), 0o600);
}

#[test]
fn a_lock_file_of_an_earlier_process_names_its_holder_and_nobody_else() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("lock");
    RealDisk.create(&path).unwrap().write_all_at(b"123456789012345\n", 0).unwrap();
    let _held = RealDisk.lock(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
}

#[expect(clippy::disallowed_methods, reason = "the same file, beside the door")]
#[test]
fn space_allocated_ahead_is_kept_as_the_file_grows_into_it() {
    let root = tempfile::tempdir().unwrap();
    let file = RealDisk.create(&root.path().join("file")).unwrap();
    let opened = File::options().write(true).open(root.path().join("file")).unwrap();
    if rustix::fs::fallocate(&opened, FallocateFlags::KEEP_SIZE, 0, 1).is_err() {
        return; // This file system keeps no space.
    }
    file.allocate(1 << 20).unwrap();
    file.set_len(4096).unwrap();
    file.write_all_at(&[1; 4096], 0).unwrap();
    file.sync(SyncPoint::Metadata).unwrap();
    let metadata = opened.metadata().unwrap();
    assert_eq!(metadata.len(), 4096);
    assert!(metadata.blocks() * 512 >= 1 << 20, "{} blocks are allocated", metadata.blocks());
}
