//! Events that come late, at every moment of moving those of their day into a file.

use super::Registry;
use crate::simulation::SimulatedDisk;
use crate::{Actor, Clock, Entropy, Observed, Settings};

const START_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// More than one step writes.
const EVENTS: usize = 1_100;

fn record(registry: &Registry) {
    registry.record_event(Observed {
        kind: "login_success".into(),
        actor: Actor::Anonymous,
        credential: None,
        namespace: None,
        repository: None,
        metadata: "{}".into(),
    });
}

/// A registry with many events of one day, which are about to leave the log.
fn about_to_rotate() -> (Registry, Clock) {
    let clock = Clock::manual(START_MS);
    let settings = Settings { trail_age_ms: 0, ..Settings::default() };
    let registry =
        Registry::open_simulated(&SimulatedDisk::new(), settings, clock.clone(), Entropy::seeded(1)).unwrap();
    (0..EVENTS).for_each(|_| record(&registry));
    registry.run_trail().unwrap();
    clock.advance_ms(2 * DAY_MS);
    (registry, clock)
}

#[test]
fn an_event_that_comes_late_is_neither_lost_nor_doubled() {
    let mut steps = 0;
    let mut is_more = true;
    while is_more {
        let (registry, clock) = about_to_rotate();
        is_more = (0..steps).all(|_| registry.trail_step().unwrap());
        clock.set_ms(START_MS - 1);
        record(&registry);
        clock.set_ms(START_MS + 2 * DAY_MS);
        registry.run_trail().unwrap();
        let mut events = registry.every_event().unwrap();
        events.sort();
        events.dedup();
        assert_eq!(
            (events.len(), registry.every_event().unwrap().len()),
            (EVENTS + 1, EVENTS + 1),
            "{steps}"
        );
        assert_eq!(registry.audit(false).unwrap(), Vec::<String>::new());
        steps += 1;
    }
    assert!(steps > 2 * EVENTS / 500, "the day left in {steps} steps");
}

#[test]
fn a_registry_that_is_closed_on_the_way_has_written_all_that_it_had() {
    let (registry, clock) = about_to_rotate();
    while !registry.archive().unwrap().is_some_and(|archive| archive.is_written) {
        registry.trail_step().unwrap();
    }
    clock.set_ms(START_MS - 1);
    record(&registry);
    registry.close().unwrap();
    assert_eq!(registry.every_event().unwrap().len(), EVENTS + 1);
}
