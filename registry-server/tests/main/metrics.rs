//! `/metrics`: what it says, to whom, and what it never says.

use std::collections::{BTreeMap, BTreeSet};

use registry_server::wire::secret::Secret;

use crate::client::Response;
use crate::support::Server;

const TOKEN: &str = "a-token-of-the-operator";

/// A page that was read: samples by name and labels, as they stand there.
#[derive(Debug, Default)]
pub(crate) struct Page {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Page {
    /// Fetches and reads the page.
    pub(crate) fn of(server: &Server) -> Self {
        let response = server.get("/metrics").send().is(200);
        assert_eq!(
            response.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        Self::read(&response.text())
    }

    /// Reads a page line by line, and refuses one that is not well-formed.
    fn read(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").expect("the end is marked").lines();
        let mut page = Self::default();
        for line in lines {
            match line.strip_prefix("# ") {
                Some(comment) => page.read_comment(comment),
                None => page.read_sample(line),
            }
        }
        page.check_histograms();
        page
    }

    fn read_comment(&mut self, comment: &str) {
        let (kind, rest) = comment.split_once(' ').unwrap();
        let (name, rest) = rest.split_once(' ').unwrap();
        assert!(is_name(name), "{comment}");
        match kind {
            "HELP" => assert!(!rest.is_empty(), "{comment}"),
            "TYPE" => {
                assert!(["counter", "gauge", "histogram", "info"].contains(&rest), "{comment}");
                let before = self.types.insert(name.to_owned(), rest.to_owned());
                assert_eq!(before, None, "{name} is declared once");
            }
            _ => panic!("{comment}"),
        }
    }

    fn read_sample(&mut self, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        let name = series.split('{').next().unwrap();
        assert!(is_name(name), "{line}");
        let is_declared = self.types.iter().any(|(family, kind)| match kind.as_str() {
            "counter" => name == format!("{family}_total"),
            "info" => name == format!("{family}_info"),
            "histogram" => ["_sum", "_count", "_bucket"].iter().any(|end| name == format!("{family}{end}")),
            _ => name == family,
        });
        assert!(is_declared, "{line}");
        for (label, text) in labels(series) {
            assert!(is_name(label) && !text.contains(['"', '\\']), "{line}");
        }
        assert_eq!(self.samples.insert(series.to_owned(), value), None, "{series} stands once");
    }

    /// Buckets are cumulative, and the last one holds all.
    fn check_histograms(&self) {
        for family in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(family, _)| family) {
            let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for (name, value) in
                self.samples.iter().filter(|(name, _)| is_of(name, &format!("{family}_bucket")))
            {
                let mut labels = labels(name);
                labels.retain(|(label, _)| *label != "le");
                let bound = label(name, "le").unwrap().replace("+Inf", "inf").parse().unwrap();
                series.entry(written(&labels)).or_default().push((bound, *value));
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{family}{labels}: {buckets:?}");
                assert_eq!(
                    buckets.last(),
                    Some(&(f64::INFINITY, self.value(&format!("{family}_count{labels}"))))
                );
            }
        }
    }

    /// The sample of this name and these labels.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.samples))
    }

    /// Every value of a label.
    fn values_of(&self, wanted: &str) -> BTreeSet<&str> {
        self.samples.keys().filter_map(|series| label(series, wanted)).collect()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn is_of(series: &str, name: &str) -> bool {
    series == name || series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
}

fn labels(series: &str) -> Vec<(&str, &str)> {
    let Some((_, labels)) = series.split_once('{') else { return Vec::new() };
    let labels = labels.strip_suffix('}').unwrap().split(',');
    labels
        .map(|label| {
            let (name, text) = label.split_once('=').unwrap();
            (name, text.strip_prefix('"').unwrap().strip_suffix('"').unwrap())
        })
        .collect()
}

fn label<'s>(series: &'s str, wanted: &str) -> Option<&'s str> {
    labels(series).into_iter().find(|(name, _)| *name == wanted).map(|(_, text)| text)
}

fn written(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{text}\"")).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

#[test]
fn every_metric_is_explained() {
    let explained = include_str!("../../../docs/metrics.md");
    let page = Page::of(&Server::start());
    for (family, kind) in &page.types {
        let name = match kind.as_str() {
            "counter" => format!("`{family}_total`"),
            "info" => format!("`{family}_info`"),
            _ => format!("`{family}`"),
        };
        assert!(explained.contains(&name), "{name}");
    }
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "hello");
    server.alice("GET", "/v2/alice/app/manifests/v1").is(200);
    server.alice("GET", "/v2/alice/app/manifests/v2").is(404);
    server.get("/health/instance").send().is(200);
    let page = Page::of(&server);
    let requests = |route, method, status| {
        page.value(&format!(
            "registry_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"
        ))
    };
    assert_eq!(requests("manifests", "PUT", 201), 1.0);
    assert_eq!(requests("manifests", "GET", 200), 1.0);
    assert_eq!(requests("manifests", "GET", 404), 1.0);
    assert_eq!(requests("upload start", "POST", 201), 2.0);
    assert_eq!(requests("health", "GET", 200), 1.0);
    assert_eq!(page.value("registry_request_seconds_count{route=\"manifests\",method=\"GET\"}"), 2.0);
}

#[test]
fn bytes_commits_and_what_is_stored_are_counted() {
    let server = Server::start();
    let before = Page::of(&server);
    let manifest = server.push_image("alice/app", "v1", "hello");
    server.begin("alice/app");
    let pushed = ["config of hello", "layer of hello", &manifest].map(str::len).iter().sum::<usize>() as f64;
    let between = Page::of(&server);
    let sent = |page: &Page| page.value("registry_sent_bytes_total");
    server.alice("GET", "/v2/alice/app/manifests/v1").is(200);
    let page = Page::of(&server);

    assert_eq!(page.value("registry_received_bytes_total"), pushed);
    // Between the two pages went the first of them and the manifest.
    assert!(sent(&page) - sent(&between) > manifest.len() as f64 + 1000.0);
    assert_eq!(page.value("registry_stored_blobs"), 2.0);
    assert_eq!(page.value("registry_stored_blob_bytes"), 29.0);
    assert_eq!(page.value("registry_stored_manifests"), 1.0);
    assert_eq!(page.value("registry_stored_manifest_bytes"), manifest.len() as f64);
    assert_eq!(page.value("registry_open_uploads"), 1.0);
    let commits = |page: &Page| page.value("registry_commit_writes_count");
    assert!(commits(&page) >= commits(&before) + 5.0);
    assert_eq!(page.value("registry_commit_seconds_count"), commits(&page));
    assert!(page.value("registry_connections") >= 1.0, "the one that asks");
    assert_eq!(page.value("process_start_time_seconds"), 1_800_000_000.0);
    for queue in ["metadata lane", "blob lane", "piece lane", "passwords"] {
        assert!(page.value(&format!("registry_running{{queue=\"{queue}\"}}")) < 2.0);
        assert_eq!(page.value(&format!("registry_waiting{{queue=\"{queue}\"}}")), 0.0);
    }
}

#[test]
fn nothing_that_a_client_named_is_ever_said() {
    let server = Server::start();
    server.push_image("alice/classified", "tag-of-hers", "hello");
    for target in [
        "/v2/alice/classified/manifests/tag-of-hers",
        "/v2/alice/classified/tags/list",
        "/v2/alice/unknown/blobs/uploads/",
        "/v2/alice/classified/nothing",
        "/api/v1/repository/alice/classified",
        "/alice/classified",
        "/v2/_catalog?n=classified",
    ] {
        for method in ["GET", "HEAD", "DELETE", "CLASSIFY"] {
            server.request(method, target).user("alice").send();
        }
    }
    server.get("/v2/auth?service=classified&scope=repository:alice/classified:pull").user("bob").send();
    let text = server.get("/metrics").send().is(200).text();
    for name in ["alice", "bob", "classified", "CLASSIFY", "tag-of-hers", "unknown", "sha256"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
    let page = Page::read(&text);
    assert_eq!(page.values_of("method"), ["DELETE", "GET", "HEAD", "POST", "PUT", "other"].into());
    let routes = ["api", "catalog", "manifests", "other", "tags", "token", "upload start"];
    assert!(routes.iter().all(|route| page.values_of("route").contains(route)), "{page:?}");
}

#[test]
fn it_is_shown_to_the_machine_itself_and_to_the_token() {
    let server = Server::with(|setup| setup.options.metrics_token = Some(Secret::new(TOKEN)));
    let elsewhere = || server.get("/metrics").header("X-Forwarded-For", "10.0.0.1");
    server.get("/metrics").send().is(200);
    server.get("/metrics").bearer("another-token-of-his").send().is(200);
    elsewhere().bearer(TOKEN).send().is(200);

    let nowhere = server.get("/metrix").send();
    for refused in [
        elsewhere(),
        elsewhere().bearer("another-token-of-his"),
        elsewhere().bearer(&TOKEN[1..]),
        elsewhere().user("alice"),
        elsewhere().header("Authorization", "Bearer"),
    ] {
        let refused: Response = refused.send().is(404);
        assert_eq!(refused.body, nowhere.body, "as if nothing lay there");
    }
}

#[test]
fn without_a_token_set_none_opens_it() {
    let server = Server::start();
    server.get("/metrics").header("Via", "1.1 proxy").bearer("").send().is(404);
    server.get("/metrics").header("Forwarded", "for=10.0.0.1").bearer(TOKEN).send().is(404);
}
