use proptest::prelude::*;

use super::*;

const FULL: RangeAnswer = RangeAnswer::Full;
const UNSATISFIABLE: RangeAnswer = RangeAnswer::Unsatisfiable;

const fn part(start: u64, end_inclusive: u64) -> RangeAnswer {
    RangeAnswer::Part { start, end_inclusive }
}

const RANGES: &[(&str, u64, RangeAnswer)] = &[
    ("bytes=0-0", 10, part(0, 0)),
    ("bytes=0-9", 10, part(0, 9)),
    ("bytes=2-4", 10, part(2, 4)),
    ("bytes=9-", 10, part(9, 9)),
    ("bytes=0-", 10, part(0, 9)),
    ("bytes=-3", 10, part(7, 9)),
    // Clipped to the content.
    ("bytes=5-99", 10, part(5, 9)),
    ("bytes=-99", 10, part(0, 9)),
    ("bytes=5-99999999999999999999999", 10, part(5, 9)),
    // Spaces, an empty list element, another case.
    (" bytes = 2 - 4 ", 10, part(2, 4)),
    ("Bytes=2-4,", 10, part(2, 4)),
    // Past the end, reversed, no bytes at all.
    ("bytes=10-", 10, UNSATISFIABLE),
    ("bytes=5000-10000", 2048, UNSATISFIABLE),
    ("bytes=500-0", 2048, UNSATISFIABLE),
    ("bytes=99999999999999999999999-", 10, UNSATISFIABLE),
    ("bytes=-0", 10, UNSATISFIABLE),
    ("bytes=0-", 0, UNSATISFIABLE),
    ("bytes=0-0", 0, UNSATISFIABLE),
    ("bytes=-1", 0, UNSATISFIABLE),
    // Several ranges, other units, no range: the whole content.
    ("bytes=0-1,4-5", 10, FULL),
    ("bytes=0-1, 50-60", 10, FULL),
    ("items=0-1", 10, FULL),
    ("bytes=", 10, FULL),
    ("bytes=-", 10, FULL),
    ("bytes=a-b", 10, FULL),
    ("bytes=+1-2", 10, FULL),
    ("bytes=1", 10, FULL),
    ("bytes 0-1", 10, FULL),
    ("0-1", 10, FULL),
    ("", 10, FULL),
];

#[test]
fn one_range_is_honoured_and_clipped() {
    for (header, size, expected) in RANGES {
        assert_eq!(RangeAnswer::to(header, *size), *expected, "{header} of {size}");
    }
}

#[test]
fn a_chunk_says_its_place_with_or_without_a_unit() {
    for header in ["5-9", " 5-9 ", "bytes 5-9/*", "bytes 5-9/10", "Bytes 5-9"] {
        let range = ContentRange::parse(header).unwrap();
        assert_eq!((range.start, range.end_inclusive, range.len()), (5, 9, 5), "{header}");
    }
}

#[test]
fn a_malformed_or_reversed_chunk_range_is_refused() {
    let refused = [
        "",
        "-",
        "5",
        "5-",
        "-9",
        "9-5",
        "a-b",
        "+5-9",
        "5-9-10",
        "5 - 9",
        "items 5-9/10",
        "bytes */10",
        "bytes 5-9/x",
        "5-9/",
        "0-18446744073709551615",
        "0-99999999999999999999999",
    ];
    for header in refused {
        assert_eq!(ContentRange::parse(header), Err(ContentRangeError), "{header}");
    }
}

proptest! {
    #[test]
    fn a_part_lies_in_its_content(header in "bytes=[0-9]{0,3}-[0-9]{0,3}|[bytes=0-9, -]*|.*", size in 0u64..300) {
        if let RangeAnswer::Part { start, end_inclusive } = RangeAnswer::to(&header, size) {
            prop_assert!(start <= end_inclusive && end_inclusive < size);
        }
    }

    #[test]
    fn a_chunk_range_is_never_empty(header in "(bytes )?[0-9]{0,20}-[0-9]{0,20}(/[0-9*]*)?|.*") {
        if let Ok(range) = ContentRange::parse(&header) {
            prop_assert!(range.len() >= 1);
        }
    }
}
