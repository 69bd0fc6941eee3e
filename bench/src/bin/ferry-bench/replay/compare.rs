//! What left ferryd, held against what the model says is to leave.
//!
//! A capture may have the same packet twice, so both sides are counted: each frame that the model lets leave is found once
//! among those that came out of the same port with the same bytes. What the control plane made itself may have another IPv4
//! identification, which counts what was sent before. What is left on both sides is the same packet with other bytes or at
//! another port, if all but what a router writes into it is the same.

use std::collections::{BTreeMap, HashMap};

use boundary::PortId;
use packet::checksum::checksum;
use packet::ethernet::{EtherType, Header};
use serde::Serialize;

use super::model::{Leaving, Model, Said};

/// How often what was said was done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Compared {
    /// Forwarded with the same bytes out of the same port.
    pub(super) forwarded: Counted,
    /// What the control plane said itself.
    pub(super) answers: Counted,
    /// Frames that came out and that nobody said would.
    pub(super) unexpected: u64,
    /// Some of what is other than it was said, in words.
    pub(super) examples: Vec<String>,
}

/// Of frames that were to leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    pub(super) said: u64,
    pub(super) done: u64,
    /// With other bytes, or elsewhere.
    pub(super) differs: u64,
    pub(super) lost: u64,
}

/// Frames that came out of ports.
pub(super) type Seen = Vec<(PortId, Vec<u8>)>;

impl Compared {
    pub(super) fn new(model: &Model, seen: Seen, name: impl Fn(PortId) -> String) -> Self {
        let mut compared = Self::default();
        let mut left: HashMap<(PortId, Vec<u8>), u64> = HashMap::new();
        for frame in seen {
            *left.entry(frame).or_default() += 1;
        }
        let missing = compared.find(model.leaving.iter(), &mut left, |bytes| bytes.to_vec());
        // Only what the control plane made is looked for once more.
        let (own, others): (Vec<_>, Vec<_>) = missing.into_iter().partition(|leaving| leaving.is_own);
        let mut by_content = regrouped(left, |port, bytes| (port, without_identification(bytes)));
        let mut missing = others;
        missing.extend(own.into_iter().filter(|leaving| {
            let key = (leaving.port, without_identification(&leaving.bytes));
            let found = take(&mut by_content, &key).is_some();
            compared.answers.done += u64::from(found);
            !found
        }));
        let mut same_packet = regrouped_again(by_content);
        for leaving in missing {
            let found = take(&mut same_packet, &of_the_sender(&leaving.bytes));
            let counted = compared.of(leaving);
            match &found {
                Some(_) => counted.differs += 1,
                None => counted.lost += 1,
            }
            compared.tell(|| told(leaving, found.as_ref(), &model.said, &name));
        }
        for (port, bytes) in same_packet.into_values().flatten() {
            compared.unexpected += 1;
            compared.tell(|| format!("came out of {} and was not to: {}", name(port), shown(&bytes)));
        }
        compared
    }

    /// Takes those out that are there; what is not there comes back.
    fn find<'m>(
        &mut self,
        leaving: impl Iterator<Item = &'m Leaving>,
        left: &mut HashMap<(PortId, Vec<u8>), u64>,
        key: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Vec<&'m Leaving> {
        let mut missing = Vec::new();
        for frame in leaving {
            let counted = self.of(frame);
            counted.said += 1;
            match left.get_mut(&(frame.port, key(&frame.bytes))).filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    counted.done += 1;
                }
                None => missing.push(frame),
            }
        }
        missing
    }

    fn of(&mut self, leaving: &Leaving) -> &mut Counted {
        if leaving.is_own { &mut self.answers } else { &mut self.forwarded }
    }

    fn tell(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(example());
        }
    }
}

type Groups<K> = BTreeMap<K, Vec<(PortId, Vec<u8>)>>;

fn regrouped<K: Ord>(left: HashMap<(PortId, Vec<u8>), u64>, key: impl Fn(PortId, &[u8]) -> K) -> Groups<K> {
    let mut groups: Groups<K> = BTreeMap::new();
    for ((port, bytes), count) in left {
        for _ in 0..count {
            groups.entry(key(port, &bytes)).or_default().push((port, bytes.clone()));
        }
    }
    groups
}

fn regrouped_again<K>(left: Groups<K>) -> Groups<Vec<u8>> {
    let mut groups: Groups<Vec<u8>> = BTreeMap::new();
    for (port, bytes) in left.into_values().flatten() {
        groups.entry(of_the_sender(&bytes)).or_default().push((port, bytes));
    }
    groups
}

fn take<K: Ord>(groups: &mut Groups<K>, key: &K) -> Option<(PortId, Vec<u8>)> {
    groups.get_mut(key)?.pop()
}

fn told(
    leaving: &Leaving,
    found: Option<&(PortId, Vec<u8>)>,
    said: &[Said],
    name: impl Fn(PortId) -> String,
) -> String {
    let which = match leaving.packet {
        Some(place) => format!("packet {} ({:?})", place + 1, said[place]),
        None => "what was due later".to_owned(),
    };
    let out = format!("{which}: out of {} {}", name(leaving.port), shown(&leaving.bytes));
    match found {
        Some((port, bytes)) => format!("{out}; came out of {} as {}", name(*port), shown(bytes)),
        None => format!("{out}; did not come"),
    }
}

/// The first bytes of a frame: both headers.
fn shown(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().take(54).map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes {hex}{}", bytes.len(), if bytes.len() > 54 { "..." } else { "" })
}

/// A frame without the identification of its IPv4 packet, which counts what its sender has sent before.
fn without_identification(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if let Some((header, _)) = Header::parse(&frame)
        && header.ether_type == EtherType::IPV4
        && let Some(packet) = frame.get_mut(14..)
        && let Some(len) = packet.first().map(|first| usize::from(first & 0xf) * 4).filter(|len| *len >= 20)
        && let Some(header) = packet.get_mut(..len)
    {
        [header[4], header[5], header[10], header[11]] = [0; 4];
        let sum = checksum(header).to_be_bytes();
        [header[10], header[11]] = sum;
    }
    frame
}

/// What its sender made of a packet: all but stations, hops left, and the sum over them.
fn of_the_sender(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let kind = Header::parse(&frame).map(|(header, _)| header.ether_type);
    frame.iter_mut().take(12).for_each(|byte| *byte = 0);
    let of_router: &[usize] = match kind {
        Some(EtherType::IPV4) => &[22, 24, 25],
        Some(EtherType::IPV6) => &[21],
        _ => &[],
    };
    for place in of_router {
        if let Some(byte) = frame.get_mut(*place) {
            *byte = 0;
        }
    }
    frame
}

/// So many examples tell enough.
const MOST_EXAMPLES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u8, ttl: u8, port_mac: u8) -> Vec<u8> {
        let ethernet = [2, 0, 0, 0, 0, port_mac, 2, 0, 0, 0, 0, 9, 8, 0];
        let mut ip = [0x45, 0, 0, 24, 0, id, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4];
        let sum = checksum(&ip[..20]).to_be_bytes();
        ip[10..12].copy_from_slice(&sum);
        [&ethernet[..], &ip].concat()
    }

    fn model(leaving: &[(u16, Vec<u8>, bool)]) -> Model {
        let leaving = leaving.iter().enumerate().map(|(place, (port, bytes, is_own))| Leaving {
            packet: Some(place),
            port: PortId(*port),
            bytes: bytes.clone(),
            is_own: *is_own,
        });
        let leaving: Vec<_> = leaving.collect();
        Model { said: vec![Said::Forwarded; leaving.len()], leaving, ..Model::default() }
    }

    fn compared(model: &Model, seen: &[(u16, Vec<u8>)]) -> Compared {
        let seen = seen.iter().map(|(port, bytes)| (PortId(*port), bytes.clone())).collect();
        Compared::new(model, seen, |port| port.0.to_string())
    }

    #[test]
    fn a_packet_that_is_there_twice_has_to_come_out_twice_whatever_the_order() {
        let model = model(&[(1, frame(1, 63, 1), false), (1, frame(2, 63, 1), false), (1, frame(1, 63, 1), false)]);
        let all = compared(&model, &[(1, frame(2, 63, 1)), (1, frame(1, 63, 1)), (1, frame(1, 63, 1))]);
        assert_eq!(all.forwarded, Counted { said: 3, done: 3, differs: 0, lost: 0 });
        assert_eq!((all.unexpected, all.examples.len()), (0, 0));
        let once = compared(&model, &[(1, frame(2, 63, 1)), (1, frame(1, 63, 1))]);
        assert_eq!(once.forwarded, Counted { said: 3, done: 2, differs: 0, lost: 1 });
    }

    #[test]
    fn the_same_packet_at_another_port_to_another_station_or_with_other_hops_differs() {
        let model = model(&[(1, frame(1, 63, 1), false)]);
        for (port, bytes) in [(2, frame(1, 63, 1)), (1, frame(1, 63, 2)), (1, frame(1, 62, 1))] {
            let other = compared(&model, &[(port, bytes)]);
            assert_eq!(other.forwarded, Counted { said: 1, done: 0, differs: 1, lost: 0 });
            assert_eq!((other.unexpected, other.examples.len()), (0, 1));
        }
    }

    #[test]
    fn what_nobody_said_would_come_out_is_not_expected() {
        let other = compared(&model(&[]), &[(1, frame(1, 63, 1))]);
        assert_eq!((other.unexpected, other.examples.len()), (1, 1));
    }

    #[test]
    fn only_what_the_control_plane_made_may_have_another_identification() {
        let own = compared(&model(&[(1, frame(1, 64, 1), true)]), &[(1, frame(7, 64, 1))]);
        assert_eq!(own.answers, Counted { said: 1, done: 1, differs: 0, lost: 0 });
        let forwarded = compared(&model(&[(1, frame(1, 64, 1), false)]), &[(1, frame(7, 64, 1))]);
        assert_eq!((forwarded.forwarded.lost, forwarded.unexpected), (1, 1));
    }
}
