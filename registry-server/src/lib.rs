//! HTTP in front of `registry-core`: parsing, connections, credentials and handlers, and no rule of its own.

pub mod admission;
#[cfg(feature = "api")]
pub mod api;
pub mod app;
#[cfg(feature = "api")]
pub mod audit_stream;
pub mod auth;
pub mod cli;
pub mod config;
#[cfg(feature = "api")]
pub mod control;
pub mod lanes;
pub mod listener;
pub mod metrics;
pub mod origin;
pub mod outbound;
mod recent;
pub mod server;
#[cfg(feature = "tls")]
pub mod tls;
mod v2;
pub mod wire;
