//! Many at once: what comes out of it agrees with itself, and what was acknowledged last is there.

use registry_core::oci::Algorithm;
use registry_core::{AuditReport, Error};

use crate::support::{OWNER, Random, Site, digest, image, index, large, name};

const REPOSITORIES: [&str; 3] = ["acme/app", "acme/tools", "zeta/app"];
const CONTENTS: [&str; 2] = ["{}", "layer"];

/// One random move, which may be refused since others move as well.
fn make_move(site: &Site, at: &str, random: &mut Random) -> Result<(), Error> {
    let content = random.pick(&CONTENTS);
    let blob = digest(content.as_bytes());
    match random.below(8) {
        0..=2 => site.try_upload(&OWNER, at, content.as_bytes()).map(drop),
        3 => site.registry.delete_blob(&OWNER, &name(at), &blob),
        4 => site.registry.mount_blob(&OWNER, &name(at), &blob, None).map(drop),
        5 => site.put(at, "large", &large()).map(drop),
        6 => site.put(at, "latest", &image(&["layer"])).map(drop),
        _ => site.delete(at, &image(&["layer"]).digest(Algorithm::Sha256).to_string()),
    }
}

fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::RepositoryUnknown(_)
            | Error::BlobUnknown(_)
            | Error::BlobInUse(_)
            | Error::ManifestUnknown(_)
            | Error::ManifestBlobUnknown(_)
    )
}

#[test]
fn pushes_deletions_and_the_background_at_once_leave_everything_in_order() {
    for seed in 0..4 {
        let site = Site::new();
        std::thread::scope(|scope| {
            let movers: Vec<_> = (0..4)
                .map(|number: usize| {
                    let site = &site;
                    scope.spawn(move || {
                        let mut random = Random(seed * 100 + number as u64);
                        for _ in 0..40 {
                            let at = REPOSITORIES[number % REPOSITORIES.len()];
                            if let Err(error) = make_move(site, at, &mut random) {
                                assert!(is_refusal(&error), "{error:?}");
                            }
                        }
                    })
                })
                .collect();
            while movers.iter().any(|mover| !mover.is_finished()) {
                site.registry.sweep().unwrap();
                site.registry.run_background().unwrap();
            }
        });
        site.settle();
        for at in REPOSITORIES {
            site.push(at, "last", &["layer"]);
            assert!(site.is_pullable(at, "last") && site.has_blob(at, &digest(b"layer")));
        }
        site.settle();
    }
}

#[test]
fn an_audit_finds_nothing_while_others_push_mount_and_delete() {
    let site = Site::new();
    std::thread::scope(|scope| {
        let movers: Vec<_> = (0..3)
            .map(|number: usize| {
                let site = &site;
                scope.spawn(move || {
                    let mut random = Random(number as u64);
                    for _ in 0..80 {
                        let _ = make_move(site, REPOSITORIES[number], &mut random);
                        site.registry.run_background().unwrap();
                    }
                })
            })
            .collect();
        while movers.iter().any(|mover| !mover.is_finished()) {
            let found = site.registry.audit_while(true, &|| true).unwrap();
            assert_eq!(found, AuditReport::default());
        }
    });
}

#[test]
fn an_audit_that_is_not_wanted_any_more_ends() {
    let site = Site::new();
    site.upload("acme/app", "bytes");
    assert!(matches!(site.registry.audit_while(true, &|| false), Err(Error::GivenUp)));
}

#[test]
fn of_several_that_end_one_upload_at_once_the_others_are_told() {
    for _ in 0..20 {
        let site = Site::new();
        let id = site.begin("acme/app", "bytes");
        let end = || {
            let writer = site.registry.open_upload(&OWNER, &name("acme/app"), id)?;
            writer.finish(&digest(b"bytes"))
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(end)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let are_told = |outcome: &Result<(), Error>| {
            matches!(outcome, Ok(()) | Err(Error::UploadBusy | Error::UploadUnknown))
        };
        assert!(outcomes.iter().all(are_told), "{outcomes:?}");
        site.settle();
    }
}

#[test]
fn a_blob_that_is_deleted_again_and_again_leaves_no_file() {
    let site = Site::new();
    std::thread::scope(|scope| {
        let mover = scope.spawn(|| {
            for _ in 0..150 {
                let blob = site.upload("acme/app", "again");
                site.registry.delete_blob(&OWNER, &name("acme/app"), &blob).unwrap();
            }
        });
        while !mover.is_finished() {
            site.registry.run_background().unwrap();
        }
    });
    site.settle();
}

#[test]
fn tags_of_a_deletion_stay_deleted_whoever_pushes_the_manifest_meanwhile() {
    let (site, index) = (Site::new(), index(&[]));
    let digest = index.digest(Algorithm::Sha256).to_string();
    for _ in 0..6 {
        for number in 0..150 {
            site.put("acme/app", &format!("t{number}"), &index).unwrap();
        }
        std::thread::scope(|scope| {
            let deleter = scope.spawn(|| site.delete("acme/app", &digest).unwrap());
            while !deleter.is_finished() {
                site.put("acme/app", "new", &index).unwrap();
            }
        });
        site.put("acme/app", "new", &index).unwrap();
        assert_eq!(site.tags("acme/app"), ["new"]);
    }
    site.settle();
}
