//! From nested routes to runs of positions with one answer.
//!
//! Routes come in the order of their starts, an outer one right before what it covers, so one walk with a stack of the
//! routes it is inside of says what every position says. A change needs the walk only where its route reaches: it then
//! starts from the routes that cover that part.

use crate::entry::Entry;
use crate::family::Run;
use crate::table::NextHopId;

/// Turns nested routes into runs over the part of `positions` in `span`; where there is no route, the answer is the
/// inherited one. What the runs say beyond the span means nothing.
pub(crate) fn sweep(routes: &[Route], positions: u32, inherited: Option<NextHopId>, span: Span, runs: &mut Vec<Run>) {
    let mut open = Open { routes: [(positions, Entry::leaf(inherited)); MAX_NESTED], innermost: 0 };
    // Outer routes that began before the span, the shortest first.
    for len in (0..=positions.trailing_zeros()).filter(|_| span.from > 0) {
        let start = span.from & !((positions >> len) - 1);
        let place = routes.binary_search_by_key(&(start, len), |route| (route.start.into(), route.len.into()));
        if let (true, Ok(n)) = (start < span.from, place) {
            open.push(routes[n], positions);
        }
    }
    push_run(runs, span.from, open.entry());
    let first = routes.partition_point(|route| u32::from(route.start) < span.from);
    for route in routes[first..].iter().take_while(|route| u32::from(route.start) < span.to) {
        while let Some(end) = open.pop_if_ended(route.start.into()) {
            push_run(runs, end, open.entry());
        }
        push_run(runs, route.start.into(), open.push(*route, positions));
    }
    while let Some(end) = open.pop_if_ended(positions - 1) {
        push_run(runs, end, open.entry());
    }
}

/// The routes that a sweep is inside of, each with where it ends and what it says; below them what is inherited.
struct Open {
    routes: [(u32, Entry); MAX_NESTED],
    innermost: usize,
}

impl Open {
    /// What the innermost route says.
    fn entry(&self) -> Entry {
        self.routes[self.innermost].1
    }

    /// Enters a route.
    fn push(&mut self, route: Route, positions: u32) -> Entry {
        self.innermost += 1;
        let end = u32::from(route.start) + (positions >> route.len);
        self.routes[self.innermost] = (end, Entry::leaf(Some(route.next_hop)));
        self.entry()
    }

    /// Leaves the innermost route if it ends before or right at `position`; says where.
    fn pop_if_ended(&mut self, position: u32) -> Option<u32> {
        let end = self.routes[self.innermost].0;
        (self.innermost > 0 && end <= position).then(|| {
            self.innermost -= 1;
            end
        })
    }
}

/// From `start` on, the entry is `entry`: what was said of the same start before is void.
pub(crate) fn push_run(runs: &mut Vec<Run>, start: u32, entry: Entry) {
    runs.pop_if(|last| last.start == start);
    if runs.last().is_none_or(|last| last.entry != entry) {
        runs.push(Run { start, entry });
    }
}

/// A route, as its level sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// The first position it covers.
    pub(crate) start: u16,
    /// Bits of this level that matter.
    pub(crate) len: u8,
    pub(crate) next_hop: NextHopId,
}

/// Positions `from..to`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Span {
    pub(crate) fn is_empty(self) -> bool {
        self.from >= self.to
    }

    pub(crate) fn contains(self, position: u32) -> bool {
        (self.from..self.to).contains(&position)
    }

    /// The least span that holds both.
    pub(crate) fn and(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

/// What can be open at once: no route, and one of each length from 0 to 16.
const MAX_NESTED: usize = 18;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BITS: u32 = 7;
    const POSITIONS: u32 = 1 << BITS;

    /// Routes of one level, in order, each prefix once.
    fn any_routes() -> impl Strategy<Value = Vec<Route>> {
        let route = (0..POSITIONS, 1..=BITS, 0..5_u32).prop_map(|(position, len, hop)| {
            let start = u16::try_from(position & !((POSITIONS >> len) - 1)).unwrap();
            Route { start, len: u8::try_from(len).unwrap(), next_hop: NextHopId::new(hop) }
        });
        proptest::collection::vec(route, 0..30).prop_map(|mut routes| {
            routes.sort_by_key(|route| (route.start, route.len));
            routes.dedup_by_key(|route| (route.start, route.len));
            routes
        })
    }

    /// What the longest route at `position` says.
    fn expected(routes: &[Route], position: u32) -> Option<NextHopId> {
        let covers = |route: &&Route| u32::from(route.start) == position & !((POSITIONS >> route.len) - 1);
        routes.iter().filter(covers).max_by_key(|route| route.len).map(|route| route.next_hop)
    }

    proptest! {
        #[test]
        fn a_sweep_says_of_its_span_what_the_longest_route_says(
            routes in any_routes(), from in 0..POSITIONS, len in 1..=POSITIONS,
        ) {
            let span = Span { from, to: (from + len).min(POSITIONS) };
            let mut runs = Vec::new();
            sweep(&routes, POSITIONS, None, span, &mut runs);
            prop_assert_eq!(runs[0].start, from);
            prop_assert!(runs.is_sorted_by(|a, b| a.start < b.start && a.entry != b.entry));
            for position in span.from..span.to {
                let said = runs[runs.partition_point(|run| run.start <= position) - 1].entry;
                prop_assert_eq!(said, Entry::leaf(expected(&routes, position)), "at {}", position);
            }
        }
    }
}
