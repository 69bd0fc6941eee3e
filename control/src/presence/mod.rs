//! What ports do on their links of their own accord: they try their addresses before they use them, say where they are,
//! defend them, and, where they are told to, say that there is a router.
//!
//! All of it begins with ferryd ([`Control::announce`]), and again for each link that comes up again. A control plane that
//! is never told to begin, as that of a replayed capture, uses its addresses and says nothing.

mod advertiser;
mod own;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use boundary::PortId;
use control_api::UnusedAddress;
use packet::arp::Arp;
use packet::ethernet::{EtherType, MacAddr};
use packet::icmpv6::Between;
use packet::ndp::{self, Advertisement, PrefixInformation, RouterAdvertisement, RouterHeard, Solicitation};

use advertiser::Advertiser;
use own::{Own, Standing, Step};

use crate::config::{AdvertisedPrefix, LinkSettings};
use crate::control::{Control, Outbox, Turn};
use crate::neighbours::{Key, draw};
use crate::time::Timestamp;
use crate::timers::{DeadlineId, Wheel};

/// How far it has come.
#[derive(Debug)]
pub(crate) struct Presence {
    /// By [`PortId`].
    settings: Vec<LinkSettings>,
    own: BTreeMap<Key, (Own, Option<DeadlineId>)>,
    advertisers: BTreeMap<PortId, (Advertiser, DeadlineId)>,
    tasks: Wheel<Task>,
    /// Whether it has begun.
    has_begun: bool,
    /// Links that came up again and were not looked at yet.
    came_up: Vec<PortId>,
    /// Ports that are to tell hosts other things than before, or nothing.
    told_otherwise: Vec<PortId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Address(Key),
    Advertise(PortId),
}

impl Presence {
    pub(crate) fn new(settings: Vec<LinkSettings>) -> Self {
        Self {
            settings,
            own: BTreeMap::new(),
            advertisers: BTreeMap::new(),
            tasks: Wheel::new(Duration::from_nanos(1)),
            has_begun: false,
            came_up: Vec::new(),
            told_otherwise: Vec::new(),
        }
    }

    /// A link is there again.
    pub(crate) fn link_came_up(&mut self, port: PortId) {
        if self.has_begun {
            self.came_up.push(port);
        }
    }

    /// From now on a port does this.
    pub(crate) fn set_settings(&mut self, port: PortId, settings: LinkSettings) {
        let before = std::mem::replace(&mut self.settings[port.index()], settings);
        if self.has_begun && before.advertisements != self.settings(port).advertisements {
            self.told_otherwise.push(port);
        }
    }

    /// What a port was told to do.
    pub(crate) fn settings(&self, port: PortId) -> &LinkSettings {
        &self.settings[port.index()]
    }

    /// Whether `nonce` is that of our own probe, come back (RFC 7527).
    fn is_own(&self, key: Key, nonce: Option<[u8; 6]>) -> bool {
        nonce.is_some() && self.own.get(&key).is_some_and(|(own, _)| own.nonce == nonce)
    }

    fn begin(&mut self, key: Key, own: Own) {
        self.forget(key);
        self.put(key, own);
    }

    fn forget(&mut self, key: Key) {
        if let Some((_, Some(deadline))) = self.own.remove(&key) {
            self.tasks.cancel(deadline);
        }
    }

    fn put(&mut self, key: Key, own: Own) {
        let deadline = own.due_at().map(|at| self.tasks.arm(at, Task::Address(key)));
        self.own.insert(key, (own, deadline));
    }

    fn conflict(&mut self, key: Key, now: Timestamp) -> Step {
        let (mut own, deadline) = self.own.remove(&key).unwrap_or_else(|| {
            // Never tried, so in use.
            let mut own = Own::tentative(0, now);
            let _used = own.fall_due(now);
            let _announced = own.fall_due(now);
            (own, None)
        });
        deadline.and_then(|deadline| self.tasks.cancel(deadline));
        let step = own.conflict(now);
        self.put(key, own);
        step
    }

    fn advertise(&mut self, port: PortId, mac: MacAddr, now: Timestamp) {
        let Some(settings) = self.settings(port).advertisements.clone() else { return };
        let MacAddr([a, b, c, d, e, f]) = mac;
        let advertiser = Advertiser::new(settings, u64::from_be_bytes([0, 1, a, b, c, d, e, f]), now);
        let deadline = self.tasks.arm(advertiser.due_at(), Task::Advertise(port));
        if let Some((_, before)) = self.advertisers.insert(port, (advertiser, deadline)) {
            self.tasks.cancel(before);
        }
    }
}

impl Control {
    /// Tries and announces our addresses on all links. For the start, once workers can send.
    pub fn announce(&mut self, now: Timestamp, out: &mut dyn Outbox) {
        let turn = &mut Turn { now, out };
        self.presence.has_begun = true;
        let ports: Vec<_> = self.ports.iter().map(|(id, _)| id).collect();
        for port in ports {
            self.appear(port, turn);
        }
    }

    /// Takes leave of all links: who took us for a router looks for another (RFC 4861 section 6.2.5).
    pub fn take_leave(&mut self, now: Timestamp, out: &mut dyn Outbox) {
        let turn = &mut Turn { now, out };
        let ports: Vec<_> = self.presence.advertisers.keys().copied().collect();
        for port in ports {
            self.send_advertisement(port, 0, turn);
        }
    }

    /// A link is there, or there again: our addresses on it are tried before they are used, and announced.
    fn appear(&mut self, port: PortId, turn: &mut Turn<'_>) {
        let info = self.ports.port(port);
        let mac = info.state.mac;
        let own: Vec<_> =
            info.addresses.iter().map(|own| own.address()).chain([info.state.link_local.into()]).collect();
        for address in own {
            self.try_address(port, address, turn.now);
        }
        self.presence.advertise(port, mac, turn.now);
        self.run_presence(turn);
    }

    /// An address is ours from now on: it is tried before it is used, and announced, as soon as anything is due.
    pub(crate) fn try_address(&mut self, port: PortId, address: IpAddr, now: Timestamp) {
        if !self.presence.has_begun {
            return;
        }
        let probes = self.presence.settings(port).neighbours.duplicate_probes;
        let probes = if address.is_ipv4() { 0 } else { probes };
        // RFC 4862 section 5.4.2: not all at once, and within a second; a quarter of it is enough for few routers.
        let wait = if probes == 0 { Duration::ZERO } else { Duration::from_millis(draw(address) / 4) };
        self.presence.begin((address, port), Own::tentative(probes, now + wait));
        self.ports.set_usable(address, port, probes == 0);
    }

    /// An address is ours no more.
    pub(crate) fn leave_address(&mut self, port: PortId, address: IpAddr) {
        self.presence.forget((address, port));
        self.ports.set_usable(address, port, true);
    }

    /// Does what is due.
    pub(crate) fn run_presence(&mut self, turn: &mut Turn<'_>) {
        for port in std::mem::take(&mut self.presence.came_up) {
            self.appear(port, turn);
        }
        for port in std::mem::take(&mut self.presence.told_otherwise) {
            if self.presence.settings(port).advertisements.is_some() {
                self.presence.advertise(port, self.ports.port(port).state.mac, turn.now);
                continue;
            }
            // Who took us for a router looks for another.
            self.send_advertisement(port, 0, turn);
            if let Some((_, deadline)) = self.presence.advertisers.remove(&port) {
                self.presence.tasks.cancel(deadline);
            }
        }
        while let Some(task) = self.presence.tasks.pop_due(turn.now) {
            match task {
                Task::Address(key) => self.run_own(key, turn),
                Task::Advertise(port) => self.run_advertiser(port, turn),
            }
        }
    }

    fn run_own(&mut self, key: Key, turn: &mut Turn<'_>) {
        let Some((mut own, _due_now)) = self.presence.own.remove(&key) else { return };
        let step = own.fall_due(turn.now);
        self.presence.put(key, own);
        self.take_step(key, step, turn);
    }

    fn take_step(&mut self, key: Key, step: Step, turn: &mut Turn<'_>) {
        let (address, port) = key;
        match step {
            Step::Wait => {}
            Step::Probe => self.probe(key, turn),
            Step::Use => {
                self.ports.set_usable(address, port, true);
                self.announce_address(port, address, turn);
            }
            Step::Announce => self.announce_address(port, address, turn),
            Step::GiveUp => {
                self.ports.set_usable(address, port, false);
                let port = &self.ports.port(port).name;
                tracing::warn!("port {port}: another host has {address}, which is not used until it is given up there");
            }
        }
    }

    /// Asks whether somebody else has an IPv6 address of ours (RFC 4862 section 5.4.2).
    fn probe(&mut self, (address, port): Key, turn: &mut Turn<'_>) {
        let IpAddr::V6(target) = address else { return };
        let mac = self.ports.port(port).state.mac;
        let mut question = Vec::new();
        let nonce = nonce_of((address, port), mac, turn.now);
        if let Some((own, _)) = self.presence.own.get_mut(&(address, port)) {
            own.nonce = Some(nonce);
        }
        Solicitation::append_probe(target, nonce, &mut question);
        let group = MacAddr::of_ipv6_multicast(ndp::solicited_node(target));
        self.counts.questions += 1;
        self.transmit(port, group, EtherType::IPV6, &question, turn);
    }

    fn announce_address(&mut self, port: PortId, address: IpAddr, turn: &mut Turn<'_>) {
        let mac = self.ports.port(port).state.mac;
        let mut message = Vec::new();
        match address {
            IpAddr::V4(address) => {
                Arp::request(mac, address, address).append_to(&mut message);
                self.transmit(port, MacAddr::BROADCAST, EtherType::ARP, &message, turn);
            }
            IpAddr::V6(target) => {
                let told =
                    Advertisement { target, target_mac: Some(mac), router: true, solicited: false, overrides: true };
                let all = ndp::ALL_NODES;
                told.append_to(Between { source: target, destination: all }, &mut message);
                self.transmit(port, MacAddr::of_ipv6_multicast(all), EtherType::IPV6, &message, turn);
            }
        }
    }

    /// Somebody else says that he has an address of ours.
    pub(crate) fn address_claimed(&mut self, key: Key, turn: &mut Turn<'_>) {
        let (address, port) = key;
        // Other routers of the link have that one, too (RFC 4291 section 2.6.1).
        if self.ports.port(port).has_anycast(address) {
            return;
        }
        self.counts.address_conflicts += 1;
        // An address of another port is none to be defended on this link.
        if self.ports.port(port).has(address) {
            let step = self.presence.conflict(key, turn.now);
            if step == Step::Announce {
                let port = &self.ports.port(port).name;
                tracing::warn!("port {port}: another station claims {address}, which is ours; it is defended");
            }
            self.take_step(key, step, turn);
        }
    }

    /// Somebody tries an address that we are trying, too; unless it was we ourselves, heard back.
    pub(crate) fn address_tried(&mut self, key: Key, nonce: Option<[u8; 6]>, turn: &mut Turn<'_>) {
        if !self.presence.is_own(key, nonce) {
            self.address_claimed(key, turn);
        }
    }

    /// The addresses of a port that are not used, and whether another host has them.
    pub(crate) fn unused_addresses(&self, port: PortId) -> Vec<UnusedAddress> {
        let of_port = self.presence.own.iter().filter(|((_, of), _)| *of == port);
        let unused = of_port.filter(|(_, (own, _))| own.standing() != Standing::InUse);
        unused
            .map(|((address, _), (own, _))| UnusedAddress {
                address: *address,
                duplicate: own.standing() == Standing::Duplicate,
            })
            .collect()
    }

    /// Somebody asks for routers (RFC 4861 section 6.2.6).
    pub(crate) fn router_wanted(&mut self, port: PortId, now: Timestamp) {
        let Presence { advertisers, tasks, .. } = &mut self.presence;
        if let Some((advertiser, deadline)) = advertisers.get_mut(&port)
            && advertiser.asked(now)
        {
            tasks.rearm(*deadline, advertiser.due_at());
        }
    }

    /// Another router said what it is; routes and addresses are not its to change (RFC 4861 section 6.2.7).
    pub(crate) fn router_heard(&mut self, port: PortId, from: Ipv6Addr, heard: RouterHeard) {
        let Some((advertiser, _)) = self.presence.advertisers.get(&port) else { return };
        let ours = &advertiser.settings;
        let mtu = u32::from(self.ports.port(port).state.mtu.bytes());
        let differs = |ours: u32, theirs: u32| ours != 0 && theirs != 0 && ours != theirs;
        if differs(ours.hop_limit.into(), heard.hop_limit.into())
            || ours.managed != heard.managed
            || ours.other != heard.other
            || differs(ours.reachable_ms, heard.reachable_ms)
            || differs(ours.retransmit_ms, heard.retransmit_ms)
            || heard.mtu.is_some_and(|theirs| theirs != mtu)
        {
            self.counts.router_inconsistencies += 1;
            tracing::debug!("port {}: the router {from} tells hosts otherwise than we do", self.ports.port(port).name);
        }
    }

    fn run_advertiser(&mut self, port: PortId, turn: &mut Turn<'_>) {
        let is_usable = self.ports.is_usable(self.ports.port(port).state.link_local.into(), port);
        let Some((advertiser, _)) = self.presence.advertisers.get_mut(&port) else { return };
        let lifetime = advertiser.settings.lifetime_seconds;
        if is_usable {
            advertiser.sent(turn.now);
        } else {
            advertiser.put_off(turn.now);
        }
        let due = advertiser.due_at();
        let next = self.presence.tasks.arm(due, Task::Advertise(port));
        if let Some((_, deadline)) = self.presence.advertisers.get_mut(&port) {
            *deadline = next;
        }
        if is_usable {
            self.send_advertisement(port, lifetime, turn);
        }
    }

    fn send_advertisement(&mut self, port: PortId, lifetime_seconds: u16, turn: &mut Turn<'_>) {
        let Some((advertiser, _)) = self.presence.advertisers.get(&port) else { return };
        let settings = &advertiser.settings;
        let info = self.ports.port(port);
        let longest = settings.max_interval.as_secs();
        let told = RouterAdvertisement {
            hop_limit: settings.hop_limit,
            managed: settings.managed,
            other: settings.other,
            preference: settings.preference,
            lifetime_seconds,
            reachable_ms: settings.reachable_ms,
            retransmit_ms: settings.retransmit_ms,
            source_mac: info.state.mac,
            mtu: Some(info.state.mtu.bytes().into()),
            prefixes: settings.prefixes.iter().map(information).collect(),
            resolvers: settings.resolvers.clone(),
            resolvers_seconds: u32::try_from(3 * longest).unwrap_or(u32::MAX),
        };
        let between = Between { source: info.state.link_local, destination: ndp::ALL_NODES };
        let mut message = Vec::new();
        told.append_to(between, &mut message);
        if !message.is_empty() {
            self.counts.router_advertisements += 1;
            self.transmit(port, MacAddr::of_ipv6_multicast(ndp::ALL_NODES), EtherType::IPV6, &message, turn);
        }
    }
}

fn information(advertised: &AdvertisedPrefix) -> PrefixInformation {
    PrefixInformation {
        prefix: advertised.prefix.address(),
        len: advertised.prefix.len(),
        on_link: advertised.on_link,
        autonomous: advertised.autonomous,
        valid_seconds: advertised.valid_seconds,
        preferred_seconds: advertised.preferred_seconds,
    }
}

/// What tells a probe of ours from another's (RFC 7527): who asks, where and when, stirred. Two stations that were made
/// with the same address by mistake do not ask in the same nanosecond of their lives.
fn nonce_of((address, port): Key, MacAddr(mac): MacAddr, now: Timestamp) -> [u8; 6] {
    let start = now.as_nanos() ^ draw(address) << 48 ^ u64::from(port.0) << 32;
    let stirred = mac
        .iter()
        .fold(start, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    let [a, b, c, d, e, f, ..] = stirred.to_be_bytes();
    [a, b, c, d, e, f]
}
