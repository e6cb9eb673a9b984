//! What narrows a robot, as the API reads and writes it (not in Quay): `expiration`, `repositories` and `networks`.

use registry_core::{AddressBlock, Globs, RobotLimits};
use serde_json::{Map, Value, json};

use super::body::Fields;
use super::error::ApiError;
use super::iso;

/// The most blocks of addresses.
const NETWORKS_MAX: usize = 64;

/// The limits, each null where there is none.
pub(super) fn view(limits: &RobotLimits) -> Map<String, Value> {
    let networks: Vec<String> = limits.networks.iter().map(AddressBlock::to_string).collect();
    let networks = Some(networks).filter(|networks| !networks.is_empty());
    Map::from_iter([
        ("expiration".to_owned(), json!(limits.expires_ms.map(iso))),
        ("repositories".to_owned(), json!(limits.repositories.as_ref().map(Globs::patterns))),
        ("networks".to_owned(), json!(networks)),
    ])
}

/// The limits with what a body says of them; null, or an empty list, takes one away.
pub(super) fn changed(
    mut limits: RobotLimits,
    fields: &Fields,
    now_ms: u64,
) -> Result<RobotLimits, ApiError> {
    if fields.has("expiration") {
        limits.expires_ms = expiration(fields, now_ms)?;
    }
    if fields.has("repositories") {
        let patterns = texts(fields, "repositories")?;
        let globs = Globs::new(patterns).map_err(|error| ApiError::invalid(error.to_string()))?;
        limits.repositories = Some(globs).filter(|globs| !globs.patterns().is_empty());
    }
    if fields.has("networks") {
        limits.networks = networks(texts(fields, "networks")?)?;
    }
    Ok(limits)
}

fn texts(fields: &Fields, key: &str) -> Result<Vec<String>, ApiError> {
    if fields.is_null(key) { Ok(Vec::new()) } else { Ok(fields.optional_texts(key)?.unwrap_or_default()) }
}

/// Seconds from now, or a moment in ISO 8601.
fn expiration(fields: &Fields, now_ms: u64) -> Result<Option<u64>, ApiError> {
    if fields.is_null("expiration") {
        return Ok(None);
    }
    if let Ok(Some(text)) = fields.optional_text("expiration") {
        let moment: Result<jiff::Timestamp, _> = text.parse();
        let moment = moment.ok().and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
        let wrong = || ApiError::invalid("expiration is a number of seconds or a moment in ISO 8601");
        return moment.map(Some).ok_or_else(wrong);
    }
    let seconds = fields.optional_number("expiration")?;
    Ok(seconds.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000))))
}

fn networks(texts: Vec<String>) -> Result<Vec<AddressBlock>, ApiError> {
    if texts.len() > NETWORKS_MAX {
        return Err(ApiError::invalid(format!("there are more than {NETWORKS_MAX} networks")));
    }
    let block = |text: &String| {
        let wrong = || ApiError::invalid(format!("'{text:.60}' is no address or block such as 10.0.0.0/8"));
        AddressBlock::parse(text).ok_or_else(wrong)
    };
    texts.iter().map(block).collect()
}
