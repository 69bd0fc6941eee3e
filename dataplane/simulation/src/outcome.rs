//! What became of packets.

use boundary::{DropReason, PortId, PuntReason, Totals};
use packet::ethernet::Header;

use crate::host::Host;
use crate::icmp::Icmp;

/// What left the router and what was counted, since the scene was last asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Frames that left, in order; without the questions that a host of the scene answered.
    pub sent: Vec<(PortId, Vec<u8>)>,
    /// Questions for neighbours that a host of the scene answered.
    pub answered: Vec<(PortId, Vec<u8>)>,
    /// Packets that came in.
    pub received: u64,
    /// Packets of others that were forwarded.
    pub transmitted: u64,
    /// Packets that died in a worker, by reason; only reasons that had one.
    pub drops: Vec<(DropReason, u64)>,
    /// Packets that workers left to the control plane, by reason; only reasons that had one.
    pub punts: Vec<(PuntReason, u64)>,
}

impl Outcome {
    /// The packets that left for a host's station, IP header first and without the link's padding.
    pub fn packets_to(&self, host: Host) -> Vec<&[u8]> {
        let to_host = |(port, frame): &'_ &(PortId, Vec<u8>)| {
            *port == host.port && header(frame).0.destination == host.mac && frame.len() > packet::ethernet::HEADER_LEN
        };
        self.sent.iter().filter(to_host).map(|(_, frame)| without_padding(header(frame).1)).collect()
    }

    /// The only packet that left, which left for this host's station.
    pub fn packet_to(&self, host: Host) -> &[u8] {
        let packets = self.packets_to(host);
        assert!(packets.len() == 1 && self.sent.len() == 1, "not one packet to {host:?}, but {self:?}");
        packets[0]
    }

    /// The only packet that left: an ICMP message to this host's station.
    pub fn icmp_to(&self, host: Host) -> Icmp {
        Icmp::read(self.packet_to(host))
    }

    /// Whether nothing left.
    pub fn is_silent(&self) -> bool {
        self.sent.is_empty()
    }

    /// The reason why everything that came in died in the worker, in silence; `None` if it did not, or for several.
    pub fn dropped(&self) -> Option<DropReason> {
        match self.drops[..] {
            [(reason, count)] if count == self.received && self.is_silent() => Some(reason),
            _ => None,
        }
    }

    /// How many packets died for this reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.drops.iter().filter(|(found, _)| *found == reason).map(|(_, count)| count).sum()
    }

    /// How many packets went to the control plane for this reason.
    pub fn punted_for(&self, reason: PuntReason) -> u64 {
        self.punts.iter().filter(|(found, _)| *found == reason).map(|(_, count)| count).sum()
    }

    /// This, and then that.
    pub(crate) fn and(mut self, then: Self) -> Self {
        self.sent.extend(then.sent);
        self.answered.extend(then.answered);
        self.received += then.received;
        self.transmitted += then.transmitted;
        add(&mut self.drops, then.drops);
        add(&mut self.punts, then.punts);
        self
    }

    /// What was counted between two readings; nothing has left yet.
    pub(crate) fn between(before: &Totals, after: &Totals) -> Self {
        assert!(after.is_conserved(), "received = transmitted + punted + dropped: {after:?}");
        fn grown<R>(before: impl Iterator<Item = (R, u64)>, after: impl Iterator<Item = (R, u64)>) -> Vec<(R, u64)> {
            after
                .zip(before)
                .map(|((reason, now), (_, then))| (reason, now - then))
                .filter(|grown| grown.1 > 0)
                .collect()
        }
        Self {
            received: after.received() - before.received(),
            transmitted: after.transmitted() - before.transmitted(),
            drops: grown(before.drops(), after.drops()),
            punts: grown(before.punts(), after.punts()),
            ..Self::default()
        }
    }
}

fn add<R: PartialEq>(sums: &mut Vec<(R, u64)>, counts: Vec<(R, u64)>) {
    for (reason, count) in counts {
        match sums.iter_mut().find(|(found, _)| *found == reason) {
            Some((_, sum)) => *sum += count,
            None => sums.push((reason, count)),
        }
    }
}

fn header(frame: &[u8]) -> (Header, &[u8]) {
    Header::parse(frame).expect("what leaves has an Ethernet header")
}

/// A short packet is padded by the link; its own length says where it ends.
fn without_padding(packet: &[u8]) -> &[u8] {
    let len = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    match packet.first().map(|first| first >> 4) {
        Some(4) if packet.len() >= 20 => packet.get(..len(2)).unwrap_or(packet),
        Some(6) if packet.len() >= 40 => packet.get(..len(4) + 40).unwrap_or(packet),
        _ => packet,
    }
}
