//! What the scopes of access tokens are in words.

use registry_core::Scope;

/// A title, and what an application with this scope could do.
pub(super) fn told(scope: Scope) -> (&'static str, &'static str) {
    match scope {
        Scope::RepositoryRead => ("View all visible repositories", "Pull from the repositories that you see"),
        Scope::RepositoryWrite => {
            ("Read/Write to any accessible repositories", "Pull, push and delete content")
        }
        Scope::RepositoryAdmin => ("Administer Repositories", "Administer the repositories that you do"),
        Scope::RepositoryCreate => ("Create Repositories", "Create repositories where you may"),
        Scope::UserRead => ("Read User Information", "Read who you are"),
        Scope::UserAdmin => ("Administer User", "Administer your account, robots and tokens among it"),
        Scope::OrganizationAdmin => ("Administer Organization", "Administer the organizations that you do"),
        Scope::Superuser => ("Super User Access", "Do what you may as a superuser"),
    }
}

/// Whether it lets much be done (Quay's `dangerous`).
pub(super) fn is_dangerous(scope: Scope) -> bool {
    match scope {
        Scope::RepositoryAdmin | Scope::UserAdmin | Scope::OrganizationAdmin | Scope::Superuser => true,
        Scope::RepositoryRead | Scope::RepositoryWrite | Scope::RepositoryCreate | Scope::UserRead => false,
    }
}
