//! The packets of a stream, made before the load, cheap to write during it.
//!
//! A stream cycles through an order of flows, and through the lengths of its frames. All headers are made once, for each
//! flow in each length; writing a packet copies one and adds its [`Stamp`]. IPv6 packets carry the checksum of UDP, which
//! has to be there (RFC 8200 section 8.1), and costs the sum of the stamp; in IPv4 it may be left out, and is.

use std::net::IpAddr;

use packet::checksum::Sum;
use packet::ethernet::{EtherType, HEADER_LEN, Header, MacAddr};
use packet::{ipv4, ipv6};

use crate::stamp::{LEAST_FRAME_IPV4, LEAST_FRAME_IPV6, Stamp, UDP_HEADER_LEN};

/// Who talks to whom; the protocol is UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// From which port.
    pub source_port: u16,
    /// To which port.
    pub destination_port: u16,
}

/// The stations a stream's frames go between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stations {
    /// Ours.
    pub source: MacAddr,
    /// The router's.
    pub destination: MacAddr,
}

/// A stream, ready to be written.
#[derive(Debug)]
pub struct Plan {
    /// Of each flow, one for each length.
    heads: Vec<Head>,
    /// Flows, as their packets follow each other.
    order: Vec<u32>,
    /// Lengths of frames, as they follow each other: places among the heads of a flow.
    turns: Vec<usize>,
    /// How many heads a flow has.
    lengths: usize,
}

/// A packet up to its stamp.
#[derive(Debug)]
struct Head {
    bytes: [u8; Self::ROOM],
    len: u8,
    /// Of the whole frame.
    frame_len: u16,
    /// The sum to which that of the stamp is added, if there is a checksum.
    sum: Option<Sum>,
}

impl Head {
    const ROOM: usize = HEADER_LEN + ipv6::HEADER_LEN + UDP_HEADER_LEN;
}

/// Why there is no such stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is nothing to send.
    #[error("a stream needs a flow and a length of frames; it was given {flows} flows and {lengths} lengths")]
    Empty {
        /// Flows it was given.
        flows: usize,
        /// Lengths it was given.
        lengths: usize,
    },
    /// An address of each family.
    #[error("{from} and {to} are of different families")]
    Families {
        /// The source.
        from: IpAddr,
        /// The destination.
        to: IpAddr,
    },
    /// Too short for the headers and the stamp, or longer than IP can say.
    #[error(
        "a frame of {} bytes cannot carry a test packet; one of {} to {} can, with its frame check sequence",
        len + 4, LEAST_FRAME_IPV4 + 4, Plan::LONGEST + 4
    )]
    Length {
        /// Of the frame, without that.
        len: usize,
    },
}

impl Plan {
    /// The longest frame a stream may have.
    pub const LONGEST: usize = 9014;

    /// Packets of `flows` in the order of `order`, which holds places in `flows`, in frames of `lengths` bytes by turns,
    /// without the frame check sequence. Where a test packet of IPv6 does not fit a frame that one of IPv4 does, the frame
    /// is as long as it must be.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn new(flows: &[Flow], order: Vec<u32>, lengths: &[usize], stations: Stations) -> Result<Self, PlanError> {
        if order.is_empty() || lengths.is_empty() {
            return Err(PlanError::Empty { flows: flows.len(), lengths: lengths.len() });
        }
        let mut different = lengths.to_vec();
        different.sort_unstable();
        different.dedup();
        let heads = flows.iter().flat_map(|flow| different.iter().map(|len| head(flow, *len, stations)));
        let heads = heads.collect::<Result<_, _>>()?;
        let turns = lengths.iter().map(|len| different.binary_search(len).expect("it is one of them")).collect();
        Ok(Self { heads, order, turns, lengths: different.len() })
    }

    /// Which flow a packet is of.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the machine has 64 bits")]
    pub fn flow_of(&self, number: u64) -> u32 {
        match &self.order[..] {
            [only] => *only,
            order => order[number as usize % order.len()],
        }
    }

    /// Writes the packet of the stamp's number to the beginning of `frame`, and says how long it is.
    ///
    /// What follows the stamp is left as it is there: whoever wants zeros has them there.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the machine has 64 bits")]
    pub fn write(&self, stamp: Stamp, frame: &mut [u8; Self::LONGEST]) -> usize {
        let turn = match &self.turns[..] {
            [only] => *only,
            turns => turns[stamp.number as usize % turns.len()],
        };
        let head = &self.heads[self.flow_of(stamp.number) as usize * self.lengths + turn];
        let at = usize::from(head.len);
        let bytes = stamp.to_bytes();
        frame[..Head::ROOM].copy_from_slice(&head.bytes);
        frame[at..at + Stamp::LEN].copy_from_slice(&bytes);
        if let Some(sum) = head.sum {
            // A checksum of zero says that there is none, which its twin does not (RFC 768).
            let checksum = Some(sum.bytes(&bytes).checksum()).filter(|checksum| *checksum != 0).unwrap_or(0xffff);
            frame[at - 2..at].copy_from_slice(&checksum.to_be_bytes());
        }
        usize::from(head.frame_len)
    }
}

fn head(flow: &Flow, len: usize, stations: Stations) -> Result<Head, PlanError> {
    let Flow { source, destination, source_port, destination_port } = *flow;
    let least = if source.is_ipv4() { LEAST_FRAME_IPV4 } else { LEAST_FRAME_IPV6 };
    if !(LEAST_FRAME_IPV4..=Plan::LONGEST).contains(&len) {
        return Err(PlanError::Length { len });
    }
    let len = len.max(least);
    let ip_header_len = least - HEADER_LEN - UDP_HEADER_LEN - Stamp::LEN;
    let udp_len = len - HEADER_LEN - ip_header_len;
    let udp = u16::try_from(udp_len).expect("less than the longest frame");
    let ports = [source_port.to_be_bytes(), destination_port.to_be_bytes(), udp.to_be_bytes(), [0; 2]].concat();
    let (ether_type, ip, sum) = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let builder = ipv4::Builder {
                source,
                destination,
                protocol: UDP,
                ttl: HOPS,
                tos: 0,
                identification: 0,
                dont_fragment: false,
            };
            (EtherType::IPV4, builder.header(udp_len).expect("less than the longest frame").to_vec(), None)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let builder = ipv6::Builder { source, destination, next_header: UDP, hop_limit: HOPS };
            let sum = Sum::pseudo_ipv6(source, destination, UDP, u32::from(udp)).bytes(&ports);
            (EtherType::IPV6, builder.header(udp_len).expect("less than the longest frame").to_vec(), Some(sum))
        }
        _ => return Err(PlanError::Families { from: source, to: destination }),
    };
    let ethernet = Header { destination: stations.destination, source: stations.source, ether_type }.to_bytes();
    let whole = [&ethernet[..], &ip, &ports].concat();
    let mut bytes = [0; Head::ROOM];
    bytes[..whole.len()].copy_from_slice(&whole);
    let frame_len = u16::try_from(len).expect("less than the longest frame");
    Ok(Head { bytes, len: u8::try_from(whole.len()).expect("62 bytes at most"), frame_len, sum })
}

const UDP: u8 = 17;

/// Enough for any path of a test, and a loop ends.
const HOPS: u8 = 64;

#[cfg(test)]
mod tests {
    use packet::ipv4::Ipv4;
    use packet::ipv6::Ipv6;

    use super::*;

    const STATIONS: Stations =
        Stations { source: MacAddr([2, 0, 0, 0, 0, 9]), destination: MacAddr([2, 0, 0, 0, 0, 1]) };

    fn flow(source: &str, destination: &str) -> Flow {
        Flow {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            source_port: 1024,
            destination_port: 9,
        }
    }

    fn written(plan: &Plan, number: u64) -> Vec<u8> {
        let mut frame = [0; Plan::LONGEST];
        let stamp = Stamp { stream: 1, trial: 2, number, cycles: 3 };
        let len = plan.write(stamp, &mut frame);
        assert_eq!(Stamp::of_frame(&frame[..len]), Some(stamp));
        frame[..len].to_vec()
    }

    #[test]
    fn a_packet_of_ipv4_is_whole_in_every_length() {
        let flow = flow("198.18.0.2", "198.19.0.7");
        let plan = Plan::new(&[flow], vec![0], &[60, 1514, 566], STATIONS).unwrap();
        for (number, len) in [(0, 60), (1, 1514), (2, 566), (3, 60)] {
            let frame = written(&plan, number);
            assert_eq!(frame.len(), len);
            let (header, payload) = Header::parse(&frame).unwrap();
            assert_eq!((header.source, header.destination), (STATIONS.source, STATIONS.destination));
            let packet = Ipv4::parse(payload).unwrap();
            assert_eq!(packet.total_len(), len - HEADER_LEN);
            assert_eq!(IpAddr::from(packet.destination()), flow.destination);
        }
    }

    #[test]
    fn a_packet_of_ipv6_carries_a_checksum_that_verifies() {
        let plan = Plan::new(&[flow("2001:2::2", "2001:2:0:1::7")], vec![0], &[80], STATIONS).unwrap();
        for number in 0..200_000 {
            let mut frame = [0; Plan::LONGEST];
            let len = plan.write(Stamp { stream: 0, trial: 0, number, cycles: number << 7 }, &mut frame);
            let packet = Ipv6::parse(&frame[HEADER_LEN..len]).unwrap();
            let udp = packet.payload();
            let sum = Sum::pseudo_ipv6(packet.source(), packet.destination(), UDP, 26).bytes(udp);
            assert!(sum.verifies() && udp[6..8] != [0, 0], "{number}");
        }
    }

    #[test]
    fn flows_follow_each_other_in_their_order() {
        let flows = [flow("198.18.0.2", "198.19.0.1"), flow("198.18.0.2", "198.19.0.2")];
        let plan = Plan::new(&flows, vec![0, 1, 1], &[60], STATIONS).unwrap();
        let destinations: Vec<_> = (0..6).map(|number| written(&plan, number)[33]).collect();
        assert_eq!(destinations, [1, 2, 2, 1, 2, 2]);
        assert_eq!((0..4).map(|number| plan.flow_of(number)).collect::<Vec<_>>(), [0, 1, 1, 0]);
    }

    #[test]
    fn a_frame_too_short_for_ipv6_is_as_long_as_it_must_be() {
        let flows = [flow("2001:2::2", "2001:2:0:1::7"), flow("198.18.0.2", "198.19.0.1")];
        let plan = Plan::new(&flows, vec![0, 1], &[60], STATIONS).unwrap();
        assert_eq!([0, 1].map(|number| written(&plan, number).len()), [LEAST_FRAME_IPV6, LEAST_FRAME_IPV4]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_the_reason() {
        let (v4, v6) = (flow("198.18.0.2", "198.19.0.1"), flow("2001:2::2", "2001:2::3"));
        let refused = |flow, lengths: &[usize]| Plan::new(&[flow], vec![0], lengths, STATIONS).unwrap_err();
        assert_eq!(refused(v4, &[59]), PlanError::Length { len: 59 });
        assert_eq!(refused(v6, &[9015]), PlanError::Length { len: 9015 });
        assert_eq!(refused(v4, &[]), PlanError::Empty { flows: 1, lengths: 0 });
        let mixed = Flow { destination: v6.destination, ..v4 };
        assert!(matches!(refused(mixed, &[80]), PlanError::Families { .. }));
    }
}
