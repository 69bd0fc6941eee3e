//! What one configuration says otherwise than another and only a start can change, in the words of the file.

use std::fmt::Display;
use std::time::Duration;

use boundary::PortId;
use control_api::ConfigChange;

use super::difference::change;
use super::{Config, Core, Dpdk, HugePages, Idle, Port, Routing, Rss, Tap, Under, Worker};
use crate::fpm::Settings;

impl Config {
    /// What `next`, which has the same ports in the same order, says otherwise; `queues` is how many receive queues each has.
    pub(super) fn restart_for(&self, next: &Self, queues: impl Fn(PortId) -> u16) -> Vec<ConfigChange> {
        let mut keys = Keys::default();
        keys.hold("[api] socket", &self.socket, &next.socket, |path| said(&path.display()));
        keys.hold_dpdk(&self.dpdk, &next.dpdk);
        keys.hold("[[worker]]", &self.workers, &next.workers, |all| said(&list(all.iter().map(worker))));
        keys.hold_routing(&self.routing, &next.routing);
        self.hold_fpm(next, &mut keys);
        for ((port, old), new) in (0..).map(PortId).zip(&self.ports).zip(&next.ports) {
            self.hold_port(old, new, queues(port), &mut keys);
        }
        keys.changed
    }

    fn hold_fpm(&self, next: &Self, keys: &mut Keys) {
        let (Some(old), Some(new)) = (&self.fpm, &next.fpm) else {
            let listens = |fpm: &Option<Settings>| fpm.as_ref().map(|fpm| format!("listens at {}", fpm.listen));
            return keys.hold("[fpm]", &self.fpm, &next.fpm, listens);
        };
        let seconds = |period: &Duration| said(&period.as_secs());
        let table = |(number, fib): &(u32, u16)| format!("{number} is fib {fib}");
        let interface = |(index, port): &(u32, PortId)| format!("{index} is port {}", self.port(*port).name);
        keys.hold("[fpm] listen", &old.listen, &new.listen, said);
        keys.hold("[fpm] netns", &old.netns, &new.netns, Clone::clone);
        keys.hold("[fpm] quiet_seconds", &old.quiet, &new.quiet, seconds);
        keys.hold("[fpm] sweep_seconds", &old.sweep, &new.sweep, seconds);
        keys.hold("[fpm] hold_seconds", &old.hold, &new.hold, |hold| hold.as_ref().and_then(seconds));
        keys.hold("[fpm] snapshot", &old.snapshot, &new.snapshot, |path| {
            path.as_ref().map(|path| text(path.display()))
        });
        keys.hold("[fpm] snapshot_seconds", &old.save_every, &new.save_every, seconds);
        keys.hold("[[fpm.table]]", &old.tables, &new.tables, |all| said(&list(all.iter().map(table))));
        keys.hold("[[fpm.interface]]", &old.interfaces, &new.interfaces, |all| said(&list(all.iter().map(interface))));
    }

    fn hold_port(&self, old: &Port, new: &Port, queues: u16, keys: &mut Keys) {
        let key = |what: &str| format!("port {}: {what}", new.name);
        let what = match new.under {
            Under::Device(_) => "device",
            Under::Vlan(_) => "vlan",
        };
        keys.hold(&key(what), &old.under, &new.under, |under| said(&self.shown_under(under)));
        keys.hold(&key("mac"), &old.mac, &new.mac, |mac| mac.map(text));
        keys.hold(&key("promiscuous"), &old.promiscuous, &new.promiscuous, said);
        // What the file leaves open stays as it is.
        if old.queues != new.queues && new.queues.is_some() {
            keys.hold(&key("queues"), &Some(queues), &new.queues, |count| count.map(text));
        }
        keys.hold(&key("rss"), &old.rss, &new.rss, rss);
        keys.hold(&key("rx_descriptors"), &old.rx_descriptors, &new.rx_descriptors, |count| count.map(text));
        keys.hold(&key("tx_descriptors"), &old.tx_descriptors, &new.tx_descriptors, |count| count.map(text));
        keys.hold(&key("tap"), &old.tap, &new.tap, |there| there.as_ref().map(tap));
        keys.hold(&key("fib"), &old.fib, &new.fib, said);
    }
}

/// The keys whose values differ.
#[derive(Debug, Default)]
struct Keys {
    changed: Vec<ConfigChange>,
}

impl Keys {
    /// Holds the values of a key against each other; `shown` is how one is written, or nothing where the file says none.
    fn hold<T: PartialEq>(&mut self, what: &str, old: &T, new: &T, shown: impl Fn(&T) -> Option<String>) {
        if old != new {
            self.changed.push(change(what.to_owned(), shown(old), shown(new)));
        }
    }

    fn hold_dpdk(&mut self, old: &Dpdk, new: &Dpdk) {
        self.hold("[dpdk] memory_mib", &old.memory_mib, &new.memory_mib, |mib| mib.map(text));
        self.hold("[dpdk] huge_pages", &old.huge_pages, &new.huge_pages, huge_pages);
        self.hold("[dpdk] args", &old.args, &new.args, |args| (!args.is_empty()).then(|| list(args)));
    }

    fn hold_routing(&mut self, old: &Routing, new: &Routing) {
        self.hold("[routing] fibs", &old.fibs, &new.fibs, |fibs| fibs.named().map(text));
        self.hold("[routing] add_addr_allfibs", &old.add_addr_allfibs, &new.add_addr_allfibs, said);
    }
}

fn huge_pages(pages: &HugePages) -> Option<String> {
    said(&match pages {
        HugePages::Auto => "auto",
        HugePages::Always => "always",
        HugePages::Never => "never",
    })
}

fn rss(rss: &Rss) -> Option<String> {
    said(&match rss {
        Rss::Device => "device",
        Rss::Symmetric => "symmetric",
    })
}

fn worker(worker: &Worker) -> String {
    let core = match worker.core {
        Core::Last => "the last core".to_owned(),
        Core::Number(core) => format!("core {core}"),
    };
    match worker.idle {
        Idle::Poll => core,
        Idle::Adaptive => format!("{core} idle adaptive"),
    }
}

fn tap(tap: &Tap) -> String {
    let netns = tap.netns.as_ref().map(|netns| format!(" in {netns}")).unwrap_or_default();
    format!("{}{netns}", tap.ifname)
}

fn text(value: impl Display) -> String {
    value.to_string()
}

fn said(value: &impl Display) -> Option<String> {
    Some(text(value))
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(text).collect::<Vec<_>>().join(", ")
}
