//! Power cuts: whatever was acknowledged is there afterwards, whole, and every count is right.

use std::panic::{AssertUnwindSafe, catch_unwind};

use registry_core::simulation::{SimulatedDisk, SyncPoint};
use registry_core::{Clock, Settings};

use crate::support::{OWNER, Random, START_MS, Site, digest, image, name, open};
use crate::twin::{GRACE_MS, Move, Twin, seen_of, step};

const MOVES: usize = 30;
/// Schedules of a plain run; `REGISTRY_SCHEDULES` asks for more.
const SCHEDULES: u64 = 200;

/// Small pages in memory and frequent saves, so that a short schedule sees everything.
pub(crate) fn settings() -> Settings {
    Settings {
        blob_grace_ms: GRACE_MS,
        upload_save_bytes: 8,
        upload_expiry_ms: 1 << 50,
        metadata_cache_bytes: 1 << 20,
        ..Settings::default()
    }
}

/// What was acknowledged when the log had this length.
struct Mark {
    log_len: usize,
    twin: Twin,
    /// Whether what comes before the next mark is seen step by step.
    is_next_gradual: bool,
}

/// Makes random moves, some of them in batches, and marks what was acknowledged when.
fn run(site: &Site, random: &mut Random) -> Vec<Mark> {
    let mut twin = Twin::new(START_MS);
    let mark =
        |twin: &Twin| Mark { log_len: site.disk.log_len(), twin: twin.clone(), is_next_gradual: false };
    let mut marks = vec![mark(&twin)];
    for _ in 0..MOVES {
        let the_move = twin.choose(random);
        if the_move.can_be_batched() && random.below(3) == 0 {
            run_batch(site, &mut twin, the_move, random);
        } else {
            marks.last_mut().unwrap().is_next_gradual = the_move.is_gradual();
            step(site, &mut twin, &the_move);
        }
        marks.push(mark(&twin));
    }
    marks
}

/// Several moves of different repositories with one commit: as when several clients write at once.
fn run_batch(site: &Site, twin: &mut Twin, first: Move, random: &mut Random) {
    site.registry.hold_commits();
    step(site, twin, &first);
    for _ in 0..random.below(3) {
        let next = twin.choose(random);
        if next.can_be_batched() {
            step(site, twin, &next);
        }
    }
    site.registry.commit_held().unwrap();
}

/// One schedule: moves, a cut, and what is left.
fn schedule(seed: u64, omitted: Option<SyncPoint>) {
    let mut random = Random(seed);
    let site = Site::with(settings());
    if let Some(point) = omitted {
        site.disk.omit(point);
    }
    let marks = run(&site, &mut random);
    let (first, last) = (marks[0].log_len, site.disk.log_len());
    let at = first + random.below(last - first + 1);
    let cut = site.disk.cut(at, seed);
    check(&cut, &marks, at, seed);
}

/// What is left after the cut is what was acknowledged before it, and perhaps what was under way.
fn check(cut: &SimulatedDisk, marks: &[Mark], at: usize, seed: u64) {
    let acknowledged = marks.iter().rposition(|mark| mark.log_len <= at).unwrap();
    let before = &marks[acknowledged];
    let after = marks.get(acknowledged + 1).unwrap_or(before);
    let clock = Clock::manual(after.twin.now_ms);
    let registry = open(cut, &settings(), &clock, seed ^ 1);
    let found = seen_of(&registry, &after.twin);
    let [expected, or_expected] = [&before.twin, &after.twin].map(|twin| twin.seen(&after.twin));
    let is_right = if before.is_next_gradual {
        found
            .iter()
            .all(|(key, value)| expected.get(key) == Some(value) || or_expected.get(key) == Some(value))
    } else {
        found == expected || found == or_expected
    };
    assert!(
        is_right,
        "found {found:#?}\nacknowledged {expected:#?}\nor with what was under way {or_expected:#?}"
    );
    let site = Site::on(cut.clone(), clock, registry, settings());
    resume_uploads(&site, &before.twin);
    site.settle();
    let layer = "after the cut";
    let pushed = site.push("acme/after", "v1", &[layer]);
    assert!(site.is_pullable("acme/after", &pushed.to_string()));
    assert!(site.has_blob("acme/after", &digest(layer.as_bytes())));
    assert_eq!(pushed, image(&[layer]).digest(registry_core::oci::Algorithm::Sha256));
}

/// Uploads go on from where they were saved, and come to the right bytes.
fn resume_uploads(site: &Site, twin: &Twin) {
    for upload in &twin.uploads {
        let mut writer = site.registry.open_upload(&OWNER, &name(upload.at), upload.id).unwrap();
        assert_eq!(writer.offset(), upload.saved, "offset of an upload of {:?}", upload.content);
        let rest = usize::try_from(upload.saved).unwrap();
        writer.append(&upload.content.as_bytes()[rest..]).unwrap();
        writer.finish(&digest(upload.content.as_bytes())).unwrap();
        assert!(site.has_blob(upload.at, &digest(upload.content.as_bytes())));
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    if let Ok(seed) = std::env::var("REGISTRY_SEED") {
        return schedule(seed.parse().unwrap(), None);
    }
    let count = std::env::var("REGISTRY_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..count).step_by(threads.try_into().unwrap()) {
                    let outcome = catch_unwind(AssertUnwindSafe(|| schedule(seed, None)));
                    assert!(outcome.is_ok(), "run this one again with REGISTRY_SEED={seed}");
                }
            });
        }
    });
}

/// A sync that could be left out without any schedule noticing would be needless, or the schedules too weak.
fn is_missed(point: SyncPoint) {
    let hook = std::panic::take_hook();
    let is_found = (0..400).any(|seed| {
        // What is looked for is a failing schedule, so its message is not of interest.
        std::panic::set_hook(Box::new(|_| {}));
        catch_unwind(AssertUnwindSafe(|| schedule(seed, Some(point)))).is_err()
    });
    std::panic::set_hook(hook);
    assert!(is_found, "no schedule noticed that {point:?} was left out");
}

#[test]
fn each_sync_is_missed_when_it_is_left_out() {
    for point in SyncPoint::ALL {
        is_missed(point);
    }
}
