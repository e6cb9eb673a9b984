//! Digests and saved hasher states: what parses prints or saves as it was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_core::oci::{Digest, Hasher};

fuzz_target!(|bytes: &[u8]| {
    if let Some(hasher) = Hasher::restore(bytes) {
        assert_eq!(hasher.save(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(digest) = text.parse::<Digest>()
    {
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::from_raw(digest.algorithm(), digest.raw()), Some(digest));
    }
});
