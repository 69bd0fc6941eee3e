//! Receive queues of ports, and the workers that poll them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A receive queue, by its port's name and its number there: `left:0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortQueue {
    /// The port.
    pub port: String,
    /// Which of its queues.
    pub queue: u16,
}

impl FromStr for PortQueue {
    type Err = PortQueueError;

    fn from_str(text: &str) -> Result<Self, PortQueueError> {
        let wrong = || PortQueueError(text.to_owned());
        let (port, queue) = text.rsplit_once(':').filter(|(port, _queue)| !port.is_empty()).ok_or_else(wrong)?;
        // `parse` would accept a sign.
        let is_number = queue.bytes().all(|byte| byte.is_ascii_digit());
        let queue = queue.parse().ok().filter(|_queue| is_number).ok_or_else(wrong)?;
        Ok(Self { port: port.to_owned(), queue })
    }
}

impl fmt::Display for PortQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.port, self.queue)
    }
}

/// Why a text names no queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a receive queue, which is written PORT:NUMBER, as in `left:0`")]
pub struct PortQueueError(String);

/// Which worker polls a queue, or is to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePlace {
    /// Which queue.
    #[serde(flatten)]
    pub queue: PortQueue,
    /// The core of the worker.
    pub core: usize,
    /// Whether it is still on its way there, which is over when two workers have ended their turns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moving: bool,
}

/// What comes in through each receive queue of a port, and how flows are spread over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRss {
    /// The port.
    pub ifname: String,
    /// Its receive queues, by their numbers.
    pub queues: Vec<QueueShare>,
    /// How its device spreads flows over them; absent where there is one queue, or where the device does it in a way of its
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss: Option<Spread>,
}

/// What came in through a receive queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueShare {
    /// Its number.
    pub queue: u16,
    /// The core of the worker that polls it.
    pub core: usize,
    /// Packets that came in through it.
    pub packets: u64,
    /// Whether nothing ever did, while others of the port received.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starved: bool,
}

/// How a device spreads flows over receive queues: it hashes some of a packet, and the hash picks an entry of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// What is hashed, for people.
    pub hashed: Vec<String>,
    /// With what kind of secret.
    pub key: KeyKind,
    /// The queue for each part of the hashes; empty if the device does not tell.
    pub table: Vec<u16>,
}

/// A kind of secret that flows are hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Both directions of a conversation have one hash.
    Symmetric,
    /// Each has its own.
    Directional,
    /// The device does not tell.
    Unknown,
}

impl KeyKind {
    /// The word for it wherever it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Directional => "directional",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_a_port_and_a_number() {
        for (text, port, queue) in [("left:0", "left", 0), ("left.100:17", "left.100", 17)] {
            let named: PortQueue = text.parse().unwrap();
            assert_eq!((named.port.as_str(), named.queue), (port, queue));
            assert_eq!(named.to_string(), text);
        }
        for text in ["left", ":0", "left:", "left:+1", "left:x", "left:65536", ""] {
            assert_eq!(text.parse::<PortQueue>(), Err(PortQueueError(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_place_is_one_flat_object() {
        let place = QueuePlace { queue: "left:1".parse().unwrap(), core: 3, moving: false };
        let json = r#"{"port":"left","queue":1,"core":3}"#;
        assert_eq!(serde_json::to_string(&place).unwrap(), json);
        assert_eq!(serde_json::from_str::<QueuePlace>(json).unwrap(), place);
    }
}
