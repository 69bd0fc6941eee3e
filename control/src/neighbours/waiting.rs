//! Packets that wait for a neighbour.

use std::collections::VecDeque;

use boundary::PortId;

use crate::config::NeighbourSettings;

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
    /// Adds a packet; returns how many of the oldest made room for it. The newest stays, however long it is.
    pub(crate) fn push(&mut self, packet: Waiting, settings: &NeighbourSettings) -> u64 {
        let mut gone = 0;
        self.bytes += packet.packet.len();
        self.packets.push_back(packet);
        while self.packets.len() > 1
            && (self.packets.len() > settings.queue_packets || self.bytes > settings.queue_bytes)
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(queue: Queue) -> Vec<usize> {
        queue.into_packets().iter().map(|waiting| waiting.packet.len()).collect()
    }

    fn filled(settings: &NeighbourSettings, lens: &[usize]) -> Queue {
        let mut queue = Queue::default();
        for len in lens {
            queue.push(Waiting { packet: vec![0; *len], origin: Origin::Ours }, settings);
        }
        queue
    }

    #[test]
    fn packets_and_bytes_are_both_bounded_and_the_newest_stays_whatever_its_length() {
        let settings = NeighbourSettings { queue_packets: 3, queue_bytes: 1000, ..NeighbourSettings::default() };
        assert_eq!(lens(filled(&settings, &[1, 2, 3, 4, 5])), [3, 4, 5]);
        assert_eq!(lens(filled(&settings, &[400, 500, 600])), [600], "500 and 600 are too many bytes");
        assert_eq!(lens(filled(&settings, &[1, 9000])), [9000]);
    }
}
