//! Ports on other ports' devices: which device, under which tags, and that no two are the same.

use std::collections::HashMap;
use std::ops::Range;

use boundary::{Mtu, PortId, Vlan};
use packet::vlan::{Tag, TagProtocol, Tags, VlanId};
use toml::Spanned;
use toml::de::DeValue;

use super::mistake::Mistake;
use super::reach::Ports;
use super::read::PortDraft;
use super::value::{self, Value, closest};

/// What a port on another's device says of it.
#[derive(Debug)]
pub(super) struct VlanDraft {
    /// The name of the other port.
    pub(super) parent: Option<Spanned<String>>,
    pub(super) vlan: Option<Spanned<VlanId>>,
    pub(super) outer_vlan: Option<Spanned<VlanId>>,
    pub(super) protocol: Option<TagProtocol>,
}

impl VlanDraft {
    /// A single tag is a customer's unless the file says otherwise, and the outer of two is a provider's.
    fn tags(&self) -> Option<Tags> {
        let id = *self.vlan.as_ref()?.get_ref();
        let Some(outer) = &self.outer_vlan else {
            let protocol = self.protocol.unwrap_or(TagProtocol::Dot1q);
            return Some(Tags { outer: Tag { protocol, id }, inner: None });
        };
        let protocol = self.protocol.unwrap_or(TagProtocol::Dot1ad);
        let inner = Tag { protocol: TagProtocol::Dot1q, id };
        Some(Tags { outer: Tag { protocol, id: *outer.get_ref() }, inner: Some(inner) })
    }

    /// What the draft means; nothing if an earlier mistake is in the way.
    pub(super) fn vlan(&self, ports: &Ports<'_>) -> Option<Vlan> {
        let parent = ports.named(self.parent.as_ref()?).ok()??;
        Some(Vlan { parent, tags: self.tags()? })
    }
}

/// `drafts` are the ports with devices, and then those on other ports' devices.
pub(super) fn check_vlans(drafts: &[PortDraft], ports: &Ports<'_>, mistakes: &mut Vec<Mistake>) {
    let mut once: HashMap<(PortId, Tags), Range<usize>> = HashMap::new();
    for draft in drafts {
        let Some(vlan) = &draft.vlan else { continue };
        let (Some(parent), Some(id)) = (&vlan.parent, &vlan.vlan) else { continue };
        let on = match ports.named(parent) {
            Ok(Some(on)) => on,
            Ok(None) => continue,
            Err(mistake) => {
                mistakes.push(mistake);
                continue;
            }
        };
        let carrier = &drafts[on.index()];
        if carrier.vlan.is_some() {
            let mistake =
                Mistake::new(parent.span(), format!("`{}` has no device of its own", parent.get_ref()), "here");
            mistakes.push(mistake.help("name the port with the device, and write both tags: `outer_vlan` and `vlan`"));
            continue;
        }
        check_mtu(draft, carrier, mistakes);
        let Some(tags) = vlan.tags() else { continue };
        if let Some(first) = once.insert((on, tags), id.span()) {
            let message = format!("two ports on `{}` are VLAN {tags}", parent.get_ref());
            let mistake = Mistake::new(id.span(), message, "and this one").also(first, "this one");
            mistakes.push(mistake.help("give each a number of its own"));
        }
    }
}

/// What leaves through a port leaves through its device.
fn check_mtu(draft: &PortDraft, carrier: &PortDraft, mistakes: &mut Vec<Mistake>) {
    let carried = carrier.mtu.as_ref().map_or(Mtu::ETHERNET, |mtu| *mtu.get_ref());
    let Some(mtu) = draft.mtu.as_ref().filter(|mtu| *mtu.get_ref() > carried) else { return };
    let message = format!("an MTU of {} is larger than that of the device, {carried}", mtu.get_ref());
    let mistake = Mistake::new(mtu.span(), message, "too large");
    mistakes.push(mistake.help(format!("write mtu = {carried} or less here, or a larger one at the device's port")));
}

pub(super) fn id(value: &Value<'_>) -> Result<VlanId, Mistake> {
    let number = value::number(value, VlanId::MIN..=VlanId::MAX, "a VLAN")?;
    Ok(VlanId::new(number).expect("the range is the type's own"))
}

pub(super) fn protocol(value: &Value<'_>) -> Result<TagProtocol, Mistake> {
    const KNOWN: [TagProtocol; 2] = [TagProtocol::Dot1q, TagProtocol::Dot1ad];
    let given = match value.get_ref() {
        DeValue::String(text) => text,
        _other => return Err(value::expected("text in quotes", value)),
    };
    KNOWN.into_iter().find(|known| known.name().eq_ignore_ascii_case(given)).ok_or_else(|| {
        let help = match closest(given, &KNOWN.map(TagProtocol::name)) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => "write \"802.1Q\" or \"802.1ad\"".to_owned(),
        };
        Mistake::new(value.span(), format!("`{given}` is no kind of VLAN tag"), "here").help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Under};
    use super::*;

    /// A port with a device, and lines 5 and on.
    fn read(more: &str) -> Result<Config, String> {
        let text = format!("[[port]]\nname = \"left\"\ndevice = \"net_null0\"\nmtu = 9000\n{more}");
        Config::parse("ferry.toml", &text).map_err(|error| error.report(false))
    }

    fn port(parent: &str, more: &str) -> String {
        format!("[[port]]\nname = \"a\"\nparent = \"{parent}\"\n{more}\n")
    }

    #[test]
    fn a_vlan_is_told_from_others_by_its_tags() {
        let dot1q = |number| Tag { protocol: TagProtocol::Dot1q, id: VlanId::new(number).unwrap() };
        let dot1ad = |number| Tag { protocol: TagProtocol::Dot1ad, ..dot1q(number) };
        for (said, outer, inner) in [
            ("vlan = 100", dot1q(100), None),
            ("vlan = 100\nprotocol = \"802.1ad\"", dot1ad(100), None),
            ("vlan = 100\nouter_vlan = 200", dot1ad(200), Some(dot1q(100))),
            ("vlan = 100\nouter_vlan = 200\nprotocol = \"802.1q\"", dot1q(200), Some(dot1q(100))),
        ] {
            let config = read(&port("left", said)).unwrap();
            let vlan = Vlan { parent: PortId(0), tags: Tags { outer, inner } };
            assert_eq!(config.port(PortId(1)).under, Under::Vlan(vlan), "{said}");
        }
    }

    #[test]
    fn ports_with_devices_come_first_and_lend_what_they_have() {
        let vlan = port("right", "vlan = 7\nmtu = 1400") + "[[port]]\nname = \"b\"\nparent = \"left\"\nvlan = 7\n";
        let config = read(&(vlan + "[[port]]\nname = \"right\"\ndevice = \"net_null1\"\n")).unwrap();
        let names: Vec<_> = config.ports().iter().map(|port| port.name.as_str()).collect();
        assert_eq!(names, ["left", "right", "a", "b"]);
        assert_eq!(config.devices().count(), 2);
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].map(packet::ethernet::MacAddr);
        let states = config.port_states(macs);
        assert_eq!(states.iter().map(|state| state.mtu.bytes()).collect::<Vec<_>>(), [9000, 1500, 1400, 9000]);
        assert_eq!(states.iter().map(|state| state.mac).collect::<Vec<_>>(), [macs[0], macs[1], macs[1], macs[0]]);
        assert_eq!(config.under(config.port(PortId(2))), "vlan 7 on right");
    }

    #[test]
    fn what_is_wrong_with_a_vlan_is_said_where_it_stands() {
        let seven = port("left", "vlan = 7");
        for (more, message, help) in [
            (port("lfet", "vlan = 7"), "there is no port named `lfet`", "did you mean `left`?"),
            (port("left", ""), "this port has no `vlan`", "vlan = 100"),
            (port("left", "vlan = 0"), "expected a VLAN from 1 to 4094, found 0", ""),
            (port("left", "vlan = 4095"), "expected a VLAN from 1 to 4094, found 4095", ""),
            (port("left", "vlan = 7\nouter_vlan = 4095"), "expected a VLAN from 1 to 4094, found 4095", ""),
            (port("left", "vlan = 7\nprotocol = \"802.1ah\""), "`802.1ah` is no kind of VLAN tag", "802.1a"),
            (port("left", "vlan = 7\nmtu = 9001"), "larger than that of the device, 9000", "mtu = 9000 or less"),
            (port("left", "vlan = 7\nmac = \"02:00:00:00:00:09\""), "this port has no key `mac`", "it can have"),
            (port("left", "vlan = 7\ndevice = \"net_null1\""), "this port has no key `device`", "it can have"),
            (port("a", "vlan = 7"), "`a` has no device of its own", "both tags: `outer_vlan` and `vlan`"),
            (seven.clone() + &seven.replace("\"a\"", "\"b\""), "two ports on `left` are VLAN 7", "a number of its own"),
        ] {
            let report = read(&more).unwrap_err();
            assert!(report.contains(message) && report.contains(help), "{more}\n{report}");
        }
    }
}
