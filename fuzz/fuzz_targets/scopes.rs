//! Scopes of OAuth tokens: what is read is written so that it reads the same, and carries itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_core::Scopes;

fuzz_target!(|text: &str| {
    if let Ok(scopes) = text.parse::<Scopes>() {
        assert_eq!(scopes.to_string().parse(), Ok(scopes));
        assert!(scopes.cover(scopes) && scopes.iter().next().is_some());
    }
});
