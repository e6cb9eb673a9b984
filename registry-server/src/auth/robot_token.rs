//! Tokens of robots: 64 capital letters and digits, as Quay's are.
//!
//! A token is made of a nonce, which the registry stores, and of a key that lies outside its database. So it can be shown
//! again to those who may see it, as Quay does, and a copy of the database gives no token away.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use registry_core::{KeptSecret, RobotToken};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::wire::secret::Secret;

/// Characters of a token.
const LENGTH: usize = 64;

/// 32 characters, so that five bits choose one and none is likelier than others.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Name of the file, in the data directory, that holds the key.
pub const KEY_FILE: &str = "robots.key";

/// The key that robots' tokens, app-specific tokens and client secrets are made with; `Debug` does not show it.
#[derive(Clone)]
pub struct RobotKey([u8; 32]);

impl RobotKey {
    /// The key made of these bytes, which have to be random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token that is made of `nonce`.
    pub fn token(&self, nonce: &[u8]) -> Secret {
        let mac = Hmac::<Sha512>::new_from_slice(&self.0).expect("invariant: HMAC takes keys of any length");
        let bytes = mac.chain_update(nonce).finalize().into_bytes();
        letters(&bytes[..LENGTH])
    }

    /// So many letters and digits, at most 120, for a secret other than a robot's token: made of what it is for and of
    /// `nonce`.
    pub fn secret(&self, purpose: &str, nonce: &[u8], length: usize) -> Secret {
        let mac = Hmac::<Sha512>::new_from_slice(&self.0).expect("invariant: HMAC takes keys of any length");
        let block = |number: u8| {
            // The nonce of a robot's token stands alone and is shorter than this.
            let mac = mac.clone().chain_update(purpose).chain_update([0, number]).chain_update(nonce);
            mac.finalize().into_bytes()
        };
        let bytes: Vec<u8> = [block(0), block(1)].into_iter().flatten().take(length).collect();
        letters(&bytes)
    }

    /// What the registry keeps of the secret that is made of `nonce`.
    pub fn kept(&self, purpose: &str, nonce: [u8; 16], length: usize) -> KeptSecret {
        KeptSecret { nonce, hash: hash(self.secret(purpose, &nonce, length).expose()) }
    }

    /// What the registry keeps of the token that is made of `nonce`.
    pub fn stored(&self, nonce: [u8; 16]) -> RobotToken {
        RobotToken { nonce, hash: hash(self.token(&nonce).expose()) }
    }
}

impl fmt::Debug for RobotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RobotKey(***)")
    }
}

/// Random bytes as so many capitals and digits.
pub(crate) fn letters(bytes: &[u8]) -> Secret {
    Secret::new(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect::<String>())
}

/// Whether `sent` is the token of this hash; takes as long whatever was sent.
pub(crate) fn matches(sent: &Secret, token_hash: &[u8]) -> bool {
    hash(sent.expose()).ct_eq(token_hash).into()
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_64_capitals_and_digits_and_made_of_key_and_nonce() {
        let key = RobotKey::new([1; 32]);
        let token = key.token(&[2; 16]);
        assert_eq!(token.expose().len(), LENGTH);
        assert!(token.expose().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        assert_eq!(token, key.token(&[2; 16]));
        assert_ne!(token, key.token(&[3; 16]));
        assert_ne!(token, RobotKey::new([2; 32]).token(&[2; 16]));
    }

    #[test]
    fn another_secret_is_made_of_its_purpose_key_and_nonce() {
        let key = RobotKey::new([1; 32]);
        let secret = key.secret("app", &[2; 16], 120);
        assert_eq!(secret.expose().len(), 120);
        assert_ne!(secret.expose()[..60], secret.expose()[60..]);
        let others =
            [key.secret("client", &[2; 16], 120), key.secret("app", &[3; 16], 120), key.token(&[2; 16])];
        for other in others {
            assert_ne!(other.expose()[..40], secret.expose()[..40]);
        }
        assert!(matches(&secret, &key.kept("app", [2; 16], 120).hash));
    }

    #[test]
    fn only_the_token_matches_its_hash() {
        let key = RobotKey::new([1; 32]);
        let stored = key.stored([2; 16]);
        assert!(matches(&key.token(&stored.nonce), &stored.hash));
        assert!(!matches(&key.token(&[3; 16]), &stored.hash));
        assert!(!matches(&key.token(&stored.nonce), &[]));
    }
}
