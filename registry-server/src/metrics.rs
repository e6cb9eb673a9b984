//! What the server counts of its requests, and where it keeps what others count.
//!
//! Counting a request is three atomic additions behind an index made of route and method: no lock, no hash, no text.
//! Nothing here knows a name that a client sent.

mod route;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::{Method, StatusCode};
use registry_core::statistics::{Distribution, Histogram};

pub use self::route::Route;
use crate::listener::Traffic;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
/// From an answer out of memory to the end of a large upload.
const LATENCIES: [u64; 16] = [
    100 * MICROSECOND,
    250 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2_500 * MICROSECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    1_000 * MILLISECOND,
    2_500 * MILLISECOND,
    10_000 * MILLISECOND,
    60_000 * MILLISECOND,
];

/// The methods that are told apart; the last stands for all others.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
/// Statuses have three digits and begin with 100.
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;

/// The numbers of one server.
#[derive(Debug)]
pub struct Metrics {
    /// Requests that were answered.
    pub requests: Requests,
    /// What went over the connections.
    pub traffic: Arc<Traffic>,
    /// When the server was made, in milliseconds since the Unix epoch.
    pub started_ms: u64,
}

impl Metrics {
    /// With nothing counted yet, for a server that begins at this time.
    pub fn new(started_ms: u64) -> Self {
        Self { requests: Requests::default(), traffic: Arc::default(), started_ms }
    }
}

/// Requests that were answered, by route, method and status.
#[derive(Debug, Default)]
pub struct Requests([[OnceLock<Box<Counts>>; METHODS.len()]; Route::ALL.len()]);

/// Those of one route and method. Made when the first is answered: most pairs never occur.
#[derive(Debug)]
struct Counts {
    statuses: [AtomicU64; STATUSES],
    nanos: Histogram<{ LATENCIES.len() }>,
}

/// What is known of the requests of one route and method.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The pattern of the paths.
    pub route: Route,
    /// The method, or `other`.
    pub method: &'static str,
    /// Statuses that were answered and how often.
    pub statuses: Vec<(u16, u64)>,
    /// From the request's head to the head of its answer, in nanoseconds.
    pub nanos: Distribution,
}

/// A method by its place among those that are told apart.
#[derive(Clone, Copy, Debug)]
pub struct MethodIndex(usize);

impl From<&Method> for MethodIndex {
    fn from(method: &Method) -> Self {
        let known = METHODS.iter().position(|name| *name == method.as_str());
        Self(known.unwrap_or(METHODS.len() - 1))
    }
}

impl Requests {
    /// Counts a request whose answer's head is ready.
    pub fn count(&self, route: Route, method: MethodIndex, status: StatusCode, took: Duration) {
        let counts = self.0[route as usize][method.0].get_or_init(Box::default);
        if let Some(count) = counts.statuses.get(usize::from(status.as_u16() - FIRST_STATUS)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        counts.nanos.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Every route and method that was asked for.
    pub fn answered(&self) -> Vec<Answered> {
        let pairs = Route::ALL.into_iter().zip(&self.0).flat_map(|(route, methods)| {
            METHODS.into_iter().zip(methods).map(move |(method, counts)| (route, method, counts))
        });
        pairs
            .filter_map(|(route, method, counts)| {
                let counts = counts.get()?;
                let nanos = counts.nanos.distribution();
                Some(Answered { route, method, statuses: counts.statuses(), nanos })
            })
            .collect()
    }
}

impl Counts {
    fn statuses(&self) -> Vec<(u16, u64)> {
        let counts = self.statuses.iter().map(|count| count.load(Ordering::Relaxed));
        (FIRST_STATUS..).zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self { statuses: [const { AtomicU64::new(0) }; STATUSES], nanos: Histogram::new(&LATENCIES) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_route_method_and_status() {
        let requests = Requests::default();
        let answer = |route, method: &Method, status, micros| {
            requests.count(route, method.into(), status, Duration::from_micros(micros));
        };
        answer(Route::Manifests, &Method::GET, StatusCode::OK, 90);
        answer(Route::Manifests, &Method::GET, StatusCode::OK, 300);
        answer(Route::Manifests, &Method::GET, StatusCode::NOT_FOUND, 300);
        answer(Route::Blobs, &Method::OPTIONS, StatusCode::METHOD_NOT_ALLOWED, 1);
        let [blobs, manifests] = requests.answered().try_into().unwrap();
        assert_eq!((blobs.route, blobs.method, blobs.statuses), (Route::Blobs, "other", vec![(405, 1)]));
        assert_eq!((manifests.route, manifests.method), (Route::Manifests, "GET"));
        assert_eq!(manifests.statuses, vec![(200, 2), (404, 1)]);
        assert_eq!(manifests.nanos.buckets[..3], [(100_000, 1), (250_000, 0), (500_000, 2)]);
        assert_eq!(manifests.nanos.sum, 690_000);
    }

    #[test]
    fn a_status_of_any_number_is_counted_or_passed_over() {
        let requests = Requests::default();
        for status in [100, 599, 600, 999] {
            let status = StatusCode::from_u16(status).unwrap();
            requests.count(Route::Other, (&Method::GET).into(), status, Duration::ZERO);
        }
        assert_eq!(requests.answered()[0].statuses, [(100, 1), (599, 1)]);
    }
}
