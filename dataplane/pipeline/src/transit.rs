//! What forwarding asks of the header of a packet in transit, and changes in it.
//!
//! It is read from the header where it is asked for. The header is in the nearest cache then, and to read it twice takes less
//! than to hand what was read from one pass over a burst to the next.

use boundary::Adjacency;
use packet::{ipv4, ipv6};

/// The header of a packet that [`classify`](crate::classify::classify()) lets go on.
pub(crate) trait Header: Sized {
    /// The one that `packet` begins with.
    fn at(packet: &[u8]) -> Option<&Self>;

    /// The same, to be changed.
    fn at_mut(packet: &mut [u8]) -> Option<&mut Self>;

    /// What it says of the packet.
    fn transit(&self) -> Transit;

    /// Takes one off the hops that are left.
    fn take_hop(&mut self);
}

/// All that forwarding needs to know of a packet, but for its destination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transit {
    /// Its time to live, or hop limit, as it came in.
    pub(crate) hops_left: u8,
    /// Header and payload, in bytes.
    pub(crate) total_len: u32,
    /// Whether its source is a link-local address: good for us to hear, not to carry on.
    pub(crate) from_link_local: bool,
}

impl Transit {
    /// Whether no rule keeps it from a neighbour.
    #[inline(always)]
    pub(crate) fn may_pass(self, adjacency: &Adjacency) -> bool {
        self.hops_left > 1 && self.total_len <= u32::from(adjacency.mtu.bytes()) && !self.from_link_local
    }
}

/// An IPv4 header without options.
pub(crate) type Ipv4Header = [u8; ipv4::MIN_HEADER_LEN];

impl Header for Ipv4Header {
    #[inline(always)]
    fn at(packet: &[u8]) -> Option<&Self> {
        packet.first_chunk()
    }

    #[inline(always)]
    fn at_mut(packet: &mut [u8]) -> Option<&mut Self> {
        packet.first_chunk_mut()
    }

    #[inline(always)]
    fn transit(&self) -> Transit {
        let total_len = u32::from(u16::from_be_bytes([self[2], self[3]]));
        // RFC 3927: what comes from a link-local address has been dropped.
        Transit { hops_left: self[8], total_len, from_link_local: false }
    }

    #[inline(always)]
    fn take_hop(&mut self) {
        ipv4::decrement_ttl(self);
    }
}

/// An IPv6 header.
pub(crate) type Ipv6Header = [u8; ipv6::HEADER_LEN];

impl Header for Ipv6Header {
    #[inline(always)]
    fn at(packet: &[u8]) -> Option<&Self> {
        packet.first_chunk()
    }

    #[inline(always)]
    fn at_mut(packet: &mut [u8]) -> Option<&mut Self> {
        packet.first_chunk_mut()
    }

    #[inline(always)]
    fn transit(&self) -> Transit {
        let payload_len = u32::from(u16::from_be_bytes([self[4], self[5]]));
        let total_len = u32::try_from(ipv6::HEADER_LEN).expect("it is forty") + payload_len;
        // RFC 4291 2.5.6: fe80::/10.
        let from_link_local = u16::from_be_bytes([self[8], self[9]]) & 0xffc0 == 0xfe80;
        Transit { hops_left: self[7], total_len, from_link_local }
    }

    #[inline(always)]
    fn take_hop(&mut self) {
        ipv6::decrement_hop_limit(self);
    }
}
