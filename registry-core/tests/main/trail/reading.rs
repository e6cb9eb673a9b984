//! How the trail is listed and counted.

use super::*;

/// Pulls at one time each, of two repositories by two users in turn.
fn pulled(count: u64) -> Site {
    let site = Site::new();
    let users = [site.user("alice"), site.user("bob")];
    let at = ["alice/one", "alice/two"];
    at.iter().for_each(|at| site.registry.create_repository(&OWNER, &name(at), false).unwrap());
    for number in 0..count {
        site.clock.advance_ms(1000);
        let number = usize::try_from(number).unwrap();
        site.registry.record_pull(&pull_of(users[number / 2 % 2].clone(), at[number % 2]));
        site.registry.run_background().unwrap();
    }
    site
}

#[test]
fn events_are_listed_by_namespace_repository_and_performer() {
    let site = pulled(8);
    let counted = |query| {
        let events = events(&site.registry, &query);
        events.iter().filter(|event| event.kind == "pull_repo").count()
    };
    assert_eq!(counted(everything()), 8);
    assert_eq!(counted(in_namespace("alice")), 8);
    assert_eq!(counted(in_namespace("bob")), 0);
    assert_eq!(counted(in_repository("alice/one")), 4);
    assert_eq!(counted(by("bob", everything())), 4);
    assert_eq!(counted(by("bob", in_namespace("alice"))), 4);
    assert_eq!(counted(by("bob", in_repository("alice/two"))), 2);
    for unknown in [in_namespace("nobody"), in_repository("alice/none"), by("nobody", everything())] {
        assert_eq!(counted(unknown), 0);
    }
}

#[test]
fn pages_are_newest_first_within_a_range_and_leave_nothing_out() {
    let site = pulled(10);
    let range = EventQuery { from_ms: START_MS + 2000, until_ms: START_MS + 9000, ..in_namespace("alice") };
    let (mut times, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = site.registry.events(&range, cursor, 3).unwrap();
        times.extend(page.events.iter().map(|event| (event.time_ms - START_MS) / 1000));
        pages += 1;
        let Some(next) = page.next else { break };
        cursor = EventCursor::parse(&next.to_string());
    }
    assert_eq!((times, pages), (vec![8, 7, 6, 5, 4, 3, 2], 3));
}

#[test]
fn a_page_that_ends_with_the_range_has_no_next_one() {
    let site = pulled(4);
    let range = EventQuery { from_ms: START_MS + 3000, ..everything() };
    let page = site.registry.events(&range, None, 2).unwrap();
    assert_eq!((page.events.len(), page.next), (2, None));
}

#[test]
fn counts_are_those_of_kinds_on_days() {
    let site = pulled(3);
    site.clock.advance_ms(DAY_MS);
    site.registry.record_pull(&pull_of(OWNER, "alice/one"));
    site.registry.run_background().unwrap();
    let day_ms = START_MS / DAY_MS * DAY_MS;
    let counted = |day_ms, kind: &str, count| EventCount { day_ms, kind: kind.into(), count };
    let first = [
        counted(day_ms, "create_repo", 2),
        counted(day_ms, "pull_repo", 3),
        counted(day_ms, "user_create", 1),
    ];
    let next = counted(day_ms + DAY_MS, "pull_repo", 1);
    let alice = in_namespace("alice");
    let counts = |query: &EventQuery| site.registry.event_counts(query).unwrap();
    assert_eq!(counts(&alice), [&first[..], std::slice::from_ref(&next)].concat());
    assert_eq!(counts(&EventQuery { until_ms: day_ms + DAY_MS, ..alice.clone() }), first);
    assert_eq!(counts(&EventQuery { from_ms: day_ms + DAY_MS, ..alice.clone() }), [next]);
    assert_eq!(counts(&EventQuery { from_ms: 1, until_ms: 1, ..alice }), []);
    assert_eq!(counts(&by("bob", in_repository("alice/one"))), [counted(day_ms, "pull_repo", 1)]);
}
