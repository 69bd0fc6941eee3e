//! What a port does not do as configured: well enough to go on with, or not.

use std::fmt;

use crate::eal;

/// What a port does not do exactly as configured, but well enough to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// A queue has another number of descriptors.
    Descriptors {
        /// Which kind of queue.
        direction: Direction,
        /// The configured number.
        wanted: u16,
        /// The number it has.
        given: u16,
    },
    /// The device knows no MTU, so how long frames may be is up to it.
    NoMtu {
        /// The configured MTU.
        wanted: u16,
    },
    /// There are several receive queues, and how frames are spread over them is up to the device.
    NoReceiveSideScaling {
        /// How many queues.
        queues: u16,
    },
    /// It hashes flows with a key of its own, and so the two directions of a conversation apart.
    NoSymmetricKey,
    /// The device cannot be made promiscuous.
    NotPromiscuous,
    /// The device does not hear groups, and so no neighbour discovery.
    DeafToGroups,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors { direction, wanted, given } => {
                write!(f, "{given} {direction} descriptors instead of {wanted}")
            }
            Self::NoMtu { wanted } => {
                write!(f, "no MTU can be set; whether it passes packets of {wanted} bytes is up to the device")
            }
            Self::NoReceiveSideScaling { queues } => {
                write!(f, "no receive side scaling; how it spreads frames over {queues} queues is up to the device")
            }
            Self::NoSymmetricKey => {
                f.write_str("it takes no symmetric key; the directions of a conversation may come to different queues")
            }
            Self::NotPromiscuous => f.write_str("no promiscuous mode"),
            Self::DeafToGroups => f.write_str("it refuses to hear all groups; IPv6 neighbours may not find it"),
        }
    }
}

/// Which way a queue goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the wire.
    Receive,
    /// To the wire.
    Transmit,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receive => "receive",
            Self::Transmit => "transmit",
        })
    }
}

/// Why a port could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The configuration names a device DPDK does not have.
    #[error("no device named `{name}`; there are {probed:?}")]
    UnknownDevice {
        /// The name in the configuration.
        name: String,
        /// What DPDK has, so that the message is enough to fix the file.
        probed: Vec<String>,
    },
    /// The driver does not answer.
    #[error("the driver of `{name}` does not tell what the device can do")]
    Silent {
        /// The port.
        name: String,
    },
    /// A port can be started once.
    #[error("port `{name}` is started already")]
    AlreadyStarted {
        /// Its name.
        name: String,
    },
    /// The device has fewer queues than wanted. Of transmit queues that is one for each worker.
    #[error("`{name}` can have {available} {direction} queues, {wanted} are wanted")]
    TooFewQueues {
        /// The port.
        name: String,
        /// Which kind of queue.
        direction: Direction,
        /// How many the device has.
        available: u16,
        /// How many were asked for.
        wanted: u16,
    },
    /// A port needs a queue each way.
    #[error("`{name}` is configured without a {direction} queue, it needs at least one")]
    NoQueue {
        /// The port.
        name: String,
        /// Which kind of queue.
        direction: Direction,
    },
    /// The device does not do packets of this size.
    #[error("`{name}` can have an MTU of {least} to {most} bytes, {wanted} are wanted")]
    Mtu {
        /// The port.
        name: String,
        /// The configured MTU.
        wanted: u16,
        /// The device's smallest.
        least: u16,
        /// The device's largest.
        most: u16,
    },
    /// A frame must fit one buffer.
    #[error("buffers have room for frames of {room} bytes, an MTU of {mtu} on `{name}` takes {needed}")]
    BuffersTooSmall {
        /// The port.
        name: String,
        /// The configured MTU.
        mtu: u16,
        /// How long a frame may then be.
        needed: usize,
        /// What the pool's buffers have.
        room: usize,
    },
    /// The driver refused.
    #[error("`{name}` refuses to {step}: {reason}{}", eal::said(.log))]
    Refused {
        /// The port.
        name: String,
        /// At what.
        step: String,
        /// The driver's error number, in words.
        reason: String,
        /// What DPDK said.
        log: Vec<String>,
    },
}
