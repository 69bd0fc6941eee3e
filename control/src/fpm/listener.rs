//! The thread that the daemon connects to. It reads, and hands over what it has read; it never touches a route.
//!
//! One daemon at a time: another that connects takes its place, as zebra does itself when the link to it broke and only one
//! end has noticed. Memory is bounded by one buffer and what the channel to the control thread holds; when that is full the
//! thread reads no more, and the daemon keeps the rest.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::pin::pin;
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::message::{LONGEST_FRAME, read};
use super::{BATCH, BATCHES, Feed, Heard};

/// A thread that listens for the daemon. Dropping it ends that, and the session.
#[derive(Debug)]
pub struct Listener {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
}

/// Why nobody can be listened for.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The address cannot be listened at.
    #[error("a routing daemon cannot be listened for at {address}{}", netns.as_ref().map(|name| format!(" in the network namespace `{name}`")).unwrap_or_default())]
    Bind {
        /// What the configuration says.
        address: SocketAddr,
        /// The same, if it is not ferryd's own.
        netns: Option<String>,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is no thread for it.
    #[error("cannot start a thread for the routing daemon")]
    Thread(#[source] io::Error),
}

impl Listener {
    /// Listens at `address`, in this network namespace or in ferryd's own, on a thread of its own; what is heard comes out
    /// of the feed.
    ///
    /// # Errors
    ///
    /// When that is not possible; most often because somebody else does.
    pub fn start(address: SocketAddr, netns: Option<&str>) -> Result<(Self, Feed), ListenerError> {
        let bind = |error| ListenerError::Bind { address, netns: netns.map(str::to_owned), error };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ListenerError::Thread)?;
        let listener = bound(address, netns).map_err(bind)?;
        let listener = runtime.block_on(async { TcpListener::from_std(listener) }).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (stop, stopping) = watch::channel(false);
        let (control, feed) = mpsc::channel(BATCHES);
        let serve = move || runtime.block_on(serve(listener, control, stopping));
        let thread = std::thread::Builder::new().name("fpm".to_owned()).spawn(serve).map_err(ListenerError::Thread)?;
        Ok((Self { stop, thread: Some(thread), address }, feed))
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that listens for the routing daemon panicked");
        }
    }
}

/// A listening socket. It belongs to the namespace it is made in: a thread enters that and ends there.
fn bound(address: SocketAddr, netns: Option<&str>) -> io::Result<std::net::TcpListener> {
    let inside = || {
        if let Some(netns) = netns {
            let namespace = File::open(Path::new("/run/netns").join(netns))?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        }
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    std::thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// One session after the other, until told to stop or nobody hears any more.
async fn serve(listener: TcpListener, control: mpsc::Sender<Heard>, mut stopping: watch::Receiver<bool>) {
    let mut next = None;
    loop {
        let accepted = match next.take() {
            Some(waiting) => Ok(waiting),
            None => tokio::select! {
                biased;
                _stop = stopping.wait_for(|stopping| *stopping) => return,
                accepted = listener.accept() => accepted,
            },
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: the next attempt would fail at once as well.
                tracing::warn!(%error, "the routing daemon cannot be let in");
                tokio::time::sleep(RETRY_ACCEPT).await;
                continue;
            }
        };
        tracing::info!("the routing daemon has come, from {peer}");
        let mut session = pin!(attend(stream, peer, &control));
        let reason = tokio::select! {
            biased;
            _stop = stopping.wait_for(|stopping| *stopping) => return,
            reason = &mut session => reason,
            another = accept(&listener) => {
                let reason = format!("another came, from {}", another.1);
                next = Some(another);
                reason
            }
        };
        tracing::warn!("the routing daemon has gone: {reason}; its routes stay");
        if control.send(Heard::Left(reason)).await.is_err() {
            return;
        }
    }
}

/// Waits for one more that comes.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(_none_left) => tokio::time::sleep(RETRY_ACCEPT).await,
        }
    }
}

/// Hands over what one daemon says, until it ends; returns why.
async fn attend(mut stream: TcpStream, peer: SocketAddr, control: &mpsc::Sender<Heard>) -> String {
    if control.send(Heard::Came(peer)).await.is_err() {
        return STOPPING.to_owned();
    }
    let mut buffer = vec![0; BUFFER];
    let mut held = 0;
    loop {
        let read_now = match stream.read(&mut buffer[held..]).await {
            Ok(0) if held > 0 => return "it hung up in the middle of a message".to_owned(),
            Ok(0) => return "it hung up".to_owned(),
            Ok(read_now) => read_now,
            Err(error) => return error.to_string(),
        };
        held += read_now;
        let mut taken = 0;
        loop {
            let mut said = Vec::with_capacity(BATCH);
            let outcome = read(&buffer[taken..held], &mut said, BATCH);
            let is_all = said.is_empty();
            if !is_all && control.send(Heard::Said(said)).await.is_err() {
                return STOPPING.to_owned();
            }
            match outcome {
                Ok(more) => taken += more,
                Err(unreadable) => return unreadable.to_string(),
            }
            if is_all {
                break;
            }
        }
        buffer.copy_within(taken..held, 0);
        held -= taken;
    }
}

const STOPPING: &str = "ferryd is stopping";

const RETRY_ACCEPT: std::time::Duration = std::time::Duration::from_millis(100);

/// Room for what one read brings, and the longest frame in any case.
const BUFFER: usize = 4 * LONGEST_FRAME;
