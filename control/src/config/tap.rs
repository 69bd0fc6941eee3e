//! Interfaces of the kernel on ports: what they are called, and in which namespace they are.

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::mistake::Mistake;
use super::read::PortDraft;
use super::value::{self, Value};

/// An interface of the kernel on a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Its name.
    pub ifname: String,
    /// The namespace it is in, as `ip netns` names it; if absent, ferryd's own.
    pub netns: Option<String>,
}

/// What a port says of its interface.
#[derive(Debug, Default)]
pub(super) struct TapDraft {
    pub(super) tap: Option<Spanned<Wanted>>,
    pub(super) netns: Option<Spanned<String>>,
}

/// Whether there is to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    No,
    /// Called like the port.
    Yes,
    Named(String),
}

impl TapDraft {
    /// What it means for a port of this name.
    pub(super) fn tap(&self, port: &str) -> Result<Option<Tap>, Mistake> {
        let netns = self.netns.as_ref().map(|netns| netns.get_ref().clone());
        let said = self.tap.as_ref().map_or((&Wanted::No, 0..0), |tap| (tap.get_ref(), tap.span()));
        let ifname = match (said, &self.netns) {
            ((Wanted::No, _), Some(netns)) => {
                let mistake = Mistake::new(netns.span(), "there is no interface to put into a namespace", "here");
                return Err(mistake.help("add the line: tap = true"));
            }
            ((Wanted::No, _), None) => return Ok(None),
            ((Wanted::Yes, at), _) if port.len() > MAX_NAME_BYTES => {
                let message =
                    format!("`{port}` is longer than the {MAX_NAME_BYTES} bytes an interface's name can have");
                return Err(Mistake::new(at, message, "called like the port").help("write a name: tap = \"NAME\""));
            }
            ((Wanted::Yes, _), _) => port.to_owned(),
            ((Wanted::Named(name), _), _) => name.clone(),
        };
        Ok(Some(Tap { ifname, netns }))
    }
}

pub(super) fn check_taps(drafts: &[PortDraft], mistakes: &mut Vec<Mistake>) {
    let mut once: HashMap<Tap, Range<usize>> = HashMap::new();
    for draft in drafts {
        let name = draft.name.as_ref().map_or("", |name| name.get_ref());
        let at = draft.tap.tap.as_ref().map_or(0..0, Spanned::span);
        match draft.tap.tap(name) {
            Ok(None) => {}
            Ok(Some(tap)) => {
                let message = format!("two interfaces of the kernel are named `{}`", tap.ifname);
                if let Some(first) = once.insert(tap, at.clone()) {
                    let mistake = Mistake::new(at, message, "and this one").also(first, "this one");
                    mistakes.push(mistake.help("give each a name of its own: tap = \"NAME\""));
                }
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
}

pub(super) fn wanted(value: &Value<'_>) -> Result<Wanted, Mistake> {
    match value.get_ref() {
        DeValue::Boolean(true) => Ok(Wanted::Yes),
        DeValue::Boolean(false) => Ok(Wanted::No),
        DeValue::String(name) => name_in(value, name, MAX_NAME_BYTES, "an interface").map(Wanted::Named),
        _other => Err(value::expected("true, or the name of the interface", value)),
    }
}

pub(super) fn netns(value: &Value<'_>) -> Result<String, Mistake> {
    match value.get_ref() {
        DeValue::String(name) => name_in(value, name, MAX_NETNS_BYTES, "a namespace"),
        _other => Err(value::expected("text in quotes", value)),
    }
}

fn name_in(value: &Value<'_>, name: &str, most: usize, what: &str) -> Result<String, Mistake> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > most || [".", ".."].contains(&name) || !name.bytes().all(is_fit) {
        let mistake = Mistake::new(value.span(), format!("`{}` cannot name {what}", name.escape_debug()), "here");
        return Err(mistake.help(format!("use up to {most} letters, digits, `.`, `_` and `-`")));
    }
    Ok(name.to_owned())
}

/// What the kernel keeps of an interface's name, less the byte that ends it.
const MAX_NAME_BYTES: usize = 15;

/// A name in `/run/netns`.
const MAX_NETNS_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(more: &str) -> Result<Vec<Option<Tap>>, String> {
        let text = format!("[[port]]\nname = \"a-rather-long-name\"\ndevice = \"net_null0\"\n{more}");
        let config = Config::parse("ferry.toml", &text).map_err(|error| error.report(false))?;
        Ok(config.ports().iter().map(|port| port.tap.clone()).collect())
    }

    #[test]
    fn an_interface_is_called_like_its_port_unless_it_has_a_name() {
        let tap =
            |name: &str, netns: Option<&str>| Some(Tap { ifname: name.to_owned(), netns: netns.map(str::to_owned) });
        let vlan =
            "[[port]]\nname = \"v\"\nparent = \"a-rather-long-name\"\nvlan = 7\ntap = true\ntap_netns = \"bgp\"\n";
        let both = read(&format!("tap = \"left\"\n{vlan}")).unwrap();
        assert_eq!(both, [tap("left", None), tap("v", Some("bgp"))]);
        assert_eq!(read("tap = false").unwrap(), [None]);
    }

    #[test]
    fn what_is_wrong_with_an_interface_is_said_where_it_stands() {
        let other = "[[port]]\nname = \"b\"\ndevice = \"net_null1\"\ntap = \"x\"\n";
        for (more, message, help) in [
            ("tap = true", "is longer than the 15 bytes", "tap = \"NAME\""),
            ("tap = 1", "expected true, or the name of the interface, found a number", ""),
            ("tap = \"a/b\"", "`a/b` cannot name an interface", "up to 15 letters"),
            ("tap = \"..\"", "`..` cannot name an interface", ""),
            ("tap = \"sixteen-bytes-it\"", "`sixteen-bytes-it` cannot name an interface", ""),
            ("tap_netns = \"bgp\"", "there is no interface to put into a namespace", "tap = true"),
            ("tap = \"x\"\ntap_netns = \"../x\"", "`../x` cannot name a namespace", ""),
            (&format!("tap = \"x\"\n{other}"), "two interfaces of the kernel are named `x`", "a name of its own"),
        ] {
            let report = read(more).unwrap_err();
            assert!(report.contains(message) && report.contains(help), "{more}\n{report}");
        }
        let apart = format!("tap = \"x\"\ntap_netns = \"one\"\n{other}tap_netns = \"two\"\n");
        assert_eq!(read(&apart).unwrap().len(), 2, "a namespace has names of its own");
    }
}
