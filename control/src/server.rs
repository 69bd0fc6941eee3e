//! The API server: it takes requests from clients to the control thread, and answers back.
//!
//! ```text
//!   clients            management thread (this)                       control thread
//!   -------            ------------------------                       --------------
//!   line        -->    one task a client: read, parse   -- Asked -->  decide
//!   line        <--    write                            <-- answer -- Asked::reply
//! ```
//!
//! The control thread never waits for a client, and no client for another: a request goes over a channel, its answer
//! comes back over one of its own, and in between the thread serves whoever is ready. Every wait has an end ([`Limits`]),
//! so a client that hangs, that sends half a line or that takes no answer costs a task for a while and then nothing. What
//! cannot be a request is refused here and never reaches the control thread.
//!
//! Who may connect is up to the socket's file: mode 0660, so its owner and its group.

mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use control_api::{ApiError, ErrorKind, Reply, Request, wire};
use crossbeam::channel::{Sender, TrySendError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use socket::ServerError;
use socket::SocketFile;

/// A client's request on its way to the control thread, and where its answer goes.
///
/// The client may be gone by the time there is an answer; sending it then fails, and that is nothing to worry about.
#[derive(Debug)]
pub struct Asked {
    /// What it asks.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Reply, ApiError>>,
}

/// A running server. Dropping it stops it, too.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `path`, on a thread of its own, and sends what clients ask to `control`.
    ///
    /// # Errors
    ///
    /// When no socket can be made there; most often because another ferryd has it.
    pub fn start(path: &Path, control: Sender<Asked>) -> Result<Self, ServerError> {
        Self::start_with(path, control, Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn start_with(path: &Path, control: Sender<Asked>, limits: Limits) -> Result<Self, ServerError> {
        let (socket, listener) = SocketFile::bind(path)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Thread)?;
        let (stop, stopping) = watch::channel(false);
        let hall = Hall { control, limits, stopping };
        let serve = move || runtime.block_on(hall.serve(listener, socket));
        let thread = std::thread::Builder::new().name("api".to_owned()).spawn(serve).map_err(ServerError::Thread)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops: takes no more clients and no more requests, removes the socket, and sees the answers out that are on their
    /// way. The control thread must still be there to give them.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the API's thread panicked");
        }
    }
}

/// How much clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Clients at a time; one more is refused.
    pub clients: usize,
    /// How long a client may take to send a line; then it is let go.
    pub idle: Duration,
    /// How long the control thread may take to answer.
    pub decide: Duration,
    /// How long a client may take for 64 KiB of its answer; then it is let go.
    pub write: Duration,
    /// How long answers may be on their way when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 64,
            idle: Duration::from_secs(60),
            decide: Duration::from_secs(10),
            write: Duration::from_secs(10),
            drain: Duration::from_secs(2),
        }
    }
}

/// What all clients share.
#[derive(Debug, Clone)]
struct Hall {
    control: Sender<Asked>,
    limits: Limits,
    stopping: watch::Receiver<bool>,
}

impl Hall {
    /// Lets clients in until told to stop.
    async fn serve(mut self, listener: std::os::unix::net::UnixListener, socket: SocketFile) {
        let listener = match UnixListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "the API cannot listen"),
        };
        let seats = Arc::new(Semaphore::new(self.limits.clients));
        let mut clients = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _stop = self.stopping.wait_for(|stopping| *stopping) => break,
                Some(_gone) = clients.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match (accepted, Arc::clone(&seats).try_acquire_owned()) {
                (Ok((stream, _address)), Ok(seat)) => {
                    let hall = self.clone();
                    clients.spawn(async move {
                        hall.attend(stream).await;
                        drop(seat);
                    });
                }
                (Ok((stream, _address)), Err(_full)) => self.turn_away(&stream),
                (Err(error), _seat) => {
                    // Out of file descriptors, most likely: the next attempt would fail at once as well.
                    tracing::warn!(%error, "the API cannot take a client");
                    tokio::time::sleep(RETRY_ACCEPT).await;
                }
            }
        }
        drop((listener, socket));
        let all_gone = async { while clients.join_next().await.is_some() {} };
        if timeout(self.limits.drain, all_gone).await.is_err() {
            tracing::warn!(clients = clients.len(), "stopped with answers on their way");
        }
    }

    /// Serves one client until it leaves, or has to.
    async fn attend(self, stream: UnixStream) {
        let mut stopping = self.stopping.clone();
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        loop {
            let line = tokio::select! {
                biased;
                _stop = stopping.wait_for(|stopping| *stopping) => return,
                line = self.next_line(&mut read) => line,
            };
            let (answer, leaves) = match line {
                Line::Complete(line) => (self.answer(&line).await, false),
                Line::Unacceptable(refusal) => (Err(refusal), true),
                Line::None => return,
            };
            if self.send(&mut write, &wire::answer_line(&answer)).await.is_err() || leaves {
                return;
            }
        }
    }

    /// Reads a line. The end of the stream ends one, too: of an object that was cut off, no part is an object.
    async fn next_line(&self, read: &mut (impl AsyncBufReadExt + Unpin)) -> Line {
        let mut line = Vec::new();
        let mut bounded = read.take(wire::MAX_REQUEST_BYTES as u64 + 1);
        match timeout(self.limits.idle, bounded.read_until(b'\n', &mut line)).await {
            Ok(Ok(0) | Err(_)) => Line::None,
            Ok(Ok(length)) if length > wire::MAX_REQUEST_BYTES => Line::Unacceptable(ApiError::new(
                ErrorKind::TooLarge,
                format!("a request is longer than {} bytes", wire::MAX_REQUEST_BYTES),
            )),
            Ok(Ok(_length)) => Line::Complete(line),
            Err(_elapsed) if line.is_empty() => Line::None,
            Err(_elapsed) => Line::Unacceptable(
                ApiError::new(ErrorKind::Timeout, "half a request came, and then nothing")
                    .with_hint("end it with a newline"),
            ),
        }
    }

    /// What the control thread says to a line; or what is said in its place.
    async fn answer(&self, line: &[u8]) -> Result<Reply, ApiError> {
        let request = wire::read_request(line)?;
        let (reply, answer) = oneshot::channel();
        match self.control.try_send(Asked { request, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(ApiError::new(ErrorKind::Busy, "too many requests wait already")),
            Err(TrySendError::Disconnected(_)) => return Err(stopping()),
        }
        match timeout(self.limits.decide, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(stopping()),
            Err(_elapsed) => Err(ApiError::new(ErrorKind::Timeout, "the control thread did not answer in time")
                .with_hint("look before asking again: it may still do what was asked")),
        }
    }

    /// Writes a line piece by piece, so that a slow client is told from one that takes nothing.
    async fn send(&self, write: &mut (impl AsyncWriteExt + Unpin), line: &str) -> io::Result<()> {
        for piece in line.as_bytes().chunks(PIECE_BYTES) {
            timeout(self.limits.write, write.write_all(piece)).await??;
        }
        Ok(())
    }

    /// Tells a client that there is no seat; without waiting, as there is room for a line in every new socket.
    fn turn_away(&self, stream: &UnixStream) {
        let message = format!("ferryd has {} clients already, and takes no more", self.limits.clients);
        let refusal = ApiError::new(ErrorKind::Busy, message).with_hint("try again when one has left");
        if let Err(error) = stream.try_write(wire::answer_line(&Err(refusal)).as_bytes()) {
            tracing::debug!(%error, "a client was turned away without a word");
        }
    }
}

/// What came from a client.
enum Line {
    /// A line, whatever is in it.
    Complete(Vec<u8>),
    /// What is no line and can become none; the client is told and let go.
    Unacceptable(ApiError),
    /// Nothing more.
    None,
}

fn stopping() -> ApiError {
    ApiError::new(ErrorKind::ShuttingDown, "ferryd is stopping")
}

const RETRY_ACCEPT: Duration = Duration::from_millis(100);

const PIECE_BYTES: usize = 64 << 10;
