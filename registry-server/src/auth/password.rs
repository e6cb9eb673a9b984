//! People's passwords: rules, Argon2id hashes, and the queue in front of that costly work.
//!
//! Passwords of robots and applications are random and never come here: they are compared as plain hashes.

use std::{fmt, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The least characters of a new password, as in Quay.
const MIN_CHARS: usize = 8;

/// The most bytes of a new password. Argon2 takes more; nobody types more.
const MAX_BYTES: usize = 1024;

/// Memory, passes and lanes of one hash: the second choice of OWASP's Password Storage Cheat Sheet
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>), which trades memory for a pass
/// without being weaker. 19 MiB a hash, two at once, is what a small machine can give.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many hashes are computed at once; each holds [`MEMORY_KIB`].
const AT_ONCE: usize = 2;

/// How many more may wait for their turn.
const WAITING: usize = 64;

/// Whether `password` may be chosen: at least 8 characters, no whitespace (Quay's rules), at most 1024 bytes.
///
/// # Errors
/// The rule that is broken, in words for the person who chose it.
pub fn check_rules(password: &str) -> Result<(), &'static str> {
    if password.len() > MAX_BYTES {
        return Err("password must be at most 1024 bytes long");
    }
    if password.chars().count() < MIN_CHARS {
        return Err("password must be at least 8 characters long");
    }
    if password.contains(char::is_whitespace) {
        return Err("password must not contain whitespace");
    }
    Ok(())
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("password could not be hashed")]
pub struct HashError(#[from] argon2::password_hash::Error);

/// Argon2id with this registry's parameters. A call takes tens of milliseconds: run it on a blocking thread, holding a
/// [`Permit`] of the [`PasswordQueue`].
pub struct Hasher {
    argon2: Argon2<'static>,
    dummy_hash: String,
}

impl Hasher {
    /// A hasher. Costs next to nothing: no password is hashed.
    pub fn new() -> Self {
        let params =
            Params::new(MEMORY_KIB, PASSES, LANES, None).expect("invariant: the parameters are in range");
        let dummy_hash = unmatchable_hash(&params);
        Self { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), dummy_hash }
    }

    /// The hash of `password` with a fresh random salt, as a PHC string.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn hash(&self, password: &str) -> Result<String, HashError> {
        Ok(self.argon2.hash_password(password.as_bytes())?.to_string())
    }

    /// Whether `phc` was made of `password`; a `phc` that is not one of Argon2 matches nothing.
    pub fn verify(&self, password: &str, phc: &str) -> bool {
        self.argon2.verify_password(password.as_bytes(), phc).is_ok()
    }

    /// A hash that no known password matches and that costs as much as any to be verified against. Verify against it where
    /// there is no such user, so that the time of the answer does not tell.
    pub fn dummy_hash(&self) -> &str {
        &self.dummy_hash
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

/// A hash whose output is all zeros: to find a password for it is to invert Argon2.
fn unmatchable_hash(params: &Params) -> String {
    const VALID: &str = "invariant: the parts of the dummy hash are valid";
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).expect(VALID),
        salt: Some(Salt::new(&[0; 16]).expect(VALID)),
        hash: Some(Output::new(&[0; Params::DEFAULT_OUTPUT_LEN]).expect(VALID)),
    };
    hash.to_string()
}

/// Too many password checks are waiting already; answered as 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

impl Busy {
    /// When to try again: about what working off a full queue takes.
    pub const RETRY_AFTER_SECONDS: u32 = 2;
}

/// Admission to password work: two at once, 64 waiting in order, the rest refused at once.
///
/// That bounds the memory of a storm of logins and the processors it takes from pulls. Clones share the queue.
#[derive(Debug, Clone)]
pub struct PasswordQueue {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A turn at password work. Move it into the work: what has begun runs to its end even if the client goes away, and has to
/// keep its turn until then.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct Permit {
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl PasswordQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE + WAITING)), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Checks that have their turn now.
    pub fn running(&self) -> usize {
        AT_ONCE.saturating_sub(self.turns.available_permits())
    }

    /// Checks that wait for their turn.
    pub fn waiting(&self) -> usize {
        (AT_ONCE + WAITING).saturating_sub(self.places.available_permits()).saturating_sub(self.running())
    }

    /// Waits for a turn, first come first served. Dropping the future gives its place up.
    ///
    /// # Errors
    /// [`Busy`], at once, if the queue is full.
    pub async fn admit(&self) -> Result<Permit, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.expect("invariant: the queue's semaphore is never closed");
        Ok(Permit { _turn: turn, _place: place })
    }
}

impl Default for PasswordQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    #[test]
    fn a_password_is_long_enough_and_has_no_whitespace() {
        let longest = "a".repeat(1024);
        for (password, is_allowed) in [
            ("12345678", true),
            ("pässwörd", true),
            (longest.as_str(), true),
            ("1234567", false),
            // Seven characters in eight bytes.
            ("passwör", false),
            ("", false),
            ("1234 5678", false),
            ("12345678\n", false),
            ("1234\u{a0}5678", false),
            (&format!("{longest}a"), false),
        ] {
            assert_eq!(check_rules(password).is_ok(), is_allowed, "{password}");
        }
    }

    #[test]
    fn a_hash_matches_its_password_and_no_other() {
        let hasher = Hasher::new();
        let hash = hasher.hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify("correct horse", &hash));
        assert!(!hasher.verify("correct horsf", &hash));
        assert_ne!(hasher.hash("correct horse").unwrap(), hash, "every hash has a salt of its own");
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        let hasher = Hasher::new();
        for phc in
            ["", "!", "correct horse", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert!(!hasher.verify("correct horse", phc), "{phc}");
        }
    }

    #[test]
    fn the_dummy_hash_costs_what_a_hash_costs_and_matches_nothing() {
        let hasher = Hasher::new();
        let real = hasher.hash("correct horse").unwrap();
        let cost = |phc: &str| {
            let hash = PasswordHash::new(phc).unwrap();
            let (salt, output) = (hash.salt.unwrap(), hash.hash.unwrap());
            (hash.algorithm.to_string(), hash.version, hash.params.to_string(), salt.len(), output.len())
        };
        assert_eq!(cost(hasher.dummy_hash()), cost(&real));
        let computed = Argon2::default().verify_password(b"correct horse", hasher.dummy_hash());
        assert_eq!(
            computed,
            Err(argon2::password_hash::Error::PasswordInvalid),
            "it was computed and differs"
        );
        assert!(!hasher.verify("", hasher.dummy_hash()));
    }

    type Admission<'q> = Pin<Box<dyn Future<Output = Result<Permit, Busy>> + 'q>>;

    fn poll(admission: &mut Admission<'_>) -> Poll<Result<Permit, Busy>> {
        admission.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// `count` clients that have asked and wait.
    fn waiting(queue: &PasswordQueue, count: usize) -> Vec<Admission<'_>> {
        let ask = |_| {
            let mut admission: Admission<'_> = Box::pin(queue.admit());
            assert!(poll(&mut admission).is_pending());
            admission
        };
        (0..count).map(ask).collect()
    }

    #[tokio::test]
    async fn two_are_admitted_the_others_wait_in_order_and_the_rest_is_refused() {
        let queue = PasswordQueue::new();
        let first = queue.admit().await.unwrap();
        let _second = queue.admit().await.unwrap();
        let mut line = waiting(&queue, WAITING);
        assert_eq!((queue.running(), queue.waiting()), (AT_ONCE, WAITING));
        let mut refused: Admission<'_> = Box::pin(queue.admit());
        assert!(matches!(poll(&mut refused), Poll::Ready(Err(Busy))), "refused without waiting");

        drop(first);
        assert!(poll(&mut line[1]).is_pending(), "the first in line goes first");
        assert!(matches!(poll(&mut line[0]), Poll::Ready(Ok(_))));
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_a_place() {
        let queue = PasswordQueue::new();
        let _running = [queue.admit().await.unwrap(), queue.admit().await.unwrap()];
        let mut line = waiting(&queue, WAITING);
        line.pop();
        waiting(&queue, 1);
    }
}
