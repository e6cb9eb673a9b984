//! Names and bytes, as a running system sees them or as a power cut leaves them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a name stands for. Two names stand for one file if they have the same inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File(Inode),
}

pub(super) type Inode = u64;

/// A name in a directory that comes to stand for something else, or for nothing.
#[derive(Clone, Debug)]
pub(super) struct NameChange {
    pub(super) directory: String,
    pub(super) name: String,
    pub(super) node: Option<Node>,
}

impl NameChange {
    pub(super) fn new(path: &Path, node: Option<Node>) -> io::Result<Self> {
        let (directory, name) = split(path)?;
        Ok(Self { directory: directory.to_owned(), name: name.to_owned(), node })
    }
}

/// A change of a file's bytes or length.
#[derive(Clone, Debug)]
pub(super) enum DataChange {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

/// The bytes of a file. Clones share them until one changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) bytes: Arc<Vec<u8>>,
    /// The bytes of space kept for it, if more than its length.
    pub(super) allocated: u64,
}

impl Contents {
    pub(super) fn space(&self) -> u64 {
        self.allocated.max(self.bytes.len() as u64)
    }

    pub(super) fn apply(&mut self, change: &DataChange) {
        match change {
            DataChange::Write { offset, bytes } => self.write(bytes, *offset),
            DataChange::SetLen(len) => {
                if *len <= self.bytes.len() as u64 {
                    self.allocated = *len;
                }
                self.set_len(index(*len));
            }
        }
    }

    /// Starts from fresh zeros, which cost nothing until they are written: a database grows by megabytes at a time.
    fn set_len(&mut self, len: usize) {
        let mut bytes = vec![0; len];
        let kept = len.min(self.bytes.len());
        bytes[..kept].copy_from_slice(&self.bytes[..kept]);
        self.bytes = Arc::new(bytes);
    }

    /// Writes `bytes` at `offset`; a gap before it reads as zeros.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let start = index(offset);
        let end = start + bytes.len();
        let held = Arc::make_mut(&mut self.bytes);
        held.extend_from_slice(&vec![0; end.saturating_sub(held.len())]);
        held[start..end].copy_from_slice(bytes);
    }
}

/// A place in a file, which is in memory whole.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("invariant: simulated files fit into memory")
}

/// A path as the text that trees are keyed by: comparing paths component by component would take most of a schedule's time.
pub(super) fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// The directory of a path, and the name in it.
fn split(path: &Path) -> io::Result<(&str, &str)> {
    match text(path)?.rsplit_once('/') {
        Some((directory, name)) if !name.is_empty() => {
            Ok((if directory.is_empty() { "/" } else { directory }, name))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} has no name", path.display()))),
    }
}

/// All directories and files.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    directories: BTreeMap<String, BTreeMap<String, Node>>,
    pub(super) contents: BTreeMap<Inode, Contents>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { directories: BTreeMap::from([("/".to_owned(), BTreeMap::new())]), contents: BTreeMap::new() }
    }

    pub(super) fn directory(&self, path: &Path) -> io::Result<&BTreeMap<String, Node>> {
        self.directories.get(text(path)?).ok_or_else(|| not_found(path))
    }

    /// What `path` stands for. An error if not even its directory exists.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Node>> {
        if self.directories.contains_key(text(path)?) {
            return Ok(Some(Node::Directory));
        }
        let (directory, name) = split(path)?;
        Ok(self.directory(Path::new(directory))?.get(name).copied())
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<Inode> {
        match self.find(path)? {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(not_found(path)),
        }
    }

    pub(super) fn apply(&mut self, change: &NameChange) {
        if change.node == Some(Node::Directory) {
            let path = format!("{}/{}", change.directory.trim_end_matches('/'), change.name);
            self.directories.entry(path).or_default();
        }
        let names = self.directories.entry(change.directory.clone()).or_default();
        match change.node {
            Some(node) => names.insert(change.name.clone(), node),
            None => names.remove(&change.name),
        };
    }

    /// The space that all named files take, in bytes.
    pub(super) fn used_bytes(&self) -> u64 {
        self.named_files().iter().filter_map(|inode| self.contents.get(inode)).map(Contents::space).sum()
    }

    pub(super) fn names_of(&self, inode: Inode) -> u64 {
        let nodes = self.directories.values().flat_map(BTreeMap::values);
        nodes.filter(|node| **node == Node::File(inode)).count() as u64
    }

    fn named_files(&self) -> BTreeSet<Inode> {
        let nodes = self.directories.values().flat_map(BTreeMap::values);
        nodes.filter_map(|node| if let Node::File(inode) = node { Some(*inode) } else { None }).collect()
    }

    /// Drops what no name leads to, and the space kept ahead.
    pub(super) fn prune(&mut self) {
        // Parents sort before what they contain, so each is judged after its parent.
        let mut reachable = BTreeMap::new();
        for (path, names) in std::mem::take(&mut self.directories) {
            if path == "/" || is_directory_in(&reachable, &path) {
                reachable.insert(path, names);
            }
        }
        self.directories = reachable;
        let named = self.named_files();
        self.contents.retain(|inode, _| named.contains(inode));
        for inode in named {
            self.contents.entry(inode).or_default().allocated = 0;
        }
    }
}

fn is_directory_in(directories: &BTreeMap<String, BTreeMap<String, Node>>, path: &str) -> bool {
    split(Path::new(path)).is_ok_and(|(directory, name)| {
        directories.get(directory).is_some_and(|names| names.contains_key(name))
    })
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}
