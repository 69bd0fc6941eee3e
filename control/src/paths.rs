//! The routes of one protocol to one network: one, most often, or several that share or stand in for each other.
//!
//! They stand in the order in which they count: those that can be used before those that cannot, then by priority, the
//! lowest first, and among equals in the order in which they came. The first that can be used and all that have its
//! priority **share** what goes to the network; the others wait until those are gone.
//!
//! A route that is alone takes no more room here than itself.

use std::slice;
use std::sync::Arc;

use control_api::RouteFlags;
use lpm::NextHopId;

use crate::next_hops::Member;
use crate::route::{RouteEntry, RouteId};

/// Routes of one protocol to one network, one at least.
#[derive(Debug)]
pub(crate) enum Paths {
    One(Arc<RouteEntry>),
    Several(Box<Several>),
}

/// Several, or one that is left of them and still has their next hop.
#[derive(Debug)]
pub(crate) struct Several {
    /// In the order in which they count.
    entries: Vec<Arc<RouteEntry>>,
    /// The next hop of those that share, which is held; nothing unless there are two.
    group: Option<NextHopId>,
}

impl Paths {
    /// These, of which there is one at least.
    pub(crate) fn of(mut entries: Vec<Arc<RouteEntry>>) -> Self {
        match entries.pop() {
            Some(only) if entries.is_empty() => Self::One(only),
            last => {
                entries.extend(last);
                let mut several = Self::Several(Box::new(Several { entries, group: None }));
                several.arrange();
                several
            }
        }
    }

    /// All of them, in the order in which they count.
    pub(crate) fn entries(&self) -> &[Arc<RouteEntry>] {
        match self {
            Self::One(entry) => slice::from_ref(entry),
            Self::Several(several) => &several.entries,
        }
    }

    /// The one that counts first.
    pub(crate) fn first(&self) -> &Arc<RouteEntry> {
        &self.entries()[0]
    }

    /// Those that share what goes to the network; none if none can be used.
    pub(crate) fn sharing(&self) -> &[Arc<RouteEntry>] {
        let entries = self.entries();
        let first = rank(&entries[0]);
        let sharing = entries.iter().take_while(|entry| entry.is_up() && rank(entry) == first).count();
        &entries[..sharing]
    }

    /// The next hops of those that share, each once, with what its routes weigh together.
    pub(crate) fn members(&self) -> Vec<Member> {
        if matches!(self, Self::One(_)) {
            return Vec::new();
        }
        let member = |entry: &Arc<RouteEntry>| Member { next_hop: entry.next_hop(), weight: entry.metrics().weight };
        let mut members: Vec<_> = self.sharing().iter().map(member).collect();
        members.sort_by_key(|member| member.next_hop);
        members.dedup_by(|same, kept| {
            let is_same = same.next_hop == kept.next_hop;
            kept.weight = if is_same { kept.weight.saturating_add(same.weight) } else { kept.weight };
            is_same
        });
        members
    }

    /// Where workers send what goes to the network; nowhere if none of them can be used.
    pub(crate) fn next_hop(&self) -> Option<NextHopId> {
        self.group().or_else(|| self.first().is_up().then(|| self.first().next_hop()))
    }

    /// The next hop of those that share.
    pub(crate) fn group(&self) -> Option<NextHopId> {
        match self {
            Self::One(_) => None,
            Self::Several(several) => several.group,
        }
    }

    /// Those that share have this next hop from now on; returns the one they had.
    pub(crate) fn set_group(&mut self, group: Option<NextHopId>) -> Option<NextHopId> {
        let Self::Several(several) = self else { return None };
        let before = std::mem::replace(&mut several.group, group);
        self.settle();
        before
    }

    /// One more, behind those it is equal to.
    pub(crate) fn add(&mut self, entry: Arc<RouteEntry>) {
        match self {
            Self::One(first) => {
                let entries = vec![Arc::clone(first), entry];
                *self = Self::Several(Box::new(Several { entries, group: None }));
            }
            Self::Several(several) => several.entries.push(entry),
        }
        self.arrange();
    }

    /// Takes one of several out; nothing if it is the only one, or none of them.
    pub(crate) fn take(&mut self, id: RouteId) -> Option<Arc<RouteEntry>> {
        let Self::Several(several) = self else { return None };
        let place = several.entries.iter().position(|entry| entry.id() == id)?;
        if several.entries.len() == 1 {
            return None;
        }
        let taken = several.entries.remove(place);
        self.arrange();
        self.settle();
        Some(taken)
    }

    /// Puts them into their order after one of them changed.
    pub(crate) fn arrange(&mut self) {
        let Self::Several(several) = self else { return };
        several.entries.sort_by_key(rank);
        for equal in several.entries.chunk_by(|one, next| rank(one) == rank(next)) {
            equal.iter().for_each(|entry| entry.set_flag(RouteFlags::MPATH, equal.len() > 1));
        }
    }

    /// What is left of several is one route like any other, once it has no next hop but its own.
    fn settle(&mut self) {
        if let Self::Several(several) = self
            && let ([last], None) = (&several.entries[..], several.group)
        {
            *self = Self::One(Arc::clone(last));
        }
    }
}

/// What decides which of two counts: the lower one does.
fn rank(entry: &Arc<RouteEntry>) -> (bool, u8) {
    (!entry.is_up(), entry.priority())
}
