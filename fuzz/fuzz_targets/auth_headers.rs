//! `Authorization` headers and bearer tokens: nothing that was not issued is taken for a token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::auth::token::TokenKey;
use registry_server::wire::authorization::Authorization;

fuzz_target!(|header: &str| {
    let _ = Authorization::parse(header);
    assert!(TokenKey::new([7; 32]).verify(header, "hub.lab", 1).is_err());
});
