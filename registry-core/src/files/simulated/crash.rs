//! What is left of a disk when the power goes.

use std::collections::{BTreeMap, HashSet};

use super::Entry;
use super::tree::{Contents, DataChange, Inode, NameChange, Tree};
use crate::files::SyncPoint;

/// A disk writes whole sectors: of a larger write any may be missing, of a sector nothing.
const SECTOR_BYTES: u64 = 512;

/// Plays `log` on `start` and cuts the power: what was synced is there, of the rest whatever chance wants.
///
/// The names of one directory and the bytes of one file are each other's strangers: nothing orders them but a sync. What
/// one operation changes in one directory is kept or lost together.
pub(super) fn survivors(
    start: &Tree,
    log: &[Entry],
    omitted: &HashSet<SyncPoint>,
    random: &mut Random,
) -> Tree {
    let mut replay = Replay { durable: start.clone(), data: BTreeMap::new(), names: BTreeMap::new() };
    for entry in log {
        replay.take(entry, omitted);
    }
    replay.settle(random)
}

/// What is durable, and beside it what is only pending.
struct Replay<'log> {
    durable: Tree,
    data: BTreeMap<Inode, Vec<&'log DataChange>>,
    names: BTreeMap<&'log str, Vec<Vec<&'log NameChange>>>,
}

impl<'log> Replay<'log> {
    fn take(&mut self, entry: &'log Entry, omitted: &HashSet<SyncPoint>) {
        match entry {
            Entry::Data(inode, change) => self.data.entry(*inode).or_default().push(change),
            Entry::Names(changes) => {
                for half in changes.chunk_by(|one, next| one.directory == next.directory) {
                    self.names.entry(&half[0].directory).or_default().push(half.iter().collect());
                }
            }
            Entry::Sync(inode, point) if !omitted.contains(point) => {
                let contents = self.durable.contents.entry(*inode).or_default();
                for change in self.data.remove(inode).unwrap_or_default() {
                    contents.apply(change);
                }
            }
            Entry::SyncDirectory(path, point) if !omitted.contains(point) => {
                for change in self.names.remove(path.as_str()).unwrap_or_default().into_iter().flatten() {
                    self.durable.apply(change);
                }
            }
            Entry::Sync(..) | Entry::SyncDirectory(..) => {}
        }
    }

    /// Decides about all that is pending.
    fn settle(mut self, random: &mut Random) -> Tree {
        for (inode, changes) in self.data {
            let contents = self.durable.contents.entry(inode).or_default();
            let progress = random.progress();
            for change in changes {
                match random.outcome(progress) {
                    Outcome::Kept => contents.apply(change),
                    Outcome::Lost => {}
                    Outcome::Torn => tear(contents, change, random),
                }
            }
        }
        for (_, changes) in self.names {
            let progress = random.progress();
            for change in changes {
                // A name is one sector: never torn.
                if random.outcome(progress) == Outcome::Kept {
                    change.into_iter().for_each(|name| self.durable.apply(name));
                }
            }
        }
        self.durable.prune();
        self.durable
    }
}

/// Keeps some sectors of a write, by chance.
fn tear(contents: &mut Contents, change: &DataChange, random: &mut Random) {
    let DataChange::Write { offset, bytes } = change else { return };
    let mut at = *offset;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let to_boundary = usize::try_from(SECTOR_BYTES - at % SECTOR_BYTES).unwrap_or(rest.len());
        let (sector, after) = rest.split_at(to_boundary.min(rest.len()));
        if random.below(2) == 0 {
            contents.write(sector, at);
        }
        at += sector.len() as u64;
        rest = after;
    }
}

/// How far the disk came with what one file or directory had pending. All or nothing comes often, since that is where
/// a missing sync shows.
#[derive(Clone, Copy)]
enum Progress {
    Nothing,
    Everything,
    Some,
}

#[derive(PartialEq)]
enum Outcome {
    Kept,
    Lost,
    Torn,
}

/// The SplitMix64 sequence: enough to vary tests, and the same from the same seed everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn progress(&mut self) -> Progress {
        match self.below(4) {
            0 => Progress::Nothing,
            1 => Progress::Everything,
            _ => Progress::Some,
        }
    }

    fn outcome(&mut self, progress: Progress) -> Outcome {
        match progress {
            Progress::Nothing => Outcome::Lost,
            Progress::Everything => Outcome::Kept,
            Progress::Some => match self.below(4) {
                0 => Outcome::Torn,
                1 => Outcome::Lost,
                _ => Outcome::Kept,
            },
        }
    }
}
