//! A private OCI registry in one binary.
fn main() {}
