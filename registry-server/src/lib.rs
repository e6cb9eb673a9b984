//! HTTP in front of `registry-core`: parsing, connections, credentials and handlers, and no rule of its own.

pub mod lanes;
pub mod listener;
pub mod wire;
