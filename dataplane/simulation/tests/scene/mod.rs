//! What tests share that run a worker beside the control thread: a packet to forward, and devices that are none.

use std::net::Ipv4Addr;

use boundary::PortId;
use control::{Hardware, HardwareStatus};
use control_api::Link;
use packet::ethernet::{EtherType, Header, MacAddr};
use pipeline::MemoryFrame;

/// The station of the port that packets come in through.
pub(crate) const IN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

/// A packet from a host on that port's link to `destination`.
pub(crate) fn packet_to(destination: Ipv4Addr) -> MemoryFrame {
    let builder = packet::ipv4::Builder {
        source: Ipv4Addr::new(192, 0, 2, 10),
        destination,
        protocol: 17,
        ttl: 64,
        tos: 0,
        identification: 0,
        dont_fragment: false,
    };
    let header = builder.header(26).expect("it is short");
    let ethernet = Header { destination: IN_MAC, source: MacAddr([2, 0, 0, 0, 0, 9]), ether_type: EtherType::IPV4 };
    MemoryFrame([&ethernet.to_bytes()[..], &header, &[0; 26]].concat())
}

/// Links that are up.
pub(crate) struct NoHardware;

impl Hardware for NoHardware {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }
}
