//! Uploads in large pieces, which are hashed beside being written, and saved while they go on.

use bytes::Bytes;
use registry_core::oci::{Algorithm, Digest};
use registry_core::{Error, Registry, Settings};

use crate::support::{OWNER, Site, digest, name};

const AT: &str = "acme/app";
const PIECE: usize = 64 << 10;

/// So many large pieces, each different.
fn pieces(count: u8) -> Vec<Bytes> {
    (0..count).map(|number| Bytes::from(vec![number; PIECE])).collect()
}

#[test]
fn large_pieces_come_to_the_blob_that_their_bytes_are() {
    let site = Site::new();
    for algorithm in Algorithm::ALL {
        let id = site.registry.start_upload(&OWNER, &name(AT), Some(algorithm)).unwrap();
        let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
        writer.append(b"small").unwrap();
        writer.append_pieces(&pieces(3)).unwrap();
        writer.append_pieces(&[Bytes::from_static(b"and "), Bytes::from_static(b"small")]).unwrap();
        let whole = [b"small".as_slice(), &pieces(3).concat(), b"and small"].concat();
        assert_eq!(writer.offset(), whole.len() as u64);
        writer.finish(&Digest::of(algorithm, &whole)).unwrap();
    }
    site.settle();
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_pieces_leaves_the_upload_where_it_was() {
    let site = Site::new();
    let id = site.begin(AT, "before");
    site.disk.limit(site.disk.used_bytes() + PIECE as u64);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(writer.append_pieces(&pieces(3)), Err(Error::StorageFull)));
    assert_eq!(writer.offset(), 6);
    site.disk.limit(u64::MAX);
    writer.append_pieces(&pieces(2)).unwrap();
    writer.finish(&digest(&[b"before".as_slice(), &pieces(2).concat()].concat())).unwrap();
    site.settle();
}

#[test]
fn pieces_above_the_limit_are_refused_together() {
    let site = Site::with(Settings { blob_limit_bytes: 2 * PIECE as u64, ..Settings::default() });
    let id = site.begin(AT, "");
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    assert!(matches!(writer.append_pieces(&pieces(3)), Err(Error::BlobTooLarge { .. })));
    assert_eq!(writer.offset(), 0);
    writer.append_pieces(&pieces(2)).unwrap();
    writer.finish(&digest(&pieces(2).concat())).unwrap();
}

#[test]
fn uploads_on_real_threads_are_saved_on_the_way_rest_exactly_and_resume() {
    let directory = tempfile::tempdir().unwrap();
    let settings = || Settings { upload_save_bytes: 3 * PIECE as u64, ..Settings::default() };
    let registry = Registry::open(directory.path(), settings()).unwrap();
    let whole: Vec<Bytes> = pieces(32);
    let ids: Vec<_> = (0..8).map(|_| registry.start_upload(&OWNER, &name(AT), None).unwrap()).collect();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| {
                let mut writer = registry.open_upload(&OWNER, &name(AT), *id).unwrap();
                whole[..20].chunks(4).for_each(|some| writer.append_pieces(some).unwrap());
            });
        }
    });
    for id in &ids {
        assert_eq!(registry.upload_offset(&OWNER, &name(AT), *id).unwrap(), 20 * PIECE as u64);
    }
    registry.close().unwrap();
    drop(registry);

    let registry = Registry::open(directory.path(), settings()).unwrap();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| {
                let mut writer = registry.open_upload(&OWNER, &name(AT), *id).unwrap();
                assert_eq!(writer.offset(), 20 * PIECE as u64);
                whole[20..].chunks(4).for_each(|some| writer.append_pieces(some).unwrap());
                writer.finish(&digest(&whole.concat())).unwrap();
            });
        }
    });
    let blob = registry.blob(&OWNER, &name(AT), &digest(&whole.concat())).unwrap();
    assert_eq!(blob.size(), 32 * PIECE as u64);
    registry.close().unwrap();
}
