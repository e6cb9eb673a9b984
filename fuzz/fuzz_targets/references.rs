//! References: what parses prints as it was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_core::oci::Reference;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string(), text);
    }
});
