//! Which port a name means, and which port a neighbour is behind.
//!
//! A gateway is reached over the link whose network it is in; nothing else tells the port. What cannot be answered
//! because a port could not be read is answered with neither a port nor a mistake: the reader has said what is wrong.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use boundary::PortId;
use control_api::{Family, InterfaceAddress, Network};
use toml::Spanned;

use super::MAX_PORTS;
use super::mistake::Mistake;
use super::read::PortDraft;
use super::value::closest;

/// The ports, as routes and neighbours look for them.
pub(super) struct Ports<'d> {
    drafts: &'d [PortDraft],
    by_name: HashMap<&'d str, PortId>,
    by_address: HashMap<IpAddr, &'d Spanned<InterfaceAddress>>,
    by_network: HashMap<Network, &'d Spanned<InterfaceAddress>>,
    is_patchy: bool,
}

impl<'d> Ports<'d> {
    /// `is_patchy` says that something about a port was there and could not be read.
    pub(super) fn new(drafts: &'d [PortDraft], is_patchy: bool) -> Self {
        let drafts = &drafts[..drafts.len().min(MAX_PORTS)];
        let addresses = || drafts.iter().flat_map(|draft| &draft.addresses);
        let name = |(id, draft): (PortId, &'d PortDraft)| Some((draft.name.as_ref()?.get_ref().as_str(), id));
        Self {
            drafts,
            by_name: (0..).map(PortId).zip(drafts).filter_map(name).collect(),
            by_address: addresses().map(|ours| (ours.get_ref().address(), ours)).collect(),
            by_network: addresses().map(|ours| (ours.get_ref().network(), ours)).collect(),
            is_patchy,
        }
    }

    /// The port a person calls `name`.
    pub(super) fn named(&self, name: &Spanned<String>) -> Result<Option<PortId>, Mistake> {
        if let Some(id) = self.by_name.get(name.get_ref().as_str()) {
            return Ok(Some(*id));
        }
        if self.cannot_tell() {
            return Ok(None);
        }
        let known: Vec<_> = (0..).map(PortId).zip(self.drafts).map(|(id, _draft)| self.name_of(id)).collect();
        let help = match closest(name.get_ref(), &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the ports are: {}", list(known.into_iter().map(str::to_owned))),
        };
        let message = format!("there is no port named `{}`", name.get_ref());
        Err(Mistake::new(name.span(), message, "nobody knows this").help(help))
    }

    /// The port that the neighbour `address` is behind; `dev` if that is given, and then it must fit.
    pub(super) fn towards(&self, address: &Spanned<IpAddr>, dev: Option<PortId>) -> Result<Option<PortId>, Mistake> {
        let neighbour = *address.get_ref();
        let wrong = |message: String, marker: &str| Mistake::new(address.span(), message, marker);
        if let Some(reason) = no_host(neighbour) {
            return Err(wrong(format!("{neighbour} is {reason}, which no neighbour has"), "here"));
        }
        if matches!(neighbour, IpAddr::V6(address) if address.is_unicast_link_local()) {
            let message = format!("the link-local address {neighbour} may be on every link");
            return dev.map(Some).ok_or_else(|| wrong(message, "on which?").help("add dev = \"PORT\""));
        }
        if let Some(ours) = self.by_address.get(&neighbour) {
            let message = format!("{neighbour} is our own address, not a neighbour's");
            return Err(wrong(message, "here").also(ours.span(), "given to a port here"));
        }
        match self.link_of(neighbour) {
            None if self.cannot_tell() => Ok(None),
            None => {
                let message = format!("{neighbour} is in no port's network, so nobody could reach it");
                Err(wrong(message, "out of reach").help(self.networks_for(neighbour)))
            }
            Some((_, ours)) if !ours.get_ref().can_have_neighbour(neighbour) => {
                let network = ours.get_ref().network();
                let message = format!("no neighbour can have {neighbour}: it has a meaning of its own in {network}");
                Err(wrong(message, "here").also(ours.span(), "on this port"))
            }
            Some((port, ours)) if dev.is_some_and(|dev| dev != port) => {
                let name = self.name_of(port);
                let mistake = wrong(format!("{neighbour} is on the network of port `{name}`"), "here");
                Err(mistake.also(ours.span(), "this network").help(format!("write \"{name}\" for its port")))
            }
            Some((port, _)) => Ok(Some(port)),
        }
    }

    /// What is wrong with a static route to `to` if a port brings that route with it.
    pub(super) fn owner_of(&self, to: &Spanned<Network>) -> Option<Mistake> {
        let network = *to.get_ref();
        let own = self.by_address.get(&network.address()).filter(|_ours| network == Network::host(network.address()));
        let (ours, what) = match (own, self.by_network.get(&network)) {
            (Some(ours), _) => (ours, "an address of our own"),
            (None, Some(ours)) => (ours, "the network of a port"),
            (None, None) => return None,
        };
        let mistake = Mistake::new(to.span(), format!("{network} is {what}, which has its route already"), "here");
        Some(mistake.also(ours.span(), "because of this").help("take this route away"))
    }

    /// The narrowest network of a port that contains `neighbour`: the table of the port, and where the network is said.
    pub(super) fn network_of(&self, neighbour: IpAddr) -> Option<(u16, Network, Range<usize>)> {
        let (port, ours) = self.link_of(neighbour)?;
        let fib = self.drafts[port.index()].fib.as_ref().map_or(0, |fib| *fib.get_ref());
        Some((fib, ours.get_ref().network(), ours.span()))
    }

    /// The port's address on the narrowest network that contains `neighbour`.
    fn link_of(&self, neighbour: IpAddr) -> Option<(PortId, &'d Spanned<InterfaceAddress>)> {
        let addresses = |(id, draft): (PortId, &'d PortDraft)| draft.addresses.iter().map(move |ours| (id, ours));
        (0..)
            .map(PortId)
            .zip(self.drafts)
            .flat_map(addresses)
            .filter(|(_id, ours)| ours.get_ref().network().contains(neighbour))
            .max_by_key(|(_id, ours)| ours.get_ref().len())
    }

    /// Whether what is not found may be in what could not be read.
    fn cannot_tell(&self) -> bool {
        self.is_patchy || self.drafts.is_empty()
    }

    fn name_of(&self, id: PortId) -> &'d str {
        self.drafts[id.index()].name.as_ref().map_or("", |name| name.get_ref().as_str())
    }

    /// Which addresses would have been in reach instead.
    fn networks_for(&self, neighbour: IpAddr) -> String {
        let family = Family::of(neighbour);
        let mut networks: Vec<_> = self.by_network.keys().filter(|network| network.family() == family).collect();
        networks.sort();
        match networks.is_empty() {
            true => format!("give a port an {family} address in its network"),
            false => format!("the networks are: {}", list(networks.into_iter().map(Network::to_string))),
        }
    }
}

/// What an address is that no host anywhere has.
fn no_host(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_multicast() => Some("a multicast address"),
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_unspecified() => Some("the unspecified address"),
        IpAddr::V4(address) if address.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Some("an IPv4 address in the form of an IPv6 one"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// The first few, so that a hint stays one.
fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MOST_LISTED);
    let mut listed = names.take(MOST_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed.push_str(&format!(", and {more} more"));
    }
    listed
}

const MOST_LISTED: usize = 8;
