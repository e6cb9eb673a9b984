//! Paths under `/v2/`: whatever is sent is a route, nothing, or refused; a name that is found is part of the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_server::wire::path::V2Path;

fuzz_target!(|path: &str| {
    if let Ok(V2Path::Tags { name }) = V2Path::parse(path)
        && !path.contains('%')
    {
        assert_eq!(path, format!("/v2/{name}/tags/list"));
    }
});
