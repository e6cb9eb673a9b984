//! How old days go to files.

use super::*;

#[test]
fn days_that_are_old_leave_the_log_for_files() {
    let site = Site::new();
    site.put(AT, "v1", &index(&[])).unwrap();
    site.clock.advance_ms(31 * DAY_MS);
    site.put(AT, "v2", &index(&[])).unwrap();
    let all = kept(&site.registry);
    assert_eq!(kinds(&site.registry, &everything()), ["push_repo"], "the old ones are in a file");
    assert_eq!(kept(&site.registry), all);
    let counts = site.registry.event_counts(&everything()).unwrap();
    assert_eq!(counts.iter().map(|count| count.count).collect::<Vec<_>>(), [1]);
    site.settle();
}

#[test]
fn a_day_leaves_the_log_once_all_of_it_is_old() {
    let site = Site::with(Settings { trail_age_ms: DAY_MS, ..Settings::default() });
    site.put(AT, "v1", &index(&[])).unwrap();
    let rest_of_day_ms = DAY_MS - START_MS % DAY_MS;
    site.clock.advance_ms(rest_of_day_ms + DAY_MS - 1);
    assert_eq!(kinds(&site.registry, &everything()).len(), 3);
    site.clock.advance_ms(1);
    assert_eq!(kinds(&site.registry, &everything()).len(), 0);
}

#[test]
fn a_log_that_is_too_large_gives_up_its_oldest_events() {
    let site = Site::with(Settings { trail_limit_bytes: 100_000, ..Settings::default() });
    for number in 0..1500 {
        site.clock.advance_ms(1);
        site.registry.record_pull(&pull_of(Actor::Anonymous, &format!("acme/app{number}")));
    }
    let left = events(&site.registry, &everything());
    assert!((300..1500).contains(&left.len()), "{}", left.len());
    assert_eq!(left.last().unwrap().time_ms, START_MS + 1500, "the latest stay");
    assert_eq!(count(&site.registry, "pull_repo"), 1500);
    site.settle();
}

#[test]
fn what_comes_late_for_its_day_is_kept_in_another_file_of_it() {
    let site = Site::with(Settings { trail_age_ms: 0, ..Settings::default() });
    for _ in 0..2 {
        site.clock.set_ms(START_MS);
        site.registry.record_pull(&pull_of(OWNER, AT));
        site.clock.advance_ms(2 * DAY_MS);
        assert_eq!(kinds(&site.registry, &everything()).len(), 0);
    }
    assert_eq!(count(&site.registry, "pull_repo"), 2);
}
