//! Randomness: the system's, or a seeded sequence so that a simulated run can be repeated.

#[cfg(any(test, feature = "simulation"))]
use std::sync::{Arc, Mutex, PoisonError};

use rustix::rand::{GetRandomFlags, getrandom};

use crate::Error;

/// Where random bytes come from.
#[derive(Clone, Debug, Default)]
pub enum Entropy {
    /// The operating system's generator.
    #[default]
    System,
    /// A repeatable sequence, for simulated runs only.
    #[cfg(any(test, feature = "simulation"))]
    Seeded(Arc<Mutex<u64>>),
}

impl Entropy {
    /// A repeatable sequence.
    #[cfg(any(test, feature = "simulation"))]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(seed)))
    }

    /// `N` random bytes, fit for secrets.
    ///
    /// # Errors
    /// [`Error::File`] if the operating system gives none.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        match self {
            Self::System => {
                let mut filled = 0;
                while filled < N {
                    filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())
                        .map_err(|cause| Error::File(cause.into()))?;
                }
            }
            #[cfg(any(test, feature = "simulation"))]
            Self::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.fill_with(|| split_mix(&mut state) as u8);
            }
        }
        Ok(bytes)
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[cfg(any(test, feature = "simulation"))]
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
