//! Blocks of addresses: one prints so that it reads the same, and contains the address that it was named by.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_core::AddressBlock;

fuzz_target!(|text: &str| {
    if let Some(block) = AddressBlock::parse(text) {
        assert_eq!(AddressBlock::parse(&block.to_string()), Some(block));
        assert!(block.contains(block.address));
    }
});
