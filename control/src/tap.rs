//! The kernel's side of a port with `tap = true`: an interface of the same addresses, for daemons that speak over ferry.
//!
//! Who answers what, on such a port:
//!
//! | what came in | who has it |
//! |---|---|
//! | ARP requests, neighbour solicitations, router solicitations | ferry |
//! | ARP replies, neighbour advertisements | both: each asks for itself |
//! | router advertisements | both: daemons find their neighbours by them (BGP unnumbered) |
//! | echo requests that are no fragments | ferry |
//! | all else to an own address: TCP, UDP, fragments, ICMP errors, echo replies | the kernel |
//! | groups of the link (224.0.0.0/24, ff02::/16), and the limited broadcast | the kernel, but for neighbour discovery |
//!
//! What the kernel sends leaves through the port as it is, if it is from the port's station and not longer than the link
//! carries. So the kernel finds its neighbours itself and needs no routes of ferry's; ferry's own routes are no business of
//! it. A VLAN's interface sees frames without tags, as everything does here.
//!
//! A port without an interface costs one look at a flag.

use std::fmt::Debug;

use boundary::{Mtu, PortId};
use control_api::InterfaceAddress;
use packet::arp::{self, Arp};
use packet::ethernet::{HEADER_LEN, Header};
use packet::extension;
use packet::icmpv4::{self, Icmpv4};
use packet::icmpv6;
use packet::ipv4::Ipv4;
use packet::ipv6::Ipv6;

use crate::control::{Control, Outbox};
use crate::packets::Packet;
use crate::ports::{is_martian_source_v4, is_martian_source_v6};

/// Where frames cross to interfaces of the kernel and back. It never waits.
pub trait Kernel: Debug + Send {
    /// Hands a frame to the interface of `port`; false if it is lost.
    fn give(&mut self, port: PortId, frame: &[u8]) -> bool;

    /// Takes a frame that the kernel has sent on the interface of the port returned, in the place of what `frame` held.
    fn take(&mut self, frame: &mut Vec<u8>) -> Option<PortId>;

    /// The kernel's number of the interface of `port`, in the namespace that it is in.
    fn number(&self, _port: PortId) -> Option<u32> {
        None
    }

    /// The name of the interface of `port`, and the namespace it is in, if that is not ours.
    fn interface(&self, port: PortId) -> Option<(&str, Option<&str>)>;

    /// Gives the interface of `port` an address of the port's, or takes it away.
    ///
    /// # Errors
    ///
    /// Why the kernel does not do it, for a person.
    fn set_address(&mut self, port: PortId, own: InterfaceAddress, is_there: bool) -> Result<(), String>;

    /// Lets the interface of `port` carry packets of the port's length.
    ///
    /// # Errors
    ///
    /// Why the kernel does not do it, for a person.
    fn set_mtu(&mut self, port: PortId, mtu: Mtu) -> Result<(), String>;
}

/// The interfaces, and what crossed.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    kernel: Option<Box<dyn Kernel>>,
    /// By [`PortId`].
    counts: Vec<control_api::TapCounts>,
    frame: Vec<u8>,
}

impl Taps {
    pub(crate) fn new(kernel: Option<Box<dyn Kernel>>, ports: usize) -> Self {
        Self { kernel, counts: vec![control_api::TapCounts::default(); ports], frame: Vec::new() }
    }

    fn give(&mut self, port: PortId, frame: &[u8]) {
        let is_given = self.kernel.as_mut().is_some_and(|kernel| kernel.give(port, frame));
        let counts = &mut self.counts[port.index()];
        if is_given {
            counts.to_kernel += 1;
        } else {
            counts.lost += 1;
        }
    }

    /// The interface of a port has one more of its addresses, or one less.
    pub(crate) fn set_address(&mut self, port: PortId, own: InterfaceAddress, is_there: bool) -> Result<(), String> {
        self.kernel.as_mut().map_or(Ok(()), |kernel| kernel.set_address(port, own, is_there))
    }

    /// The interface of a port carries what its port does.
    pub(crate) fn set_mtu(&mut self, port: PortId, mtu: Mtu) -> Result<(), String> {
        self.kernel.as_mut().map_or(Ok(()), |kernel| kernel.set_mtu(port, mtu))
    }

    fn take(&mut self) -> Option<PortId> {
        self.kernel.as_mut()?.take(&mut self.frame)
    }

    /// The port whose interface has this number.
    pub(crate) fn port_of(&self, interface: u32) -> Option<PortId> {
        let kernel = self.kernel.as_ref()?;
        (0..).map(PortId).take(self.counts.len()).find(|port| kernel.number(*port) == Some(interface))
    }

    /// The interface of a port, as people are shown it.
    pub(crate) fn shown(&self, port: PortId) -> Option<control_api::PortTap> {
        let (name, netns) = self.kernel.as_ref()?.interface(port)?;
        let counts = self.counts[port.index()];
        Some(control_api::PortTap { ifname: name.to_owned(), netns: netns.map(str::to_owned), counts })
    }
}

impl Control {
    /// Lets the kernel have its copy of ARP: the answers to what it has asked.
    pub(crate) fn share_arp(&mut self, port: PortId, header: Header, message: &[u8]) {
        let is_reply = Arp::parse(message).is_ok_and(|arp| arp.operation == arp::Operation::Reply);
        if is_reply && self.ports.port(port).state.tap {
            self.give(port, header, &message[..message.len().min(arp::LEN)]);
        }
    }

    /// Gives the kernel a packet for us, or its copy of one; whether that is the end of it.
    pub(crate) fn give_to_kernel(&mut self, packet: &Packet<'_>, from: PortId, frame: Header, is_for_us: bool) -> bool {
        if !self.ports.port(from).state.tap {
            return false;
        }
        let share = match packet {
            Packet::V4(packet) => share_of_v4(packet, is_for_us),
            Packet::V6(packet) => share_of_v6(packet, is_for_us),
        };
        if share != Share::None {
            self.give(from, frame, packet.bytes());
        }
        share == Share::All
    }

    /// Sends what the kernel has sent on the interfaces; whether there was any.
    pub fn take_from_kernel(&mut self, out: &mut dyn Outbox) -> bool {
        for taken in 0..FRAMES_A_ROUND {
            let Some(port) = self.taps.take() else { return taken > 0 };
            let counts = &mut self.taps.counts[port.index()];
            let state = &self.ports.port(port).state;
            let longest = HEADER_LEN + usize::from(state.mtu.bytes());
            match Header::parse(&self.taps.frame) {
                Some((header, _)) if header.source == state.mac && self.taps.frame.len() <= longest => {
                    counts.from_kernel += 1;
                    out.send(port, &self.taps.frame);
                }
                Some(_) | None => counts.refused += 1,
            }
        }
        true
    }

    fn give(&mut self, port: PortId, header: Header, payload: &[u8]) {
        let frame = [&header.to_bytes(), payload].concat();
        self.taps.give(port, &frame);
    }
}

/// How much of a packet is the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    None,
    Copy,
    All,
}

fn share_of_v4(packet: &Ipv4<'_>, is_for_us: bool) -> Share {
    let destination = packet.destination();
    let is_for_link = destination.is_multicast() || destination.is_broadcast();
    if is_martian_source_v4(packet.source()) || !(is_for_us || is_for_link) {
        return Share::None;
    }
    let is_echo = packet.protocol() == icmpv4::PROTOCOL
        && Icmpv4::parse(packet.payload()).is_ok_and(|message| crate::icmp::is_echo_request_v4(&message));
    if is_for_us && is_echo && !packet.is_fragment() { Share::None } else { Share::All }
}

fn share_of_v6(packet: &Ipv6<'_>, is_for_us: bool) -> Share {
    let is_for_group = packet.destination().is_multicast();
    // Who has no address yet may speak to groups: reports of who listens to which, of a host that comes up.
    if is_martian_source_v6(packet.source()) && !(packet.source().is_unspecified() && is_for_group) {
        return Share::None;
    }
    if !(is_for_us || is_for_group) {
        return Share::None;
    }
    let Some(upper) = extension::upper(packet) else { return Share::None };
    let kind = upper.bytes.first().copied().filter(|_| upper.protocol == icmpv6::PROTOCOL);
    match (kind, upper.fragment_offset) {
        (Some(icmpv6::kind::ECHO_REQUEST), None) => Share::None,
        (Some(icmpv6::kind::NEIGHBOUR_ADVERTISEMENT | icmpv6::kind::ROUTER_ADVERTISEMENT), None) => Share::Copy,
        // The other messages of neighbour discovery: solicitations, redirects.
        (Some(133..=137), _) => Share::None,
        (Some(_) | None, _) => Share::All,
    }
}

/// So many frames of the kernel's, before punts are looked at again.
const FRAMES_A_ROUND: usize = 64;
