//! Facts about redb on our files, and about the space kept ahead.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::{COLD_CALLS, DatabaseFile, RESERVE_BYTES};
use crate::files::{Disk, SimulatedDisk, SyncPoint};

const PATH: &str = "/registry.redb";
const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

fn file(disk: &SimulatedDisk) -> DatabaseFile {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DatabaseFile::open(&disk, Path::new(PATH)).unwrap()
}

fn database(disk: &SimulatedDisk) -> Database {
    redb::Builder::new().set_cache_size(1 << 20).create_with_backend(file(disk)).unwrap()
}

/// What is in row `key`: different lengths, so that pages split and the file grows.
fn record(key: u8) -> Vec<u8> {
    vec![key; 3000 + usize::from(key) * 1000]
}

#[expect(clippy::disallowed_methods, reason = "redb itself is tested here, below the door")]
fn commit(database: &Database, key: u8) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(ROWS)?.insert([key].as_slice(), record(key).as_slice())?;
    Ok(transaction.commit()?)
}

#[expect(clippy::disallowed_methods, reason = "redb itself is tested here, below the door")]
fn rows(database: &Database) -> Vec<u8> {
    let transaction = database.begin_read().unwrap();
    let table = match transaction.open_table(ROWS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Vec::new(),
        table => table.unwrap(),
    };
    let check = |(key, value): (redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>)| {
        assert_eq!(value.value(), record(key.value()[0]));
        key.value()[0]
    };
    table.range::<&[u8]>(..).unwrap().map(|row| check(row.unwrap())).collect()
}

#[test]
fn callers_are_told_to_expect_a_wait_for_a_while_after_there_was_one() {
    let disk = SimulatedDisk::new();
    let file = file(&disk);
    let warmth = file.warmth();
    assert!(warmth.is_warm());
    disk.set_cold(true);
    file.read(0, &mut [0; 8]).unwrap();
    disk.set_cold(false);
    assert!((0..COLD_CALLS).all(|_| !warmth.is_warm()));
    assert!(warmth.is_warm());
    file.read(0, &mut [0; 8]).unwrap();
    assert!(warmth.is_warm(), "a read that memory answers changes nothing");
}

/// Makes a database and commits some rows; answers after how many operations each commit was acknowledged.
fn run(disk: &SimulatedDisk) -> Vec<usize> {
    let database = database(disk);
    (0..6)
        .map(|key| {
            commit(&database, key).unwrap();
            disk.log_len()
        })
        .collect()
}

/// Whether a database that was cut at `at` opens again and has all rows that were acknowledged by then.
fn survives(disk: &SimulatedDisk, acknowledged: &[usize], at: usize, seed: u64) -> bool {
    let disk: Arc<dyn Disk> = Arc::new(disk.cut(at, seed));
    let Ok(file) = DatabaseFile::open(&disk, Path::new(PATH)) else { return false };
    let Ok(database) = redb::Builder::new().create_with_backend(file) else { return false };
    rows(&database).len() >= acknowledged.iter().filter(|&&by| by <= at).count()
}

#[test]
fn acknowledged_rows_survive_a_cut_at_any_point() {
    let disk = SimulatedDisk::new();
    let acknowledged = run(&disk);
    for at in 0..=disk.log_len() {
        for seed in 0..8 {
            assert!(survives(&disk, &acknowledged, at, seed), "cut at {at} with seed {seed}");
        }
    }
}

#[test]
fn a_database_goes_on_after_each_of_many_cuts() {
    for seed in 0..20 {
        let mut disk = SimulatedDisk::new();
        for key in 0..6 {
            let database = database(&disk);
            assert_eq!(rows(&database), (0..key).collect::<Vec<_>>(), "seed {seed}");
            commit(&database, key).unwrap();
            disk = disk.cut(disk.log_len(), seed);
        }
    }
}

#[test]
fn leaving_out_a_sync_of_the_database_loses_rows() {
    for point in [SyncPoint::Metadata, SyncPoint::DataDirectory] {
        let disk = SimulatedDisk::new();
        let acknowledged = run(&disk);
        disk.omit(point);
        let all_survive = (0..32).all(|seed| survives(&disk, &acknowledged, disk.log_len(), seed));
        assert!(!all_survive, "{point:?}");
    }
}

#[test]
fn an_unfinished_database_is_made_anew() {
    let disk = SimulatedDisk::new();
    let draft = disk.create(Path::new("/registry.redb.new")).unwrap();
    draft.write_all_at(b"garbage", 0).unwrap();
    assert!(rows(&database(&disk)).is_empty());
    assert_eq!(disk.list(Path::new("/")).unwrap(), ["registry.redb"]);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let disk = SimulatedDisk::new();
    disk.create(Path::new(PATH)).unwrap().write_all_at(b"somebody's diary", 0).unwrap();
    assert!(redb::Builder::new().create_with_backend(file(&disk)).is_err());
    let mut bytes = [0; 16];
    disk.open_read(Path::new(PATH)).unwrap().read_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"somebody's diary");
}

#[test]
fn a_closed_file_answers_errors() {
    let file = file(&SimulatedDisk::new());
    file.close().unwrap();
    assert!(file.len().is_err());
    assert!(file.read(0, &mut [0]).is_err());
    assert!(file.write(0, &[0]).is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.sync_data().is_err());
}

#[test]
fn reading_beyond_the_end_is_an_error() {
    let file = file(&SimulatedDisk::new());
    let mut buffer = [0; 2];
    let last = file.len().unwrap() - 1;
    assert_eq!(file.read(last, &mut buffer).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    file.read(last - 1, &mut buffer).unwrap();
}

#[test]
fn space_is_kept_ahead_from_the_start_and_as_the_file_changes() {
    let disk = SimulatedDisk::new();
    let file = file(&disk);
    let reserve = file.reserve();
    for len in [file.len().unwrap(), 1 << 20, 1 << 19] {
        file.set_len(len).unwrap();
        assert_eq!(disk.used_bytes(), len + RESERVE_BYTES);
        assert!(reserve.is_whole());
    }
}

#[test]
fn the_reserve_is_short_while_the_disk_is_full() {
    let disk = SimulatedDisk::new();
    let file = file(&disk);
    let reserve = file.reserve();
    disk.limit(disk.used_bytes());

    // It grows into the reserve, and no further.
    file.set_len(1 << 20).unwrap();
    assert!(!reserve.is_whole());
    file.write(0, &[1; 1 << 20]).unwrap();
    let refused = file.set_len(RESERVE_BYTES + (1 << 20)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 1 << 20);
    assert!(!reserve.is_whole());

    disk.limit(u64::MAX);
    assert!(reserve.is_whole());
    assert_eq!(disk.used_bytes(), RESERVE_BYTES + (1 << 20));
}

#[test]
fn a_database_opens_on_a_full_disk_and_commits_from_the_reserve() {
    let disk = SimulatedDisk::new();
    drop(database(&disk));
    let len = disk.open_read(Path::new(PATH)).unwrap().len().unwrap();
    disk.limit(len + RESERVE_BYTES / 2);

    // A cut forgets what was allocated ahead, as a restored file does.
    let disk = disk.cut(disk.log_len(), 0);
    let file = file(&disk);
    let reserve = file.reserve();
    let database = redb::Builder::new().create_with_backend(file).unwrap();
    assert!(!reserve.is_whole());
    for key in 0..40 {
        commit(&database, key).unwrap();
    }
    assert_eq!(rows(&database).len(), 40);
}
