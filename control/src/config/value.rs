//! What each value must be by itself: a function for each kind, from what stands in the file to the type it means.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use boundary::Mtu;
use control_api::Network;
use packet::ethernet::MacAddr;
use toml::Spanned;
use toml::de::DeValue;

use super::HugePages;
use super::device::{Device, DeviceError};
use super::mistake::Mistake;
use crate::routes::Fibs;

/// A value as it stands in the file.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

pub(super) fn expected(what: &str, found: &Value<'_>) -> Mistake {
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

pub(super) fn word(value: &Value<'_>) -> Result<String, Mistake> {
    text(value).map(str::to_owned)
}

pub(super) fn boolean(value: &Value<'_>) -> Result<bool, Mistake> {
    match value.get_ref() {
        DeValue::Boolean(said) => Ok(*said),
        _other => Err(expected("true or false", value)),
    }
}

/// What `value`'s text is in the words of `T` itself.
pub(super) fn parsed<T: FromStr<Err: Display>>(value: &Value<'_>) -> Result<T, Mistake> {
    text(value)?.parse().map_err(|error: T::Err| Mistake::new(value.span(), error.to_string(), "here"))
}

pub(super) fn parsed_address(value: &Value<'_>) -> Result<IpAddr, Mistake> {
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

/// Where to listen.
pub(super) fn socket_address(value: &Value<'_>) -> Result<SocketAddr, Mistake> {
    let given = text(value)?;
    given.parse().map_err(|_no_address| {
        let message = format!("`{given}` is not an address with a port");
        Mistake::new(value.span(), message, "here").help("write it like \"127.0.0.1:2620\" or \"[::1]:2620\"")
    })
}

pub(super) fn network(value: &Value<'_>) -> Result<Network, Mistake> {
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
pub(super) fn station(value: &Value<'_>) -> Result<MacAddr, Mistake> {
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

pub(super) fn device(value: &Value<'_>) -> Result<Device, Mistake> {
    text(value)?
        .parse()
        .map_err(|error: DeviceError| Mistake::new(value.span(), error.to_string(), "here").help(error.hint()))
}

/// A name that can stand in a table, on a command line and in the name of a file.
pub(super) fn port_name(value: &Value<'_>) -> Result<String, Mistake> {
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

pub(super) fn mtu(value: &Value<'_>) -> Result<Mtu, Mistake> {
    let bytes = number(value, Mtu::MIN..=Mtu::MAX, "an MTU")?;
    Ok(Mtu::new(bytes).expect("the range is the type's own"))
}

pub(super) fn descriptors(value: &Value<'_>) -> Result<u16, Mistake> {
    let count: u16 = number(value, 64..=32768, "a number of descriptors")?;
    if !count.is_power_of_two() {
        let (below, above) = (1 << count.ilog2(), count.next_power_of_two());
        return Err(Mistake::new(value.span(), format!("{count} descriptors are not a power of two"), "here")
            .help(format!("write {below} or {above}")));
    }
    Ok(count)
}

/// A number of tables: none is one all the same.
pub(super) fn fibs(value: &Value<'_>) -> Result<Fibs, Mistake> {
    let count = number(value, 0..=u32::MAX, "a number of tables")?;
    Fibs::new(count).map_err(|error| Mistake::new(value.span(), error.to_string(), "too many"))
}

/// The number of a table.
pub(super) fn fib(value: &Value<'_>) -> Result<u16, Mistake> {
    number(value, 0..=Fibs::MOST - 1, "the number of a table")
}

pub(super) fn seed(value: &Value<'_>) -> Result<u64, Mistake> {
    number(value, 0..=u64::MAX, "a seed")
}

pub(super) fn weight(value: &Value<'_>) -> Result<u32, Mistake> {
    number(value, 1..=u32::MAX, "a weight")
}

pub(super) fn core(value: &Value<'_>) -> Result<usize, Mistake> {
    number(value, 0..=MAX_CORE, "a core")
}

/// So many of something a second, or at once.
pub(super) fn rate(value: &Value<'_>) -> Result<u32, Mistake> {
    number(value, 1..=1_000_000, "a number")
}

pub(super) fn memory_mib(value: &Value<'_>) -> Result<u32, Mistake> {
    number(value, 16..=1 << 20, "an amount of MiB")
}

pub(super) fn huge_pages(value: &Value<'_>) -> Result<HugePages, Mistake> {
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

pub(super) fn argument(value: &Value<'_>) -> Result<String, Mistake> {
    let given = text(value)?;
    if given.trim().is_empty() || given.contains('\0') {
        return Err(Mistake::new(value.span(), "an argument for DPDK cannot be empty or hold a NUL", "here")
            .help("write each word of the command line as a text of its own"));
    }
    Ok(given.to_owned())
}

pub(super) fn socket_path(value: &Value<'_>) -> Result<PathBuf, Mistake> {
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

pub(super) fn absolute_path(value: &Value<'_>) -> Result<PathBuf, Mistake> {
    let given = text(value)?;
    if !given.starts_with('/') || given.contains('\0') || given.ends_with('/') {
        let message = format!("`{given}` is not the absolute path of a file");
        return Err(Mistake::new(value.span(), message, "here")
            .help("begin it with `/`: which file it is does not depend on where ferryd is started"));
    }
    Ok(PathBuf::from(given))
}

/// One of these words, each with what it means; `what` begins the sentence that lists them.
pub(super) fn one_of<T: Copy>(value: &Value<'_>, what: &str, words: &[(&str, T)]) -> Result<T, Mistake> {
    let given = text(value)?;
    if let Some((_word, meaning)) = words.iter().find(|(word, _meaning)| *word == given) {
        return Ok(*meaning);
    }
    let known: Vec<_> = words.iter().map(|(word, _meaning)| *word).collect();
    let mistake = Mistake::new(value.span(), format!("`{given}` is not something {what}"), "here");
    Err(match closest(given, &known) {
        Some(word) => mistake.help(format!("did you mean \"{word}\"?")),
        None => mistake.help(format!("{what}: {}", known.join(", "))),
    })
}

/// A whole number in `range`; `what` says of what.
pub(super) fn number<T>(value: &Value<'_>, range: RangeInclusive<T>, what: &str) -> Result<T, Mistake>
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
