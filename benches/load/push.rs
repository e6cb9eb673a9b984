//! Pushes, in the order of requests that clients use: HEAD, POST, PATCH, PUT for each blob, then the manifest.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::http::{Connection, Target};
use crate::measure::{Latencies, on_threads};

/// Layers of an image, and the bytes of each.
const LAYERS: u64 = 5;
const LAYER_BYTES: usize = 200_000;
/// How much of a large blob is handed to the socket at once.
const PIECE_BYTES: usize = 1 << 20;

/// Pushes distinct small images for `lasting`, one at least, each of `connections` into a repository of its own below `prefix`, and
/// tells how many and how long they took. `seed` makes the images of one run differ from those of another.
///
/// # Errors
/// Whatever a connection fails with.
pub(crate) fn images(
    target: &Target,
    prefix: &str,
    connections: usize,
    lasting: Duration,
    seed: u64,
) -> io::Result<Value> {
    let start = Instant::now();
    let next = AtomicU64::new(0);
    let noise = noise(LAYER_BYTES, seed);
    let measured = on_threads(connections, |number| {
        let mut pusher = Pusher {
            connection: Connection::open(target)?,
            repository: format!("{prefix}{number}"),
            layer: noise.clone(),
        };
        let mut latencies = Latencies::default();
        loop {
            let image = next.fetch_add(1, Ordering::Relaxed);
            latencies.time(|| pusher.push_image(seed, image))?;
            if start.elapsed() >= lasting {
                break;
            }
        }
        Ok(latencies)
    })?;
    let latencies: Latencies = measured.into_iter().sum();
    Ok(latencies.report(start.elapsed()))
}

/// Pushes one blob of `bytes` over one connection and tells how long it took, from the first request to the last answer.
///
/// # Errors
/// Whatever the connection fails with.
pub(crate) fn blob(target: &Target, repository: &str, bytes: u64, seed: u64) -> io::Result<Value> {
    let blob = Blob::new(bytes, seed);
    let mut connection = Connection::open(target)?;
    let start = Instant::now();
    blob.push(&mut connection, repository)?;
    Ok(json!({ "bytes": bytes, "seconds": start.elapsed().as_secs_f64(), "digest": blob.digest }))
}

/// A blob of any size, made of one piece repeated.
#[derive(Debug)]
pub(crate) struct Blob {
    piece: Vec<u8>,
    bytes: u64,
    digest: String,
}

impl Blob {
    /// A blob of `bytes` that differs by `seed`, with its digest.
    pub(crate) fn new(bytes: u64, seed: u64) -> Self {
        let mut blob = Self { piece: noise(PIECE_BYTES, seed), bytes, digest: String::new() };
        let mut hasher = Sha256::new();
        blob.pieces().for_each(|piece| hasher.update(piece));
        blob.digest = named(hasher);
        blob
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let whole = self.bytes / PIECE_BYTES as u64;
        let rest = usize::try_from(self.bytes % PIECE_BYTES as u64).expect("invariant: less than a piece");
        let pieces = (0..whole).map(|_| &self.piece[..]);
        pieces.chain(std::iter::once(&self.piece[..rest]).filter(|rest| !rest.is_empty()))
    }

    /// Uploads it whole: POST, PATCH, PUT.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub(crate) fn push(&self, connection: &mut Connection, repository: &str) -> io::Result<()> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let upload = location(connection.exchange("POST", &path, &[])?.expect(202)?)?;
        connection.send_head("PATCH", &upload, self.bytes)?;
        for piece in self.pieces() {
            connection.send(piece)?;
        }
        let answer = connection.receive_head()?;
        connection.discard(answer.length)?;
        let upload = location(answer.expect(202)?)?;
        connection.exchange("PUT", &with_digest(&upload, &self.digest), &[])?.expect(201).map(drop)
    }
}

struct Pusher {
    connection: Connection,
    repository: String,
    layer: Vec<u8>,
}

impl Pusher {
    fn push_image(&mut self, seed: u64, image: u64) -> io::Result<()> {
        let mut layers = Vec::new();
        for layer in 0..LAYERS {
            let mut bytes = std::mem::take(&mut self.layer);
            bytes[..8].copy_from_slice(&image.to_be_bytes());
            bytes[8..16].copy_from_slice(&layer.to_be_bytes());
            let pushed = self.push_blob(&bytes);
            self.layer = bytes;
            layers.push(pushed?);
        }
        let config = json!({ "architecture": "amd64", "os": "linux", "created": format!("{seed}-{image}"),
            "rootfs": { "type": "layers", "diff_ids": layers } });
        let config_bytes = config.to_string().into_bytes();
        let config = self.push_blob(&config_bytes)?;
        let layer_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<_> = layers
            .iter()
            .map(|digest| json!({ "mediaType": layer_type, "digest": digest, "size": LAYER_BYTES }))
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config,
                "size": config_bytes.len() },
            "layers": layers,
        });
        let path = format!("/v2/{}/manifests/v{image}", self.repository);
        self.connection.exchange("PUT", &path, manifest.to_string().as_bytes())?.expect(201).map(drop)
    }

    /// Pushes a blob and gives its digest.
    fn push_blob(&mut self, bytes: &[u8]) -> io::Result<String> {
        let digest = named(Sha256::new().chain_update(bytes));
        let blobs = format!("/v2/{}/blobs/", self.repository);
        self.connection.exchange("HEAD", &format!("{blobs}{digest}"), &[])?.expect(404)?;
        let answer = self.connection.exchange("POST", &format!("{blobs}uploads/"), &[])?;
        let upload = location(answer.expect(202)?)?;
        let upload = location(self.connection.exchange("PATCH", &upload, bytes)?.expect(202)?)?;
        self.connection.exchange("PUT", &with_digest(&upload, &digest), &[])?.expect(201)?;
        Ok(digest)
    }
}

/// Bytes that do not compress and that differ by `seed`.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = Sha256::digest(seed.to_be_bytes());
    while bytes.len() < length {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes.truncate(length);
    bytes
}

fn named(hasher: Sha256) -> String {
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn location(answer: crate::http::Answer) -> io::Result<String> {
    answer.location.ok_or_else(|| io::Error::other("an upload without a Location"))
}

fn with_digest(upload: &str, digest: &str) -> String {
    let joint = if upload.contains('?') { '&' } else { '?' };
    format!("{upload}{joint}digest={digest}")
}
