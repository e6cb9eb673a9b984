//! referrers
