//! Repository names: what parses prints as it was sent, within `library` if it had no slash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_core::oci::{NamespaceName, RepositoryName};

fuzz_target!(|name: &str| {
    let library: NamespaceName = "library".parse().expect("a valid namespace");
    if let Ok(parsed) = RepositoryName::parse(name, &library) {
        let full = if name.contains('/') { name.to_owned() } else { format!("library/{name}") };
        assert_eq!(parsed.as_str(), full);
        assert_eq!(format!("{}/{}", parsed.namespace(), parsed.path()), full);
        let namespace: NamespaceName = parsed.namespace().parse().expect("the namespace of a valid name");
        assert_eq!(RepositoryName::new(&namespace, parsed.path()), Ok(parsed));
    }
});
