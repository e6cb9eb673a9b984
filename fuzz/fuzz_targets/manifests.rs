//! Manifests: what parses keeps its bytes, and parses to the same again under the type it was given.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use registry_core::oci::Manifest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(Bytes::copy_from_slice(bytes), None) {
        assert_eq!(manifest.bytes(), bytes);
        let again = Manifest::parse(manifest.bytes().clone(), Some(manifest.media_type()));
        assert_eq!(again, Ok(manifest));
    }
});
