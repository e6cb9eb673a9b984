//! Numbers about a registry, for whoever watches it. Counting takes no lock; nothing here knows of a metrics library.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::content::OpenBlobCounts;

/// Counts observations by fixed upper bounds: one atomic addition for the bucket and one for the sum.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram with these upper bounds, ascending and inclusive, in the unit of what will be observed.
    pub const fn new(bounds: &'static [u64; N]) -> Self {
        let counts = [const { AtomicU64::new(0) }; N];
        Self { bounds, counts, above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        bucket.map_or(&self.above, |bucket| &self.counts[bucket]).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What was counted so far. While others observe, the sum may be some observations ahead of the buckets or behind.
    pub fn distribution(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Distribution {
            buckets: self.bounds.iter().copied().zip(counts).collect(),
            above: self.above.load(Ordering::Relaxed),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// What a [`Histogram`] counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bounds with the number of observations above the bound before and up to this one.
    pub buckets: Vec<(u64, u64)>,
    /// Observations above the last bound.
    pub above: u64,
    /// All observations added up.
    pub sum: u64,
}

impl Distribution {
    /// The number of observations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.above
    }
}

/// What a registry holds. Exact: the numbers change in the transactions that change the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Blobs that some repository links, each once, whoever linked it.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Manifests, each once.
    pub manifests: u64,
    /// Their bytes, in records and, above 64 KiB, in files.
    pub manifest_bytes: u64,
    /// Upload sessions that have neither ended nor expired.
    pub open_uploads: u64,
}

/// What a registry did since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Writes that wait: for their turn, or for the commit of the batch they joined.
    pub waiting_writes: u64,
    /// How many writes each durable commit made durable.
    pub commit_writes: Distribution,
    /// How long each durable commit took, in nanoseconds.
    pub commit_nanos: Distribution,
    /// How often the metadata file was reopened after a failure.
    pub reopenings: u64,
    /// Whether the clock jumped ahead, so that nothing ends by time until it is accepted.
    pub doubts_clock: bool,
    /// How often a blob that rows name was found absent or of the wrong length.
    pub missing_blobs: u64,
    /// The cache of open blobs.
    pub open_blobs: OpenBlobCounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_and_including_a_bound() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, 1000] {
            histogram.observe(value);
        }
        let counted = histogram.distribution();
        assert_eq!(counted, Distribution { buckets: vec![(10, 2), (20, 2)], above: 2, sum: 1062 });
        assert_eq!(counted.count(), 6);
    }
}
