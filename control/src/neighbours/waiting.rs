//! Packets that wait for a neighbour.

use std::collections::VecDeque;

use boundary::PortId;

/// A packet as it came, IP header first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Its bytes, nothing after its end.
    pub(crate) packet: Vec<u8>,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// Where a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In through this port: a hop is still to be taken off, and its sender to be told if it goes no further.
    Received(PortId),
    /// From ourselves.
    Ours,
}

/// The newest few packets for one neighbour, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    packets: VecDeque<Waiting>,
    bytes: usize,
}

impl Queue {
    /// Adds a packet; returns how many of the oldest made room for it.
    pub(crate) fn push(&mut self, packet: Waiting) -> u64 {
        let mut gone = 0;
        self.bytes += packet.packet.len();
        self.packets.push_back(packet);
        while self.packets.len() > MAX_PACKETS || (self.bytes > MAX_BYTES && self.packets.len() > 1) {
            self.bytes -= self.packets.pop_front().map_or(0, |oldest| oldest.packet.len());
            gone += 1;
        }
        gone
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, oldest first.
    pub(crate) fn into_packets(self) -> Vec<Waiting> {
        self.packets.into()
    }
}

/// Most packets that wait for one neighbour.
const MAX_PACKETS: usize = 8;

/// Most bytes that wait for one neighbour, unless the newest packet alone is longer.
const MAX_BYTES: usize = 16 << 10;
