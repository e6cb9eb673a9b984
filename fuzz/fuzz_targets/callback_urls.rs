//! URLs that clients want to be called at: what is taken names a host and no credential, and is shown as it is used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::outbound::Target;

fuzz_target!(|url: &str| {
    let Ok(target) = Target::parse(url) else { return };
    let shown = target.shown();
    let (_, rest) = shown.split_once("://").expect("a scheme");
    let authority = rest.split('/').next().unwrap_or_default();
    assert!(!authority.is_empty() && !authority.contains('@'));
    let again = Target::parse(&shown).expect("what is shown is a URL");
    assert_eq!(again.shown(), shown);
});
