//! Uploads that are cut off at any moment, or whose disk fails at any sync: what others have is untouched, and the
//! session tells the truth about what it holds.

use registry_core::simulation::{SimulatedDisk, SyncPoint};
use registry_core::{Clock, Error, Settings, UploadId};

use crate::support::{OWNER, START_MS, Site, digest, name, open};

const AT: &str = "acme/app";
/// Where the same content was pushed, and acknowledged, before.
const ELSEWHERE: &str = "zeta/app";
const CONTENT: &str = "shared by both";

fn settings() -> Settings {
    Settings { upload_save_bytes: 4, ..Settings::default() }
}

/// A session that holds all of the content, saved but for the last bytes; with the same content elsewhere or not.
fn about_to_end(is_elsewhere: bool) -> (Site, UploadId) {
    let site = Site::with(settings());
    if is_elsewhere {
        site.upload(ELSEWHERE, CONTENT);
    }
    let id = site.begin(AT, &CONTENT[..10]);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    writer.append(&CONTENT.as_bytes()[10..12]).unwrap();
    writer.append(&CONTENT.as_bytes()[12..]).unwrap();
    drop(writer);
    (site, id)
}

fn finish(site: &Site, id: UploadId) -> Result<(), Error> {
    site.registry.open_upload(&OWNER, &name(AT), id)?.finish(&digest(CONTENT.as_bytes()))
}

fn opened(disk: &SimulatedDisk, seed: u64) -> Site {
    let clock = Clock::manual(START_MS);
    let registry = open(disk, &settings(), &clock, seed);
    Site::on(disk.clone(), clock, registry, settings())
}

fn bytes_of(site: &Site, at: &str) -> Vec<u8> {
    let blob = site.registry.blob(&OWNER, &name(at), &digest(CONTENT.as_bytes())).unwrap();
    let mut bytes = vec![0; CONTENT.len() + 1];
    let read = blob.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(read);
    bytes
}

fn assert_whole(site: &Site, at: &str) {
    assert_eq!(bytes_of(site, at), CONTENT.as_bytes());
}

/// The session is gone because its blob is there, or it can be brought to its end.
fn assert_can_be_ended(site: &Site, id: UploadId) {
    match site.registry.upload_offset(&OWNER, &name(AT), id) {
        Err(Error::UploadUnknown) => {}
        offset => {
            let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
            assert_eq!(writer.offset(), offset.unwrap());
            let rest = usize::try_from(writer.offset()).unwrap();
            writer.append(&CONTENT.as_bytes()[rest..]).unwrap();
            writer.finish(&digest(CONTENT.as_bytes())).unwrap();
        }
    }
    assert_whole(site, AT);
    site.settle();
}

/// Whoever writes on into the session harms nobody who has the blob.
fn assert_harmless(site: &Site, id: UploadId) {
    if let Ok(mut writer) = site.registry.open_upload(&OWNER, &name(AT), id) {
        writer.append(b" and what does not belong there").unwrap();
        writer.save().unwrap();
    }
    assert_whole(site, ELSEWHERE);
}

#[test]
fn wherever_the_power_goes_while_an_upload_ends_it_can_be_ended_again() {
    for is_elsewhere in [true, false] {
        let (site, id) = about_to_end(is_elsewhere);
        let from = site.disk.log_len();
        finish(&site, id).unwrap();
        for at in from..=site.disk.log_len() {
            for seed in 0..10 {
                let cut = site.disk.cut(at, seed);
                if is_elsewhere {
                    assert_harmless(&opened(&cut, seed), id);
                    assert_whole(&opened(&site.disk.cut(at, seed), seed), ELSEWHERE);
                }
                assert_can_be_ended(&opened(&site.disk.cut(at, seed), seed), id);
            }
        }
    }
}

#[test]
fn whichever_sync_fails_while_an_upload_ends_it_can_be_ended_again() {
    for (point, after) in SyncPoint::ALL.into_iter().flat_map(|point| (0..4).map(move |after| (point, after)))
    {
        for is_elsewhere in [true, false] {
            let (site, id) = about_to_end(is_elsewhere);
            site.disk.fail_sync_after(point, after);
            let _ = finish(&site, id);
            site.disk.fail_syncs(point, 0);
            if is_elsewhere {
                assert_whole(&site, ELSEWHERE);
            }
            assert_can_be_ended(&site, id);

            if is_elsewhere {
                let (site, id) = about_to_end(true);
                site.disk.fail_sync_after(point, after);
                let _ = finish(&site, id);
                site.disk.fail_syncs(point, 0);
                assert_harmless(&site, id);
            }
        }
    }
}

/// A session that was saved while more was appended: what it holds was appended by threes, and saved at six and twelve.
fn saved_on_the_way(without: Option<SyncPoint>) -> (Site, UploadId, usize) {
    let site = Site::with(settings());
    let id = site.begin(AT, "");
    without.into_iter().for_each(|point| site.disk.omit(point));
    let from = site.disk.log_len();
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    CONTENT.as_bytes().chunks(3).for_each(|piece| writer.append(piece).unwrap());
    drop(writer);
    (site, id, from)
}

/// Whether the session goes on from what was saved last and comes to the right blob.
fn goes_on_from_twelve(site: &Site, id: UploadId) -> bool {
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    writer.offset() == 12
        && writer.append(&CONTENT.as_bytes()[12..]).is_ok()
        && writer.finish(&digest(CONTENT.as_bytes())).is_ok()
        && bytes_of(site, AT) == CONTENT.as_bytes()
}

#[test]
fn wherever_the_power_goes_while_an_upload_goes_on_it_resumes_from_a_save() {
    let (site, id, from) = saved_on_the_way(None);
    for at in from..=site.disk.log_len() {
        for seed in 0..10 {
            let left = opened(&site.disk.cut(at, seed), seed);
            let offset = left.registry.upload_offset(&OWNER, &name(AT), id).unwrap();
            assert!([0, 6, 12].contains(&offset), "{offset}");
            assert_can_be_ended(&left, id);
        }
    }
}

#[test]
fn each_sync_of_a_save_on_the_way_is_missed_when_it_is_left_out() {
    let goes_on = |without| {
        let (site, id, _) = saved_on_the_way(without);
        (0..20).all(|seed| goes_on_from_twelve(&opened(&site.disk.cut(site.disk.log_len(), seed), seed), id))
    };
    assert!(goes_on(None));
    for point in [SyncPoint::StagedBytes, SyncPoint::StagingDirectory] {
        assert!(!goes_on(Some(point)), "{point:?}");
    }
}

#[test]
fn an_upload_whose_last_save_failed_is_not_ended() {
    let site = Site::with(settings());
    let id = site.begin(AT, &CONTENT[..6]);
    let mut writer = site.registry.open_upload(&OWNER, &name(AT), id).unwrap();
    writer.append(&CONTENT.as_bytes()[6..]).unwrap();
    site.disk.fail_syncs(SyncPoint::StagedBytes, 1);
    assert!(writer.finish(&digest(CONTENT.as_bytes())).is_err());
    assert_eq!(site.registry.upload_offset(&OWNER, &name(AT), id).unwrap(), 6);
    assert_can_be_ended(&site, id);
}
