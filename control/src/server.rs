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
//! Who may connect is up to the socket's file: mode 0660, so its owner and its group. Who may change anything is up to who
//! he is, as the kernel tells: root, or the user that ferryd runs as. All others may look.
//!
//! A client that follows what happens ([`Request::Monitor`]) is told over the same connection, between the answers to what
//! else it asks. It may be as silent as it likes; when it takes nothing for as long as a slow client may, it is let go.

mod reload;
mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use control_api::{ApiError, ErrorKind, Reply, Request, RouteEvent, Told, wire};
use crossbeam::channel::{Sender, TrySendError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use reload::reload;
pub use socket::ServerError;
use socket::SocketFile;

use crate::asker::Asker;
use crate::config::Config;
use crate::events::{self, ClientId, Heard, Subscription};

/// A client's request on its way to the control thread, and where its answer goes.
///
/// The client may be gone by the time there is an answer; sending it then fails, and that is nothing to worry about.
#[derive(Debug)]
pub struct Asked {
    /// What it asks.
    pub request: Request,
    /// Who asks.
    pub asker: Asker,
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
    /// Listens at `path`, on a thread of its own, and sends what clients ask to `control`. `config` is the file that ferryd
    /// was started with, which clients may want it to read again.
    ///
    /// # Errors
    ///
    /// When no socket can be made there; most often because another ferryd has it.
    pub fn start(path: &Path, config: &Path, control: Sender<Asked>) -> Result<Self, ServerError> {
        Self::start_with(path, config, control, Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn start_with(path: &Path, config: &Path, control: Sender<Asked>, limits: Limits) -> Result<Self, ServerError> {
        let (socket, listener) = SocketFile::bind(path)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Thread)?;
        let (stop, stopping) = watch::channel(false);
        let (owner, clients) = (socket.owner(), Arc::default());
        let hall = Hall { control, limits, stopping, owner, clients, config: config.to_owned() };
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
    /// The user that ferryd runs as.
    owner: u32,
    /// Clients there ever were: the next one's number.
    clients: Arc<AtomicU64>,
    /// The file that ferryd was started with.
    config: PathBuf,
}

/// A client, as far as all that it asks has in common.
#[derive(Debug, Clone, Copy)]
struct Client {
    id: ClientId,
    pid: u32,
    may_change: bool,
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
        let client = self.met(&stream);
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        let mut followed = None;
        loop {
            let mut next = pin!(self.next_line(&mut read, followed.is_some()));
            let line = loop {
                let told = tokio::select! {
                    biased;
                    _stop = stopping.wait_for(|stopping| *stopping) => return,
                    line = &mut next => break line,
                    told = next_told(&mut followed) => told,
                };
                match told {
                    Some(lines) if self.send(&mut write, &lines).await.is_ok() => {}
                    Some(_) | None => return,
                }
            };
            let (answer, leaves) = match line {
                Line::Complete(line) => (self.answer(&line, client, &mut followed).await, false),
                Line::Unacceptable(refusal) => (wire::answer_line(&Err(refusal)), true),
                Line::None => return,
            };
            if self.send(&mut write, &answer).await.is_err() || leaves {
                return;
            }
        }
    }

    /// Who has come.
    fn met(&self, stream: &UnixStream) -> Client {
        // Relaxed: all that matters is that no two are the same.
        let id = ClientId(self.clients.fetch_add(1, Ordering::Relaxed));
        match stream.peer_cred() {
            Ok(who) => Client {
                id,
                pid: who.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
                may_change: may_change(who.uid(), self.owner),
            },
            Err(error) => {
                tracing::warn!(%error, "a client that the kernel does not tell of may only look");
                Client { id, pid: 0, may_change: false }
            }
        }
    }

    /// Reads a line. The end of the stream ends one, too: of an object that was cut off, no part is an object.
    ///
    /// One that follows what happens may take as long as it likes before it begins one.
    async fn next_line(&self, read: &mut (impl AsyncBufReadExt + Unpin), follows: bool) -> Line {
        if follows && read.fill_buf().await.is_err() {
            return Line::None;
        }
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

    /// What is answered to a line. A client that wants to follow what happens is told by what is in `followed` then.
    async fn answer(&self, line: &[u8], client: Client, followed: &mut Option<Subscription>) -> String {
        let (seq, answer) = match wire::read_numbered_request(line) {
            Ok((seq, request)) => (seq, self.ask(request, seq, client, followed).await),
            Err((seq, refused)) => (seq, Err(refused)),
        };
        wire::numbered_answer_line(seq, &answer)
    }

    /// What the control thread says; or what is said in its place.
    async fn ask(
        &self,
        mut request: Request,
        seq: u32,
        client: Client,
        followed: &mut Option<Subscription>,
    ) -> Result<Reply, ApiError> {
        let config = match &mut request {
            Request::ConfigReload { file, .. } if client.may_change => Some(self.read_config(file).await?),
            _other => None,
        };
        let wants_to_follow = matches!(request, Request::Monitor { .. });
        let (queue, subscription) = wants_to_follow.then(events::queue).unzip();
        let Client { id, pid, may_change } = client;
        let asker = Asker { client: Some(id), pid, seq, may_change, queue, config };
        let reply = self.decided(request, asker).await?;
        if subscription.is_some() {
            *followed = subscription;
        }
        Ok(reply)
    }

    /// Reads the configuration that a request names, and names it if it did not. Away from this thread, which others wait for.
    async fn read_config(&self, file: &mut Option<String>) -> Result<Box<Config>, ApiError> {
        let path = file.as_ref().map_or_else(|| self.config.clone(), PathBuf::from);
        *file = Some(path.display().to_string());
        let read = tokio::task::spawn_blocking(move || reload::read(&path)).await;
        read.unwrap_or_else(|error| Err(ApiError::new(ErrorKind::Internal, format!("reading it failed: {error}"))))
    }

    async fn decided(&self, request: Request, asker: Asker) -> Result<Reply, ApiError> {
        let (reply, answer) = oneshot::channel();
        match self.control.try_send(Asked { request, asker, reply }) {
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

/// Whether this user may change anything, on a ferryd that runs as `owner`.
const fn may_change(user: u32, owner: u32) -> bool {
    user == ROOT || user == owner
}

/// Waits for something to tell: all that there is then, in lines. Nothing, if nobody will ever tell anything more.
async fn next_told(followed: &mut Option<Subscription>) -> Option<String> {
    let Some(subscription) = followed else { return std::future::pending().await };
    let mut lines = told_line(subscription.next().await?);
    while lines.len() < PIECE_BYTES
        && let Some(heard) = subscription.try_next()
    {
        lines.push_str(&told_line(heard));
    }
    Some(lines)
}

fn told_line(heard: Heard) -> String {
    let event = RouteEvent::clone(&heard.event);
    wire::answer_line(&Ok(Reply::Event(Told { lost: heard.lost, event })))
}

fn stopping() -> ApiError {
    ApiError::new(ErrorKind::ShuttingDown, "ferryd is stopping")
}

const ROOT: u32 = 0;

const RETRY_ACCEPT: Duration = Duration::from_millis(100);

const PIECE_BYTES: usize = 64 << 10;
