//! Frames, from the payload outwards: `Packet::new(from, to).ttl(1).udp("text").on(link)`.
//!
//! Each step fills in its lengths and sums; what is to be wrong is made wrong at the end, with [`Payload::damaged`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ip;

/// A frame, from the destination's MAC address to the last byte of padding.
pub(crate) type Frame = Vec<u8>;

/// A station's address.
pub(crate) type Mac = [u8; 6];

/// Every station on the link.
pub(crate) const BROADCAST: Mac = [0xff; 6];

/// Between which stations a frame goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) to: Mac,
    pub(crate) from: Mac,
}

impl Link {
    /// A frame of at least 60 bytes, as a wire has them.
    pub(crate) fn frame(self, kind: u16, payload: &[u8]) -> Frame {
        let mut frame = self.short_frame(kind, payload);
        frame.resize(frame.len().max(60), 0);
        frame
    }

    /// A frame as short as its payload.
    fn short_frame(self, kind: u16, payload: &[u8]) -> Frame {
        [&self.to[..], &self.from, &kind.to_be_bytes(), payload].concat()
    }

    /// To the stations that listen to a group (RFC 1112 6.4, RFC 2464 7).
    pub(crate) fn to_group(self, group: &str) -> Self {
        let to = match ip(group) {
            IpAddr::V4(group) => {
                let [_, b, c, d] = group.octets();
                [0x01, 0x00, 0x5e, b & 0x7f, c, d]
            }
            IpAddr::V6(group) => {
                let [.., a, b, c, d] = group.octets();
                [0x33, 0x33, a, b, c, d]
            }
        };
        Self { to, ..self }
    }

    /// To the stations whose address may be this one (RFC 4291 2.7.1).
    pub(crate) fn to_solicited(self, target: &str) -> Self {
        self.to_group(&solicited(target).to_string())
    }
}

/// A packet's header, of the family of its addresses.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    /// Flags and offset of IPv4.
    fragment: u16,
    /// Options of IPv4.
    options: Vec<u8>,
    /// Kind and content of an extension header of IPv6.
    extension: Option<(u8, [u8; 6])>,
}

impl Packet {
    pub(crate) fn new(source: &str, destination: &str) -> Self {
        let (source, destination) = (ip(source), ip(destination));
        Self { source, destination, ttl: 64, fragment: 0, options: Vec::new(), extension: None }
    }

    pub(crate) fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    pub(crate) fn dont_fragment(self) -> Self {
        Self { fragment: 0x4000, ..self }
    }

    /// A fragment that begins at this byte of the whole, a multiple of 8.
    pub(crate) fn fragment(self, offset: u16, more: bool) -> Self {
        Self { fragment: (offset / 8) | (u16::from(more) << 13), ..self }
    }

    /// Options, a multiple of 4 bytes.
    pub(crate) fn options(self, options: &[u8]) -> Self {
        Self { options: options.to_vec(), ..self }
    }

    pub(crate) fn extension(self, kind: u8, content: &[u8; 6]) -> Self {
        Self { extension: Some((kind, *content)), ..self }
    }

    /// With a datagram from port 40000 to port 5201.
    pub(crate) fn udp(self, say: &str) -> Payload {
        let datagram = self.datagram(say);
        self.raw(UDP, &datagram)
    }

    /// The datagram alone, to be cut in pieces.
    pub(crate) fn datagram(&self, say: &str) -> Vec<u8> {
        let mut datagram = vec![0x9c, 0x40, 0x14, 0x51];
        datagram.extend(be16(8 + say.len()));
        datagram.extend([0, 0]);
        datagram.extend(say.bytes());
        let sum = match self.pseudo_checksum(UDP, &datagram) {
            // Zero stands for no checksum; this is the other zero (RFC 768).
            0 => 0xffff,
            sum => sum,
        };
        datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        datagram
    }

    /// An echo request.
    pub(crate) fn echo(self, sequence: u16, say: &str) -> Payload {
        let kind = if self.source.is_ipv4() { 8 } else { 128 };
        let content = [&[0xfe, 0x11], &sequence.to_be_bytes()[..], say.as_bytes()].concat();
        self.icmp(kind, &content)
    }

    /// A destination unreachable, about a packet that went the other way.
    pub(crate) fn icmp_error(self, say: &str) -> Payload {
        let kind = if self.source.is_ipv4() { 3 } else { 1 };
        let about = Self { source: self.destination, destination: self.source, ttl: 64, ..self.clone() };
        self.icmp(kind, &[&[0; 4], &about.udp(say).bytes()[..]].concat())
    }

    /// A message of ICMP or ICMPv6, of code 0.
    fn icmp(self, kind: u8, content: &[u8]) -> Payload {
        let mut message = [&[kind, 0, 0, 0], content].concat();
        let (protocol, sum) = match self.source {
            IpAddr::V4(_) => (1, checksum(&message)),
            IpAddr::V6(_) => (58, self.pseudo_checksum(58, &message)),
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.raw(protocol, &message)
    }

    /// Any payload.
    pub(crate) fn raw(self, protocol: u8, payload: &[u8]) -> Payload {
        match (self.source, self.destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                Payload { kind: 0x0800, packet: self.ipv4(from, to, protocol, payload) }
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                Payload { kind: 0x86dd, packet: self.ipv6(from, to, protocol, payload) }
            }
            (from, to) => unreachable!("a packet from {from} to {to}"),
        }
    }

    fn ipv4(&self, from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let words = u8::try_from(header_len / 4).expect("at most 40 bytes of options");
        let mut packet = vec![0x40 | words, 0];
        packet.extend(be16(header_len + payload.len()));
        packet.extend([0x00, 0x01]);
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([self.ttl, protocol, 0, 0]);
        packet.extend(from.octets());
        packet.extend(to.octets());
        packet.extend(&self.options);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn ipv6(&self, from: Ipv6Addr, to: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let (next, extension) = match self.extension {
            Some((kind, content)) => (kind, [&[protocol, 0], &content[..]].concat()),
            None => (protocol, Vec::new()),
        };
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(be16(extension.len() + payload.len()));
        packet.extend([next, self.ttl]);
        packet.extend(from.octets());
        packet.extend(to.octets());
        packet.extend(extension);
        packet.extend(payload);
        packet
    }

    /// The sum over addresses, length, protocol and message (RFC 768, RFC 8200 8.1).
    fn pseudo_checksum(&self, protocol: u8, message: &[u8]) -> u16 {
        let mut all = Vec::new();
        for address in [self.source, self.destination] {
            match address {
                IpAddr::V4(address) => all.extend(address.octets()),
                IpAddr::V6(address) => all.extend(address.octets()),
            }
        }
        all.extend(be16(message.len()));
        all.extend([0, protocol]);
        all.extend(message);
        checksum(&all)
    }
}

/// A packet, and the type of the frames that carry it.
#[derive(Debug)]
pub(crate) struct Payload {
    kind: u16,
    packet: Vec<u8>,
}

impl Payload {
    /// Makes it wrong in one thing.
    pub(crate) fn damaged(mut self, damage: impl FnOnce(&mut Vec<u8>)) -> Self {
        damage(&mut self.packet);
        self
    }

    /// Makes the checksum of an IPv4 header right again.
    pub(crate) fn summed(mut self) -> Self {
        self.packet[10..12].fill(0);
        let sum = checksum(&self.packet[..20]);
        self.packet[10..12].copy_from_slice(&sum.to_be_bytes());
        self
    }

    pub(crate) fn on(&self, link: Link) -> Frame {
        link.frame(self.kind, &self.packet)
    }

    /// Without padding, shorter than a wire would carry it.
    pub(crate) fn on_short(&self, link: Link) -> Frame {
        link.short_frame(self.kind, &self.packet)
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.packet
    }
}

/// Who has this address? (RFC 826)
pub(crate) fn arp_request(mac: Mac, sender: &str, target: &str) -> Frame {
    let mut request = vec![0, 1, 0x08, 0x00, 6, 4, 0, 1];
    for (mac, address) in [(mac, sender), (Mac::default(), target)] {
        let IpAddr::V4(address) = ip(address) else { unreachable!("ARP is about IPv4") };
        request.extend(mac);
        request.extend(address.octets());
    }
    Link { to: BROADCAST, from: mac }.frame(0x0806, &request)
}

/// Who has this address? To all who may have it, or to the one who had it (RFC 4861 4.3).
pub(crate) fn neighbour_solicitation(mac: Mac, sender: &str, target: &str, link: Link) -> Frame {
    let IpAddr::V6(address) = ip(target) else { unreachable!("neighbour discovery is about IPv6") };
    let to_group = link.to[0] & 1 != 0;
    let destination = if to_group { solicited(target).to_string() } else { target.to_owned() };
    let source_mac = [&[1, 1], &mac[..]].concat();
    let content = [&[0; 4], &address.octets()[..], &source_mac].concat();
    Packet::new(sender, &destination).ttl(255).icmp(135, &content).on(link)
}

/// I have this address, to all nodes, unasked (RFC 4861 7.2.6).
pub(crate) fn neighbour_advertisement(mac: Mac, target: &str, link: Link) -> Frame {
    let IpAddr::V6(address) = ip(target) else { unreachable!("neighbour discovery is about IPv6") };
    let target_mac = [&[2, 1], &mac[..]].concat();
    let overriding = [0x20, 0, 0, 0];
    let content = [&overriding, &address.octets()[..], &target_mac].concat();
    Packet::new(target, "ff02::1").ttl(255).icmp(136, &content).on(link)
}

/// The group of those whose address may be this one (RFC 4291 2.7.1).
fn solicited(target: &str) -> Ipv6Addr {
    let IpAddr::V6(address) = ip(target) else { unreachable!("neighbour discovery is about IPv6") };
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from_octets([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The Internet checksum (RFC 1071), of bytes in which its own field is zero.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

/// The protocol number of UDP.
pub(crate) const UDP: u8 = 17;

fn be16(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("no packet here is that long").to_be_bytes()
}
