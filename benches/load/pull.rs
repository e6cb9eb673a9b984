//! Pulls: many bytes, and many small requests.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Connection, Target};
use crate::measure::{Latencies, on_threads, pause_until};

/// Pulls `path` on each of `connections` at once, `times` after one another, and tells bytes and seconds.
///
/// # Errors
/// Whatever a connection fails with.
pub(crate) fn pull(target: &Target, path: &str, connections: usize, times: usize) -> io::Result<Value> {
    let start = Instant::now();
    let pulled = on_threads(connections, |_| {
        let mut connection = Connection::open(target)?;
        let mut bytes = 0;
        for _ in 0..times {
            bytes += connection.exchange("GET", path, &[])?.expect(200)?.length;
        }
        Ok(bytes)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({ "bytes": pulled.iter().sum::<u64>(), "seconds": seconds }))
}

/// Asks for `path` on `connections` for `lasting`, on each again after `interval` or at once, and tells how many answers
/// came and how long they took.
///
/// One thread goes round all connections: with an answer on its way on each of them, it hardly ever waits, and a client
/// of many threads would take more of the machine than the server.
///
/// # Errors
/// Whatever a connection fails with.
pub(crate) fn requests(
    target: &Target,
    (method, path): (&str, &str),
    connections: usize,
    interval: Duration,
    lasting: Duration,
) -> io::Result<Value> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(target)?);
    }
    let mut latencies = Latencies::default();
    let start = Instant::now();
    let mut asked = Vec::new();
    for connection in &mut open {
        asked.push(Some(Instant::now()));
        connection.send_head(method, path, 0)?;
    }
    while asked.iter().any(Option::is_some) {
        for (connection, asked) in open.iter_mut().zip(&mut asked) {
            let Some(since) = asked.take() else { continue };
            let answer = connection.receive_head()?.expect(200)?;
            if method != "HEAD" {
                connection.discard(answer.length)?;
            }
            latencies.add(since.elapsed());
            if start.elapsed() < lasting {
                pause_until(Instant::now() + interval);
                *asked = Some(Instant::now());
                connection.send_head(method, path, 0)?;
            }
        }
    }
    Ok(latencies.report(start.elapsed()))
}
