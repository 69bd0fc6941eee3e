//! A routing daemon's routes: the section `[fpm]`.
//!
//! ```toml
//! [fpm]                           # without it no daemon is listened to; these are the defaults
//! listen = "127.0.0.1:2620"       # whoever can connect there can change every route: leave it on the machine
//! netns = "bgp"                   # the network namespace (`ip netns`) to listen in; default: ferryd's own
//! quiet_seconds = 30              # a daemon that came back and says nothing for so long has told all its routes
//! sweep_seconds = 120             # at the latest it has after so long; those it has not told again are swept
//! hold_seconds = 600              # how long routes stay when it does not come back; default: for ever
//! snapshot = "/var/lib/ferry/fpm"   # a file that keeps its routes, so that ferryd starts with them; default: none
//! snapshot_seconds = 60           # how often it is written, if something has changed; and when ferryd ends
//!
//! [[fpm.table]]                   # optional: the main table's routes are always taken, into table 0 unless said here
//! table = 1000                    # the daemon's number, as of a VRF
//! fib = 1                         # the table it is here
//!
//! [[fpm.interface]]               # optional: for daemons that do not speak over ports' own interfaces (`tap`)
//! index = 3                       # the kernel's number of an interface (`ip link`)
//! port = "left"                   # the port it stands for
//! ```

use std::time::Duration;

use toml::Spanned;

use super::check::Once;
use super::mistake::Mistake;
use super::reach::Ports;
use super::read::Section;
use super::tap;
use super::value::{self, Value};
use crate::fpm::Settings;

/// What the section says, before names are held against the ports'.
#[derive(Debug)]
pub(super) struct FpmDraft {
    settings: Settings,
    tables: Vec<(Spanned<u32>, Spanned<u16>)>,
    interfaces: Vec<(Spanned<u32>, Spanned<String>)>,
}

pub(super) fn read_fpm(fpm: &mut Section<'_, '_>) -> FpmDraft {
    let defaults = Settings::default();
    let listen = fpm.optional("listen", value::socket_address).map(Spanned::into_inner);
    let netns = fpm.optional("netns", tap::netns).map(Spanned::into_inner);
    let mut seconds = |key| fpm.optional(key, period).map(Spanned::into_inner);
    let (quiet, sweep, hold) = (seconds("quiet_seconds"), seconds("sweep_seconds"), seconds("hold_seconds"));
    let save_every = seconds("snapshot_seconds");
    let snapshot = fpm.optional("snapshot", value::absolute_path).map(Spanned::into_inner);
    let settings = Settings {
        listen: listen.unwrap_or(defaults.listen),
        netns,
        quiet: quiet.unwrap_or(defaults.quiet),
        sweep: sweep.unwrap_or(defaults.sweep),
        hold,
        snapshot,
        save_every: save_every.unwrap_or(defaults.save_every),
        ..defaults
    };
    let tables = fpm.tables("table", |table| {
        let number = table.required("table", "table = 1000", number);
        number.zip(table.required("fib", "fib = 1", value::fib))
    });
    let interfaces = fpm.tables("interface", |interface| {
        let index = interface.required("index", "index = 3", number);
        index.zip(interface.required("port", "port = \"left\"", value::word))
    });
    let (tables, interfaces) = (tables.into_iter().flatten(), interfaces.into_iter().flatten());
    FpmDraft { settings, tables: tables.collect(), interfaces: interfaces.collect() }
}

fn period(value: &Value<'_>) -> Result<Duration, Mistake> {
    value::number(value, 1..=LONGEST_SECONDS, "a number of seconds").map(Duration::from_secs)
}

fn number(value: &Value<'_>) -> Result<u32, Mistake> {
    value::number(value, 1..=u32::MAX, "a number")
}

impl FpmDraft {
    /// The numbers of our tables that it names.
    pub(super) fn fibs(&self) -> impl Iterator<Item = &Spanned<u16>> {
        self.tables.iter().map(|(_, fib)| fib)
    }

    /// Holds the ports' names against those there are.
    pub(super) fn check(self, ports: &Ports<'_>, mistakes: &mut Vec<Mistake>) -> Settings {
        let Self { mut settings, tables, interfaces } = self;
        let (mut numbers, mut indices) = (Once::default(), Once::default());
        let mut once = |numbers: &mut Once<u32>, number: &Spanned<u32>, what: &str| {
            if let Err(first) = numbers.insert(*number.get_ref(), number.span()) {
                let message = format!("{what} {} is there a second time", number.get_ref());
                mistakes.push(Mistake::new(number.span(), message, "and this one").also(first, "this one"));
            }
        };
        for (table, fib) in tables {
            once(&mut numbers, &table, "the table");
            settings.tables.retain(|(known, _)| known != table.get_ref());
            settings.tables.push((table.into_inner(), fib.into_inner()));
        }
        let mut unknown = Vec::new();
        for (index, port) in interfaces {
            once(&mut indices, &index, "the interface");
            match ports.named(&port) {
                Ok(port) => settings.interfaces.extend(port.map(|port| (index.into_inner(), port))),
                Err(mistake) => unknown.push(mistake),
            }
        }
        mistakes.extend(unknown);
        settings
    }
}

/// What is no mistake and seldom meant: a silence that FRR itself makes is taken for the end of what it tells.
pub(super) fn remark(settings: &Settings) -> Option<String> {
    let Settings { quiet, sweep, .. } = settings;
    let (key, patience) = if quiet <= sweep { ("quiet_seconds", quiet) } else { ("sweep_seconds", sweep) };
    let seconds = ZEBRA_IS_LOOKED_FOR_EVERY.as_secs();
    (*patience <= ZEBRA_IS_LOOKED_FOR_EVERY).then(|| {
        format!(
            "[fpm] {key} = {}: FRR's daemons look for a zebra that went every {seconds} seconds, and until they have found it, \
             their routes may be swept although they are about to be told again; write more than {seconds}",
            patience.as_secs()
        )
    })
}

/// As staticd, bgpd and the others do it.
const ZEBRA_IS_LOOKED_FOR_EVERY: Duration = Duration::from_secs(10);

/// A year: more is for ever.
const LONGEST_SECONDS: u64 = 31_536_000;

#[cfg(test)]
mod tests {
    use boundary::PortId;

    use super::*;
    use crate::config::Config;

    const PORT: &str = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n";

    fn settings(section: &str) -> Option<Settings> {
        Config::parse("ferry.toml", &format!("{PORT}{section}")).unwrap().fpm().cloned()
    }

    fn mistakes(section: &str) -> Vec<String> {
        let error = Config::parse("ferry.toml", &format!("{PORT}{section}")).unwrap_err();
        error.all().iter().map(|mistake| format!("{}:{} {mistake}", mistake.line(), mistake.column())).collect()
    }

    #[test]
    fn a_daemon_is_listened_to_only_if_the_file_says_so() {
        assert_eq!(settings(""), None);
        assert_eq!(settings("[fpm]\n"), Some(Settings::default()));
    }

    #[test]
    fn times_tables_and_interfaces_are_the_file_s() {
        let said = settings(
            "[fpm]\nlisten = \"[::1]:2621\"\nnetns = \"bgp\"\nquiet_seconds = 5\nsweep_seconds = 60\nhold_seconds = 600\n\
             snapshot = \"/var/lib/ferry/fpm\"\nsnapshot_seconds = 30\n\
             [[fpm.table]]\ntable = 1000\nfib = 1\n[[fpm.table]]\ntable = 254\nfib = 2\n\
             [[fpm.interface]]\nindex = 3\nport = \"left\"\n",
        );
        let expected = Settings {
            listen: "[::1]:2621".parse().unwrap(),
            netns: Some("bgp".to_owned()),
            quiet: Duration::from_secs(5),
            sweep: Duration::from_secs(60),
            hold: Some(Duration::from_secs(600)),
            snapshot: Some("/var/lib/ferry/fpm".into()),
            save_every: Duration::from_secs(30),
            tables: vec![(1000, 1), (254, 2)],
            interfaces: vec![(3, PortId(0))],
        };
        assert_eq!(said, Some(expected));
    }

    #[test]
    fn who_waits_no_longer_than_frr_looks_for_its_zebra_is_warned() {
        let remarks = |section: &str| {
            let config = Config::parse("ferry.toml", &format!("{PORT}{section}")).unwrap();
            config.remarks().collect::<String>()
        };
        assert_eq!(remarks("") + &remarks("[fpm]\n") + &remarks("[fpm]\nquiet_seconds = 11\n"), "");
        for (section, key) in [
            ("[fpm]\nquiet_seconds = 10\n", "quiet_seconds = 10:"),
            ("[fpm]\nsweep_seconds = 5\n", "sweep_seconds = 5:"),
        ] {
            let remarks = remarks(section);
            assert!(remarks.contains(key) && remarks.contains("every 10 seconds"), "{remarks}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_said_where_it_stands() {
        assert_eq!(
            mistakes("[fpm]\nlisten = \"2620\"\nquiet_seconds = 0\nhold = 1\n"),
            [
                "5:10 `2620` is not an address with a port",
                "6:17 expected a number of seconds from 1 to 31536000, found 0",
                "7:1 `[fpm]` has no key `hold`",
            ]
        );
        let without_port = Config::parse("ferry.toml", &format!("{PORT}[fpm]\nlisten = \"127.0.0.1\"\n")).unwrap_err();
        assert!(without_port.report(false).contains("write it like \"127.0.0.1:2620\" or \"[::1]:2620\""));
        assert_eq!(mistakes("[fpm]\nsnapshot = \"fpm\"\n"), ["5:12 `fpm` is not the absolute path of a file"]);
        let twice = "[[fpm.table]]\ntable = 10\nfib = 1\n[[fpm.table]]\ntable = 10\nfib = 2\n";
        assert_eq!(mistakes(twice), ["8:9 the table 10 is there a second time"]);
        let fibs = "[routing]\nfibs = 2\n[[fpm.table]]\ntable = 10\nfib = 2\n";
        assert_eq!(mistakes(fibs), ["8:7 there is no table 2: the last one is 1"]);
        let port = "[[fpm.interface]]\nindex = 1\nport = \"lefr\"\n[[fpm.interface]]\nindex = 1\nport = \"left\"\n";
        assert_eq!(mistakes(port), ["6:8 there is no port named `lefr`", "8:9 the interface 1 is there a second time"]);
    }
}
