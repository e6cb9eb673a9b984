//! What somebody may do as themselves: with their own account, and in the whole registry.

use super::{AccountRole, Cap, Verdict};

/// What somebody does as themselves rather than in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountAction {
    /// Reading who one is.
    Read,
    /// Changing one's own account, but not how one signs in to it; founding organizations.
    Administer,
    /// Making and seeing what signs in as the account itself: its password, app-specific tokens; handing the account's
    /// namespace over to another. A credential that carries less than these would give itself more.
    SetSecrets,
    /// What superusers may do in the whole registry.
    Rule,
    /// Reading what superusers may.
    Inspect,
}

impl AccountAction {
    /// Every action, so that tests leave none out.
    pub const ALL: [Self; 5] = [Self::Read, Self::Administer, Self::SetSecrets, Self::Rule, Self::Inspect];
}

/// All that a decision about what an account does depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountFacts {
    /// Whether somebody is signed in.
    pub(crate) is_signed_in: bool,
    /// Whether it is a superuser, with full access or without.
    pub(crate) is_superuser: bool,
    /// Whether it reads everything (Quay: global read-only superuser).
    pub(crate) is_reader: bool,
    pub(crate) cap: Cap,
}

/// Decides what somebody may do as themselves.
pub(crate) fn decide_for_account(facts: &AccountFacts, action: AccountAction) -> Verdict {
    let rules = facts.is_superuser && facts.cap.is_superuser;
    let is_granted = match action {
        AccountAction::Read => facts.cap.account.is_some(),
        AccountAction::Administer => facts.cap.account == Some(AccountRole::Admin),
        AccountAction::SetSecrets => facts.cap.covers(Cap::FULL),
        AccountAction::Rule => rules,
        AccountAction::Inspect => rules || (facts.is_reader && facts.cap.is_superuser),
    };
    match is_granted {
        _ if !facts.is_signed_in => Verdict::SignIn,
        true => Verdict::Granted,
        false => Verdict::Denied,
    }
}
