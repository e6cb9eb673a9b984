//! Blobs on their way to clients, in each way in which they are sent. `sendfile` holds what may happen meanwhile.

use std::{
    fs::File,
    io::Write,
    task::{Context, Poll, Waker},
};

use bytes::Buf;
use hyper::header::CONTENT_LENGTH;
use registry_core::BlobReader;

use super::*;
use crate::lanes::{Lane, Lanes};
use crate::listener::{Outbox, piece::PART_BYTES};

/// Two parts and a bit.
const LENGTH: usize = 2 * PART_BYTES + 70_003;

pub(super) const GET: &str = "GET / HTTP/1.1\r\nHost: r\r\n\r\n";

/// How the bytes get to the socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// The kernel sends them.
    Kernel,
    /// The kernel turns out not to send them.
    Refused,
    /// They are read.
    Read,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Kernel, Self::Refused, Self::Read];

    pub(super) fn stream<B>(
        self,
        request: &Request<B>,
        blob: &BlobReader,
        offset: u64,
        length: u64,
    ) -> BlobStream {
        let outbox = request.extensions().get::<Outbox>();
        let outbox = outbox.filter(|_| self != Self::Read);
        let stream = BlobStream::new(Lane::new(2), blob.clone(), offset, length, outbox);
        if let (Self::Refused, Some(outbox)) = (self, outbox) {
            outbox.refuse();
        }
        stream
    }
}

/// Bytes that show where they stand: no two blocks of 64 KiB near each other are equal.
pub(super) fn content(length: usize) -> Bytes {
    const BLOCK: usize = 64 << 10;
    let cycle: Vec<u8> = (0..BLOCK + 251).map(|n| (n % 251) as u8).collect();
    let mut bytes = Vec::with_capacity(length + BLOCK);
    for block in 0..length.div_ceil(BLOCK) {
        bytes.extend_from_slice(&cycle[block % 251..][..BLOCK]);
    }
    bytes.truncate(length);
    bytes.into()
}

pub(super) fn file_of(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

/// Serves the blob, or `/<offset>/<length>` of it.
pub(super) async fn serving(way: Way, limits: Limits, blob: BlobReader) -> Server {
    let service = move |request: Request<ReceivedBody>, _| {
        let mut numbers = request.uri().path().split('/').filter_map(|part| part.parse().ok());
        let offset = numbers.next().unwrap_or(0);
        let length = numbers.next().unwrap_or(blob.size());
        let body = Body::Blob(way.stream(&request, &blob, offset, length));
        async move { reply(StatusCode::OK, body) }
    };
    Server::start(limits, service).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_sent_whole_with_its_length() {
    let content = content(LENGTH);
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(&content).into()).await;
        let mut client = server.connect();
        for _ in 0..2 {
            client.send(GET);
            assert!(client.head().contains(&format!("content-length: {LENGTH}\r\n")));
            assert!(client.body(LENGTH) == content, "{way:?}");
        }
        let mut sender = server.connect_http2().await;
        let answer = sender.send_request(post("")).await.unwrap();
        assert_eq!(answer.headers()[CONTENT_LENGTH], LENGTH.to_string());
        assert!(text_of(answer).await == content, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_blob_is_sent_wherever_it_lies() {
    let content = content(LENGTH);
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(&content).into()).await;
        let mut client = server.connect();
        for (offset, length) in [
            (300_000, 400_000),
            (0, 1),
            (LENGTH - 1, 1),
            (PART_BYTES - 1, 2),
            (PART_BYTES - 1, PART_BYTES + 2),
            (65_535, 65_537),
            (LENGTH - 70_000, 70_000),
            (LENGTH, 0),
        ] {
            client.send(format!("GET /{offset}/{length} HTTP/1.1\r\nHost: r\r\n\r\n"));
            assert!(client.head().contains(&format!("content-length: {length}\r\n")));
            assert!(client.body(length) == content[offset..offset + length], "{way:?} {offset} {length}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_without_bytes_has_length_zero() {
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(b"").into()).await;
        let mut client = server.connect();
        client.send("GET / HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n");
        assert!(client.head().contains("content-length: 0\r\n"));
        assert_eq!(client.rest(), b"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_gets_the_same_bytes() {
    let content = content(LENGTH);
    for way in Way::ALL {
        let server = serving(way, Limits::default(), file_of(&content).into()).await;
        let mut client = server.connect();
        client.send("GET / HTTP/1.0\r\n\r\n");
        client.head();
        assert!(client.rest() == content, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_fails_or_ends_early_cuts_the_connection() {
    let content = content(LENGTH);
    let is_short = || {
        let file = file_of(&content);
        let blob = BlobReader::from(file.try_clone().unwrap());
        file.set_len(500_000).unwrap();
        blob
    };
    let fails = || {
        let named = tempfile::NamedTempFile::new().unwrap();
        named.as_file().set_len(LENGTH as u64).unwrap();
        let write_only = rustix::fs::open(
            named.path(),
            rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        BlobReader::from(File::from(write_only.unwrap()))
    };
    for way in Way::ALL {
        for blob in [is_short(), fails()] {
            let server = serving(way, Limits::default(), blob).await;
            let mut client = server.connect();
            client.send(GET);
            // The answer may be cut before its head.
            let received = client.rest();
            let body = received.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
            let body = &received[body..];
            assert!(body.len() <= 500_000, "the client sees that bytes are missing");
            assert!(*body == content[..body.len()], "{way:?}");

            let mut sender = server.connect_http2().await;
            // The reset may overtake the headers.
            if let Ok(answer) = sender.send_request(post("")).await {
                assert!(answer.into_body().collect().await.is_err());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let service = |_, _| async {
        let mut response = reply(StatusCode::OK, Body::Empty);
        response.headers_mut().insert(CONTENT_LENGTH, LENGTH.into());
        response
    };
    let server = Server::start(Limits::default(), service).await;
    let mut client = server.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: r\r\n\r\n");
    client.send("HEAD / HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n");
    for _ in 0..2 {
        let head = client.head();
        assert_eq!(head.matches("content-length").count(), 1, "{head}");
        assert!(head.contains(&format!("content-length: {LENGTH}\r\n")), "{head}");
    }
    assert_eq!(client.rest(), b"");

    let mut sender = server.connect_http2().await;
    let head = Request::head("http://registry.test/").body(Full::default()).unwrap();
    let answer = sender.send_request(head).await.unwrap();
    assert_eq!(answer.headers()[CONTENT_LENGTH], LENGTH.to_string());
    assert_eq!(text_of(answer).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_given_up() {
    for way in Way::ALL {
        let endless = tempfile::tempfile().unwrap();
        endless.set_len(1 << 36).unwrap();
        let limits = short_of(|limits| {
            limits.write_idle = SHORT;
            limits.drain = HUNG;
        });
        let server = serving(way, limits, endless.into()).await;
        let mut client = server.connect();
        client.send(GET);
        client.head();
        assert_eq!(server.stop().await, Stopped { cut: 0 }, "{way:?}: it ended while the client held on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_blob_and_one_on_a_file_system_that_cannot_tell_give_the_same_bytes() {
    let content = content(LENGTH);
    let cold = || {
        let file = file_of(&content);
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        file
    };
    let in_memory = || {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::memfd_create("blob", flags).unwrap());
        file.write_all(&content).unwrap();
        file
    };
    for way in Way::ALL {
        for file in [cold(), in_memory()] {
            let server = serving(way, Limits::default(), file.into()).await;
            let mut client = server.connect();
            client.send(GET);
            client.head();
            assert!(client.body(LENGTH) == content, "{way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_holds_no_place_in_the_lane() {
    let lanes = Lanes { blobs: Lane::new(1), ..Lanes::default() };
    let lane = lanes.blobs.clone();
    let cold = tempfile::tempfile().unwrap();
    cold.set_len(1 << 30).unwrap();
    let blob = BlobReader::from(cold);
    let service = move |_, _| {
        let body = Body::Blob(BlobStream::new(lanes.blobs.clone(), blob.clone(), 0, blob.size(), None));
        async move { reply(StatusCode::OK, body) }
    };
    let server = Server::start(Limits::default(), service).await;
    let mut idle = [server.connect(), server.connect()];
    for client in &mut idle {
        client.send(GET);
        client.head();
    }
    assert_eq!(timeout(HUNG, lane.run(|| 1)).await.unwrap(), Ok(1));
}

#[test]
fn a_blob_in_memory_does_not_keep_its_thread_to_itself() {
    let blob = BlobReader::from(file_of(&content(12 << 20)));
    blob.load(0, blob.size()).unwrap();
    for outbox in [None, Some(&Outbox::default())] {
        let mut stream = BlobStream::new(Lane::new(1), blob.clone(), 0, blob.size(), outbox);
        let mut cx = Context::from_waker(Waker::noop());
        let (mut in_a_row, mut sent) = (0, 0);
        while sent + in_a_row < blob.size() {
            match stream.poll_next(&mut cx) {
                Poll::Ready(piece) => in_a_row += piece.unwrap().unwrap().remaining() as u64,
                Poll::Pending => sent += std::mem::take(&mut in_a_row),
            }
            assert!(in_a_row <= 4 << 20);
        }
    }
}

#[test]
fn a_part_of_a_file_reads_as_its_bytes() {
    let content = content(100_000);
    let outbox = Outbox::default();
    let piece = || outbox.piece(file_of(&content).into(), 10, 80_000, true);
    assert_eq!(piece().copy_to_bytes(80_000), content[10..80_010]);
    assert_eq!(piece().take(7).copy_to_bytes(7), content[10..17]);
    let mut piece = piece();
    assert_eq!(piece.chunk(), &content[10..80_010]);
    piece.advance(79_000);
    assert_eq!((piece.remaining(), piece.chunk()), (1_000, &content[79_010..80_010]));
}
