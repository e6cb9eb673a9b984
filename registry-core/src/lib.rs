//! The rules and the storage of a container registry, without any network.

pub mod oci;
