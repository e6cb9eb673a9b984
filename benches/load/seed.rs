//! Filling a data directory before a server runs on it: many repositories, and many tags in one of them.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Instant;

use registry_core::oci::{Algorithm, Manifest, NamespaceName, Reference, RepositoryName, Tag};
use registry_core::{Actor, Registry, Settings};
use serde_json::{Value, json};

use crate::measure::on_threads;

/// As many threads as fit into one commit.
const THREADS: usize = 256;
/// Tags that one push sets.
const TAGS_AT_ONCE: usize = 64;

/// Puts `count` repositories into `namespace`, and a repository `tags` with `count` tags; tells how long it took.
///
/// # Errors
/// Whatever the registry refuses.
pub(crate) fn fill(data: &Path, namespace: &str, count: usize) -> Result<Value, Box<dyn Error>> {
    let start = Instant::now();
    let filler =
        Filler { registry: Registry::open(data, Settings::default())?, namespace: namespace.parse()?, count };
    on_threads(THREADS, |thread| filler.add_repositories(thread).map_err(io::Error::other))?;
    let repositories_seconds = start.elapsed().as_secs_f64();
    on_threads(THREADS, |thread| filler.add_tags(thread).map_err(io::Error::other))?;
    filler.registry.close()?;
    Ok(json!({ "repositories_seconds": repositories_seconds, "seconds": start.elapsed().as_secs_f64() }))
}

struct Filler {
    registry: Registry,
    namespace: NamespaceName,
    count: usize,
}

type Filled = Result<(), Box<dyn Error + Send + Sync>>;

impl Filler {
    fn add_repositories(&self, thread: usize) -> Filled {
        let tag: Tag = "latest".parse()?;
        for number in (thread..self.count).step_by(THREADS) {
            self.push(&format!("r{number:07}"), std::slice::from_ref(&tag))?;
        }
        Ok(())
    }

    fn add_tags(&self, thread: usize) -> Filled {
        for first in (thread * TAGS_AT_ONCE..self.count).step_by(THREADS * TAGS_AT_ONCE) {
            let numbers = first..self.count.min(first + TAGS_AT_ONCE);
            let tags: Result<Vec<Tag>, _> = numbers.map(|number| format!("t{number:07}").parse()).collect();
            self.push("tags", &tags?)?;
        }
        Ok(())
    }

    /// Pushes an index that lists nothing.
    fn push(&self, path: &str, tags: &[Tag]) -> Filled {
        let json =
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let index = Manifest::parse(json.to_vec().into(), None)?;
        let reference = Reference::Digest(index.digest(Algorithm::Sha256));
        let name = RepositoryName::parse(&format!("{}/{path}", self.namespace), &self.namespace)?;
        self.registry.put_manifest(&Actor::Owner, &name, &reference, tags, &index, None)?;
        Ok(())
    }
}
