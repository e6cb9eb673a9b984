//! `config.yaml`: whatever stands in it, it is read or refused, and a refusal names the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::config::Config;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text, "config.yaml") {
        assert!(error.to_string().starts_with("config.yaml:"));
    }
});
