//! Every table and record of the registry, and the row operations that keep counts, edges and holds true.
//!
//! Nothing here touches files or threads: it runs inside `Metadata::read` and `Metadata::write`.

pub(crate) mod accounts;
pub(crate) mod applications;
pub(crate) mod authorize;
pub(crate) mod blobs;
pub(crate) mod collection;
pub(crate) mod deletion;
pub(crate) mod grants;
pub(crate) mod keys;
pub(crate) mod manifests;
pub(crate) mod messages;
pub(crate) mod organizations;
pub(crate) mod profiles;
pub(crate) mod prototypes;
pub(crate) mod records;
pub(crate) mod repositories;
pub(crate) mod robots;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod stars;
pub(crate) mod tables;
pub(crate) mod tags;
pub(crate) mod teams;
pub(crate) mod tokens;
pub(crate) mod totals;
pub(crate) mod uploads;
pub(crate) mod usage;
pub(crate) mod visible;
pub(crate) mod words;
