//! Hashing in steps, with a state that survives a restart.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use super::{Algorithm, Digest};

/// Names the layout of the saved state. The hash library keeps it within this line of versions
/// and promises nothing beyond: another line gets another tag, and its saved states are hashed again.
const STATE_TAG: &[u8] = b"sha2-0.11";

/// How much of the saved state's own sha256 guards it, in bytes.
const CHECKSUM_LEN: usize = 8;

/// A digest in the making: takes content piece by piece.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen no content.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The algorithm given to [`Hasher::new`].
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes the next piece of the content.
    pub fn update(&mut self, content: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(content),
            State::Sha512(hash) => hash.update(content),
        }
    }

    /// The digest of all content taken.
    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let digest = match self.0 {
            State::Sha256(hash) => Digest::from_raw(algorithm, &hash.finalize()),
            State::Sha512(hash) => Digest::from_raw(algorithm, &hash.finalize()),
        };
        digest.expect("invariant: a hash is as long as its algorithm says")
    }

    /// The state as bytes: an algorithm byte, the tag of the layout, the state, and a checksum.
    ///
    /// Under 130 bytes for sha256, under 240 for sha512.
    pub fn save(&self) -> Vec<u8> {
        let mut saved = vec![algorithm_byte(self.algorithm())];
        saved.extend_from_slice(STATE_TAG);
        match &self.0 {
            State::Sha256(hash) => saved.extend_from_slice(&hash.serialize()),
            State::Sha512(hash) => saved.extend_from_slice(&hash.serialize()),
        }
        let checksum = checksum(&saved);
        saved.extend_from_slice(&checksum);
        saved
    }

    /// The hasher that [`Hasher::save`] saved.
    ///
    /// `None` for anything `save` did not write, and for what another line of the hash library
    /// wrote: the caller hashes the content again. The checksum makes that exact, since a damaged
    /// state could otherwise be a valid state of other content.
    pub fn restore(saved: &[u8]) -> Option<Self> {
        let (body, sum) = saved.split_last_chunk::<CHECKSUM_LEN>()?;
        if checksum(body) != *sum {
            return None;
        }
        let (&algorithm, rest) = body.split_first()?;
        let state = rest.strip_prefix(STATE_TAG)?;
        let algorithm = Algorithm::ALL.into_iter().find(|known| algorithm_byte(*known) == algorithm)?;
        Some(Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(deserialize(state)?),
            Algorithm::Sha512 => State::Sha512(deserialize(state)?),
        }))
    }
}

/// Stored: never given to another algorithm.
const fn algorithm_byte(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
    }
}

fn deserialize<H: SerializableState>(state: &[u8]) -> Option<H> {
    H::deserialize(&SerializedState::<H>::try_from(state).ok()?).ok()
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let hash = Sha256::digest(body);
    std::array::from_fn(|at| hash[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hasher_of(algorithm: Algorithm, content: &[u8]) -> Hasher {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher
    }

    #[test]
    fn the_saved_layout_stays_readable() {
        // Written by the first release: a state saved before an upgrade is restored after it.
        let saved = hasher_of(Algorithm::Sha256, b"saved").save();
        let digest = Digest::of(Algorithm::Sha256, &saved);
        assert_eq!(digest.hex(), "bc90158104d0f7eb64c9ddeb1f8ee33dc5c093b52bf105fbd6db088755237a0e");
    }

    #[test]
    fn a_state_under_another_tag_is_not_restored() {
        let mut saved = hasher_of(Algorithm::Sha256, b"abc").save();
        saved[1 + STATE_TAG.len() - 1] = b'2';
        let body = saved.len() - CHECKSUM_LEN;
        let sum = checksum(&saved[..body]);
        saved[body..].copy_from_slice(&sum);
        assert!(Hasher::restore(&saved).is_none());
    }

    #[test]
    fn a_state_under_another_algorithm_is_not_restored() {
        let mut saved = hasher_of(Algorithm::Sha256, b"abc").save();
        saved[0] = algorithm_byte(Algorithm::Sha512);
        let body = saved.len() - CHECKSUM_LEN;
        let sum = checksum(&saved[..body]);
        saved[body..].copy_from_slice(&sum);
        assert!(Hasher::restore(&saved).is_none());
    }

    proptest! {
        #[test]
        fn a_hasher_saved_and_restored_at_any_split_gives_the_same_digest(
            content in proptest::collection::vec(any::<u8>(), 0..600), at: prop::sample::Index,
        ) {
            let (before, after) = content.split_at(at.index(content.len() + 1));
            for algorithm in Algorithm::ALL {
                let mut restored = Hasher::restore(&hasher_of(algorithm, before).save()).expect("just saved");
                prop_assert_eq!(restored.algorithm(), algorithm);
                restored.update(after);
                prop_assert_eq!(restored.finish(), Digest::of(algorithm, &content));
            }
        }

        #[test]
        fn a_damaged_state_is_not_restored(content: Vec<u8>, at: prop::sample::Index, flip in 1..=255u8) {
            let mut saved = hasher_of(Algorithm::Sha512, &content).save();
            let at = at.index(saved.len());
            prop_assert!(Hasher::restore(&saved[..at]).is_none());
            saved[at] ^= flip;
            prop_assert!(Hasher::restore(&saved).is_none());
        }

        #[test]
        fn garbage_is_not_restored(garbage: Vec<u8>) {
            prop_assert!(Hasher::restore(&garbage).is_none());
        }
    }
}
