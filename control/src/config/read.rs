//! From text to drafts: syntax, tables and keys. What each value must be by itself is in [`value`].
//!
//! A value that cannot be read is a mistake and then counts as absent, so that reading goes on behind it. What is absent
//! because it was wrong is told apart from what was never there ([`Draft::is_patchy`]): nobody is to be told that a
//! gateway is out of reach when it was the port's address that had a typing error.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use boundary::Mtu;
use control_api::{InterfaceAddress, Network, PortQueue};
use packet::ethernet::MacAddr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::device::Device;
use super::filter::{self, FilterDraft, PolicyDraft};
use super::fpm::{self, FpmDraft};
use super::icmp;
use super::link::{self, LinkSettings};
use super::mistake::Mistake;
use super::queues::{self, Idle, Rss};
use super::tap::{self, TapDraft};
use super::value::{self, Value, closest, expected};
use super::vlan::{self, VlanDraft};
use super::{Dpdk, Routing};
use crate::limits::IcmpLimits;

/// What a file says, before anything in it is held against anything else.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) socket: Option<PathBuf>,
    pub(super) dpdk: Dpdk,
    pub(super) routing: Routing,
    pub(super) workers: Vec<WorkerDraft>,
    pub(super) ports: Vec<PortDraft>,
    pub(super) routes: Vec<RouteDraft>,
    pub(super) neighbours: Vec<NeighbourDraft>,
    pub(super) filters: Vec<FilterDraft>,
    pub(super) icmp: IcmpLimits,
    pub(super) source_routes: bool,
    pub(super) fpm: Option<FpmDraft>,
    /// Whether something about the ports was there and could not be read.
    pub(super) is_patchy: bool,
}

#[derive(Debug)]
pub(super) struct WorkerDraft {
    pub(super) core: Option<Spanned<usize>>,
    pub(super) idle: Idle,
    pub(super) queues: Vec<Spanned<PortQueue>>,
}

#[derive(Debug)]
pub(super) struct PortDraft {
    pub(super) name: Option<Spanned<String>>,
    pub(super) device: Option<Spanned<Device>>,
    /// What there is instead, of a port on another's device.
    pub(super) vlan: Option<VlanDraft>,
    pub(super) tap: TapDraft,
    pub(super) addresses: Vec<Spanned<InterfaceAddress>>,
    pub(super) mtu: Option<Spanned<Mtu>>,
    pub(super) mac: Option<MacAddr>,
    pub(super) promiscuous: bool,
    pub(super) policy: PolicyDraft,
    pub(super) directed_broadcast: bool,
    pub(super) queues: Option<Spanned<u16>>,
    pub(super) rss: Rss,
    pub(super) rx_descriptors: Option<u16>,
    pub(super) tx_descriptors: Option<u16>,
    pub(super) fib: Option<Spanned<u16>>,
    pub(super) link: LinkSettings,
}

#[derive(Debug)]
pub(super) struct RouteDraft {
    pub(super) at: Range<usize>,
    pub(super) to: Option<Spanned<Network>>,
    /// The gateways: one, or several that share.
    pub(super) via: Vec<ViaDraft>,
    pub(super) dev: Option<Spanned<String>>,
    pub(super) blackhole: Option<Range<usize>>,
    pub(super) unreachable: Option<Range<usize>>,
    pub(super) prohibit: Option<Range<usize>>,
    pub(super) fib: Option<Spanned<u16>>,
    pub(super) count: Option<bool>,
    /// Whether one of these was there and could not be read.
    pub(super) is_patchy: bool,
}

/// One way of a route.
#[derive(Debug)]
pub(super) struct ViaDraft {
    pub(super) gateway: Spanned<IpAddr>,
    /// The port it is behind; if that is not said, the route's.
    pub(super) dev: Option<Spanned<String>>,
    pub(super) weight: Option<u32>,
}

#[derive(Debug)]
pub(super) struct NeighbourDraft {
    pub(super) port: Option<Spanned<String>>,
    pub(super) address: Option<Spanned<IpAddr>>,
    pub(super) mac: Option<MacAddr>,
}

/// Reads `text` as far as it can be read, and says what cannot.
pub(super) fn read(text: &str) -> (Draft, Vec<Mistake>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What follows a broken line is guesswork, and would be blamed for what the line did.
        return (Draft { is_patchy: true, ..Draft::default() }, syntax_mistakes(text, &errors));
    }
    let mut mistakes = Vec::new();
    let mut file = Section::new("the file", document.get_ref(), 0..0, &mut mistakes);
    let socket = file.table("api", |api| api.optional("socket", value::socket_path)).flatten();
    let dpdk = file.table("dpdk", read_dpdk).unwrap_or_default();
    let routing = file.table("routing", read_routing).unwrap_or_default();
    let workers = file.tables("worker", read_worker);
    let before_ports = file.mistakes.len();
    let ports = file.tables("port", read_port);
    let is_patchy = file.mistakes.len() > before_ports;
    let routes = file.tables("route", read_route);
    let neighbours = file.tables("neighbour", read_neighbour);
    let filters = file.tables("filter", filter::read_filter);
    let icmp = file.table("icmp", icmp::read_limits).unwrap_or_default();
    let source_routes = file.table("ip", |ip| ip.optional("source_routes", value::boolean)).flatten();
    let source_routes = source_routes.is_some_and(Spanned::into_inner);
    let fpm = file.table("fpm", fpm::read_fpm);
    file.refuse_unknown_keys();
    let socket = socket.map(Spanned::into_inner);
    let draft = Draft {
        socket,
        dpdk,
        routing,
        workers,
        ports,
        routes,
        neighbours,
        filters,
        icmp,
        source_routes,
        fpm,
        is_patchy,
    };
    (draft, mistakes)
}

fn read_dpdk(dpdk: &mut Section<'_, '_>) -> Dpdk {
    Dpdk {
        memory_mib: dpdk.optional("memory_mib", value::memory_mib).map(Spanned::into_inner),
        huge_pages: dpdk.optional("huge_pages", value::huge_pages).map(Spanned::into_inner).unwrap_or_default(),
        args: dpdk.list("args", value::argument).into_iter().map(Spanned::into_inner).collect(),
    }
}

fn read_routing(routing: &mut Section<'_, '_>) -> Routing {
    let is_set = |said: Option<Spanned<bool>>| said.is_some_and(Spanned::into_inner);
    Routing {
        fibs: routing.optional("fibs", value::fibs).map(Spanned::into_inner).unwrap_or_default(),
        add_addr_allfibs: is_set(routing.optional("add_addr_allfibs", value::boolean)),
        seed: routing.optional("seed", value::seed).map(Spanned::into_inner),
        symmetric: is_set(routing.optional("symmetric", value::boolean)),
        addresses_only: is_set(routing.optional("addresses_only", value::boolean)),
        count_packets: is_set(routing.optional("count_packets", value::boolean)),
    }
}

fn read_worker(worker: &mut Section<'_, '_>) -> WorkerDraft {
    WorkerDraft {
        core: worker.required("core", "core = 1", value::core),
        idle: worker.optional("idle", queues::idle).map(Spanned::into_inner).unwrap_or_default(),
        queues: worker.list("queues", value::parsed),
    }
}

fn read_port(port: &mut Section<'_, '_>) -> PortDraft {
    // What is a device's to have, such as a MAC address, nobody asks a port for that is on another's.
    let is_vlan = port.find("parent").is_some();
    let descriptors = |port: &mut Section<'_, '_>, key| {
        if is_vlan { None } else { port.optional(key, value::descriptors).map(Spanned::into_inner) }
    };
    PortDraft {
        name: port.required("name", "name = \"left\"", value::port_name),
        device: if is_vlan { None } else { port.required("device", "device = \"0000:03:00.0\"", value::device) },
        vlan: is_vlan.then(|| read_vlan(port)),
        addresses: port.list("addresses", value::parsed),
        mtu: port.optional("mtu", value::mtu),
        mac: if is_vlan { None } else { port.optional("mac", value::station).map(Spanned::into_inner) },
        promiscuous: !is_vlan && port.optional("promiscuous", value::boolean).is_some_and(Spanned::into_inner),
        policy: filter::read_policy(port),
        directed_broadcast: port.optional("directed_broadcast", value::boolean).is_some_and(Spanned::into_inner),
        queues: if is_vlan { None } else { port.optional("queues", queues::count) },
        rss: if is_vlan { None } else { port.optional("rss", queues::rss) }
            .map(Spanned::into_inner)
            .unwrap_or_default(),
        rx_descriptors: descriptors(port, "rx_descriptors"),
        tx_descriptors: descriptors(port, "tx_descriptors"),
        fib: port.optional("fib", value::fib),
        tap: TapDraft { tap: port.optional("tap", tap::wanted), netns: port.optional("tap_netns", tap::netns) },
        link: LinkSettings {
            neighbours: port.table("neighbours", link::read_neighbours).unwrap_or_default(),
            advertisements: port.table("router_advertisements", link::read_advertisements),
        },
    }
}

fn read_vlan(port: &mut Section<'_, '_>) -> VlanDraft {
    VlanDraft {
        parent: port.required("parent", "parent = \"left\"", value::word),
        vlan: port.required("vlan", "vlan = 100", vlan::id),
        outer_vlan: port.optional("outer_vlan", vlan::id),
        protocol: port.optional("protocol", vlan::protocol).map(Spanned::into_inner),
    }
}

fn read_route(route: &mut Section<'_, '_>) -> RouteDraft {
    let before = route.mistakes.len();
    // `blackhole = false` says nothing.
    let flag = |said: Option<Spanned<bool>>| said.filter(|said| *said.get_ref()).map(|said| said.span());
    RouteDraft {
        at: route.at.clone(),
        to: route.required("to", "to = \"198.51.100.0/24\"", value::network),
        via: route.one_or_several("via", read_via),
        dev: route.optional("dev", value::word),
        blackhole: flag(route.optional("blackhole", value::boolean)),
        unreachable: flag(route.optional("unreachable", value::boolean)),
        prohibit: flag(route.optional("prohibit", value::boolean)),
        fib: route.optional("fib", value::fib),
        count: route.optional("count", value::boolean).map(Spanned::into_inner),
        is_patchy: route.mistakes.len() > before,
    }
}

/// An address, or a table with one and what it gets.
fn read_via(value: &Value<'_>, mistakes: &mut Vec<Mistake>) -> Option<ViaDraft> {
    let DeValue::Table(table) = value.get_ref() else {
        let read = value::parsed_address(value).map_err(|mistake| mistakes.push(mistake));
        let gateway = Spanned::new(value.span(), read.ok()?);
        return Some(ViaDraft { gateway, dev: None, weight: None });
    };
    let mut via = Section::new("this gateway", table, value.span(), mistakes);
    let gateway = via.required("address", "address = \"192.0.2.2\"", value::parsed_address);
    let dev = via.optional("dev", value::word);
    let weight = via.optional("weight", value::weight).map(Spanned::into_inner);
    via.refuse_unknown_keys();
    Some(ViaDraft { gateway: gateway?, dev, weight })
}

fn read_neighbour(neighbour: &mut Section<'_, '_>) -> NeighbourDraft {
    NeighbourDraft {
        port: neighbour.required("port", "port = \"left\"", value::word),
        address: neighbour.required("address", "address = \"192.0.2.2\"", value::parsed_address),
        mac: neighbour.required("mac", "mac = \"02:00:00:00:02:02\"", value::station).map(Spanned::into_inner),
    }
}

/// A table of the file, the keys that were asked of it, and where mistakes go.
pub(super) struct Section<'a, 't> {
    /// What a person would call it.
    name: &'static str,
    table: &'a DeTable<'t>,
    at: Range<usize>,
    known: Vec<&'static str>,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a, 't> Section<'a, 't> {
    fn new(name: &'static str, table: &'a DeTable<'t>, at: Range<usize>, mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { name, table, at, known: Vec::new(), mistakes }
    }

    /// The value of `key`, if it is there and can be read.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'t>) -> Result<T, Mistake>,
    ) -> Option<Spanned<T>> {
        let value = self.find(key)?;
        let found = read(value);
        self.keep(found).map(|found| Spanned::new(value.span(), found))
    }

    /// The same; that it is not there is a mistake.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value<'t>) -> Result<T, Mistake>,
    ) -> Option<Spanned<T>> {
        if self.find(key).is_none() {
            let missing = Mistake::new(self.at.clone(), format!("{} has no `{key}`", self.name), "in here")
                .help(format!("add a line like: {example}"));
            self.mistakes.push(missing);
        }
        self.optional(key, read)
    }

    /// The values of the list `key`, as far as they can be read.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&Value<'t>) -> Result<T, Mistake>,
    ) -> Vec<Spanned<T>> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.mistakes.push(expected("a list in brackets", value).help(format!("write {key} = [...]")));
            return Vec::new();
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items.iter() {
            let read = read(item);
            found.extend(self.keep(read).map(|read| Spanned::new(item.span(), read)));
        }
        found
    }

    /// What `read` makes of the value of `key`, or of each in it if that is a list.
    fn one_or_several<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&Value<'t>, &mut Vec<Mistake>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.find(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| read(item, self.mistakes)).collect(),
            _one => read(value, self.mistakes).into_iter().collect(),
        }
    }

    /// What `read` makes of the table `[key]`, if it is there.
    fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, 't>) -> T) -> Option<T> {
        let value = self.find(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.enter(key, table, value.span(), read)),
            _other => {
                self.mistakes.push(expected("a table", value).help(format!("write [{key}], and what is in it below")));
                None
            }
        }
    }

    /// What `read` makes of each of the tables `[[key]]`.
    pub(super) fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Section<'_, 't>) -> T) -> Vec<T> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let several = format!("there may be several: write [[{key}]] with two brackets, and what is in it below");
        let DeValue::Array(items) = value.get_ref() else {
            self.mistakes.push(expected("a list of tables", value).help(several));
            return Vec::new();
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => found.push(self.enter(key, table, item.span(), &mut read)),
                _other => self.mistakes.push(expected("a table", item).help(several.clone())),
            }
        }
        found
    }

    fn enter<T>(
        &mut self,
        key: &'static str,
        table: &DeTable<'t>,
        at: Range<usize>,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> T {
        let name = match key {
            "api" => "`[api]`",
            "dpdk" => "`[dpdk]`",
            "fpm" => "`[fpm]`",
            "icmp" => "`[icmp]`",
            "ip" => "`[ip]`",
            "routing" => "`[routing]`",
            "worker" => "this worker",
            "port" => "this port",
            "neighbours" => "`[port.neighbours]`",
            "router_advertisements" => "`[port.router_advertisements]`",
            "prefix" => "this prefix",
            "route" => "this route",
            "filter" => "this filter",
            "rule" => "this rule",
            "table" => "this table",
            "interface" => "this interface",
            _neighbour => "this neighbour",
        };
        let mut section = Section::new(name, table, at, self.mistakes);
        let found = read(&mut section);
        section.refuse_unknown_keys();
        found
    }

    /// Says what is wrong with values that do not fit each other.
    pub(super) fn blame(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Range<usize> {
        self.at.clone()
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Value<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.table.get(key)
    }

    fn keep<T>(&mut self, found: Result<T, Mistake>) -> Option<T> {
        found.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    /// What nobody asked for is a mistake: most often one letter of a key that would have been.
    fn refuse_unknown_keys(&mut self) {
        for (key, _value) in self.table {
            if self.known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let help = match closest(key.get_ref(), &self.known) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("it can have: {}", self.known.join(", ")),
            };
            let message = format!("{} has no key `{}`", self.name, key.get_ref());
            self.mistakes.push(Mistake::new(key.span(), message, "nobody knows this").help(help));
        }
    }
}

fn syntax_mistakes(text: &str, errors: &[toml::de::Error]) -> Vec<Mistake> {
    let mut lines = BTreeSet::new();
    let mut mistakes = Vec::new();
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        let line = text.as_bytes()[..at.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
        // A parser that has lost its way in a line says so more than once.
        if lines.insert(line) {
            let (message, help) = match error.message() {
                "duplicate key" => ("this key is there a second time", "keep one of them"),
                other => (other, "text stands in double quotes, lists in brackets, and each key on a line of its own"),
            };
            mistakes.push(Mistake::new(at, message, "here").help(help));
        }
    }
    mistakes
}
