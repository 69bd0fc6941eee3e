//! A host at the end of a wire: it knows its router, and answers who looks for it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use bench::host::{Heard, Station};
use packet::ethernet::{EtherType, MacAddr};

use crate::wire::Wire;

/// The hosts' names and how they are set up: the one on the left, and the one on the right.
pub(crate) const HOSTS: [(&str, Station); 2] = [
    (
        "left",
        Station {
            mac: MacAddr([2, 0, 0, 0, 1, 0x10]),
            v4: Ipv4Addr::new(192, 0, 2, 10),
            v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10),
            via: Ipv4Addr::new(192, 0, 2, 1),
        },
    ),
    (
        "right",
        Station {
            mac: MacAddr([2, 0, 0, 0, 2, 0x10]),
            v4: Ipv4Addr::new(198, 51, 100, 10),
            v6: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x10),
            via: Ipv4Addr::new(198, 51, 100, 1),
        },
    ),
];

/// A host that is there.
#[derive(Debug)]
pub(crate) struct Host {
    name: &'static str,
    host: bench::host::Host,
    wire: Wire,
}

impl Host {
    pub(crate) fn connect(
        (name, station): (&'static str, Station),
        port: u16,
        deadline: Instant,
    ) -> Result<Self, String> {
        let wire = Wire::connect(port, deadline)
            .map_err(|error| format!("no QEMU listens for the wire of {name} on TCP port {port}: {error}"))?;
        Ok(Self { name, host: bench::host::Host::new(station), wire })
    }

    /// Asks for the router until it answers.
    pub(crate) fn find_router(&mut self, deadline: Instant) -> Result<(), String> {
        while self.host.router().is_none() {
            if Instant::now() > deadline {
                let (name, via) = (self.name, self.station().via);
                return Err(format!("the router at {via} never answered the ARP requests of {name}"));
            }
            self.wire.send(&self.host.question());
            let until = Instant::now() + Duration::from_millis(200);
            while Instant::now() < until {
                self.flush()?;
                let _not_for_us = self.receive()?;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn station(&self) -> Station {
        self.host.station()
    }

    /// Where the router is.
    pub(crate) fn router(&self) -> MacAddr {
        self.host.router().expect("nothing is sent before the router is found")
    }

    /// Sends a packet to the router.
    pub(crate) fn send(&mut self, ether_type: EtherType, packet: &[u8]) {
        self.wire.send(&self.host.framed(self.router(), ether_type, packet));
    }

    /// The next frame that is neither a question nor an answer between neighbours.
    pub(crate) fn receive(&mut self) -> Result<Option<Vec<u8>>, String> {
        while let Some(frame) = self.wire.receive().map_err(|error| self.lost(&error))? {
            match self.host.hear(&frame) {
                Heard::Question(answer) => self.wire.send(&answer),
                Heard::Talk => {}
                Heard::Packet => return Ok(Some(frame)),
            }
        }
        Ok(None)
    }

    pub(crate) fn flush(&mut self) -> Result<(), String> {
        self.wire.flush().map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &std::io::Error) -> String {
        format!("the wire of {} broke: {error}; has the machine stopped?", self.name)
    }
}
