//! What a request for a route is about, so that everybody can be told that it was refused.

use std::net::IpAddr;

use control_api::{EventKind, Network, Request, RouteEvent, RouteFlags, Target, Verb};

use crate::requests::destination;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject(RouteEvent);

impl Subject {
    /// What this request is about, if it is for a route.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let in_words_of_ip = |kind, dst, target: Option<&Target>| {
            Some(Self(RouteEvent {
                dst: Some(dst),
                gateway: target.and_then(gateway),
                flags: RouteFlags::STATIC,
                ..RouteEvent::new(kind, Some(0))
            }))
        };
        match request {
            Request::RouteAdd { to, target } => in_words_of_ip(EventKind::Add, *to, Some(target)),
            Request::RouteReplace { to, target } => in_words_of_ip(EventKind::Change, *to, Some(target)),
            Request::RouteDel { to } => in_words_of_ip(EventKind::Delete, *to, None),
            Request::RouteGet { address } => Some(Self(RouteEvent {
                dst: Some(Network::host(*address)),
                ..RouteEvent::new(EventKind::Get, Some(0))
            })),
            Request::RouteMessage(message) => Some(Self(RouteEvent {
                flags: message.flags.unwrap_or_default() - RouteFlags::DONE,
                // What has no network, as a mask with holes, is told by its address.
                dst: Some(destination(message).unwrap_or_else(|_no_network| Network::host(message.dst))),
                gateway: message.target.as_ref().and_then(gateway),
                ..RouteEvent::new(kind(message.verb), Some(message.fib))
            })),
            // Of a batch, what is refused is answered, and what is done is told as it is done.
            Request::RouteBatch { .. }
            | Request::RouteShow { .. }
            | Request::RouteFlush { .. }
            | Request::NeighShow { .. }
            | Request::NeighAdd { .. }
            | Request::NeighReplace { .. }
            | Request::NeighDel { .. }
            | Request::NeighFlush { .. }
            | Request::AddressAdd { .. }
            | Request::AddressDel { .. }
            | Request::PortShow { .. }
            | Request::PortSet { .. }
            | Request::PortTurn { .. }
            | Request::PortRss { .. }
            | Request::QueueMapShow
            | Request::QueueMapSet { .. }
            | Request::TimerList
            | Request::TimerCreate { .. }
            | Request::TimerChange { .. }
            | Request::TimerDestroy { .. }
            | Request::TimerAdd { .. }
            | Request::TimerClear { .. }
            | Request::Redirect(_)
            | Request::PathMtu(_)
            | Request::FpmShow
            | Request::FpmSweep
            | Request::ConfigReload { .. }
            | Request::Monitor { .. }
            | Request::Stats
            | Request::Drops
            | Request::Version => None,
        }
    }

    /// It as an event, of which nothing was done.
    pub(super) fn event(self) -> RouteEvent {
        self.0
    }
}

const fn kind(verb: Verb) -> EventKind {
    match verb {
        Verb::Add => EventKind::Add,
        Verb::Delete => EventKind::Delete,
        Verb::Change => EventKind::Change,
        Verb::Get => EventKind::Get,
        Verb::Lock => EventKind::Lock,
    }
}

const fn gateway(target: &Target) -> Option<IpAddr> {
    match target {
        Target::Via { gateway, .. } => Some(*gateway),
        Target::Dev(_) | Target::Station { .. } | Target::Blackhole | Target::Unreachable | Target::Prohibit => None,
    }
}
