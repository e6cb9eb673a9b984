//! The real process, killed in the middle of pushes, again and again: nothing that was acknowledged is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use registry_core::{Registry, Settings};

use crate::client::{Request, Response};
use crate::support::{OCTETS, add_user, image, sha256};

const PUSHERS: usize = 64;
const KILLS: usize = 20;

/// The server as a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_registry-server"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").map(str::parse);
        Self { child, address: address.unwrap_or_else(|| panic!("{line}")).unwrap() }
    }

    /// SIGKILL: the process ends between two instructions.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one pusher knows of its repository. What was asked for and not answered may have happened or not: then both
/// are possible.
#[derive(Default)]
struct Pusher {
    name: String,
    steps: usize,
    /// Content by digest.
    blobs: BTreeMap<String, Vec<u8>>,
    /// Digests that another repository was acknowledged to have by a mount.
    mounted: BTreeSet<String>,
    /// By digest: the content, and whether it may be there and may be gone.
    manifests: BTreeMap<String, (String, BTreeSet<bool>)>,
    /// What each tag may point at.
    tags: BTreeMap<String, BTreeSet<Option<String>>>,
}

impl Pusher {
    fn new(at: usize) -> Self {
        Self { name: format!("alice/pusher-{at}"), ..Self::default() }
    }

    /// Pushes until a request gets no answer; tells of each that does.
    fn push(&mut self, address: SocketAddr, acknowledged: &Sender<()>) {
        while self.step(address).is_some() {
            // Nobody listens any more once the kill is under way.
            let _ = acknowledged.send(());
        }
    }

    /// One push, mount or deletion; `None` if the server is gone.
    fn step(&mut self, address: SocketAddr) -> Option<()> {
        self.steps += 1;
        match self.steps % 6 {
            1 => self.push_blob(address, format!("config {} of {}", self.steps, self.name).into()),
            // The same content comes from several pushers at once.
            2 => self.push_blob(address, vec![b's'; 20_000 + self.steps]),
            3 => self.push_blob(address, format!("{:>60000}", self.steps).repeat(5).into()),
            4 => self.mount(address),
            5 => self.push_manifest(address),
            _ => self.delete_some(address),
        }
    }

    /// In one request, or in a session of two chunks.
    fn push_blob(&mut self, address: SocketAddr, content: Vec<u8>) -> Option<()> {
        let digest = sha256(&content);
        let begin = format!("/v2/{}/blobs/uploads/", self.name);
        if self.steps.is_multiple_of(2) {
            send(address, "POST", &format!("{begin}?digest={digest}"), Some(&content))?.is(201);
        } else {
            let begun = send(address, "POST", &begin, Some(b""))?.is(202);
            let upload = begun.header("location").unwrap().to_owned();
            let (first, last) = content.split_at(content.len() / 2);
            send(address, "PATCH", &upload, Some(first))?.is(202);
            send(address, "PUT", &format!("{upload}?digest={digest}"), Some(last))?.is(201);
        }
        self.blobs.insert(digest, content);
        Some(())
    }

    fn mount(&mut self, address: SocketAddr) -> Option<()> {
        let Some(digest) = self.blobs.keys().next_back().cloned() else { return Some(()) };
        let mount = format!("/v2/{}/mounted/blobs/uploads/?mount={digest}&from={}", self.name, self.name);
        send(address, "POST", &mount, Some(b""))?.is(201);
        self.mounted.insert(digest);
        Some(())
    }

    /// Every manifest is another one, so that nothing brings a deleted one back.
    fn push_manifest(&mut self, address: SocketAddr) -> Option<()> {
        let contents: Vec<_> =
            self.blobs.values().take(5).filter_map(|bytes| std::str::from_utf8(bytes).ok()).collect();
        let Some((config, layers)) = contents.split_first() else { return Some(()) };
        let mut manifest = image(config, layers);
        manifest["annotations"] = serde_json::json!({ "step": self.steps.to_string() });
        let (manifest, tag) = (manifest.to_string(), format!("v{}", self.steps % 4));
        let digest = sha256(&manifest);
        let states = self.tags.entry(tag.clone()).or_insert_with(|| [None].into());
        states.insert(Some(digest.clone()));
        self.manifests.insert(digest.clone(), (manifest.clone(), [true, false].into()));
        let target = format!("/v2/{}/manifests/{tag}", self.name);
        send(address, "PUT", &target, Some(manifest.as_bytes()))?.is(201);
        self.tags.insert(tag, [Some(digest.clone())].into());
        self.manifests.insert(digest, (manifest, [true].into()));
        Some(())
    }

    /// Deletes the manifest that a tag is known to point at.
    fn delete_some(&mut self, address: SocketAddr) -> Option<()> {
        let known = self.tags.iter().find_map(|(tag, states)| match states.first() {
            Some(Some(digest)) if states.len() == 1 => Some((tag.clone(), digest.clone())),
            _ => None,
        });
        let Some((tag, digest)) = known else { return Some(()) };
        self.tags.insert(tag.clone(), [Some(digest.clone()), None].into());
        let (manifest, possible) = self.manifests.get_mut(&digest).unwrap();
        *possible = [true, false].into();
        // Blobs that no other manifest refers to are seen no more.
        self.blobs.retain(|blob, _| !manifest.contains(blob.as_str()));
        send(address, "DELETE", &format!("/v2/{}/manifests/{digest}", self.name), None)?.is(202);
        self.tags.insert(tag, [None].into());
        self.manifests.get_mut(&digest).unwrap().1 = [false].into();
        Some(())
    }

    /// Everything that was acknowledged is there, byte for byte, and what was deleted is not.
    fn check(&self, address: SocketAddr) {
        let get = |target: String| send(address, "GET", &target, None).unwrap();
        for (digest, content) in &self.blobs {
            let blob = get(format!("/v2/{}/blobs/{digest}", self.name)).is(200);
            assert!(blob.body == *content, "{digest} of {} has other bytes", self.name);
        }
        for digest in &self.mounted {
            get(format!("/v2/{}/mounted/blobs/{digest}", self.name)).is(200);
        }
        for (digest, (content, possible)) in &self.manifests {
            let manifest = get(format!("/v2/{}/manifests/{digest}", self.name));
            let is_there = manifest.status == 200;
            assert!(possible.contains(&is_there), "{digest}: {}, possible {possible:?}", manifest.status);
            assert!(!is_there || manifest.text() == *content, "{digest} has other bytes");
        }
        for (tag, possible) in &self.tags {
            let manifest = get(format!("/v2/{}/manifests/{tag}", self.name));
            let found = (manifest.status == 200).then(|| sha256(&manifest.body));
            assert!(possible.contains(&found), "{tag} is {found:?}, possible {possible:?}");
        }
    }
}

fn send(address: SocketAddr, method: &str, target: &str, body: Option<&[u8]>) -> Option<Response> {
    let request = Request::new(address, method, target).user("alice");
    let request = match body {
        Some(body) if target.contains("/manifests/") => {
            request.header("Content-Type", crate::support::IMAGE).body(body)
        }
        Some(body) => request.header("Content-Type", OCTETS).body(body),
        None => request,
    };
    request.send_unless_gone()
}

/// Runs one round of pushes and ends it with a kill after so many answers.
fn round(data: &Path, pushers: &mut [Pusher], kill_after: usize) {
    let server = Process::start(data);
    let address = server.address;
    thread::scope(|scope| {
        let (acknowledged, answers) = channel();
        for pusher in pushers {
            let acknowledged = acknowledged.clone();
            scope.spawn(move || pusher.push(address, &acknowledged));
        }
        drop(acknowledged);
        assert_eq!(answers.iter().take(kill_after).count(), kill_after, "the server is gone before its kill");
        server.kill();
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed_20_times_while_64_push() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let registry = Registry::open(&data, Settings::default()).unwrap();
    add_user(&registry, "alice");
    registry.close().unwrap();
    drop(registry);

    let mut pushers: Vec<_> = (0..PUSHERS).map(Pusher::new).collect();
    for kill in 0..KILLS {
        // Early enough to hit first requests, late enough to hit manifests and deletions.
        round(&data, &mut pushers, 1 + kill * 53 % 400);
    }
    let server = Process::start(&data);
    let address = server.address;
    thread::scope(|scope| {
        for pusher in &pushers {
            scope.spawn(move || pusher.check(address));
        }
    });
    server.kill();

    let mut fsck = Command::new(env!("CARGO_BIN_EXE_registry-server"));
    let fsck = fsck.args(["fsck", "--deep", "--data"]).arg(&data).output().unwrap();
    assert_eq!((fsck.status.code(), String::from_utf8_lossy(&fsck.stdout).as_ref()), (Some(0), "clean\n"));
}
