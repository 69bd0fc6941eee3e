//! The queue between what happens and one who follows it: bounded, and exact about what it lost.

use std::sync::Arc;

use control_api::{EventKind, RouteEvent};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::ClientId;

/// How many events wait for one who does not read.
pub const QUEUE_EVENTS: usize = 1024;

/// A queue, and who reads from it.
pub fn queue() -> (Queue, Subscription) {
    let (events, heard) = channel(QUEUE_EVENTS);
    (Queue(events), Subscription(heard))
}

/// The end that events go into.
#[derive(Debug)]
pub struct Queue(Sender<Heard>);

/// The end that events come out of. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription(Receiver<Heard>);

/// An event, and how many before it were lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Those lost since the one heard before.
    pub lost: u64,
    /// The event.
    pub event: Arc<RouteEvent>,
}

impl Subscription {
    /// Waits for the next event; none comes any more if nobody is left to tell it.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        self.0.recv().await
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Heard> {
        self.0.try_recv().ok()
    }
}

/// One who follows what happens.
#[derive(Debug)]
pub(super) struct Subscriber {
    queue: Queue,
    fib: Option<u16>,
    /// Who he is, if he asks for anything himself.
    client: Option<ClientId>,
    /// Whether he wants to hear what follows from that.
    loopback: bool,
    /// Events he was not told of since the last that he was.
    owed: u64,
}

/// He follows no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

impl Subscriber {
    pub(super) const fn new(queue: Queue, fib: Option<u16>, client: Option<ClientId>, loopback: bool) -> Self {
        Self { queue, fib, client, loopback, owed: 0 }
    }

    /// Tells him if it is for him; how many events were lost for that, none or one.
    pub(super) fn tell(&mut self, event: &Arc<RouteEvent>, by: Option<ClientId>) -> Result<u64, Gone> {
        if !self.is_for_him(event, by) {
            return if self.queue.0.is_closed() { Err(Gone) } else { Ok(0) };
        }
        match self.queue.0.try_send(Heard { lost: self.owed, event: Arc::clone(event) }) {
            Ok(()) => {
                self.owed = 0;
                Ok(0)
            }
            Err(TrySendError::Full(_)) => {
                self.owed += 1;
                Ok(1)
            }
            Err(TrySendError::Closed(_)) => Err(Gone),
        }
    }

    fn is_for_him(&self, event: &RouteEvent, by: Option<ClientId>) -> bool {
        let is_of_his_table = self.fib.is_none() || event.fib.is_none() || self.fib == event.fib;
        let is_his_own = by.is_some() && by == self.client;
        // What somebody looked up is nobody else's business: nothing has happened.
        let is_told = if is_his_own { self.loopback } else { event.kind != EventKind::Get };
        is_of_his_table && is_told
    }
}
