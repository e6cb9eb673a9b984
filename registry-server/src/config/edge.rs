//! Keys of the edge that are more than a switch or a number.

use super::document::Document;
use super::{AuditStream, ConfigError};
use crate::admission::AdmissionLimits;
use crate::outbound::Outbound;

/// Limits of namespaces and principals. Those of clients and of all are not configurable.
pub(super) fn admission(
    document: &mut Document,
    base: AdmissionLimits,
) -> Result<AdmissionLimits, ConfigError> {
    let mut limits = base;
    for (key, limit) in [
        ("LIMIT_REQUESTS_PER_NAMESPACE", &mut limits.requests.at_once_per_namespace),
        ("LIMIT_REQUESTS_PER_PRINCIPAL", &mut limits.requests.at_once_per_principal),
        ("LIMIT_UPLOADS_PER_NAMESPACE", &mut limits.uploads.at_once_per_namespace),
        ("LIMIT_UPLOADS_PER_PRINCIPAL", &mut limits.uploads.at_once_per_principal),
    ] {
        if let Some(most) = document.positive(key)? {
            *limit = usize::try_from(most).unwrap_or(usize::MAX);
        }
    }
    Ok(limits)
}

/// What the server may connect to.
pub(super) fn outbound(document: &mut Document) -> Result<Outbound, ConfigError> {
    const KEY: &str = "SSRF_ALLOWED_HOSTS";
    let entries = document.texts(KEY)?;
    let is_wrong = |entry: &&(u64, String)| !Outbound::is_entry(&entry.1);
    if let Some((line, wrong)) = entries.iter().find(is_wrong) {
        return Err(document.wrong(*line, KEY, "a host name, an address or a block", wrong));
    }
    Ok(Outbound::allowing(entries.iter().map(|(_, entry)| entry.as_str())).unwrap_or_default())
}

/// Where events go beside the log.
pub(super) fn audit_stream(document: &mut Document) -> Result<Option<AuditStream>, ConfigError> {
    const KEY: &str = "AUDIT_STREAM";
    match document.text(KEY)? {
        None => Ok(None),
        Some((_, target)) if target == "stdout" => Ok(Some(AuditStream::Stdout)),
        Some((_, target)) if target.starts_with('/') => Ok(Some(AuditStream::File(target.into()))),
        Some((line, other)) => {
            Err(document.wrong(line, KEY, "stdout, or the path of a file from / on", &other))
        }
    }
}
