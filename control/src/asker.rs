//! Who asks, and what of that matters to what is answered.

use crate::config::Config;
use crate::events::{ClientId, Queue};

/// Who asks.
#[derive(Debug)]
pub struct Asker {
    /// His connection, if he has one.
    pub client: Option<ClientId>,
    /// His process; 0 if that is ferryd itself, or not known.
    pub pid: u32,
    /// The number he gave his request.
    pub seq: u32,
    /// Whether he may change anything. Whoever can ask may look.
    pub may_change: bool,
    /// Where he is to be told what happens, should he want to follow.
    pub queue: Option<Queue>,
    /// The configuration he wants, read and checked, should he want another.
    pub config: Option<Box<Config>>,
}

impl Asker {
    /// Ferryd itself, which may do anything and hears its own answers.
    pub const fn ferryd() -> Self {
        Self { client: None, pid: 0, seq: 0, may_change: true, queue: None, config: None }
    }
}
