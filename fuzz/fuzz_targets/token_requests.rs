//! Requests to the token endpoint, as a query and as a form, with their scopes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::wire::scope::{Actions, MAX_SCOPES, Scopes};
use registry_server::wire::token_request::TokenRequest;

fuzz_target!(|bytes: &[u8]| {
    let _ = TokenRequest::from_form(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = TokenRequest::from_query(text);
    let scopes = Scopes::parse([text]);
    assert!(scopes.repositories.len() <= MAX_SCOPES);
    for (name, actions) in &scopes.repositories {
        assert!(scopes.covers(name, *actions) && scopes.covers(name, Actions::default()));
    }
});
