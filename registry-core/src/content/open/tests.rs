use std::path::Path;

use super::super::Content;
use super::*;
use crate::files::{Disk, RealDisk, SimulatedDisk};
use crate::model::keys::UploadId;
use crate::oci::Algorithm;

/// Content on a simulated disk.
fn content() -> (SimulatedDisk, Content) {
    let disk = SimulatedDisk::new();
    disk.create_directory(Path::new("/data")).unwrap();
    let content = Content::open(Arc::new(disk.clone()), Path::new("/data")).unwrap();
    (disk, content)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

fn upload(number: u8) -> UploadId {
    format!("00000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn write(content: &Content, bytes: &[u8]) -> Digest {
    let digest = digest(bytes);
    content.write(&content.lock(&digest), upload(1), bytes).unwrap();
    digest
}

fn read(content: &Content, digest: &Digest, size: u64) -> Option<Bytes> {
    content.read(digest, size).unwrap().map(|blob| blob.whole().unwrap())
}

/// Hits, misses, entries.
fn counts(content: &Content) -> (u64, u64, usize) {
    let OpenBlobCounts { hits, misses, entries } = content.open_blobs();
    (hits, misses, entries)
}

#[test]
fn a_blob_is_opened_once_for_many_readers() {
    let (_, content) = content();
    let blob = write(&content, b"bytes");
    for _ in 0..3 {
        assert_eq!(read(&content, &blob, 5).unwrap(), "bytes");
    }
    assert_eq!(counts(&content), (2, 1, 1));
}

#[test]
fn a_small_blob_is_read_once() {
    let (disk, content) = content();
    let blob = write(&content, b"bytes");
    let bytes = content.read(&blob, 5).unwrap().unwrap().small().unwrap().unwrap();
    // Rot that keeps the length shows who reads the file.
    let path = content.blob_path(&blob);
    disk.open(&path).unwrap().write_all_at(b"BYTES", 0).unwrap();
    let again = content.read(&blob, 5).unwrap().unwrap();
    assert_eq!(again.small().unwrap().unwrap(), bytes);
    assert_eq!(again.whole().unwrap(), "BYTES");
}

#[test]
fn a_large_blob_is_not_kept_in_memory() {
    let (_, content) = content();
    let bytes = vec![b'x'; 1 + SMALL_BYTES as usize];
    let blob = write(&content, &bytes);
    assert_eq!(content.read(&blob, bytes.len() as u64).unwrap().unwrap().small().unwrap(), None);
}

#[test]
fn each_change_of_a_file_lets_go_of_what_was_open() {
    let (_, content) = content();
    let blob = digest(b"bytes");
    let lock = content.lock(&blob);
    content.write(&lock, upload(1), b"bytes").unwrap();
    let changes: [&dyn Fn(); 3] = [
        &|| content.take_back(&lock, upload(2)).unwrap(),
        &|| content.place(&lock, upload(2)).unwrap(),
        &|| content.unlink_blob(&lock).unwrap(),
    ];
    for change in changes {
        let _ = content.read(&blob, 5).unwrap();
        change();
        assert_eq!(content.open_blobs().entries, 0);
    }
    assert!(content.read(&blob, 5).unwrap().is_none());
}

#[test]
fn space_comes_back_with_the_unlink_although_the_blob_was_open() {
    let (disk, content) = content();
    let before = disk.used_bytes();
    let blob = write(&content, &vec![b'x'; 1 << 20]);
    let _ = content.read(&blob, 1 << 20).unwrap().unwrap();
    content.unlink_blob(&content.lock(&blob)).unwrap();
    assert_eq!(disk.used_bytes(), before);
}

#[test]
fn a_file_that_was_removed_or_cut_by_others_is_noticed_and_a_healed_one_served() {
    let (disk, content) = content();
    let blob = write(&content, b"bytes");
    let path = content.blob_path(&blob);
    let damages: [&dyn Fn(); 3] =
        [&|| disk.unlink(&path).unwrap(), &|| disk.open(&path).unwrap().set_len(3).unwrap(), &|| {
            disk.open(&path).unwrap().set_len(9).unwrap()
        }];
    for damage in damages {
        assert_eq!(read(&content, &blob, 5).unwrap(), "bytes");
        damage();
        assert_eq!(read(&content, &blob, 5), None);
        write(&content, b"bytes");
    }
}

#[test]
fn a_file_that_others_replaced_is_opened_anew() {
    let (disk, content) = content();
    let blob = write(&content, b"bytes");
    assert_eq!(read(&content, &blob, 5).unwrap(), "bytes");
    let other = Path::new("/data/other");
    disk.create(other).unwrap().write_all_at(b"BYTES", 0).unwrap();
    disk.rename(other, &content.blob_path(&blob)).unwrap();
    assert_eq!(read(&content, &blob, 5).unwrap(), "BYTES");
}

#[test]
fn what_was_opened_before_an_eviction_is_not_kept_after_it() {
    let (_, content) = content();
    let blob = write(&content, b"bytes");
    let before = content.open.get(&blob, 5).unwrap_err();
    let opened = content.open_by_path(&blob, 5).unwrap().unwrap();
    write(&content, b"bytes");
    content.open.insert(&blob, &opened.0, before);
    assert_eq!(content.open_blobs().entries, 0);
}

#[test]
fn so_many_blobs_are_kept_open_and_those_in_use_stay() {
    let (_, content) = content();
    let cache = OpenBlobs::with_capacity(8);
    let blobs: Vec<(Digest, Arc<OpenBlob>)> = (0..100_u8)
        .map(|number| {
            let blob = write(&content, &[number]);
            (blob, content.open_by_path(&blob, 1).unwrap().unwrap().0)
        })
        .collect();
    for (digest, blob) in &blobs {
        let before = cache.get(digest, 1).unwrap_err();
        cache.insert(digest, blob, before);
        assert!(cache.get(&blobs[0].0, 1).is_ok(), "used all the time");
        assert!(cache.counts().entries <= 8);
    }
    assert!(cache.get(&blobs[99].0, 1).is_ok() && cache.get(&blobs[1].0, 1).is_err());
    let held = blobs.iter().filter(|(_, blob)| Arc::strong_count(blob) > 1).count();
    assert_eq!(held, cache.counts().entries);
}

#[test]
fn small_blobs_together_stay_below_their_share() {
    let (_, content) = content();
    for number in 0..200_u8 {
        let bytes = vec![number; SMALL_BYTES as usize];
        let blob = write(&content, &bytes);
        content.read(&blob, SMALL_BYTES).unwrap().unwrap().small().unwrap().unwrap();
    }
    assert!(content.open_blobs().entries as u64 <= SMALL_BYTES_TOGETHER / SMALL_BYTES);
}

#[test]
fn what_is_in_memory_is_read_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let content = Content::open(Arc::new(RealDisk), directory.path()).unwrap();
    let bytes = vec![b'x'; 300_000];
    let blob = write(&content, &bytes);
    let blob = content.read(&blob, 300_000).unwrap().unwrap();
    blob.load(0, 300_000).unwrap();
    assert!(blob.is_in_memory(0, 300_000) && blob.is_in_memory(299_999, 1));
    let mut buffer = [0; 4];
    assert_eq!(blob.read_at_once(&mut buffer, 299_998).unwrap(), Some(2));
    assert_eq!(&buffer[..2], b"xx");
    assert_eq!(blob.read_at_once(&mut buffer, 300_000).unwrap(), Some(0));
}
