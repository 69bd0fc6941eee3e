//! Packets to send, said in a line.

use std::net::IpAddr;

use packet::checksum::{Sum, checksum};
use packet::{ipv4, ipv6};

/// What a packet is to look like.
#[derive(Debug, Clone, Copy)]
pub struct Sketch {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    hops: u8,
    tos: u8,
    identification: u16,
    dont_fragment: bool,
}

/// A UDP packet from one address to another, of the same family.
pub fn udp(source: impl Into<IpAddr>, destination: impl Into<IpAddr>) -> Sketch {
    Sketch {
        source: source.into(),
        destination: destination.into(),
        protocol: 17,
        hops: 64,
        tos: 0,
        identification: 7,
        dont_fragment: false,
    }
}

impl Sketch {
    /// With so many hops to go.
    #[must_use]
    pub fn hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    /// With another protocol, or next header.
    #[must_use]
    pub fn protocol(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }

    /// With this type of service, or traffic class.
    #[must_use]
    pub fn tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    /// With this identification; IPv6 has none.
    #[must_use]
    pub fn identification(self, identification: u16) -> Self {
        Self { identification, ..self }
    }

    /// That must not be fragmented; IPv6 says so always.
    #[must_use]
    pub fn dont_fragment(self) -> Self {
        Self { dont_fragment: true, ..self }
    }

    /// The packet with this payload.
    pub fn with(self, payload: &[u8]) -> Vec<u8> {
        let Self { protocol, hops, tos, identification, dont_fragment, .. } = self;
        let header = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let builder =
                    ipv4::Builder { source, destination, protocol, ttl: hops, tos, identification, dont_fragment };
                builder.header(payload.len()).expect("the payload fits a packet").to_vec()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let builder = ipv6::Builder { source, destination, next_header: protocol, hop_limit: hops };
                let mut header = builder.header(payload.len()).expect("the payload fits a packet").to_vec();
                header[0] |= tos >> 4;
                header[1] |= tos << 4;
                header
            }
            _ => panic!("{} and {} are not of one family", self.source, self.destination),
        };
        [&header, payload].concat()
    }

    /// The packet with so many bytes of payload.
    pub fn of(self, payload_len: usize) -> Vec<u8> {
        self.with(&vec![0xa5; payload_len])
    }

    /// The packet so many bytes long, headers and all.
    pub fn long(self, total_len: usize) -> Vec<u8> {
        let header_len = if self.source.is_ipv4() { ipv4::MIN_HEADER_LEN } else { ipv6::HEADER_LEN };
        self.of(total_len - header_len)
    }

    /// The packet with an IPv4 header that carries these options, a multiple of four bytes of them.
    pub fn with_options(self, options: &[u8], payload: &[u8]) -> Vec<u8> {
        assert!(self.source.is_ipv4() && options.len().is_multiple_of(4) && options.len() <= 40, "{options:?}");
        let mut packet = self.with(&[options, payload].concat());
        packet[0] += u8::try_from(options.len() / 4).expect("at most ten words");
        with_right_checksum(packet)
    }

    /// The packet with an echo request of so many bytes of data.
    pub fn echo(self, data_len: usize) -> Vec<u8> {
        let kind = if self.source.is_ipv4() { 8 } else { 128 };
        self.icmp(kind, 0, data_len)
    }

    /// The packet with an ICMP message of its family, whose checksum is right.
    pub fn icmp(self, kind: u8, code: u8, data_len: usize) -> Vec<u8> {
        let data = (0_u8..=250).cycle().take(data_len);
        let mut message: Vec<u8> = [kind, code, 0, 0, 0x12, 0x34, 0, 1].into_iter().chain(data).collect();
        let (protocol, sum) = match (self.source, self.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let len = u32::try_from(message.len()).expect("the message fits a packet");
                (58, Sum::pseudo_ipv6(source, destination, 58, len).bytes(&message).checksum())
            }
            _ => (1, checksum(&message)),
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.protocol(protocol).with(&message)
    }
}

/// An IPv4 packet that was changed, with the header checksum it should have now.
pub fn with_right_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let sum = checksum(&packet[..usize::from(packet[0] & 0x0f) * 4]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// An address, as one writes it.
pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no address"))
}
