//! Benchmarks live in `benches/`, one file per question asked; this crate holds nothing else.
