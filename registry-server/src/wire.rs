//! Parsers of what the network sends.
//!
//! Everything here is pure: text in, a value or a named refusal out, no I/O and no clock. Nothing here
//! panics, whatever the bytes, and nothing allocates more than a small multiple of its input; each parser has
//! a fuzz target. Names, digests and tags leave as text: their grammar belongs to `registry_core::oci`.

pub mod authorization;
pub mod conditions;
pub mod cookie;
pub mod path;
pub mod percent;
pub mod query;
pub mod range;
pub mod scope;
pub mod secret;
pub mod token_request;
