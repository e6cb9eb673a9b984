//! Many clients at once: slow pulls, uploads, and connections that rest.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, sockopt};
use serde_json::{Value, json};

use crate::http::{Connection, Target};
use crate::measure::{on_threads, pause_until};
use crate::push::Blob;

/// What a slow pull takes, and how often: 64 KiB in a second.
const SLOW_BYTES: usize = 16 << 10;
const SLOW_INTERVAL: Duration = Duration::from_millis(250);
/// The receive buffer of a slow pull: with the usual one the kernel would take in what the client does not want yet.
const SLOW_BUFFER_BYTES: usize = 32 << 10;
/// The size of each upload; a client begins the next one at once.
const UPLOAD_BYTES: u64 = 16 << 20;
/// Threads that open connections.
const OPENERS: usize = 8;

/// What a crowd consists of.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// Pulls of `path`, 64 KiB in a second each.
    pub(crate) slow: usize,
    /// What they pull.
    pub(crate) path: String,
    /// Uploads, each as fast as it goes.
    pub(crate) uploads: usize,
    /// Where they go.
    pub(crate) repository: String,
    /// Connections that ask for `/v2/` once and then rest.
    pub(crate) idle: usize,
}

impl Crowd {
    /// Gathers, writes a line to standard output when all are under way, goes on until standard input ends, and tells how
    /// far the pulls and the uploads came, the least and the most of them.
    ///
    /// # Errors
    /// Whatever a connection fails with.
    pub(crate) fn gather(&self, target: &Target) -> io::Result<Value> {
        let idle = self.open(target, self.idle, |connection| {
            connection.exchange("GET", "/v2/", &[])?.expect(200).map(drop)
        })?;
        let slow = self.open(target, self.slow, |connection| {
            connection.send_head("GET", &self.path, 0)?;
            connection.receive_head()?.expect(200).map(drop)
        })?;
        let slow: Vec<_> = slow.into_iter().filter_map(Connection::into_socket).collect();
        let blobs = on_threads(self.uploads, |number| Ok(Blob::new(UPLOAD_BYTES, number as u64)))?;
        let is_over = AtomicBool::new(false);
        let start = Instant::now();
        let (pulled, uploaded) = std::thread::scope(|scope| {
            let pulling = scope.spawn(|| pull_slowly(&slow, &is_over));
            let uploading = scope.spawn(|| self.upload(target, &blobs, &is_over));
            let waited = wait_for_end(&is_over);
            let joined = (pulling.join(), uploading.join());
            waited.map(|()| joined)
        })?;
        let panicked = |_| io::Error::other("a thread panicked");
        let (pulled, uploaded) = (pulled.map_err(panicked)??, uploaded.map_err(panicked)??);
        drop(idle);
        Ok(json!({ "seconds": start.elapsed().as_secs_f64(), "slow_bytes": least_and_most(&pulled),
            "uploads": least_and_most(&uploaded) }))
    }

    /// Opens `count` connections and lets each `begin`.
    fn open(
        &self,
        target: &Target,
        count: usize,
        begin: impl Fn(&mut Connection) -> io::Result<()> + Sync,
    ) -> io::Result<Vec<Connection>> {
        let opened = on_threads(OPENERS, |opener| {
            let mut connections = Vec::new();
            for _ in (opener..count).step_by(OPENERS) {
                let mut connection = Connection::open(target)?;
                begin(&mut connection)?;
                connections.push(connection);
            }
            Ok(connections)
        })?;
        Ok(opened.into_iter().flatten().collect())
    }

    /// Uploads until it is over; how many each client finished.
    fn upload(&self, target: &Target, blobs: &[Blob], is_over: &AtomicBool) -> io::Result<Vec<u64>> {
        on_threads(self.uploads, |number| {
            let mut connection = Connection::open(target)?;
            let mut finished = 0;
            while !is_over.load(Ordering::Relaxed) {
                blobs[number].push(&mut connection, &self.repository)?;
                finished += 1;
            }
            Ok(finished)
        })
    }
}

/// Takes a little from each of `sockets`, again and again; how many bytes each gave.
fn pull_slowly(sockets: &[TcpStream], is_over: &AtomicBool) -> io::Result<Vec<u64>> {
    let mut pulled = vec![0; sockets.len()];
    let mut scratch = [0; SLOW_BYTES];
    for socket in sockets {
        sockopt::set_socket_recv_buffer_size(socket, SLOW_BUFFER_BYTES)?;
        socket.set_nonblocking(true)?;
    }
    let mut due = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        pause_until(due);
        due += SLOW_INTERVAL;
        for (socket, pulled) in sockets.iter().zip(&mut pulled) {
            match rustix::net::recv(socket, &mut scratch, RecvFlags::TRUNC) {
                Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((_, count)) => *pulled += count as u64,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(pulled)
}

/// Says that all are there, and waits for the end of standard input.
fn wait_for_end(is_over: &AtomicBool) -> io::Result<()> {
    let mut stdout = io::stdout();
    let told = writeln!(stdout, "{}", json!({ "ready": true })).and_then(|()| stdout.flush());
    let ended = told.and_then(|()| io::stdin().read_to_end(&mut Vec::new()));
    is_over.store(true, Ordering::Relaxed);
    ended.map(drop)
}

fn least_and_most(counts: &[u64]) -> Value {
    json!({ "least": counts.iter().min(), "most": counts.iter().max(), "sum": counts.iter().sum::<u64>() })
}
