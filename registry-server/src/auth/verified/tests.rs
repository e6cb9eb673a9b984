use std::{
    cell::Cell,
    convert::Infallible,
    future::{pending, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::sync::oneshot;

use super::*;
use crate::auth::PrincipalId;

const DEV: Principal = Principal { id: PrincipalId(7), generation: 3 };
const NEXT: Principal = Principal { generation: 4, ..DEV };
const OTHER: Principal = Principal { id: PrincipalId(8), ..DEV };

/// A cache with a clock, and how often a secret was really checked.
struct Fixture {
    cache: VerifiedSecrets,
    start: Instant,
    checks: Cell<usize>,
}

impl Fixture {
    fn new() -> Self {
        let start = Instant::now();
        Self { cache: VerifiedSecrets::new([9; 32], start), start, checks: Cell::new(0) }
    }

    /// Asks at `seconds`; a check finds `answer`.
    async fn ask(
        &self,
        name: &str,
        secret: &str,
        principal: Option<Principal>,
        seconds: u64,
        answer: bool,
    ) -> bool {
        let check = async {
            self.checks.set(self.checks.get() + 1);
            Ok::<_, Infallible>(answer)
        };
        let now = self.start + Duration::from_secs(seconds);
        let Ok(is_match) = self.cache.verify_with(name, secret, principal, now, check).await;
        is_match
    }

    async fn dev(&self, principal: Principal, seconds: u64) -> bool {
        self.ask("dev", "secret", Some(principal), seconds, true).await
    }

    fn entries(&self) -> usize {
        let state = self.cache.lock();
        state.matches.entries.len()
    }

    fn flights(&self) -> usize {
        self.cache.lock().flights.len()
    }
}

#[tokio::test]
async fn a_match_is_remembered_for_a_minute_from_its_check() {
    let fixture = Fixture::new();
    for (seconds, checks) in [(0, 1), (1, 1), (59, 1), (60, 2), (119, 2), (120, 3)] {
        assert!(fixture.dev(DEV, seconds).await);
        assert_eq!(fixture.checks.get(), checks, "at {seconds}");
    }
}

#[tokio::test]
async fn a_failure_is_never_remembered() {
    let fixture = Fixture::new();
    assert!(!fixture.ask("dev", "secret", Some(DEV), 0, false).await);
    assert_eq!((fixture.entries(), fixture.flights()), (0, 0));
    assert!(fixture.ask("dev", "secret", Some(DEV), 0, true).await);
    assert_eq!(fixture.checks.get(), 2);
}

#[tokio::test]
async fn another_generation_or_principal_is_no_hit_and_ends_the_entry() {
    for changed in [NEXT, OTHER] {
        let fixture = Fixture::new();
        assert!(fixture.dev(DEV, 0).await);
        assert!(!fixture.ask("dev", "secret", Some(changed), 1, false).await);
        assert_eq!((fixture.checks.get(), fixture.entries()), (2, 0));
    }
}

#[tokio::test]
async fn another_name_or_secret_is_no_hit() {
    let fixture = Fixture::new();
    assert!(fixture.dev(DEV, 0).await);
    for (name, secret) in
        [("dev", "secre"), ("de", "vsecret"), ("devs", "ecret"), ("", "devsecret"), ("dev", "")]
    {
        assert!(!fixture.ask(name, secret, Some(DEV), 0, false).await, "{name} {secret}");
    }
}

#[tokio::test]
async fn nobody_is_never_matched_nor_remembered() {
    let fixture = Fixture::new();
    assert!(!fixture.ask("ghost", "secret", None, 0, true).await);
    assert!(!fixture.ask("ghost", "secret", None, 0, true).await);
    assert_eq!((fixture.checks.get(), fixture.entries()), (2, 0));
}

#[tokio::test]
async fn a_user_that_went_away_is_no_hit() {
    let fixture = Fixture::new();
    assert!(fixture.dev(DEV, 0).await);
    assert!(!fixture.ask("dev", "secret", None, 1, true).await);
    assert_eq!(fixture.entries(), 0);
}

#[tokio::test]
async fn the_cache_stays_bounded_and_keeps_the_newest() {
    let fixture = Fixture::new();
    for n in 0..3 * CAPACITY {
        fixture.ask("dev", &n.to_string(), Some(DEV), 0, true).await;
        assert!(fixture.entries() <= CAPACITY);
    }
    let checks = fixture.checks.get();
    for n in 3 * CAPACITY - CAPACITY / 2..3 * CAPACITY {
        assert!(fixture.ask("dev", &n.to_string(), Some(DEV), 0, false).await);
    }
    assert_eq!(fixture.checks.get(), checks);
}

#[tokio::test]
async fn what_has_expired_is_dropped_as_new_matches_come() {
    let fixture = Fixture::new();
    for n in 0..10 {
        fixture.ask("dev", &n.to_string(), Some(DEV), 0, true).await;
    }
    fixture.dev(DEV, 60).await;
    fixture.dev(DEV, 120).await;
    assert_eq!(fixture.entries(), 1);
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A check that never has to run.
async fn unneeded() -> Result<bool, Infallible> {
    panic!("the secret was checked twice")
}

#[tokio::test]
async fn concurrent_requests_share_one_check() {
    for (principal, found, expected) in
        [(Some(DEV), true, true), (Some(DEV), false, false), (None, true, false)]
    {
        let Fixture { cache, start, .. } = &Fixture::new();
        let (finish, finished) = oneshot::channel();
        let check = async { Ok::<_, Infallible>(finished.await.unwrap()) };
        let mut first = pin!(cache.verify_with("dev", "secret", principal, *start, check));
        let mut second = pin!(cache.verify_with("dev", "secret", principal, *start, unneeded()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        finish.send(found).unwrap();
        assert_eq!((first.await, second.await), (Ok(expected), Ok(expected)));
        assert_eq!(cache.lock().flights.len(), 0);
    }
}

#[tokio::test]
async fn who_comes_after_a_failure_is_checked_even_if_others_still_hold_it() {
    let fixture = Fixture::new();
    let Fixture { cache, start, .. } = &fixture;
    let (finish, finished) = oneshot::channel();
    let check = async { Ok::<_, Infallible>(finished.await.unwrap()) };
    let mut first = pin!(cache.verify_with("dev", "secret", Some(DEV), *start, check));
    let mut second = pin!(cache.verify_with("dev", "secret", Some(DEV), *start, unneeded()));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    finish.send(false).unwrap();
    assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(false)));
    assert!(fixture.dev(DEV, 0).await);
    assert_eq!(second.await, Ok(false));
    assert_eq!(fixture.checks.get(), 1);
}

#[tokio::test]
async fn a_change_of_password_does_not_share_the_check_of_the_old_one() {
    let fixture = Fixture::new();
    let Fixture { cache, start, .. } = &fixture;
    let mut old =
        pin!(cache.verify_with("dev", "secret", Some(DEV), *start, pending::<Result<bool, Infallible>>()));
    assert!(poll(old.as_mut()).is_pending());
    assert!(!fixture.ask("dev", "secret", Some(NEXT), 0, false).await);
    assert_eq!(fixture.checks.get(), 1);
}

#[tokio::test]
async fn if_the_one_who_checks_goes_away_the_next_checks() {
    let fixture = Fixture::new();
    let Fixture { cache, start, .. } = &fixture;
    let mut first = Box::pin(cache.verify_with(
        "dev",
        "secret",
        Some(DEV),
        *start,
        pending::<Result<bool, Infallible>>(),
    ));
    let mut second = pin!(fixture.dev(DEV, 0));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    drop(first);
    assert!(second.await);
    assert_eq!((fixture.checks.get(), fixture.flights()), (1, 0));
}

#[tokio::test]
async fn a_check_that_everybody_gave_up_leaves_nothing() {
    let Fixture { cache, start, .. } = &Fixture::new();
    let ask = || {
        Box::pin(cache.verify_with("dev", "secret", Some(DEV), *start, pending::<Result<bool, Infallible>>()))
    };
    let (mut first, mut second) = (ask(), ask());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    drop(first);
    assert_eq!(cache.lock().flights.len(), 1);
    drop(second);
    assert_eq!(cache.lock().flights.len(), 0);
}

#[tokio::test]
async fn a_check_that_could_not_be_made_is_an_error_and_leaves_nothing() {
    let fixture = Fixture::new();
    let Fixture { cache, start, .. } = &fixture;
    assert_eq!(cache.verify_with("dev", "secret", Some(DEV), *start, ready(Err("busy"))).await, Err("busy"));
    assert_eq!((fixture.entries(), fixture.flights()), (0, 0));
    assert!(fixture.dev(DEV, 0).await);
}
