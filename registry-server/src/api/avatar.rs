//! Avatars: a colour and a hash, from which a page draws a picture.

use registry_core::AccountInfo;
use registry_core::oci::{Algorithm, Digest};
use serde::Serialize;

/// Quay's colours (`CHANNEL_COLORS`).
pub(super) const PALETTE: [&str; 32] = [
    "#969696", "#aec7e8", "#ff7f0e", "#ffbb78", "#2ca02c", "#98df8a", "#d62728", "#ff9896", "#9467bd",
    "#c5b0d5", "#8c564b", "#c49c94", "#e377c2", "#f7b6d2", "#7f7f7f", "#c7c7c7", "#bcbd22", "#1f77b4",
    "#17becf", "#9edae5", "#393b79", "#5254a3", "#6b6ecf", "#9c9ede", "#9ecae1", "#31a354", "#b5cf6b",
    "#a1d99b", "#8c6d31", "#ad494a", "#e7ba52", "#a55194",
];

/// What a page draws somebody's picture from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Avatar {
    name: String,
    hash: String,
    color: &'static str,
    kind: &'static str,
}

impl Avatar {
    /// A user's. Without an e-mail address the name stands for it.
    pub(super) fn of_user(account: &AccountInfo) -> Self {
        let email = account.email.trim();
        let hashed = if email.is_empty() { account.name.as_str() } else { email };
        Self::new("user", &account.name, &hashed.to_lowercase())
    }

    /// One of which nothing but the kind and the name is known.
    pub(super) fn of(kind: &'static str, name: &str) -> Self {
        Self::new(kind, name, name)
    }

    /// A user's or a robot's, of whom nothing but the name is known.
    pub(super) fn of_entity(name: &str, is_robot: bool) -> Self {
        Self::of(if is_robot { "robot" } else { "user" }, name)
    }

    /// One of this kind and name, whose hash and colour are those of `hashed`.
    fn new(kind: &'static str, name: &str, hashed: &str) -> Self {
        let digest = Digest::of(Algorithm::Sha256, hashed.as_bytes());
        let first = digest.raw().first().copied().unwrap_or(0);
        Self {
            name: name.to_owned(),
            hash: digest.raw().iter().map(|byte| format!("{byte:02x}")).collect(),
            color: PALETTE[usize::from(first) % PALETTE.len()],
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_and_colour_are_quays() {
        let avatar = Avatar::new("user", "testuser", "testuser@example.com");
        assert_eq!(avatar.hash, "a744863d83aefc35f62f9a247025dedfc8964b3c0b39dd794dd3816851fc4a94");
        assert_eq!(avatar.color, "#ff9896");
        assert!(Avatar::new("team", "devs", "devs").hash.starts_with("03f53542"));
    }
}
