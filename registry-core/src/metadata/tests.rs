//! Facts about the door: what a caller sees, alone and beside others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};

use super::*;
use crate::files::RealDisk;

const ROWS: Table<(u64, String), Vec<u8>> = Table::new("rows");

fn open() -> (tempfile::TempDir, Metadata) {
    let directory = tempfile::tempdir().unwrap();
    let metadata = Metadata::open(Arc::new(RealDisk), directory.path().join("rows.redb"), 1 << 20).unwrap();
    (directory, metadata)
}

fn key(n: u64) -> (u64, String) {
    (n, format!("row {n}"))
}

fn put(metadata: &Metadata, n: u64, bytes: &[u8]) {
    metadata
        .write(|txn| {
            txn.put(&ROWS, &key(n), &bytes.to_vec());
            Ok(())
        })
        .unwrap();
}

fn all(metadata: &Metadata) -> Vec<u64> {
    let rows = metadata.read(|rows| rows.scan(&ROWS, &(), None, usize::MAX)).unwrap();
    rows.into_iter().map(|((n, _), _)| n).collect()
}

#[test]
fn a_table_that_was_never_written_is_empty() {
    let (_directory, metadata) = open();
    assert_eq!(all(&metadata), Vec::<u64>::new());
    assert_eq!(metadata.read(|rows| rows.get(&ROWS, &key(1))).unwrap(), None);
}

#[test]
fn a_write_sees_what_it_has_changed_so_far() {
    let (_directory, metadata) = open();
    for n in [1, 2, 4, 5] {
        put(&metadata, n, b"old");
    }
    let seen = metadata
        .write(|txn| {
            txn.delete(&ROWS, &key(1));
            txn.delete(&ROWS, &key(2));
            txn.put(&ROWS, &key(3), &b"new".to_vec());
            txn.put(&ROWS, &key(6), &b"new".to_vec());
            txn.put(&ROWS, &key(4), &b"new".to_vec());
            assert_eq!(txn.get(&ROWS, &key(1))?, None);
            assert_eq!(txn.get(&ROWS, &key(4))?, Some(b"new".to_vec()));
            let page = txn.scan(&ROWS, &(), None, 2)?;
            let rest = txn.scan(&ROWS, &(), Some(&page[1].0), 9)?;
            Ok([page, rest].concat().into_iter().map(|((n, _), _)| n).collect::<Vec<_>>())
        })
        .unwrap();
    assert_eq!(seen, [3, 4, 5, 6]);
    assert_eq!(all(&metadata), [3, 4, 5, 6]);
}

#[test]
fn a_refused_write_leaves_nothing_behind() {
    let (_directory, metadata) = open();
    let refused: Result<(), Error> = metadata.write(|txn| {
        txn.put(&ROWS, &key(1), &Vec::new());
        Err(Error::UploadUnknown)
    });
    assert!(matches!(refused, Err(Error::UploadUnknown)));
    assert_eq!(all(&metadata), Vec::<u64>::new());
}

#[test]
fn a_panicking_write_harms_nobody() {
    let (_directory, metadata) = open();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        metadata.write::<()>(|txn| {
            txn.put(&ROWS, &key(1), &Vec::new());
            panic!("a bug in one operation");
        })
    }));
    assert!(panicked.is_err());
    put(&metadata, 2, b"");
    assert_eq!(all(&metadata), [2]);
}

#[test]
fn what_many_threads_wrote_at_once_is_all_there_and_survives_a_reopening() {
    let (directory, metadata) = open();
    let metadata = Arc::new(metadata);
    let start = Arc::new(Barrier::new(16));
    let threads: Vec<_> = (0..16u64)
        .map(|thread| {
            let (metadata, start) = (Arc::clone(&metadata), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for n in 0..20 {
                    put(&metadata, thread * 100 + n, b"");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let before = all(&metadata);
    assert_eq!(before.len(), 320);
    drop(metadata);
    let again = Metadata::open(Arc::new(RealDisk), directory.path().join("rows.redb"), 1 << 20).unwrap();
    assert_eq!(all(&again), before);
}

#[test]
fn writes_of_a_batch_see_each_other_and_become_durable_together() {
    let (_directory, metadata) = open();
    metadata.hold_commits();
    put(&metadata, 1, b"");
    let count = metadata.write(|txn| Ok(txn.scan(&ROWS, &(), None, 9)?.len())).unwrap();
    assert_eq!(count, 1, "a write sees the batch");
    assert_eq!(all(&metadata), Vec::<u64>::new(), "a read sees only what is committed");
    metadata.commit_held().unwrap();
    assert_eq!(all(&metadata), [1]);
}

#[test]
#[should_panic(expected = "ran again")]
fn a_write_that_depends_on_more_than_rows_is_found_out() {
    let (_directory, metadata) = open();
    let calls = AtomicU64::new(0);
    let _ = metadata.write(|txn| {
        txn.put(&ROWS, &key(calls.fetch_add(1, Ordering::Relaxed)), &Vec::new());
        Ok(())
    });
}
