//! All routes of one protocol to a prefix at once, and prefix after prefix.

use std::ops::Bound;
use std::sync::Arc;

use control_api::Network;
use lpm::{Address, NextHopId, Prefix};

use super::{Protocol, Table};
use crate::paths::Paths;
use crate::route::{Facts, RouteEntry};

impl<A: Address> Table<A>
where
    Network: From<Prefix<A>>,
{
    /// Puts several routes, one at least, in place of the protocol's routes there were, which are no longer up.
    pub(crate) fn set_several(
        &mut self,
        prefix: Prefix<A>,
        protocol: Protocol,
        several: Vec<(Facts, NextHopId)>,
    ) -> Option<Paths> {
        let made = |(facts, next_hop)| self.made(prefix, protocol, facts, next_hop);
        let paths = Paths::of(several.into_iter().map(made).collect());
        let before = self.routes.insert((prefix, protocol), paths);
        before.iter().flat_map(Paths::entries).for_each(|entry| self.left(entry));
        self.follow(prefix);
        before
    }

    /// Removes all routes of a protocol, which are no longer up.
    pub(crate) fn remove_all(&mut self, prefix: Prefix<A>, protocol: Protocol) -> Option<Paths> {
        let removed = self.routes.remove(&(prefix, protocol))?;
        removed.entries().iter().for_each(|entry| self.left(entry));
        self.follow(prefix);
        Some(removed)
    }

    /// The first route of a protocol to each prefix that is behind this one, or to all.
    pub(crate) fn behind(
        &self,
        prefix: Option<Prefix<A>>,
        protocol: Protocol,
    ) -> impl Iterator<Item = &Arc<RouteEntry>> {
        let from = prefix.map_or(Bound::Unbounded, |prefix| Bound::Excluded((prefix, Protocol::LAST)));
        let behind = self.routes.range((from, Bound::Unbounded));
        behind.filter(move |((_, of), _)| *of == protocol).map(|(_, paths)| paths.first())
    }
}
