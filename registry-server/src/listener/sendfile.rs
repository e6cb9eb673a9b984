//! A plain connection, on which the kernel sends files by itself.
//!
//! The bytes go from the page cache to the socket without passing through this process. Only the stream of a plain
//! HTTP/1.1 connection does this: TLS has to see the bytes, and HTTP/2 cuts them into frames of 16 KiB.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::{
    io::{Errno, retry_on_intr},
    net::{SendAncillaryBuffer, SendFlags, sockopt::set_tcp_cork},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::piece::{Outbox, Part, is_token};

/// How much is copied at once where the kernel does not send files.
const COPY_BYTES: usize = 64 * 1024;

/// A socket, and the parts of files that are to be written to it.
#[derive(Debug)]
pub(super) struct SendfileStream {
    socket: TcpStream,
    outbox: Outbox,
    /// The kernel sends full packets only, until the end of a body of several parts: a packet cut at the end of each call
    /// costs a fifth of the processor's time.
    is_corked: bool,
}

impl SendfileStream {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, outbox: Outbox::default(), is_corked: false }
    }

    /// Where pieces of files are made that are to be written here.
    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Writes once the socket has room.
    fn poll_io(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_io(Interest::WRITABLE, || write(&self.socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn cork(&mut self, is_corked: bool) -> io::Result<()> {
        if self.is_corked != is_corked {
            set_tcp_cork(&self.socket, is_corked)?;
            self.is_corked = is_corked;
        }
        Ok(())
    }

    fn send_part(&self, socket: &TcpStream, part: &Part, sent: usize, length: usize) -> io::Result<usize> {
        if let (true, Some(file)) = (self.outbox.takes_files(), part.blob.as_file()) {
            let mut offset = part.offset + sent as u64;
            match retry_on_intr(|| rustix::fs::sendfile(socket, file, Some(&mut offset), length)) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.outbox.refuse(),
                // The length was promised: a connection that breaks off tells the client that bytes are missing.
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "blob was cut short")),
                written => return Ok(written?),
            }
        }
        let bytes = part.read(sent..sent + length.min(COPY_BYTES))?;
        Ok(retry_on_intr(|| rustix::net::send(socket, &bytes, SendFlags::NOSIGNAL))?)
    }
}

impl AsyncRead for SendfileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SendfileStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(before) = slices.iter().position(|slice| is_token(slice)) else {
            return Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        };
        if let Some((part, sent)) = self.outbox.part_of(&slices[0]) {
            let length = slices[0].len();
            if !part.is_last {
                self.cork(true)?;
            }
            let written = ready!(self.poll_io(cx, |socket| self.send_part(socket, &part, sent, length)))?;
            if part.ends_body_at(sent + written) {
                self.cork(false)?;
            }
            return Poll::Ready(Ok(written));
        }
        // The kernel keeps a packet open for what follows at once.
        let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
        self.poll_io(cx, |socket| {
            let mut control = SendAncillaryBuffer::default();
            let send = || rustix::net::sendmsg(socket, &slices[..before], &mut control, flags);
            Ok(retry_on_intr(send)?)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
