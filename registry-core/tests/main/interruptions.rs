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

fn assert_whole(site: &Site, at: &str) {
    let blob = site.registry.blob(&OWNER, &name(at), &digest(CONTENT.as_bytes())).unwrap();
    let mut bytes = vec![0; CONTENT.len() + 1];
    let read = blob.read_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes[..read], CONTENT.as_bytes());
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
