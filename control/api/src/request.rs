//! What can be asked of ferryd.

use std::net::IpAddr;

use packet::ethernet::MacAddr;
use serde::{Deserialize, Serialize};

use crate::interface_address::InterfaceAddress;
use crate::learnt::{PathMtu, Redirect};
use crate::message::{RouteMessage, Verb};
use crate::network::{Family, Network};
use crate::queue::QueuePlace;
use crate::reply::Route;
use crate::timer::QueueName;

/// One request; the answer to it is a [`crate::Reply`] or an [`crate::ApiError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Adds a route; refused when there is one to the same network. Answered [`crate::Reply::Done`].
    RouteAdd {
        /// Which destinations.
        to: Network,
        /// Where they go.
        target: Target,
    },
    /// Adds a route, or puts it in place of the one there is. Answered [`crate::Reply::Done`].
    RouteReplace {
        /// Which destinations.
        to: Network,
        /// Where they go.
        target: Target,
    },
    /// Removes a static route. Answered [`crate::Reply::Done`].
    RouteDel {
        /// Which destinations.
        to: Network,
    },
    /// Which route a packet to `address` takes. Answered [`crate::Reply::Route`].
    RouteGet {
        /// Its destination.
        address: IpAddr,
    },
    /// The routes. Answered [`crate::Reply::Routes`].
    RouteShow {
        /// Which of them.
        #[serde(default)]
        filter: RouteFilter,
    },
    /// Adds, deletes, changes, asks for or locks one route, in the words of `route(4)`. Answered [`crate::Reply::Route`]:
    /// the route as it is then, or as it was.
    RouteMessage(RouteMessage),
    /// Does several of these, in their order, and workers see all of it at once. Each stands for itself: one that is refused
    /// leaves the others, so that a full table need not be sent again for one route. Answered [`crate::Reply::Batch`].
    RouteBatch {
        /// What is to be done.
        changes: Vec<RouteMessage>,
    },
    /// Removes the static routes that a filter selects, but pinned ones. Answered [`crate::Reply::Flushed`].
    RouteFlush {
        /// Which of them.
        #[serde(default)]
        filter: RouteFilter,
    },
    /// The neighbours. Answered [`crate::Reply::Neighbours`].
    NeighShow {
        /// Only those behind this port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dev: Option<String>,
    },
    /// Says which station a neighbour is, if nobody has said it before. Answered [`crate::Reply::Done`].
    NeighAdd {
        /// Its address.
        address: IpAddr,
        /// The port it is behind.
        dev: String,
        /// Its MAC address.
        #[serde(with = "crate::text")]
        lladdr: MacAddr,
    },
    /// Says which station a neighbour is, whatever was known of it. Answered [`crate::Reply::Done`].
    NeighReplace {
        /// Its address.
        address: IpAddr,
        /// The port it is behind.
        dev: String,
        /// Its MAC address.
        #[serde(with = "crate::text")]
        lladdr: MacAddr,
    },
    /// Forgets a neighbour, however it is known. Answered [`crate::Reply::Done`].
    NeighDel {
        /// Its address.
        address: IpAddr,
        /// The port it is behind.
        dev: String,
    },
    /// Forgets the neighbours that were learnt. Answered [`crate::Reply::Flushed`].
    NeighFlush {
        /// Only those behind this port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dev: Option<String>,
        /// Those that a person has set as well.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        permanent: bool,
    },
    /// Gives a port one more address, until ferryd ends. Answered [`crate::Reply::Done`].
    AddressAdd {
        /// The address, with the length of its network.
        address: InterfaceAddress,
        /// The port.
        dev: String,
    },
    /// Takes an address of a port away. Answered [`crate::Reply::Done`].
    AddressDel {
        /// The address.
        address: IpAddr,
        /// The length of its network, to be sure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        len: Option<u8>,
        /// The port.
        dev: String,
    },
    /// The ports. Answered [`crate::Reply::Ports`].
    PortShow {
        /// Only this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Lets a port carry packets of another length while it runs, until ferryd ends. Answered [`crate::Reply::Done`].
    PortSet {
        /// Which.
        name: String,
        /// The longest IP packet, in bytes.
        mtu: u16,
    },
    /// Takes a port down, or up again, until ferryd ends: as if its link were gone. Answered [`crate::Reply::Done`].
    PortTurn {
        /// Which.
        name: String,
        /// Whether it is to be up.
        up: bool,
    },
    /// How what comes in is spread over receive queues. Answered [`crate::Reply::PortRss`].
    PortRss {
        /// Only of this port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Which worker polls which receive queue. Answered [`crate::Reply::QueueMap`].
    QueueMapShow,
    /// Lets workers poll other receive queues, until ferryd ends; queues that are not named stay where they are. No port is
    /// stopped for it, and nothing that arrives meanwhile is lost. Answered [`crate::Reply::QueueMap`], in which some may
    /// still be on their way.
    QueueMapSet {
        /// The queues, and the core of the worker that is to poll each.
        queues: Vec<QueuePlace>,
    },
    /// The queues of timers on routes. Answered [`crate::Reply::Timers`].
    TimerList,
    /// Makes a queue. Answered [`crate::Reply::Done`].
    TimerCreate {
        /// Its name.
        queue: QueueName,
        /// How long its timers are to run; any time will do, and none.
        period_seconds: u64,
    },
    /// Gives a queue another period, for the timers on it as well. Answered [`crate::Reply::Done`].
    ///
    /// The queue `redirect` is a service's: a period of zero switches that off, and its timers' actions are run; any
    /// other switches it on again.
    TimerChange {
        /// Its name.
        queue: QueueName,
        /// How long its timers are to run.
        period_seconds: u64,
    },
    /// Takes a queue away, and its timers with it. Answered [`crate::Reply::Done`].
    TimerDestroy {
        /// Its name.
        queue: QueueName,
        /// Whether the timers do now what they would have done later, or never.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        run_actions: bool,
    },
    /// Lets a static route be deleted when it has been on a queue for the queue's period; a route that is on one already
    /// is put off, or moved. Answered [`crate::Reply::Done`].
    TimerAdd {
        /// The queue.
        queue: QueueName,
        /// In which table.
        #[serde(default, skip_serializing_if = "crate::text::is_default")]
        fib: u16,
        /// Which route.
        to: Network,
    },
    /// Takes all timers of a route away. Answered [`crate::Reply::TimersCleared`].
    TimerClear {
        /// In which table.
        #[serde(default, skip_serializing_if = "crate::text::is_default")]
        fib: u16,
        /// Which route.
        to: Network,
    },
    /// Takes a redirect as a host would. Answered [`crate::Reply::Route`].
    Redirect(Redirect),
    /// Hears that a packet was too big for its path, as a host would. Answered [`crate::Reply::Route`].
    PathMtu(PathMtu),
    /// How the session with the routing daemon is. Answered [`crate::Reply::Fpm`].
    FpmShow,
    /// Removes at once what the routing daemon has not told again since its last session ended. Answered
    /// [`crate::Reply::Flushed`].
    FpmSweep,
    /// Reads a configuration and runs by it, all of it or none: what the last one said and this one does not is taken back,
    /// and what it says anew is done; what was asked for, learnt or told by a routing daemon stays. Answered
    /// [`crate::Reply::Config`].
    ConfigReload {
        /// The file, as ferryd finds it; the one it was started with, if none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// Only to say what would change.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    /// Follows what happens from now on. Answered [`crate::Reply::Done`], and then by a [`crate::Reply::Event`] for each
    /// event for as long as the connection lasts; more can be asked over it meanwhile.
    Monitor {
        /// Only what concerns this table, and what concerns all; every table if none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fib: Option<u16>,
        /// Whether to be told of what one has asked for oneself over this connection (`SO_USELOOPBACK`).
        #[serde(default = "yes", skip_serializing_if = "goes_without_saying")]
        loopback: bool,
    },
    /// What was counted, and how the process is. Answered [`crate::Reply::Stats`].
    Stats,
    /// What was dropped and why. Answered [`crate::Reply::Drops`].
    Drops,
    /// Whether anybody is there, and who. Answered [`crate::Reply::Version`].
    Version,
}

impl Request {
    /// Whether it asks for a change, which takes more than being able to ask.
    pub const fn is_change(&self) -> bool {
        match self {
            Self::RouteAdd { .. }
            | Self::RouteReplace { .. }
            | Self::RouteDel { .. }
            | Self::RouteBatch { .. }
            | Self::RouteFlush { .. }
            | Self::AddressAdd { .. }
            | Self::AddressDel { .. }
            | Self::PortSet { .. }
            | Self::PortTurn { .. }
            | Self::QueueMapSet { .. }
            | Self::NeighAdd { .. }
            | Self::NeighReplace { .. }
            | Self::NeighDel { .. }
            | Self::NeighFlush { .. }
            | Self::TimerCreate { .. }
            | Self::TimerChange { .. }
            | Self::TimerDestroy { .. }
            | Self::TimerAdd { .. }
            | Self::TimerClear { .. }
            | Self::FpmSweep
            | Self::ConfigReload { .. }
            | Self::Redirect(_)
            | Self::PathMtu(_) => true,
            Self::RouteMessage(message) => !matches!(message.verb, Verb::Get),
            Self::RouteGet { .. }
            | Self::RouteShow { .. }
            | Self::NeighShow { .. }
            | Self::PortShow { .. }
            | Self::PortRss { .. }
            | Self::QueueMapShow
            | Self::TimerList
            | Self::FpmShow
            | Self::Monitor { .. }
            | Self::Stats
            | Self::Drops
            | Self::Version => false,
        }
    }
}

const fn yes() -> bool {
    true
}

const fn goes_without_saying(loopback: &bool) -> bool {
    *loopback
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// To a gateway.
    Via {
        /// Its address; a neighbour on a port's network.
        gateway: IpAddr,
        /// The port it is behind; needed where the address alone does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dev: Option<String>,
    },
    /// To the hosts on a port's link themselves.
    Dev(String),
    /// To one station on a port's link, whatever the host: somebody outside has found that it is the one.
    Station {
        /// The port.
        dev: String,
        /// The station's MAC address.
        #[serde(with = "crate::text")]
        lladdr: MacAddr,
    },
    /// Nowhere, in silence.
    Blackhole,
    /// Nowhere, and the sender is told.
    Unreachable,
    /// Nowhere, and the sender is told that somebody wants it so.
    Prohibit,
}

/// Which routes to show. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteFilter {
    /// Those of this table; 0 is the one workers forward by.
    #[serde(default, skip_serializing_if = "crate::text::is_default")]
    pub fib: u16,
    /// Only those of this family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// Only those through this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Only those to these networks.
    #[serde(default)]
    pub to: Selection,
}

/// Which networks, in the words of `ip route show`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// This one and no other.
    Exact(Network),
    /// This one and all that it covers.
    Root(Network),
    /// This one and all that cover it.
    Match(Network),
}

impl RouteFilter {
    /// Whether `route` is to be shown.
    pub fn selects(&self, route: &Route) -> bool {
        self.family.is_none_or(|family| route.dst.family() == family)
            && self.dev.as_ref().is_none_or(|dev| route.dev.as_ref() == Some(dev))
            && self.to.selects(route.dst)
    }
}

impl Selection {
    /// Whether `network` is one of them.
    pub fn selects(self, network: Network) -> bool {
        match self {
            Self::All => true,
            Self::Exact(this) => network == this,
            Self::Root(root) => root.covers(network),
            Self::Match(this) => network.covers(this),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_in_the_words_of_ip() {
        #[rustfmt::skip]
        let requests = [
            (
                Request::RouteAdd {
                    to: "10.0.0.0/8".parse().unwrap(),
                    target: Target::Via { gateway: "192.0.2.2".parse().unwrap(), dev: None },
                },
                r#"{"command":"route_add","to":"10.0.0.0/8","target":{"via":{"gateway":"192.0.2.2"}}}"#,
            ),
            (
                Request::RouteReplace { to: "::/0".parse().unwrap(), target: Target::Dev("left".to_owned()) },
                r#"{"command":"route_replace","to":"::/0","target":{"dev":"left"}}"#,
            ),
            (
                Request::RouteAdd { to: "10.9.0.0/16".parse().unwrap(), target: Target::Blackhole },
                r#"{"command":"route_add","to":"10.9.0.0/16","target":"blackhole"}"#,
            ),
            (Request::RouteDel { to: "::/0".parse().unwrap() }, r#"{"command":"route_del","to":"::/0"}"#),
            (Request::NeighShow { dev: None }, r#"{"command":"neigh_show"}"#),
            (
                Request::NeighAdd {
                    address: "192.0.2.9".parse().unwrap(),
                    dev: "left".to_owned(),
                    lladdr: MacAddr([2, 0, 0, 0, 0, 9]),
                },
                r#"{"command":"neigh_add","address":"192.0.2.9","dev":"left","lladdr":"02:00:00:00:00:09"}"#,
            ),
            (
                Request::AddressAdd { address: "192.0.2.9/24".parse().unwrap(), dev: "left".to_owned() },
                r#"{"command":"address_add","address":"192.0.2.9/24","dev":"left"}"#,
            ),
            (
                Request::AddressDel { address: "192.0.2.9".parse().unwrap(), len: None, dev: "left".to_owned() },
                r#"{"command":"address_del","address":"192.0.2.9","dev":"left"}"#,
            ),
            (Request::NeighFlush { dev: None, permanent: false }, r#"{"command":"neigh_flush"}"#),
            (
                Request::TimerCreate { queue: "short".parse().unwrap(), period_seconds: 10 },
                r#"{"command":"timer_create","queue":"short","period_seconds":10}"#,
            ),
            (
                Request::TimerDestroy { queue: "short".parse().unwrap(), run_actions: false },
                r#"{"command":"timer_destroy","queue":"short"}"#,
            ),
            (
                Request::TimerDestroy { queue: "short".parse().unwrap(), run_actions: true },
                r#"{"command":"timer_destroy","queue":"short","run_actions":true}"#,
            ),
            (
                Request::TimerAdd { queue: "short".parse().unwrap(), fib: 0, to: "::/0".parse().unwrap() },
                r#"{"command":"timer_add","queue":"short","to":"::/0"}"#,
            ),
            (Request::Monitor { fib: None, loopback: true }, r#"{"command":"monitor"}"#),
            (
                Request::Monitor { fib: Some(1), loopback: false },
                r#"{"command":"monitor","fib":1,"loopback":false}"#,
            ),
            (Request::Stats, r#"{"command":"stats"}"#),
        ];
        for (request, json) in requests {
            assert_eq!(serde_json::to_string(&request).unwrap(), json);
            assert_eq!(serde_json::from_str::<Request>(json).unwrap(), request);
        }
    }

    #[test]
    fn a_filter_may_be_left_out() {
        let all = Request::RouteShow { filter: RouteFilter::default() };
        assert_eq!(serde_json::from_str::<Request>(r#"{"command":"route_show"}"#).unwrap(), all);
    }

    #[test]
    fn root_selects_downwards_and_match_upwards() {
        let [wide, this, narrow] = ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"].map(|text| text.parse().unwrap());
        assert_eq!([wide, this, narrow].map(|n| Selection::Root(this).selects(n)), [false, true, true]);
        assert_eq!([wide, this, narrow].map(|n| Selection::Match(this).selects(n)), [true, true, false]);
        assert_eq!([wide, this, narrow].map(|n| Selection::Exact(this).selects(n)), [false, true, false]);
    }
}
