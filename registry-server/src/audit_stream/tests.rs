//! Facts about the lines that are written, and about what goes wrong with them.

use registry_core::{Actor, Observed, Settings};

use super::*;

struct Site {
    directory: tempfile::TempDir,
    registry: Registry,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open(&directory.path().join("data"), Settings::default()).unwrap();
        Self { directory, registry }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&self) -> Streaming {
        Streaming::start(&self.registry, AuditStream::File(self.path("audit.jsonl"))).unwrap()
    }

    fn record(&self, kind: &str) {
        self.registry.record_event(Observed {
            kind: kind.to_owned(),
            actor: Actor::Anonymous,
            credential: None,
            namespace: None,
            repository: None,
            metadata: "{}".into(),
        });
        self.registry.run_trail().unwrap();
    }

    /// The kinds in a file, once there are so many lines.
    fn kinds(&self, name: &str, count: usize) -> Vec<String> {
        loop {
            let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
            if text.matches('\n').count() >= count {
                let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["kind"].clone();
                return text.lines().map(|line| kind(line).as_str().unwrap().to_owned()).collect();
            }
        }
    }
}

#[test]
fn a_file_that_is_moved_away_is_left_and_a_new_one_is_begun() {
    let site = Site::new();
    let streaming = site.start();
    site.record("first");
    assert_eq!(site.kinds("audit.jsonl", 1), ["first"]);
    #[expect(clippy::disallowed_methods, reason = "what rotates logs moves them")]
    std::fs::rename(site.path("audit.jsonl"), site.path("audit.jsonl.1")).unwrap();
    site.record("second");
    assert_eq!(site.kinds("audit.jsonl", 1), ["second"]);
    assert_eq!(site.kinds("audit.jsonl.1", 1), ["first"]);
    site.record("third");
    site.registry.close().unwrap();
    streaming.finish();
    assert_eq!(site.kinds("audit.jsonl", 2), ["second", "third"], "all is written at the stop");
    let again = Site::start(&site);
    again.finish();
    assert_eq!(site.kinds("audit.jsonl", 2), ["second", "third"], "a start appends");
}

#[test]
fn a_line_has_the_id_of_its_event() {
    let site = Site::new();
    let streaming = site.start();
    site.record("first");
    site.registry.close().unwrap();
    streaming.finish();
    let text = std::fs::read_to_string(site.path("audit.jsonl")).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    assert!(line["id"].as_u64().is_some() && line["datetime"].is_string(), "{line}");
}

/// Fails as a full disk does.
fn full() -> Sink {
    let device = PathBuf::from("/dev/full");
    #[expect(clippy::disallowed_methods, reason = "a device that is always full")]
    let file = OpenOptions::new().append(true).open(&device).unwrap();
    Sink::File(device, file)
}

#[test]
fn what_a_full_disk_does_not_take_is_counted_where_it_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let mut writer = Writer { sink: full(), missed: 0, is_cut: false };
    let event = || Streamed::Event(Box::default());
    writer.take(&event());
    writer.take(&Streamed::Missed(5));
    writer.take(&event());
    writer.sink = Sink::open(AuditStream::File(path.clone())).unwrap();
    writer.take(&event());
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((lines.len(), &lines[0]), (2, &json!({ "missed": 7 })));
    assert_eq!(lines[1]["id"], 0);
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_start() {
    let site = Site::new();
    let refused = Streaming::start(&site.registry, AuditStream::File(site.path("no/such/directory")));
    assert!(refused.unwrap_err().to_string().starts_with("AUDIT_STREAM: "));
}
