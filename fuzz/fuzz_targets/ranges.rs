//! `Range` and `Content-Range`: a part always lies within the blob.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::wire::range::{ContentRange, RangeAnswer};

fuzz_target!(|input: (&str, u64)| {
    let (header, size) = input;
    if let RangeAnswer::Part { start, end_inclusive } = RangeAnswer::to(header, size) {
        assert!(start <= end_inclusive && end_inclusive < size);
    }
    if let Ok(range) = ContentRange::parse(header) {
        assert!(range.start <= range.end_inclusive);
        assert_eq!(range.len(), range.end_inclusive - range.start + 1);
    }
});
