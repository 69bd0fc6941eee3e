//! From text to values, one at a time: syntax, keys, and what each value must be by itself.
//!
//! A value that cannot be read is a mistake and then counts as absent, so that reading goes on behind it. What is absent
//! because it was wrong is told apart from what was never there ([`Draft::is_patchy`]): nobody is to be told that a
//! gateway is out of reach when it was the port's address that had a typing error.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::str::FromStr;

use boundary::Mtu;
use control_api::{InterfaceAddress, Network};
use packet::ethernet::MacAddr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::device::{Device, DeviceError};
use super::mistake::Mistake;
use super::{Dpdk, HugePages};

/// What a file says, before anything in it is held against anything else.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) socket: Option<PathBuf>,
    pub(super) dpdk: Dpdk,
    pub(super) workers: Vec<WorkerDraft>,
    pub(super) ports: Vec<PortDraft>,
    pub(super) routes: Vec<RouteDraft>,
    pub(super) neighbours: Vec<NeighbourDraft>,
    /// Whether something about the ports was there and could not be read.
    pub(super) is_patchy: bool,
}

#[derive(Debug)]
pub(super) struct WorkerDraft {
    pub(super) core: Option<Spanned<usize>>,
}

#[derive(Debug)]
pub(super) struct PortDraft {
    pub(super) name: Option<Spanned<String>>,
    pub(super) device: Option<Spanned<Device>>,
    pub(super) addresses: Vec<Spanned<InterfaceAddress>>,
    pub(super) mtu: Option<Spanned<Mtu>>,
    pub(super) mac: Option<MacAddr>,
    pub(super) promiscuous: bool,
    pub(super) rx_descriptors: Option<u16>,
    pub(super) tx_descriptors: Option<u16>,
}

#[derive(Debug)]
pub(super) struct RouteDraft {
    pub(super) at: Range<usize>,
    pub(super) to: Option<Spanned<Network>>,
    pub(super) via: Option<Spanned<IpAddr>>,
    pub(super) dev: Option<Spanned<String>>,
    pub(super) blackhole: Option<Range<usize>>,
    pub(super) unreachable: Option<Range<usize>>,
    /// Whether one of these was there and could not be read.
    pub(super) is_patchy: bool,
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
    let socket = file.table("api", |api| api.optional("socket", socket_path)).flatten();
    let dpdk = file.table("dpdk", read_dpdk).unwrap_or_default();
    let workers = file.tables("worker", read_worker);
    let before_ports = file.mistakes.len();
    let ports = file.tables("port", read_port);
    let is_patchy = file.mistakes.len() > before_ports;
    let routes = file.tables("route", read_route);
    let neighbours = file.tables("neighbour", read_neighbour);
    file.refuse_unknown_keys();
    let draft = Draft { socket: socket.map(Spanned::into_inner), dpdk, workers, ports, routes, neighbours, is_patchy };
    (draft, mistakes)
}

fn read_dpdk(dpdk: &mut Section<'_, '_>) -> Dpdk {
    Dpdk {
        memory_mib: dpdk
            .optional("memory_mib", |value| number(value, 16..=1 << 20, "an amount of MiB"))
            .map(Spanned::into_inner),
        huge_pages: dpdk.optional("huge_pages", huge_pages).map(Spanned::into_inner).unwrap_or_default(),
        args: dpdk.list("args", argument).into_iter().map(Spanned::into_inner).collect(),
    }
}

fn read_worker(worker: &mut Section<'_, '_>) -> WorkerDraft {
    WorkerDraft { core: worker.required("core", "core = 1", |value| number(value, 0..=MAX_CORE, "a core")) }
}

fn read_port(port: &mut Section<'_, '_>) -> PortDraft {
    PortDraft {
        name: port.required("name", "name = \"left\"", port_name),
        device: port.required("device", "device = \"0000:03:00.0\"", device),
        addresses: port.list("addresses", parsed),
        mtu: port.optional("mtu", mtu),
        mac: port.optional("mac", station).map(Spanned::into_inner),
        promiscuous: port.optional("promiscuous", boolean).is_some_and(Spanned::into_inner),
        rx_descriptors: port.optional("rx_descriptors", descriptors).map(Spanned::into_inner),
        tx_descriptors: port.optional("tx_descriptors", descriptors).map(Spanned::into_inner),
    }
}

fn read_route(route: &mut Section<'_, '_>) -> RouteDraft {
    let before = route.mistakes.len();
    // `blackhole = false` says nothing.
    let flag = |said: Option<Spanned<bool>>| said.filter(|said| *said.get_ref()).map(|said| said.span());
    RouteDraft {
        at: route.at.clone(),
        to: route.required("to", "to = \"198.51.100.0/24\"", network),
        via: route.optional("via", parsed_address),
        dev: route.optional("dev", |value| text(value).map(str::to_owned)),
        blackhole: flag(route.optional("blackhole", boolean)),
        unreachable: flag(route.optional("unreachable", boolean)),
        is_patchy: route.mistakes.len() > before,
    }
}

fn read_neighbour(neighbour: &mut Section<'_, '_>) -> NeighbourDraft {
    NeighbourDraft {
        port: neighbour.required("port", "port = \"left\"", |value| text(value).map(str::to_owned)),
        address: neighbour.required("address", "address = \"192.0.2.2\"", parsed_address),
        mac: neighbour.required("mac", "mac = \"02:00:00:00:02:02\"", station).map(Spanned::into_inner),
    }
}

type Value<'t> = Spanned<DeValue<'t>>;

/// A table of the file, the keys that were asked of it, and where mistakes go.
struct Section<'a, 't> {
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
    fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'t>) -> Result<T, Mistake>,
    ) -> Option<Spanned<T>> {
        let value = self.find(key)?;
        let found = read(value);
        self.keep(found).map(|found| Spanned::new(value.span(), found))
    }

    /// The same; that it is not there is a mistake.
    fn required<T>(
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
    fn list<T>(
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
    fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Section<'_, 't>) -> T) -> Vec<T> {
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
            "worker" => "this worker",
            "port" => "this port",
            "route" => "this route",
            _neighbour => "this neighbour",
        };
        let mut section = Section::new(name, table, at, self.mistakes);
        let found = read(&mut section);
        section.refuse_unknown_keys();
        found
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

fn expected(what: &str, found: &Value<'_>) -> Mistake {
    let kind = match found.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Mistake::new(found.span(), format!("expected {what}, found {kind}"), format!("this is {kind}"))
}

fn text<'v>(value: &'v Value<'_>) -> Result<&'v str, Mistake> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _other => Err(expected("text in quotes", value)),
    }
}

fn boolean(value: &Value<'_>) -> Result<bool, Mistake> {
    match value.get_ref() {
        DeValue::Boolean(said) => Ok(*said),
        _other => Err(expected("true or false", value)),
    }
}

/// What `value`'s text is in the words of `T` itself.
fn parsed<T: FromStr<Err: Display>>(value: &Value<'_>) -> Result<T, Mistake> {
    text(value)?.parse().map_err(|error: T::Err| Mistake::new(value.span(), error.to_string(), "here"))
}

fn parsed_address(value: &Value<'_>) -> Result<IpAddr, Mistake> {
    let given = text(value)?;
    given.parse().map_err(|_no_address| {
        let mistake = Mistake::new(value.span(), format!("`{given}` is not an IP address"), "here");
        match given.split_once('/') {
            Some((address, _len)) if address.parse::<IpAddr>().is_ok() => {
                mistake.help(format!("write it without the length: \"{address}\""))
            }
            Some(_) | None => mistake.help("write it like \"192.0.2.2\" or \"2001:db8::2\""),
        }
    })
}

fn network(value: &Value<'_>) -> Result<Network, Mistake> {
    let mistake = match parsed::<Network>(value) {
        Ok(network) => return Ok(network),
        Err(mistake) => mistake,
    };
    let given = text(value)?;
    match given.split_once('/').and_then(|(address, len)| Some((address.parse().ok()?, len.parse().ok()?))) {
        _ if given == "default" => Err(mistake.help("write \"0.0.0.0/0\" for IPv4, \"::/0\" for IPv6")),
        Some((IpAddr::V4(address), len)) if len <= 32 => {
            Err(mistake.help(format!("write \"{}\"", lpm::Prefix::containing(address, len))))
        }
        Some((IpAddr::V6(address), len)) if len <= 128 => {
            Err(mistake.help(format!("write \"{}\"", lpm::Prefix::containing(address, len))))
        }
        Some(_) | None => Err(mistake),
    }
}

/// The address of one station: what a port or a neighbour can have.
fn station(value: &Value<'_>) -> Result<MacAddr, Mistake> {
    let mac: MacAddr = parsed(value)?;
    if mac.is_multicast() {
        let MacAddr([first, rest @ ..]) = mac;
        let [b, c, d, e, f] = rest;
        // Broadcast is a group, too, and with one bit cleared it would be nobody's either.
        let single = MacAddr([(first & !1) | 2, b, c, d, e, f]);
        return Err(Mistake::new(
            value.span(),
            format!("`{mac}` is the address of a group of stations"),
            "not one station",
        )
        .help(format!("the first byte of a station's address is even, as in \"{single}\"")));
    }
    if mac == MacAddr::ZERO {
        return Err(Mistake::new(value.span(), format!("`{mac}` is no station's address"), "here")
            .help("leave `mac` out of a port to keep the device's own"));
    }
    Ok(mac)
}

fn device(value: &Value<'_>) -> Result<Device, Mistake> {
    text(value)?
        .parse()
        .map_err(|error: DeviceError| Mistake::new(value.span(), error.to_string(), "here").help(error.hint()))
}

/// A name that can stand in a table, on a command line and in the name of a file.
fn port_name(value: &Value<'_>) -> Result<String, Mistake> {
    let name = text(value)?;
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !starts_well || !name.bytes().all(is_fit) || name.len() > MAX_PORT_NAME_BYTES {
        return Err(Mistake::new(value.span(), format!("`{}` cannot name a port", name.escape_debug()), "here").help(
            format!(
                "use up to {MAX_PORT_NAME_BYTES} letters, digits, `.`, `_` and `-`, with a letter or a digit first"
            ),
        ));
    }
    Ok(name.to_owned())
}

fn mtu(value: &Value<'_>) -> Result<Mtu, Mistake> {
    let bytes = number(value, Mtu::MIN..=Mtu::MAX, "an MTU")?;
    Ok(Mtu::new(bytes).expect("the range is the type's own"))
}

fn descriptors(value: &Value<'_>) -> Result<u16, Mistake> {
    let count: u16 = number(value, 64..=32768, "a number of descriptors")?;
    if !count.is_power_of_two() {
        let (below, above) = (1 << count.ilog2(), count.next_power_of_two());
        return Err(Mistake::new(value.span(), format!("{count} descriptors are not a power of two"), "here")
            .help(format!("write {below} or {above}")));
    }
    Ok(count)
}

fn huge_pages(value: &Value<'_>) -> Result<HugePages, Mistake> {
    let given = text(value)?;
    match given {
        "auto" => Ok(HugePages::Auto),
        "always" => Ok(HugePages::Always),
        "never" => Ok(HugePages::Never),
        _other => {
            let help = match closest(given, &["auto", "always", "never"]) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => "write \"auto\", \"always\" or \"never\"".to_owned(),
            };
            Err(Mistake::new(value.span(), format!("`{given}` is not a way to use huge pages"), "here").help(help))
        }
    }
}

fn argument(value: &Value<'_>) -> Result<String, Mistake> {
    let given = text(value)?;
    if given.trim().is_empty() || given.contains('\0') {
        return Err(Mistake::new(value.span(), "an argument for DPDK cannot be empty or hold a NUL", "here")
            .help("write each word of the command line as a text of its own"));
    }
    Ok(given.to_owned())
}

fn socket_path(value: &Value<'_>) -> Result<PathBuf, Mistake> {
    let given = text(value)?;
    if given.is_empty() || given.contains('\0') || given.ends_with('/') {
        return Err(Mistake::new(value.span(), "this is not the path of a socket", "here")
            .help(format!("write it like \"{}\"", control_api::DEFAULT_SOCKET)));
    }
    if given.len() > MAX_SOCKET_BYTES {
        let message = format!("the path is {} bytes long, and a socket's at most {MAX_SOCKET_BYTES}", given.len());
        return Err(Mistake::new(value.span(), message, "too long").help("choose a directory nearer to the root"));
    }
    Ok(PathBuf::from(given))
}

/// A whole number in `range`; `what` says of what.
fn number<T>(value: &Value<'_>, range: RangeInclusive<T>, what: &str) -> Result<T, Mistake>
where
    T: TryFrom<i128> + PartialOrd + Display + Copy,
{
    let DeValue::Integer(integer) = value.get_ref() else {
        return Err(expected("a whole number", value));
    };
    let number =
        i128::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|number| T::try_from(number).ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let message = format!("expected {what} from {} to {}, found {integer}", range.start(), range.end());
        Mistake::new(value.span(), message, "out of range")
    })
}

/// Which of `known` a person most likely meant by `given`.
pub(super) fn closest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let given = given.to_ascii_lowercase();
    let (distance, name) = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&given, &name.to_ascii_lowercase()), *name))
        .min_by_key(|(distance, _name)| *distance)?;
    // A third of the letters may be wrong: more, and any name would do.
    (distance <= name.len().max(3) / 3).then_some(name)
}

/// The kernel's own bound on the number of a core in a set of them.
const MAX_CORE: usize = 1023;

const MAX_PORT_NAME_BYTES: usize = 31;

/// What `sockaddr_un` holds, less the byte that ends it.
const MAX_SOCKET_BYTES: usize = 107;
