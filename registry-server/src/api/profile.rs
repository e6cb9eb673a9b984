//! What users and organizations say of themselves, as it is sent.

use registry_core::ProfileField;

use super::body::Fields;
use super::error::ApiError;

/// The longest of its texts, in characters (Quay).
const TEXT_MAX_CHARS: usize = 255;

/// Whose profile it is: an organization has no name of its own beside its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    User,
    Organization,
}

/// How a text that was sent becomes a field.
type OfText = fn(String) -> ProfileField;

const TEXTS: [(&str, OfText); 4] = [
    ("given_name", ProfileField::GivenName),
    ("family_name", ProfileField::FamilyName),
    ("company", ProfileField::Company),
    ("location", ProfileField::Location),
];

/// The fields that a body sets.
///
/// # Errors
/// 400 `invalid_request` for a field of another type, or a text that is too long.
pub(super) fn profile_fields(fields: &Fields, whose: Whose) -> Result<Vec<ProfileField>, ApiError> {
    let mut found = Vec::new();
    for (key, field) in TEXTS.iter().filter(|_| whose == Whose::User) {
        if let Some(text) = fields.optional_text(key)? {
            found.push(field(short(key, text)?));
        }
    }
    found.extend(fields.optional_flag("invoice_email")?.map(ProfileField::InvoiceEmail));
    let address = fields.nullable_text("invoice_email_address")?;
    if let Some(address) = address {
        let address = address.map(|address| short("invoice_email_address", address)).transpose()?;
        found.push(ProfileField::InvoiceEmailAddress(address));
    }
    Ok(found)
}

fn short(key: &str, text: &str) -> Result<String, ApiError> {
    if text.chars().count() > TEXT_MAX_CHARS {
        return Err(ApiError::invalid(format!("'{key}' is too long")));
    }
    Ok(text.to_owned())
}
