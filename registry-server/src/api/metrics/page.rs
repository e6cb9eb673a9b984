//! The numbers as text. A label says a route, a method, a status or a part of the server, and never anything that a
//! client named.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use registry_core::statistics::{Distribution, Statistics, Stored};

use crate::app::App;
use crate::metrics::Answered;

const NANOS_PER_SECOND: f64 = 1e9;

/// Writes the page; without `stored` the numbers that need storage are left out.
pub(super) fn of(app: Arc<App>, stored: Option<Stored>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Numbers { app, stored }));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// Everything that is on the page.
#[derive(Debug)]
struct Numbers {
    app: Arc<App>,
    stored: Option<Stored>,
}

impl Collector for Numbers {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.process(&self.app)?;
        page.requests(&self.app.metrics.requests.answered())?;
        page.traffic(&self.app)?;
        page.queues(&self.app)?;
        page.registry(&self.app.registry.statistics())?;
        self.stored.map_or(Ok(()), |stored| page.stored(&stored))
    }
}

/// The page as far as it is written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn process(&mut self, app: &App) -> fmt::Result {
        let started = app.metrics.started_ms as f64 / 1000.0;
        self.gauge("process_start_time_seconds", "When the server started, since the Unix epoch", started)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        self.0
            .encode_descriptor("registry_build", "The version of the server", None, MetricType::Info)?
            .encode_info(&version)
    }

    fn requests(&mut self, answered: &[Answered]) -> fmt::Result {
        let help = "Requests that were answered";
        let mut family = self.0.encode_descriptor("registry_requests", help, None, MetricType::Counter)?;
        for of in answered {
            for (status, count) in &of.statuses {
                let status = status.to_string();
                let labels = [("route", of.route.name()), ("method", of.method), ("status", &status)];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let help = "From a request's head to the head of its answer: with the receipt of an upload";
        let mut family =
            self.0.encode_descriptor("registry_request_seconds", help, None, MetricType::Histogram)?;
        for of in answered {
            let labels = [("route", of.route.name()), ("method", of.method)];
            encode(family.encode_family(&labels)?, &of.nanos, NANOS_PER_SECOND)?;
        }
        Ok(())
    }

    fn traffic(&mut self, app: &App) -> fmt::Result {
        let traffic = &app.metrics.traffic;
        self.counter("registry_received_bytes", "Bytes of requests' bodies", traffic.received_bytes())?;
        self.counter("registry_sent_bytes", "Bytes of answers' bodies", traffic.sent_bytes())?;
        self.gauge("registry_connections", "Connections that are open", traffic.open())?;
        let resting = u64::try_from(traffic.resting()).unwrap_or(u64::MAX);
        self.gauge("registry_connections_resting", "Connections that hold no buffers", resting)?;
        self.counter("registry_connections_accepted", "Connections that were let in", traffic.accepted())
    }

    fn queues(&mut self, app: &App) -> fmt::Result {
        let (lanes, passwords) = (&app.lanes, &app.auth.passwords);
        let (requests, uploads) = (app.admission.requests(), app.admission.uploads());
        let queues = [
            ("requests", requests.inside, requests.waiting),
            ("uploads", uploads.inside, uploads.waiting),
            ("passwords", passwords.running(), passwords.waiting()),
            ("metadata lane", lanes.metadata.running(), lanes.metadata.waiting()),
            ("blob lane", lanes.blobs.running(), lanes.blobs.waiting()),
            ("piece lane", lanes.pieces.running(), lanes.pieces.waiting()),
        ];
        let running = queues.map(|(queue, running, _)| (queue, running));
        let waiting = queues.map(|(queue, _, waiting)| (queue, waiting));
        self.gauges("registry_running", "What is being done", &running)?;
        self.gauges("registry_waiting", "What waits to be done", &waiting)?;
        let help = "What was refused, since its client or all together had too much under way";
        let mut family = self.0.encode_descriptor("registry_refused", help, None, MetricType::Counter)?;
        let connections = app.metrics.traffic.refused();
        for (limit, refused) in
            [("requests", requests.refused), ("uploads", uploads.refused), ("connections", connections)]
        {
            family
                .encode_family(&[("limit", limit)])?
                .encode_counter::<NoLabelSet, _, u64>(&refused, None)?;
        }
        Ok(())
    }

    fn registry(&mut self, did: &Statistics) -> fmt::Result {
        self.gauge(
            "registry_writes_waiting",
            "Writes that wait for their turn or their commit",
            did.waiting_writes,
        )?;
        let help = "Writes that a durable commit made durable";
        self.histogram("registry_commit_writes", help, &did.commit_writes, 1.0)?;
        let help = "How long a durable commit took";
        self.histogram("registry_commit_seconds", help, &did.commit_nanos, NANOS_PER_SECOND)?;
        let help = "How often the metadata file was reopened after a failure";
        self.counter("registry_reopenings", help, did.reopenings)?;
        let help = "How often a named blob was found absent or of the wrong length";
        self.counter("registry_missing_blobs", help, did.missing_blobs)?;
        let help = "1 while the clock is doubted, since it jumped ahead";
        self.gauge("registry_clock_doubted", help, u64::from(did.doubts_clock))?;
        self.gauge("registry_open_blobs", "Blobs that are kept open", did.open_blobs.entries as u64)?;
        let help = "Reads of blobs that found them open";
        self.counter("registry_open_blob_hits", help, did.open_blobs.hits)?;
        let help = "Reads of blobs that had to open a file";
        self.counter("registry_open_blob_misses", help, did.open_blobs.misses)
    }

    fn stored(&mut self, stored: &Stored) -> fmt::Result {
        let help = "Blobs that are linked, each once";
        self.gauge("registry_stored_blobs", help, stored.blobs)?;
        self.gauge("registry_stored_blob_bytes", "Their bytes", stored.blob_bytes)?;
        self.gauge("registry_stored_manifests", "Manifests, each once", stored.manifests)?;
        self.gauge("registry_stored_manifest_bytes", "Their bytes", stored.manifest_bytes)?;
        let help = "Upload sessions that have neither ended nor expired";
        self.gauge("registry_open_uploads", help, stored.open_uploads)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge for each queue, in the given order.
    fn gauges(&mut self, name: &str, help: &str, values: &[(&str, usize)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (queue, value) in values {
            family.encode_family(&[("queue", *queue)])?.encode_gauge(value)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut counter = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn histogram(&mut self, name: &str, help: &str, of: &Distribution, per_unit: f64) -> fmt::Result {
        encode(self.0.encode_descriptor(name, help, None, MetricType::Histogram)?, of, per_unit)
    }
}

/// Writes the buckets, whose bounds and sum are divided by `per_unit`.
fn encode(mut metric: MetricEncoder<'_>, of: &Distribution, per_unit: f64) -> fmt::Result {
    let last = (f64::INFINITY, of.above);
    let buckets: Vec<(f64, u64)> = of
        .buckets
        .iter()
        .map(|(bound, count)| (*bound as f64 / per_unit, *count))
        .chain(std::iter::once(last))
        .collect();
    metric.encode_histogram::<NoLabelSet>(of.sum as f64 / per_unit, of.count(), &buckets, None)
}
