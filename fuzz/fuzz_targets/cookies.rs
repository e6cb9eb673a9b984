//! `Cookie` headers: whatever is taken for an id is spelt as it would be given out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::wire::cookie::{TaggedId, values};

fuzz_target!(|header: &str| {
    for value in values(header, "_csrf_token") {
        if let Some(id) = TaggedId::parse(value) {
            assert_eq!(id.text(), value);
        }
    }
});
