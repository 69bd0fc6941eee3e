//! The route of one flow, kept for as long as nothing changes (`rtcache` of NetBSD, `struct route` of OpenBSD).
//!
//! A [`super::RouteCache`] keeps its route while that is up, also when a better one has come since. This one is for who
//! has to go where packets go: it asks again after every change that workers were shown.

use std::net::IpAddr;

use control_api::RouteFlags;

use super::reference::RouteRef;
use crate::routes::Routes;

/// A flow's route by a table, found again only when it may be another.
#[derive(Debug, Default)]
pub struct FlowCache {
    fib: u16,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    dst: IpAddr,
    src: IpAddr,
    /// What workers forwarded by when it was found.
    generation: u64,
    route: RouteRef,
}

impl FlowCache {
    /// Nothing yet, of the table with this number.
    pub const fn new(fib: u16) -> Self {
        Self { fib, kept: None }
    }

    /// The route from `src` to `dst`; of several that share, the one of these two.
    pub fn route(&mut self, routes: &mut Routes, dst: IpAddr, src: IpAddr) -> Option<&RouteRef> {
        let generation = routes.generation();
        if self.kept.as_ref().is_none_or(|kept| !kept.is_for(dst, src, generation)) {
            let found = routes.rtalloc_mpath(dst, Some(src), self.fib);
            self.kept = found.map(|route| Kept { dst, src, generation, route });
        }
        self.kept.as_ref().map(|kept| &kept.route)
    }
}

impl Kept {
    /// Whether it is the route of this flow, now that workers forward by this. The source says nothing of a route that
    /// has everything.
    fn is_for(&self, dst: IpAddr, src: IpAddr, generation: u64) -> bool {
        let flags = self.route.flags();
        let is_same_source = self.src == src || !flags.contains(RouteFlags::MPATH);
        self.dst == dst && is_same_source && self.generation == generation && flags.contains(RouteFlags::UP)
    }
}
