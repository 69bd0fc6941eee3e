//! Routes as the kernels know them: entries with flags and metrics, found in numbered tables, held and locked.
//!
//! ```text
//!   requests, ports --> Routes -- one Table per number and family --> RouteEntry
//!                        |  main table: changes --> workers           ^
//!                        |  deleted: Trash -- last reference, last worker --> freed
//!   who looks up --------+--> RouteRef, LockedRoute, RouteCache ------'
//! ```
//!
//! The names are those of the BSD manual pages `rtentry(9)` and `rtalloc(9)`; `docs/route-semantics.md` has them beside
//! ours.
//!
//! # Tests and what they hold
//!
//! What the pages say is numbered: S1 `rt_timer(9)` of NetBSD, S2 `rtalloc(9)` of FreeBSD with tables, S3 `rtentry(9)` of
//! FreeBSD 12, S4 `rtalloc(9)` of OpenBSD, S5 `rtalloc(9)` of FreeBSD 7, each with its clauses (`S2.04`); and what only the
//! kernels' code says, `X17`. A test that holds some of it says so in the line above its `#[test]`, or above a proof that
//! something does not compile, and nowhere else:
//!
//! ```text
//! // holds S2.04, X17
//! ```
//!
//! A test that is one of the acceptance tests bears its number in its name: `lk_03_...` is LK-03. So `grep` finds for each
//! clause and each number what holds it, and `scripts/route-report` prints them all.

mod count;
mod entry;
mod flow;
mod lookup;
#[cfg(doctest)]
pub mod must_not;
mod reference;

pub(crate) use count::Counts;
pub(crate) use entry::{Facts, Learnt, Origin};
pub use entry::{Gateway, RouteEntry, RouteId};
pub use flow::FlowCache;
pub(crate) use lookup::Counters;
pub use lookup::{LookupCounts, LookupError, LookupFlags, NeighbourRef, RouteCache, TableGuard};
pub(crate) use reference::Held;
pub use reference::{LockedRoute, RouteRef};
