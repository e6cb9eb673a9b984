//! Whom places are shared between.

use registry_core::PrincipalId;

use super::Client;

/// Who wants a place, as far as is known.
///
/// A namespace is taken from a request's path, which anybody can write: it counts only for those whose role in it was
/// found. All others share what one namespace has, whatever they name, so that nobody takes a tenant's places from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Visitor {
    /// The namespace in which the visitor has a role, by its id.
    pub namespace: Option<u64>,
    /// Who is signed in.
    pub principal: Option<PrincipalId>,
    /// Where the request came from.
    pub client: Client,
}

/// What a visitor is at one level of the turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Branch {
    Namespace(u64),
    /// All who have no role where they ask.
    Others,
    Principal(PrincipalId),
    /// All who are not signed in.
    Nobody,
    Client(Client),
}

impl Visitor {
    /// From the namespace down.
    pub(super) fn path(self) -> [Branch; 3] {
        [
            self.namespace.map_or(Branch::Others, Branch::Namespace),
            self.principal.map_or(Branch::Nobody, Branch::Principal),
            Branch::Client(self.client),
        ]
    }

    /// The visitor whose path it is.
    pub(super) fn of(path: &[Branch]) -> Option<Self> {
        let [namespace, principal, Branch::Client(client)] = *path else { return None };
        let namespace = if let Branch::Namespace(id) = namespace { Some(id) } else { None };
        let principal = if let Branch::Principal(id) = principal { Some(id) } else { None };
        Some(Self { namespace, principal, client })
    }
}

/// Somebody of whom nothing else is known yet.
impl From<Client> for Visitor {
    fn from(client: Client) -> Self {
        Self { namespace: None, principal: None, client }
    }
}
