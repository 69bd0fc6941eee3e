//! Holding a route beyond the question that found it, and being the only one to change it.
//!
//! | BSD | here |
//! |---|---|
//! | `RT_ADDREF` | [`Clone`] of a [`RouteRef`], or [`LockedRoute::add_ref`] |
//! | `RT_REMREF` | [`LockedRoute::rem_ref`] |
//! | `RTFREE` | dropping a [`RouteRef`], or [`RouteRef::free`] |
//! | `RTFREE_LOCKED`, `rtfree` of a locked entry | dropping a [`LockedRoute`], or [`LockedRoute::free`] |
//! | `RT_LOCK`, `RT_UNLOCK` | [`RouteRef::lock`], [`LockedRoute::unlock`] |
//!
//! A reference says that somebody outside the table knows the route. It keeps a deleted route readable, and nothing more:
//! a deleted route is found by nobody. What is left of it goes when its last reference and every worker have gone; that is
//! the business of [`boundary::Trash`], so no reference can be dropped too often and nothing is freed by who drops one.
//!
//! A lock is between those who change a route on a thread of their own. The control thread does not wait for it: a change
//! asked of it meanwhile is refused as busy. Workers have neither references nor locks.

use std::ops::Deref;
use std::sync::Arc;

use control_api::RouteMetrics;

use super::entry::RouteEntry;

/// A counted reference to a route.
#[derive(Debug)]
pub struct RouteRef {
    entry: Arc<RouteEntry>,
}

impl RouteRef {
    pub(crate) fn new(entry: &Arc<RouteEntry>) -> Self {
        entry.count_reference();
        Self { entry: Arc::clone(entry) }
    }

    /// Lets it go; the same as dropping it.
    pub fn free(self) {}

    /// Waits until nobody else has the route locked, and locks it.
    pub fn lock(self) -> LockedRoute {
        self.entry.lock().acquire();
        LockedRoute { held: Held(Arc::clone(&self.entry)), route: self }
    }
}

impl Clone for RouteRef {
    fn clone(&self) -> Self {
        Self::new(&self.entry)
    }
}

impl Drop for RouteRef {
    fn drop(&mut self) {
        self.entry.uncount_reference();
    }
}

impl Deref for RouteRef {
    type Target = RouteEntry;

    fn deref(&self) -> &RouteEntry {
        &self.entry
    }
}

/// A reference to a route that nobody else can change meanwhile. Dropping it unlocks the route and lets it go.
#[derive(Debug)]
pub struct LockedRoute {
    // In this order: the route is unlocked before it is let go.
    held: Held,
    route: RouteRef,
}

impl LockedRoute {
    /// Unlocks the route and keeps the reference.
    pub fn unlock(self) -> RouteRef {
        let Self { held, route } = self;
        drop(held);
        route
    }

    /// Unlocks the route and lets it go; the same as dropping it.
    pub fn free(self) {}

    /// One reference more.
    pub fn add_ref(&self) -> RouteRef {
        self.route.clone()
    }

    /// One reference less. It never is the last: the locked one is left.
    pub fn rem_ref(&self, reference: RouteRef) {
        debug_assert_eq!(reference.id(), self.id(), "a reference to the route that is locked");
        drop(reference);
    }

    /// Changes the route's metrics. What `edit` is given cannot change before it is done; when the route is to expire is
    /// said by a request alone.
    pub fn edit_metrics(&mut self, edit: impl FnOnce(&mut RouteMetrics)) {
        self.route.edit_metrics(edit);
    }
}

impl Deref for LockedRoute {
    type Target = RouteEntry;

    fn deref(&self) -> &RouteEntry {
        &self.route
    }
}

/// The lock of a route, held.
#[derive(Debug)]
pub(crate) struct Held(Arc<RouteEntry>);

impl Held {
    /// Holds it if nobody else does.
    pub(crate) fn at_once(entry: &Arc<RouteEntry>) -> Option<Self> {
        entry.lock().try_acquire().then(|| Self(Arc::clone(entry)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().release();
    }
}
