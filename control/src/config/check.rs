//! What values say about each other: names that occur once, networks that belong to one port, gateways in reach.
//!
//! Each function below takes one kind of section, adds what is wrong to the mistakes, and returns what is right. A rule
//! whose ground is missing because of an earlier mistake is passed over: one typing error is one mistake.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use boundary::{Group, Mtu, Policy};
use control_api::{Family, InterfaceAddress, Network};
use toml::Spanned;

use super::filter;
use super::fpm::FpmDraft;
use super::gateway::{check_gateways, fib_of};
use super::link::AdvertisedPrefix;
use super::mistake::Mistake;
use super::queues::check_queues;
use super::reach::Ports;
use super::read::{Draft, NeighbourDraft, PortDraft, RouteDraft, ViaDraft, WorkerDraft};
use super::tap::check_taps;
use super::vlan::check_vlans;
use super::{Config, Core, Idle, MAX_PORTS, Neighbour, Port, Route, Target, Under, Worker};
use crate::routes::Fibs;

/// The configuration `draft` means, if nothing in it is wrong.
pub(super) fn check(draft: Draft, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let Draft {
        socket,
        dpdk,
        routing,
        workers: worker_drafts,
        ports: mut drafts,
        routes,
        neighbours,
        filters: filter_drafts,
        icmp,
        source_routes,
        fpm,
        is_patchy,
    } = draft;
    let workers = check_workers(&worker_drafts, mistakes);
    // Workers poll the first so many ports: those with a device.
    drafts.sort_by_key(|draft| draft.vlan.is_some());
    check_ports(&drafts, is_patchy, mistakes);
    let ports = Ports::new(&drafts, is_patchy);
    check_vlans(&drafts, &ports, mistakes);
    check_taps(&drafts, mistakes);
    let queue_map = check_queues(&worker_drafts, &drafts, &ports, mistakes);
    let ports_fibs = drafts.iter().filter_map(|draft| draft.fib.as_ref());
    let fibs = ports_fibs.chain(routes.iter().filter_map(|draft| draft.fib.as_ref()));
    let fibs = fibs.chain(fpm.iter().flat_map(FpmDraft::fibs));
    mistakes.extend(fibs.filter_map(|fib| no_table(fib, routing.fibs)));
    check_gateways(&routes, &ports, routing.add_addr_allfibs, mistakes);
    let routes = check_routes(&routes, &ports, mistakes);
    let neighbours = check_neighbours(&neighbours, &ports, mistakes);
    let fpm = fpm.map(|draft| draft.check(&ports, mistakes));
    let filters = filter::check_filters(&filter_drafts, mistakes);
    let policies: Vec<_> = drafts.iter().map(|draft| filter::check_policy(draft, &filter_drafts, mistakes)).collect();
    if !mistakes.is_empty() {
        return None;
    }
    // A map names every queue, and so says how many there are.
    let named = |place: usize| queue_map.as_ref()?.get(place).and_then(|queues| u16::try_from(queues.len()).ok());
    Some(Config {
        socket: socket.unwrap_or_else(|| PathBuf::from(control_api::DEFAULT_SOCKET)),
        dpdk,
        routing,
        workers,
        ports: drafts
            .iter()
            .zip(policies)
            .enumerate()
            .map(|(place, (draft, policy))| port(draft, policy, named(place), &ports, &drafts))
            .collect::<Option<_>>()?,
        queue_map,
        routes,
        neighbours,
        filters,
        icmp,
        source_routes,
        fpm,
    })
}

/// One worker on the last core, unless the file says otherwise.
fn check_workers(drafts: &[WorkerDraft], mistakes: &mut Vec<Mistake>) -> Vec<Worker> {
    if drafts.is_empty() {
        return vec![Worker { core: Core::Last, idle: Idle::Poll }];
    }
    let mut cores = Once::default();
    let mut workers = Vec::with_capacity(drafts.len());
    for (core, idle) in drafts.iter().filter_map(|draft| Some((draft.core.as_ref()?, draft.idle))) {
        if let Err(first) = cores.insert(*core.get_ref(), core.span()) {
            let message = format!("two workers are to poll on core {}", core.get_ref());
            let mistake = Mistake::new(core.span(), message, "and this one").also(first, "this one");
            mistakes.push(mistake.help("give each worker a core of its own"));
        }
        workers.push(Worker { core: Core::Number(*core.get_ref()), idle });
    }
    workers
}

fn check_ports(drafts: &[PortDraft], is_patchy: bool, mistakes: &mut Vec<Mistake>) {
    if drafts.is_empty() && !is_patchy {
        let mistake = Mistake::new(0..0, "there is no port, so there is nothing to forward between", "in this file");
        mistakes.push(mistake.help("add a [[port]] with a `name`, a `device` and `addresses`"));
    }
    if let Some(beyond) = drafts.get(MAX_PORTS) {
        let at = beyond.name.as_ref().map_or(0..0, Spanned::span);
        mistakes.push(Mistake::new(at, format!("there are more than {MAX_PORTS} ports"), "one too many"));
    }
    let (mut names, mut devices) = (Once::default(), Once::default());
    for draft in drafts {
        if let Some(name) = &draft.name
            && let Err(first) = names.insert(name.get_ref().as_str(), name.span())
        {
            let message = format!("two ports are named `{}`", name.get_ref());
            let mistake = Mistake::new(name.span(), message, "and this one").also(first, "this one");
            mistakes.push(mistake.help("give each port a name of its own"));
        }
        if let Some(device) = &draft.device
            && let Err(first) = devices.insert(device.get_ref().name(), device.span())
        {
            let message = format!("two ports are on the device `{}`", device.get_ref().name());
            let mistake = Mistake::new(device.span(), message, "and this one").also(first, "this one");
            let help = match device.get_ref().is_virtual() {
                true => "give one of them another number at its end: each is a device of its own",
                false => "give each port a device of its own",
            };
            mistakes.push(mistake.help(help));
        }
        check_mtu(draft, mistakes);
    }
    check_addresses(drafts, mistakes);
}

/// RFC 8200 section 5: a link that carries IPv6 carries 1280 bytes.
fn check_mtu(port: &PortDraft, mistakes: &mut Vec<Mistake>) {
    let Some(mtu) = &port.mtu else { return };
    let ipv6 = port.addresses.iter().find(|address| address.get_ref().family() == Family::Ipv6);
    if let Some(address) = ipv6
        && mtu.get_ref().bytes() < MIN_IPV6_MTU
    {
        let message = format!("an MTU of {} is too small for IPv6, which needs {MIN_IPV6_MTU}", mtu.get_ref());
        let mistake = Mistake::new(mtu.span(), message, "too small").also(address.span(), "for this address");
        mistakes.push(mistake.help(format!("write mtu = {MIN_IPV6_MTU} or more, or take the IPv6 addresses away")));
    }
}

/// An address belongs to one port, and so does a network: a destination in two places would have none.
fn check_addresses(drafts: &[PortDraft], mistakes: &mut Vec<Mistake>) {
    let mut once = Once::default();
    let mut all: Vec<(Network, usize, &Spanned<InterfaceAddress>)> = Vec::new();
    for (port, draft) in drafts.iter().enumerate() {
        for address in &draft.addresses {
            match once.insert(address.get_ref().address(), address.span()) {
                Ok(()) => all.push((address.get_ref().network(), port, address)),
                Err(first) => {
                    let message = format!("the address {} is there twice", address.get_ref().address());
                    let mistake = Mistake::new(address.span(), message, "and here").also(first, "here");
                    mistakes.push(mistake.help("keep one of them"));
                }
            }
        }
    }
    // Two networks are either apart or one covers the other, and a cover sorts right before what it covers: so the
    // networks around the current one are a stack.
    all.sort_by_key(|(network, _port, address)| (*network, address.span().start));
    let mut around: Vec<(Network, usize, &Spanned<InterfaceAddress>)> = Vec::new();
    for (network, port, address) in all {
        while around.last().is_some_and(|(outer, _port, _address)| !outer.covers(network)) {
            around.pop();
        }
        if let Some((_, _, other)) = around.iter().rev().find(|(_outer, other, _address)| *other != port) {
            let (first, second) = in_file_order(other, address);
            let (one, two) = (first.get_ref().network(), second.get_ref().network());
            let message = match one == two {
                true => format!("two ports are in the same network, {one}"),
                false => format!("the networks of two ports overlap: {one} and {two}"),
            };
            let mistake = Mistake::new(second.span(), message, "and on this").also(first.span(), "on one port");
            mistakes.push(mistake.help("give each port a network of its own"));
        }
        // The same network of the same port again has nothing to add.
        if around.last().is_none_or(|(outer, other, _address)| (*outer, *other) != (network, port)) {
            around.push((network, port, address));
        }
    }
}

fn in_file_order<'d, T>(one: &'d Spanned<T>, two: &'d Spanned<T>) -> (&'d Spanned<T>, &'d Spanned<T>) {
    if one.span().start <= two.span().start { (one, two) } else { (two, one) }
}

fn port(
    draft: &PortDraft,
    policy: Policy,
    named_queues: Option<u16>,
    ports: &Ports<'_>,
    drafts: &[PortDraft],
) -> Option<Port> {
    let under = match &draft.vlan {
        None => Under::Device(draft.device.as_ref()?.get_ref().clone()),
        Some(vlan) => Under::Vlan(vlan.vlan(ports)?),
    };
    // A VLAN carries what its device does, unless it says less.
    let carrier = match &under {
        Under::Device(_) => None,
        Under::Vlan(vlan) => drafts[vlan.parent.index()].mtu.as_ref(),
    };
    let mut link = draft.link.clone();
    // A router that names no networks means those it is in.
    if let Some(advertisements) = link.advertisements.as_mut().filter(|told| told.prefixes.is_empty()) {
        let networks = draft.addresses.iter().map(|own| own.get_ref().network());
        advertisements.prefixes = networks.filter_map(AdvertisedPrefix::of_network).collect();
        advertisements.prefixes.dedup();
    }
    Some(Port {
        name: draft.name.as_ref()?.get_ref().clone(),
        under,
        addresses: draft.addresses.iter().map(|address| *address.get_ref()).collect(),
        mtu: draft.mtu.as_ref().or(carrier).map_or(Mtu::ETHERNET, |mtu| *mtu.get_ref()),
        mac: draft.mac,
        promiscuous: draft.promiscuous,
        policy,
        directed_broadcast: draft.directed_broadcast,
        queues: draft.queues.as_ref().map(|count| *count.get_ref()).or(named_queues),
        rss: draft.rss,
        rx_descriptors: draft.rx_descriptors,
        tx_descriptors: draft.tx_descriptors,
        tap: draft.tap.tap(draft.name.as_ref()?.get_ref()).ok()?,
        fib: draft.fib.as_ref().map_or(0, |fib| *fib.get_ref()),
        link,
    })
}

fn check_routes(drafts: &[RouteDraft], ports: &Ports<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Route> {
    let mut once = Once::default();
    let mut routes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if let Some(to) = &draft.to {
            if let Err(first) = once.insert((*to.get_ref(), fib_of(draft)), to.span()) {
                let message = format!("there are two routes to {}", to.get_ref());
                let mistake = Mistake::new(to.span(), message, "and this one").also(first, "this one");
                mistakes.push(mistake.help("keep one of them"));
            }
            mistakes.extend(ports.owner_of(to));
            mistakes.extend(not_forwarded(to));
        }
        match targets(draft, ports) {
            Ok(targets) => {
                let (fib, count) = (fib_of(draft), draft.count);
                let route = |(target, weight)| {
                    draft.to.as_ref().map(|to| Route { to: *to.get_ref(), target, weight, fib, count })
                };
                routes.extend(targets.into_iter().filter_map(route));
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    routes
}

/// What is wrong with the number of a table if these are there.
fn no_table(fib: &Spanned<u16>, fibs: Fibs) -> Option<Mistake> {
    if fibs.has(*fib.get_ref()) {
        return None;
    }
    let message = format!("there is no table {}: the last one is {}", fib.get_ref(), fibs.count() - 1);
    Some(Mistake::new(fib.span(), message, "here").help("write a larger `fibs` in [routing], or another number here"))
}

/// What is wrong with a route to `to` if no packet to there ever leaves its link.
fn not_forwarded(to: &Spanned<Network>) -> Option<Mistake> {
    let network = *to.get_ref();
    let address = network.address();
    let what = match network.is_default() {
        true => return None,
        false if address.is_multicast() => "multicast",
        false if crate::packets::is_link_local(address) => "link-local",
        false => return None,
    };
    let mistake = Mistake::new(to.span(), format!("{network} is {what}, which is not forwarded"), "here");
    Some(mistake.help("take this route away"))
}

/// Where a route leads, and with what weight to each place; nowhere to be told if an earlier mistake is in the way.
fn targets(draft: &RouteDraft, ports: &Ports<'_>) -> Result<Vec<(Target, u32)>, Mistake> {
    let via = draft.via.first().map(|via| via.gateway.span());
    let forwards = via.or_else(|| draft.dev.as_ref().map(Spanned::span));
    let nowhere = [(&draft.blackhole, "blackhole"), (&draft.unreachable, "unreachable"), (&draft.prohibit, "prohibit")];
    let said = std::iter::once((&forwards, "via")).chain(nowhere);
    let mut said = said.into_iter().filter_map(|(at, word)| at.clone().map(|at| (at, word)));
    if let (Some((first, _)), Some((second, _))) = (said.next(), said.next()) {
        return Err(Mistake::new(second, "a route leads to one place only", "and here").also(first, "here").help(
            "keep one: `via` and `dev` forward, `blackhole` drops in silence, `unreachable` and `prohibit` drop and tell the sender",
        ));
    }
    let alone = |target| Ok(vec![(target, 1)]);
    match &draft.dev {
        _ if !draft.via.is_empty() => several(draft, ports),
        Some(dev) => Ok(ports.named(dev)?.map(|port| (Target::Link(port), 1)).into_iter().collect()),
        None if draft.blackhole.is_some() => alone(Target::Blackhole),
        None if draft.unreachable.is_some() => alone(Target::Unreachable),
        None if draft.prohibit.is_some() => alone(Target::Prohibit),
        None if draft.is_patchy => Ok(Vec::new()),
        None => Err(Mistake::new(draft.at.clone(), "this route leads nowhere", "in here")
            .help("add via = \"ADDRESS\", dev = \"PORT\", blackhole = true, unreachable = true or prohibit = true")),
    }
}

/// The gateways of a route: each once, and no more than can share.
fn several(draft: &RouteDraft, ports: &Ports<'_>) -> Result<Vec<(Target, u32)>, Mistake> {
    let mut once = Once::default();
    let mut targets = Vec::with_capacity(draft.via.len());
    for ViaDraft { gateway, dev, weight } in &draft.via {
        if targets.len() == Group::MOST {
            let message = format!("a route has {} gateways at most", Group::MOST);
            return Err(Mistake::new(gateway.span(), message, "one too many"));
        }
        let Some(target) = via(draft, gateway, dev.as_ref().or(draft.dev.as_ref()), ports)? else { continue };
        if let Err(first) = once.insert(target, gateway.span()) {
            let message = format!("the gateway {} is there twice", gateway.get_ref());
            let mistake = Mistake::new(gateway.span(), message, "and here").also(first, "here");
            return Err(mistake.help("keep one of them, with the weight of both"));
        }
        targets.push((target, weight.unwrap_or(1)));
    }
    Ok(targets)
}

fn via(
    draft: &RouteDraft,
    gateway: &Spanned<IpAddr>,
    dev: Option<&Spanned<String>>,
    ports: &Ports<'_>,
) -> Result<Option<Target>, Mistake> {
    let address = *gateway.get_ref();
    if let Some(to) = &draft.to
        && to.get_ref().family() != Family::of(address)
    {
        let message =
            format!("an {} route cannot go via the {} gateway {address}", to.get_ref().family(), Family::of(address));
        let mistake = Mistake::new(gateway.span(), message, "this gateway").also(to.span(), "this route");
        return Err(mistake.help(format!("write an {} gateway", to.get_ref().family())));
    }
    // Whether the port is known is said even if nothing can be said of the gateway.
    let dev = match dev {
        None => None,
        Some(name) => match ports.named(name)? {
            Some(port) => Some(port),
            None => return Ok(None),
        },
    };
    Ok(ports.towards(gateway, dev)?.map(|port| Target::Via { gateway: address, port }))
}

fn check_neighbours(drafts: &[NeighbourDraft], ports: &Ports<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Neighbour> {
    let mut once = Once::default();
    let mut neighbours = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (Some(name), Some(address)) = (&draft.port, &draft.address) else { continue };
        match ports.named(name).and_then(|port| port.map_or(Ok(None), |port| ports.towards(address, Some(port)))) {
            Ok(Some(port)) => {
                neighbours.extend(draft.mac.map(|mac| Neighbour { port, address: *address.get_ref(), mac }));
            }
            Ok(None) => {}
            Err(mistake) => mistakes.push(mistake),
        }
        if let Err(first) = once.insert((name.get_ref().as_str(), *address.get_ref()), address.span()) {
            let message = format!("the neighbour {} is there twice", address.get_ref());
            mistakes
                .push(Mistake::new(address.span(), message, "and here").also(first, "here").help("keep one of them"));
        }
    }
    neighbours
}

/// Things that must occur once, and where they first did.
pub(super) struct Once<T>(HashMap<T, Range<usize>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Once<T> {
    /// Notes that `thing` is at `at`; if it was somewhere before, says where.
    pub(super) fn insert(&mut self, thing: T, at: Range<usize>) -> Result<(), Range<usize>> {
        match self.0.entry(thing) {
            Entry::Vacant(free) => {
                free.insert(at);
                Ok(())
            }
            Entry::Occupied(first) => Err(first.get().clone()),
        }
    }
}

/// RFC 8200 section 5.
const MIN_IPV6_MTU: u16 = 1280;
