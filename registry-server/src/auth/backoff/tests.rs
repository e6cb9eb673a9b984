//! Facts about the wait after a wrong password.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::auth::PrincipalId;

const START_MS: u64 = 1_000_000_000;

fn client(last: u8) -> Client {
    IpAddr::from(Ipv4Addr::new(10, 0, 0, last)).into()
}

/// Begins with a password that was not sent before.
fn begin<'b>(back_off: &'b BackOff, account: &str, from: u8, now_ms: u64) -> Result<Attempt<'b>, Unchecked> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let password = back_off.fingerprint(&LAST.fetch_add(1, Ordering::Relaxed).to_string(), None);
    back_off.begin(account, client(from), password, now_ms)
}

fn fail(back_off: &BackOff, account: &str, now_ms: u64) {
    begin(back_off, account, 1, now_ms).unwrap().failed(now_ms);
}

fn wait_ms(back_off: &BackOff, account: &str, from: u8, now_ms: u64) -> Option<u64> {
    // An attempt that is let through is dropped, and counts where others failed before it.
    match begin(back_off, account, from, now_ms) {
        Ok(_) => None,
        Err(Unchecked::TooSoon(TooSoon { wait_ms })) => Some(wait_ms),
        Err(Unchecked::WrongAgain(_)) => panic!("no password is sent twice"),
    }
}

#[test]
fn the_wait_begins_short_doubles_and_has_an_end() {
    let back_off = BackOff::new();
    let mut now_ms = START_MS;
    let mut waits = Vec::new();
    for _ in 0..15 {
        fail(&back_off, "alice", now_ms);
        let wait_ms = wait_ms(&back_off, "alice", 1, now_ms).unwrap();
        waits.push(wait_ms);
        assert!(begin(&back_off, "alice", 1, now_ms + wait_ms - 1).is_err());
        now_ms += wait_ms;
    }
    assert_eq!(
        waits,
        [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 40_960, 60_000, 60_000]
    );
}

#[test]
fn the_seconds_told_are_enough() {
    for (wait_ms, seconds) in [(1, 1), (10, 1), (1000, 1), (1001, 2), (60_000, 60)] {
        assert_eq!(TooSoon { wait_ms }.retry_after_seconds(), seconds);
    }
}

#[test]
fn a_success_and_a_long_rest_forget_everything() {
    let back_off = BackOff::new();
    for now_ms in [START_MS, START_MS + FIRST_MS, START_MS + 3 * FIRST_MS] {
        fail(&back_off, "alice", now_ms);
    }
    let later = START_MS + 7 * FIRST_MS;
    begin(&back_off, "alice", 1, later).unwrap().succeeded();
    fail(&back_off, "alice", later);
    assert_eq!(wait_ms(&back_off, "alice", 1, later), Some(FIRST_MS));
    let forgotten = later + FORGOTTEN_AFTER_MS;
    fail(&back_off, "alice", forgotten);
    assert_eq!(wait_ms(&back_off, "alice", 1, forgotten), Some(FIRST_MS));
}

#[test]
fn neither_other_accounts_nor_other_clients_wait() {
    let back_off = BackOff::new();
    fail(&back_off, "alice", START_MS);
    assert_eq!(wait_ms(&back_off, "alice", 1, START_MS), Some(FIRST_MS));
    assert_eq!(wait_ms(&back_off, "bob", 1, START_MS), None);
    assert_eq!(wait_ms(&back_off, "alice", 2, START_MS), None);
}

#[test]
fn guesses_sent_at_once_count_as_one_and_then_go_one_at_a_time() {
    let back_off = BackOff::new();
    let round: Vec<_> = (0..20).map(|_| begin(&back_off, "alice", 1, START_MS).unwrap()).collect();
    for attempt in round {
        attempt.failed(START_MS + 5);
    }
    assert_eq!(wait_ms(&back_off, "alice", 1, START_MS + 5), Some(FIRST_MS));
    let now_ms = START_MS + 5 + FIRST_MS;
    let one = begin(&back_off, "alice", 1, now_ms).unwrap();
    assert_eq!(wait_ms(&back_off, "alice", 1, now_ms), Some(2 * FIRST_MS));
    one.failed(now_ms + 15);
    assert_eq!(wait_ms(&back_off, "alice", 1, now_ms + 15), Some(2 * FIRST_MS), "counted once, from its end");
}

#[test]
fn a_clock_that_goes_back_locks_nobody_out() {
    let back_off = BackOff::new();
    for n in 0..15 {
        let now_ms = START_MS + n * LONGEST_MS;
        fail(&back_off, "alice", now_ms);
    }
    assert_eq!(wait_ms(&back_off, "alice", 1, START_MS - FORGOTTEN_AFTER_MS), None);
    assert_eq!(wait_ms(&back_off, "bob", 1, 0), None);
}

#[test]
fn what_is_remembered_is_bounded_and_the_latest_stays() {
    let back_off = BackOff::new();
    for n in 0..3 * CAPACITY {
        fail(&back_off, &format!("user{n}"), START_MS);
    }
    let failures = back_off.lock();
    assert!(failures.0.len() <= CAPACITY);
    drop(failures);
    let latest = format!("user{}", 3 * CAPACITY - CAPACITY / 2);
    assert_eq!(wait_ms(&back_off, &latest, 1, START_MS), Some(FIRST_MS));
}

#[test]
fn the_same_wrong_password_is_told_to_be_wrong_once_more() {
    let back_off = BackOff::new();
    let send = |password: &str, generation: u64| {
        let principal = Principal { id: PrincipalId(1), generation };
        let password = back_off.fingerprint(password, Some(principal));
        back_off.begin("alice", client(1), password, START_MS)
    };
    send("old", 1).unwrap().failed(START_MS);
    let wait = TooSoon { wait_ms: FIRST_MS };
    let too_soon = Err(Unchecked::TooSoon(wait));
    assert_eq!(send("other", 1).map(drop), too_soon);
    assert_eq!(send("old", 2).map(drop), too_soon, "it may be right for the account as it is now");
    assert_eq!(send("old", 1).map(drop), Err(Unchecked::WrongAgain(wait)));
    assert_eq!(send("old", 1).map(drop), too_soon);
}
