//! Pieces of bodies: bytes in memory, or a part of a file that the kernel is to send by itself.
//!
//! The HTTP engine has no notion of a file. It keeps pieces in the order in which they go out and hands the connection's
//! stream slices of memory. A part of a file shows itself there as a slice of [`TOKENS`], memory that means nothing but
//! "the first part in the [`Outbox`], from here on"; the stream knows it by its address and sends the file's bytes in its
//! place. Whoever reads a piece in any other way gets the file's real bytes, read when they are asked for.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    mem,
    ops::Range,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Buf, Bytes};
use registry_core::BlobReader;

/// The longest part of a file. The stream sends one at a time, and looks after others in between.
pub(super) const PART_BYTES: usize = 2 << 20;

/// Never read, so that it takes addresses and no memory.
static TOKENS: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; PART_BYTES].into());

/// Some bytes of a body.
#[derive(Debug)]
pub struct Piece(Inner);

#[derive(Debug)]
enum Inner {
    Memory(Bytes),
    File(FilePiece),
}

/// A part of a file, less what was sent of it.
struct FilePiece {
    part: Arc<Part>,
    sent: usize,
    /// The rest of the part, for who asks for bytes and not for tokens.
    copied: OnceLock<Bytes>,
}

/// A part of a file that is on its way.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) blob: BlobReader,
    pub(super) offset: u64,
    length: usize,
    /// Whether no other part of its body follows.
    pub(super) is_last: bool,
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Memory(bytes))
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match &self.0 {
            Inner::Memory(bytes) => bytes.len(),
            Inner::File(piece) => piece.part.length - piece.sent,
        }
    }

    /// # Panics
    /// If these are bytes of a file and it cannot be read: there is no other way to say so, and no byte may be made up.
    fn chunk(&self) -> &[u8] {
        match &self.0 {
            Inner::Memory(bytes) => bytes,
            Inner::File(piece) => piece.copied(),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match &self.0 {
            Inner::Memory(bytes) => bytes.chunks_vectored(slices),
            Inner::File(_) if slices.is_empty() || !self.has_remaining() => 0,
            Inner::File(piece) => {
                slices[0] = IoSlice::new(piece.tokens());
                1
            }
        }
    }

    fn advance(&mut self, count: usize) {
        match &mut self.0 {
            Inner::Memory(bytes) => bytes.advance(count),
            Inner::File(piece) => piece.advance(count),
        }
    }
}

impl FilePiece {
    fn tokens(&self) -> &'static [u8] {
        &TOKENS[self.sent..self.part.length]
    }

    fn copied(&self) -> &[u8] {
        self.copied.get_or_init(|| match self.part.read(self.sent..self.part.length) {
            Ok(bytes) => bytes,
            Err(error) => panic!("a part of a blob cannot be read: {error}"),
        })
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.part.length - self.sent, "advanced beyond the end of a piece");
        self.sent += count;
        if let Some(bytes) = self.copied.get_mut() {
            bytes.advance(count);
        }
    }
}

impl fmt::Debug for FilePiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePiece")
            .field("part", &self.part)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Part {
    /// Whether its body ends with the byte before this position in it.
    pub(super) fn ends_body_at(&self, position: usize) -> bool {
        self.is_last && position == self.length
    }

    /// Reads all of `range`, counted from the part's beginning.
    pub(super) fn read(&self, range: Range<usize>) -> io::Result<Bytes> {
        let mut bytes = vec![0; range.len()];
        let mut filled = 0;
        while filled < bytes.len() {
            let offset = self.offset + (range.start + filled) as u64;
            match self.blob.read_at(&mut bytes[filled..], offset).map_err(io::Error::other)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        Ok(bytes.into())
    }
}

/// The parts of files that are on their way through the HTTP engine to the socket of one connection.
///
/// It is found among the extensions of a request whose answer may hold such parts.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// In the order in which they were made, which is the order in which they are sent. A piece that was sent or given
    /// up is dropped, and with it its part.
    parts: Mutex<VecDeque<Weak<Part>>>,
    kernel_refused: AtomicBool,
}

impl Outbox {
    /// Makes a piece of at most [`PART_BYTES`]. It has to be sent on the connection of this outbox, after those made before;
    /// one that is not the last of its body is followed by another, or by the connection's end.
    pub(super) fn piece(&self, blob: BlobReader, offset: u64, length: usize, is_last: bool) -> Piece {
        let part = Arc::new(Part { blob, offset, length, is_last });
        let mut parts = self.parts();
        drop_sent(&mut parts);
        parts.push_back(Arc::downgrade(&part));
        Piece(Inner::File(FilePiece { part, sent: 0, copied: OnceLock::new() }))
    }

    /// The part that goes out next, and how far it has gone, if `slice` stands for it; `None` if these are plain bytes.
    pub(super) fn part_of(&self, slice: &[u8]) -> Option<(Arc<Part>, usize)> {
        let sent = position(slice)?;
        let mut parts = self.parts();
        drop_sent(&mut parts);
        let part = parts.front().and_then(Weak::upgrade);
        let part = part.expect("invariant: the piece of a token lives, and it is the oldest that does");
        Some((part, sent))
    }

    /// The kernel does not send from this kind of file, or to this kind of socket.
    pub(super) fn refuse(&self) {
        self.0.kernel_refused.store(true, Ordering::Relaxed);
    }

    /// Whether the kernel may be asked to send.
    pub(super) fn takes_files(&self) -> bool {
        !self.0.kernel_refused.load(Ordering::Relaxed)
    }

    fn parts(&self) -> MutexGuard<'_, VecDeque<Weak<Part>>> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a slice stands for a part of a file.
pub(super) fn is_token(slice: &[u8]) -> bool {
    position(slice).is_some()
}

/// Where in [`TOKENS`] a slice begins.
fn position(slice: &[u8]) -> Option<usize> {
    let tokens = TOKENS.as_ptr_range();
    let begin = slice.as_ptr();
    tokens.contains(&begin).then(|| begin.addr() - tokens.start.addr())
}

fn drop_sent(parts: &mut VecDeque<Weak<Part>>) {
    while parts.front().is_some_and(|part| part.strong_count() == 0) {
        parts.pop_front();
    }
    if parts.is_empty() {
        // A connection that rests keeps nothing.
        mem::take(parts);
    }
}
