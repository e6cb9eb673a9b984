//! Benchmarks of the core live in `benches/`, one file per question asked. `compare` sets the server beside others, with
//! `load` as their client. This library holds nothing.
