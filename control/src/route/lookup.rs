//! Looking a destination up: one way to do it, and the kernels' functions as thin wrappers of it.
//!
//! | BSD | here | gives |
//! |---|---|---|
//! | `rtalloc1_fib(dst, report, ignore, fib)` | [`Routes::rtalloc1_fib`] | a locked route |
//! | `rtalloc1(dst, report, ignore)` | [`Routes::rtalloc1`] | the same from the main table |
//! | `rtalloc_ign_fib(ro, ignore, fib)`, `rtalloc_fib(ro, fib)` | [`Routes::rtalloc_ign_fib`], [`Routes::rtalloc_fib`] | a filled [`RouteCache`] |
//! | `rtalloc_ign(ro, ignore)`, `rtalloc(ro)` | [`Routes::rtalloc_ign`], [`Routes::rtalloc`] | the same from the main table |
//! | OpenBSD's `rtalloc(dst, flags, table)` | [`Routes::rtalloc_table`] | a route that is not locked |
//! | OpenBSD's `rtalloc_mpath(dst, src, table)` | [`Routes::rtalloc_mpath`] | of several that share, the one of this source |
//!
//! The functions of FreeBSD 7 make a route to the destination where they find a template
//! ([`RouteFlags::CLONING`]), OpenBSD's does if it is told to, and those that take a table's number do not. So the former
//! need the routes to change, and the latter need them only to read.
//!
//! Whoever keeps a destination for long keeps a [`RouteCache`], which asks again only when its route has gone. The flags
//! that three of the functions ignore are those whose action is not wanted; what is found, and the flags it has, are the
//! same whatever they are.
//!
//! None of this is a worker's: those look up in the forwarding table, without a count or a lock.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use boundary::PortId;
use control_api::{Family, RouteFlags};

use super::entry::Gateway;
use super::reference::{LockedRoute, RouteRef};
use crate::multipath::Slots;
use crate::routes::{Fibs, MAIN, Routes};

bitflags::bitflags! {
    /// How to look up.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct LookupFlags: u8 {
        /// Whoever follows the routes is to know if nothing is found (`RT_REPORT`).
        const REPORT = 1;
        /// If a template is found, a route is to be made from it (`RT_RESOLVE`).
        const RESOLVE = 2;
    }
}

/// Why nothing can be found, or nothing was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no table of this number.
    #[error("there is no table {fib}: the last one is {}", .fibs.count() - 1)]
    NoSuchTable {
        /// The number.
        fib: u16,
        /// Those there may be.
        fibs: Fibs,
    },
    /// No route leads to the destination.
    #[error("no route leads to {destination}")]
    HostUnreachable {
        /// Where somebody wanted to go.
        destination: IpAddr,
    },
}

impl LookupError {
    /// What the kernels say.
    pub const fn errno(&self) -> &'static str {
        match self {
            Self::NoSuchTable { .. } => "EINVAL",
            Self::HostUnreachable { .. } => "EHOSTUNREACH",
        }
    }
}

/// What was looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// Lookups.
    pub lookups: u64,
    /// Those that found nothing (`rts_unreach`).
    pub unreach: u64,
    /// Those of them that somebody was to know of.
    pub reported: u64,
    /// Those that found the default route (`rts_wildcard`).
    pub wildcard: u64,
}

/// Counters that a lookup writes, which has the tables only to read.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    lookups: AtomicU64,
    unreach: AtomicU64,
    reported: AtomicU64,
    wildcard: AtomicU64,
}

/// A table that cannot change while this is held (`RTF_RNH_LOCKED`).
#[derive(Debug)]
pub struct TableGuard<'r> {
    routes: &'r Routes,
    fib: u16,
}

/// The most general form, and all others, which are calls of it.
impl Routes {
    /// The route a packet to `dst` takes by a table, held by nobody else for that.
    ///
    /// # Errors
    ///
    /// When there cannot be such a table. One that could be and is not has no routes, and nothing is found in it.
    pub fn lookup(&self, fib: u16, dst: IpAddr, flags: LookupFlags) -> Result<Option<RouteRef>, LookupError> {
        let guard = self.hold_table(fib)?;
        Ok(self.lookup_in(&guard, fib, dst, flags))
    }

    /// The same in a table that the caller holds already.
    pub fn lookup_in(&self, guard: &TableGuard<'_>, fib: u16, dst: IpAddr, flags: LookupFlags) -> Option<RouteRef> {
        debug_assert!(std::ptr::eq(guard.routes, self) && guard.fib == fib, "the guard of this table");
        let found = self.towards(fib, dst).map(RouteRef::new);
        // Relaxed: counters tell nothing but themselves.
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        count(&self.counters.lookups);
        if found.as_ref().is_some_and(|found| found.prefix().len() == 0) {
            count(&self.counters.wildcard);
        }
        if found.is_none() {
            count(&self.counters.unreach);
            if flags.contains(LookupFlags::REPORT) {
                count(&self.counters.reported);
                self.events.missed(fib, dst);
            }
        }
        found
    }

    /// Holds a table, so that several lookups see it the same.
    ///
    /// # Errors
    ///
    /// When there cannot be such a table.
    pub fn hold_table(&self, fib: u16) -> Result<TableGuard<'_>, LookupError> {
        let fibs = self.fibs();
        if fibs.has(fib) { Ok(TableGuard { routes: self, fib }) } else { Err(LookupError::NoSuchTable { fib, fibs }) }
    }

    /// The same, and if a template is found and is to be resolved, a route to the destination is made from it.
    ///
    /// # Errors
    ///
    /// When there cannot be such a table.
    pub fn alloc(
        &mut self,
        fib: u16,
        dst: IpAddr,
        flags: LookupFlags,
        ignore: RouteFlags,
    ) -> Result<Option<RouteRef>, LookupError> {
        let found = self.lookup(fib, dst, flags)?;
        if !flags.contains(LookupFlags::RESOLVE) {
            return Ok(found);
        }
        Ok(found.map(|found| self.cloned(found, dst, flags.contains(LookupFlags::REPORT), ignore)))
    }

    /// What was looked up so far.
    pub fn lookup_counts(&self) -> LookupCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { lookups, unreach, reported, wildcard } = &self.counters;
        let [lookups, unreach, reported, wildcard] = [lookups, unreach, reported, wildcard].map(read);
        LookupCounts { lookups, unreach, reported, wildcard }
    }

    /// The route to a destination by a table, locked; waits for whoever has it locked.
    ///
    /// # Errors
    ///
    /// When there cannot be such a table.
    pub fn rtalloc1_fib(
        &self,
        dst: IpAddr,
        report: bool,
        _ignore: RouteFlags,
        fib: u16,
    ) -> Result<Option<LockedRoute>, LookupError> {
        let flags = if report { LookupFlags::REPORT } else { LookupFlags::empty() };
        self.lookup(fib, dst, flags).map(|found| found.map(RouteRef::lock))
    }

    /// The route to a destination by the main table, locked; waits for whoever has it locked.
    ///
    /// If it is to be reported, a template is resolved, unless that is among what is ignored.
    pub fn rtalloc1(&mut self, dst: IpAddr, report: bool, ignore: RouteFlags) -> Option<LockedRoute> {
        let flags = if report { LookupFlags::REPORT | LookupFlags::RESOLVE } else { LookupFlags::empty() };
        self.alloc(MAIN, dst, flags, ignore).unwrap_or(None).map(RouteRef::lock)
    }

    /// Lets a cache have its route by a table, unless it has one that is still there.
    ///
    /// # Errors
    ///
    /// When there cannot be such a table; then the cache has none.
    pub fn rtalloc_ign_fib(&self, cache: &mut RouteCache, _ignore: RouteFlags, fib: u16) -> Result<(), LookupError> {
        if cache.is_current() {
            return Ok(());
        }
        cache.release();
        cache.fill(self.lookup(fib, cache.dst, LookupFlags::REPORT)?);
        Ok(())
    }

    /// The same with no action ignored.
    ///
    /// # Errors
    ///
    /// When there cannot be such a table; then the cache has none.
    pub fn rtalloc_fib(&self, cache: &mut RouteCache, fib: u16) -> Result<(), LookupError> {
        self.rtalloc_ign_fib(cache, RouteFlags::empty(), fib)
    }

    /// Lets a cache have its route by the main table, made from a template if need be and if that is not ignored.
    pub fn rtalloc_ign(&mut self, cache: &mut RouteCache, ignore: RouteFlags) {
        if !cache.is_current() {
            cache.release();
            let flags = LookupFlags::REPORT | LookupFlags::RESOLVE;
            cache.fill(self.alloc(MAIN, cache.dst, flags, ignore).unwrap_or(None));
        }
    }

    /// The same with no action ignored.
    pub fn rtalloc(&mut self, cache: &mut RouteCache) {
        self.rtalloc_ign(cache, RouteFlags::empty());
    }

    /// The route to a destination by a table; nothing also where there is no such table.
    pub fn rtalloc_table(&mut self, dst: IpAddr, flags: LookupFlags, table: u16) -> Option<RouteRef> {
        self.alloc(table, dst, flags, RouteFlags::empty()).unwrap_or(None)
    }

    /// The route to a destination by a table, for packets from `src`: of several that share, always the same one for the
    /// same two addresses. Without a source, the first of them.
    pub fn rtalloc_mpath(&mut self, dst: IpAddr, src: Option<IpAddr>, table: u16) -> Option<RouteRef> {
        let found = self.rtalloc_table(dst, LookupFlags::REPORT | LookupFlags::RESOLVE, table)?;
        let sharing = self.sharing(table, dst);
        let Some(src) = src.filter(|_src| sharing.len() > 1 && self.multipath.divides(Family::of(dst))) else {
            return Some(found);
        };
        let weights: Vec<_> = sharing.iter().map(|entry| entry.metrics().weight).collect();
        let chosen = Slots::new(&weights).route(self.multipath.jitter.hash(dst, src));
        sharing.get(chosen).map(RouteRef::new)
    }
}

/// A destination, and the route to it while there is one (`struct route`).
#[derive(Debug)]
pub struct RouteCache {
    dst: IpAddr,
    route: Option<RouteRef>,
    lle: Option<NeighbourRef>,
}

/// Which neighbour packets by a route go to (`ro_lle`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourRef {
    /// Its address.
    pub address: IpAddr,
    /// The port it is behind.
    pub port: PortId,
}

impl RouteCache {
    /// A destination without a route yet.
    pub const fn new(dst: IpAddr) -> Self {
        Self { dst, route: None, lle: None }
    }

    /// The destination (`ro_dst`).
    pub const fn dst(&self) -> IpAddr {
        self.dst
    }

    /// The route found last (`ro_rt`); it may have gone since.
    pub const fn route(&self) -> Option<&RouteRef> {
        self.route.as_ref()
    }

    /// The neighbour packets by it go to (`ro_lle`).
    pub const fn lle(&self) -> Option<NeighbourRef> {
        self.lle
    }

    /// The route, or what to say to whoever needs one.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn require_route(&self) -> Result<&RouteRef, LookupError> {
        self.route.as_ref().ok_or(LookupError::HostUnreachable { destination: self.dst })
    }

    /// Lets the route go, if there is one (`RO_RTFREE`).
    pub fn release(&mut self) {
        self.route = None;
        self.lle = None;
    }

    /// Whether the route is still in its table and leads out of a port.
    fn is_current(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.is_up() && route.port().is_some())
    }

    fn fill(&mut self, route: Option<RouteRef>) {
        self.lle = route.as_ref().and_then(|route| {
            let address = match route.gateway() {
                Gateway::Address(gateway) => gateway,
                Gateway::Link(_) | Gateway::Station(..) => self.dst,
                Gateway::Unspecified => return None,
            };
            route.port().map(|port| NeighbourRef { address, port })
        });
        self.route = route;
    }
}
