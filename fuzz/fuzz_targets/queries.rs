//! Queries and forms, those of the OAuth flow among them: decoded within bounds, and the same however they are encoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::wire::percent::encode;
use registry_server::wire::query::{MAX_PAIRS, Query};

fuzz_target!(|text: &str| {
    for name in ["state", "redirect_uri", "scope", "_csrf_token"] {
        for query in [Query::parse(text), Query::parse_form(text)].into_iter().flatten() {
            assert!(query.all(name).count() <= MAX_PAIRS);
            let Some(value) = query.get(name) else { continue };
            let again =
                Query::parse_form(&format!("{name}={}", encode(value))).expect("what was encoded here");
            assert_eq!(again.get(name), Some(value));
        }
    }
});
