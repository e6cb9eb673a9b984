//! People's passwords: rules, Argon2id hashes, and the queue in front of that costly work.
//!
//! Passwords of robots and applications are random and never come here: they are compared as plain hashes.

use std::{fmt, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};

use crate::admission::{Bounds, Client, FairQueue, Slot};

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

/// How many more may wait for their turn, and how many of one client: nobody keeps all others from signing in.
const WAITING: usize = 256;
const WAITING_OF_CLIENT: usize = 64;

/// How long one waits at most. Working off a full queue takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Admission to password work: two at once; 256 wait, of one client 64, in turn by client; the rest is refused at once.
///
/// That bounds the memory of a storm of logins and the processors it takes from pulls. Clones share the queue.
#[derive(Debug, Clone)]
pub struct PasswordQueue(FairQueue);

/// A turn at password work. Move it into the work: what has begun runs to its end even if the client goes away, and has to
/// keep its turn until then.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub struct Permit(#[expect(dead_code, reason = "held, and dropped at the end")] Slot);

impl PasswordQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self(FairQueue::new(Bounds {
            at_once: AT_ONCE,
            at_once_per_namespace: AT_ONCE,
            at_once_per_principal: AT_ONCE,
            at_once_per_client: AT_ONCE,
            waiting: WAITING,
            waiting_per_namespace: WAITING,
            waiting_per_client: WAITING_OF_CLIENT,
            patience: PATIENCE,
        }))
    }

    /// Checks that have their turn now.
    pub fn running(&self) -> usize {
        self.0.load().inside
    }

    /// Checks that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.0.load().waiting
    }

    /// Waits for the client's turn. Dropping the future gives its place up.
    ///
    /// # Errors
    /// [`Busy`], at once, if too many wait; or after a long wait.
    pub async fn admit(&self, client: Client) -> Result<Permit, Busy> {
        self.0.enter(client).await.map(Permit).map_err(|_| Busy)
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

    fn client(number: u8) -> Client {
        std::net::IpAddr::from([10, 0, 0, number]).into()
    }

    /// So many checks that the client has asked for and that wait.
    fn waiting(queue: &PasswordQueue, number: u8, count: usize) -> Vec<Admission<'_>> {
        let ask = |_| {
            let mut admission: Admission<'_> = Box::pin(queue.admit(client(number)));
            assert!(poll(&mut admission).is_pending());
            admission
        };
        (0..count).map(ask).collect()
    }

    fn is_refused(queue: &PasswordQueue, number: u8) -> bool {
        let mut asked: Admission<'_> = Box::pin(queue.admit(client(number)));
        matches!(poll(&mut asked), Poll::Ready(Err(Busy)))
    }

    #[tokio::test]
    async fn two_are_admitted_the_others_wait_in_order_and_the_rest_is_refused() {
        let queue = PasswordQueue::new();
        let first = queue.admit(client(1)).await.unwrap();
        let _second = queue.admit(client(1)).await.unwrap();
        let mut line = waiting(&queue, 1, WAITING_OF_CLIENT);
        assert_eq!((queue.running(), queue.waiting()), (AT_ONCE, WAITING_OF_CLIENT));
        assert!(is_refused(&queue, 1), "refused without waiting");

        drop(first);
        assert!(poll(&mut line[1]).is_pending(), "the first in line goes first");
        assert!(matches!(poll(&mut line[0]), Poll::Ready(Ok(_))));
    }

    #[tokio::test]
    async fn one_client_keeps_nobody_else_from_signing_in() {
        let queue = PasswordQueue::new();
        let crowd = [queue.admit(client(1)).await.unwrap(), queue.admit(client(1)).await.unwrap()];
        let mut line = waiting(&queue, 1, WAITING_OF_CLIENT);
        let mut other = waiting(&queue, 2, 1).pop().unwrap();
        let [first, second] = crowd;
        drop(first);
        drop(second);
        assert!(matches!(poll(&mut line[0]), Poll::Ready(Ok(_))));
        assert!(matches!(poll(&mut other), Poll::Ready(Ok(_))), "it waits for a single turn");
    }

    #[tokio::test]
    async fn all_clients_together_wait_in_a_bounded_queue() {
        let queue = PasswordQueue::new();
        let _running = [queue.admit(client(1)).await.unwrap(), queue.admit(client(1)).await.unwrap()];
        let _crowds: Vec<_> = (1..5).map(|number| waiting(&queue, number, WAITING_OF_CLIENT)).collect();
        assert_eq!(queue.waiting(), WAITING);
        assert!(is_refused(&queue, 5));
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_a_place() {
        let queue = PasswordQueue::new();
        let _running = [queue.admit(client(1)).await.unwrap(), queue.admit(client(1)).await.unwrap()];
        let mut line = waiting(&queue, 1, WAITING_OF_CLIENT);
        line.pop();
        waiting(&queue, 1, 1);
    }
}
