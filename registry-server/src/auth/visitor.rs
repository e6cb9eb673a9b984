//! CSRF tokens of visitors who have not signed in, without a row for any of them.
//!
//! A visitor's cookie holds a random id, and the token is an HMAC of it under the registry's key. Another site can make
//! a browser send the cookie, but can neither read it nor compute the token. Somebody with a made-up id gets nowhere: it
//! is good only together with its token, which the registry alone can make.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The id of a visitor who has not signed in: random, and of no meaning beyond its CSRF token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorId(pub [u8; 32]);

/// The key that makes visitors' CSRF tokens; `Debug` does not show it.
#[derive(Clone)]
pub struct VisitorKey(Hmac<Sha256>);

impl VisitorKey {
    /// The key made of `secret`, which has to be random and to survive restarts.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&secret).expect("invariant: HMAC takes keys of any length"))
    }

    /// The CSRF token of this visitor.
    pub fn csrf_token(&self, visitor: VisitorId) -> [u8; 32] {
        self.0.clone().chain_update(visitor.0).finalize().into_bytes().into()
    }
}

impl fmt::Debug for VisitorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitorKey").finish_non_exhaustive()
    }
}
