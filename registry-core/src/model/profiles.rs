//! What users and organizations say of themselves. It grants nothing.

use super::keys::NamespaceId;
use super::tables::PROFILES;
use crate::Error;
use crate::metadata::record::record;
use crate::metadata::{Rows, WriteTxn};

record! {
    /// What a user or an organization says of itself; an organization has the last two fields alone.
    pub struct Profile {
        /// The first name.
        given_name: Option<String>,
        /// The last name.
        family_name: Option<String>,
        /// Where they work.
        company: Option<String>,
        /// Where they live.
        location: Option<String>,
        /// Whether invoices are wanted by mail. Nobody sends any; Quay's clients set it.
        invoice_email: bool,
        /// Where to.
        invoice_email_address: Option<String>,
    }
}

/// A field of a [`Profile`] and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileField {
    /// The first name.
    GivenName(String),
    /// The last name.
    FamilyName(String),
    /// Where they work.
    Company(String),
    /// Where they live.
    Location(String),
    /// Whether invoices are wanted by mail.
    InvoiceEmail(bool),
    /// Where to.
    InvoiceEmailAddress(Option<String>),
}

impl ProfileField {
    fn set(&self, profile: &mut Profile) {
        match self.clone() {
            Self::GivenName(name) => profile.given_name = Some(name),
            Self::FamilyName(name) => profile.family_name = Some(name),
            Self::Company(name) => profile.company = Some(name),
            Self::Location(name) => profile.location = Some(name),
            Self::InvoiceEmail(is_wanted) => profile.invoice_email = is_wanted,
            Self::InvoiceEmailAddress(address) => profile.invoice_email_address = address,
        }
    }

    /// Whether it is about invoices, which events tell apart.
    pub(crate) fn is_about_invoices(&self) -> bool {
        matches!(self, Self::InvoiceEmail(_) | Self::InvoiceEmailAddress(_))
    }
}

/// The profile; an empty one if nothing was ever said.
pub(crate) fn get(rows: &impl Rows, of: NamespaceId) -> Result<Profile, Error> {
    Ok(rows.get(&PROFILES, &of)?.unwrap_or_default())
}

/// Sets some fields.
pub(crate) fn change(
    txn: &mut WriteTxn<'_>,
    of: NamespaceId,
    fields: &[ProfileField],
) -> Result<Profile, Error> {
    let mut profile = get(txn, of)?;
    for field in fields {
        field.set(&mut profile);
    }
    if !fields.is_empty() {
        txn.put(&PROFILES, &of, &profile);
    }
    Ok(profile)
}
