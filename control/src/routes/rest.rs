//! What workers know beside tables and next hops: what ports carry and ask, filters, and how flows are divided.

use std::sync::Arc;

use boundary::policy::{Filter, Policy};
use boundary::{Mtu, PortId};

use super::Routes;
use crate::multipath::Multipath;

impl Routes {
    /// A port carries packets of this length from now on, as workers know it.
    pub(crate) fn set_mtu_of_port(&mut self, port: PortId, mtu: Mtu) {
        Arc::make_mut(&mut self.ports)[port.index()].mtu = mtu;
        self.next_hops.set_mtu(port, mtu);
        self.is_rest_other = true;
    }

    /// From now on a port asks this of packets that come in, unless it lets none in.
    pub(crate) fn set_policy(&mut self, port: PortId, policy: Policy) {
        let there = &mut Arc::make_mut(&mut self.ports)[port.index()].policy;
        *there = Policy { closed: there.closed, ..policy };
        self.is_rest_other = true;
    }

    /// From now on ports' policies name these filters, and flows are divided like this.
    pub(crate) fn set_forwarding(&mut self, filters: impl IntoIterator<Item = Filter>, multipath: Multipath) {
        self.filters = filters.into_iter().collect();
        self.multipath = multipath;
        self.is_rest_other = true;
    }

    /// What comes in through a port is dropped from now on, or no longer.
    pub(crate) fn set_closed(&mut self, port: PortId, closed: bool) {
        Arc::make_mut(&mut self.ports)[port.index()].policy.closed = closed;
        self.is_rest_other = true;
    }
}
