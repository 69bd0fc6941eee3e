//! The table beside the forwarding table that says whose a packet is, while any route is counted.
//!
//! It holds each network whose routes are counted, and each network inside such a one, whose packets are not its. Where
//! routes share, it names them all, and the member of their group that a worker chose says which it was.
//!
//! What changes is noted, and looked at when workers are to be shown: a route that is counted for the first time gets its
//! count there. To count a network, or no longer, costs a look at every network inside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boundary::{CountId, CountedTable, Sharing, Whose};
use control_api::Network;
use lpm::{Address, Change, FibWriter, Prefix};

use super::{Protocol, Table};
use crate::route::{Counts, RouteEntry};

/// The routes of a table that are counted.
#[derive(Debug)]
pub(super) struct Counting<A: Address> {
    writer: FibWriter<A>,
    /// Networks to be looked at: their routes have changed.
    changed: BTreeSet<Prefix<A>>,
    /// Networks with a route that is counted.
    counted: BTreeSet<Prefix<A>>,
    /// Networks whose routes share, by their place in `sharing`.
    places: BTreeMap<Prefix<A>, u32>,
    sharing: Vec<Sharing>,
    /// Places whose networks are gone.
    free: Vec<u32>,
}

impl<A: Address> Default for Counting<A> {
    fn default() -> Self {
        Self {
            writer: FibWriter::default(),
            changed: BTreeSet::new(),
            counted: BTreeSet::new(),
            places: BTreeMap::new(),
            sharing: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<A: Address> Counting<A> {
    /// Whether a network that is counted is around this one.
    fn is_around(&self, prefix: Prefix<A>) -> bool {
        let around = |len| self.counted.contains(&Prefix::containing(prefix.address(), len));
        !self.counted.is_empty() && (0..prefix.len()).any(around)
    }

    fn share(&mut self, prefix: Prefix<A>, sharing: Sharing) -> Whose {
        let place = self.places.get(&prefix).copied().or_else(|| self.free.pop());
        let place = place.unwrap_or_else(|| {
            self.sharing.push(sharing.clone());
            u32::try_from(self.sharing.len() - 1).expect("networks are fewer than counts")
        });
        self.sharing[place as usize] = sharing;
        self.places.insert(prefix, place);
        Whose::OneOf(place)
    }

    fn share_no_more(&mut self, prefix: Prefix<A>) {
        self.free.extend(self.places.remove(&prefix));
    }
}

/// What is counted of a table.
impl<A: Address> Table<A>
where
    Network: From<Prefix<A>>,
{
    /// The routes to `prefix` changed, and whose its packets are perhaps with them.
    pub(super) fn follow_count(&mut self, prefix: Prefix<A>) {
        if self.counted > 0 || self.counting.is_some() {
            self.counting.get_or_insert_default().changed.insert(prefix);
        }
    }

    /// Whether any of its routes is counted, or was until workers were last shown.
    pub(crate) const fn is_counting(&self) -> bool {
        self.counting.is_some()
    }

    /// What workers are to count by; who is counted for the first time gets its count from `counts`.
    pub(crate) fn counting(&mut self, counts: &mut Counts) -> CountedTable<A> {
        let Some(mut counting) = self.counting.take() else { return CountedTable::default() };
        let mut turned = BTreeSet::new();
        for prefix in std::mem::take(&mut counting.changed) {
            let is_other = match self.is_counted(prefix) {
                true => counting.counted.insert(prefix),
                false => counting.counted.remove(&prefix),
            };
            if is_other {
                turned.extend(self.networks_within(prefix));
            }
            turned.insert(prefix);
        }
        let changes: Vec<_> = turned
            .into_iter()
            .map(|prefix| match self.whose(prefix, &mut counting, counts) {
                Some(whose) => Change::Set(prefix, whose.answer()),
                None => Change::Remove(prefix),
            })
            .collect();
        if counting.counted.is_empty() {
            return CountedTable::default();
        }
        let fib = counting.writer.apply(changes);
        let sharing = Arc::from(counting.sharing.as_slice());
        self.counting = Some(counting);
        CountedTable { fib, sharing }
    }

    /// Whose packets to a network are; nothing if they are nobody's anyway.
    fn whose(&self, prefix: Prefix<A>, counting: &mut Counting<A>, counts: &mut Counts) -> Option<Whose> {
        counting.share_no_more(prefix);
        let (_, paths) = self.best(prefix)?;
        let mut count_of = |entry: &RouteEntry| match entry.facts().is_counted {
            true => entry.count_from(counts).unwrap_or(CountId::NOBODY),
            false => CountId::NOBODY,
        };
        if !counting.counted.contains(&prefix) {
            return counting.is_around(prefix).then_some(Whose::Route(CountId::NOBODY));
        }
        match paths.group() {
            None => Some(Whose::Route(count_of(paths.first()))),
            Some(group) => {
                let members = paths.sharing().iter().map(|entry| (entry.next_hop(), count_of(entry)));
                let sharing = Sharing { group, members: members.collect() };
                Some(counting.share(prefix, sharing))
            }
        }
    }

    /// Whether one of the routes that packets to exactly `prefix` go by is counted.
    fn is_counted(&self, prefix: Prefix<A>) -> bool {
        let sharing = self.best(prefix).map(|(_, paths)| paths.sharing()).unwrap_or_default();
        sharing.iter().any(|entry| entry.facts().is_counted)
    }

    /// Every network inside `prefix`, and itself, that a route leads to.
    fn networks_within(&self, prefix: Prefix<A>) -> impl Iterator<Item = Prefix<A>> {
        let inside = (prefix, Protocol::Local)..=(Prefix::host(prefix.last()), Protocol::Static);
        self.routes.range(inside).map(|((prefix, _), _)| *prefix)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use lpm::NextHopId;
    use proptest::prelude::*;

    use super::*;
    use crate::rib::Way;
    use crate::route::Facts;

    /// What happens to the route to a network.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Set { is_counted: bool },
        Change { is_counted: bool },
        Remove,
    }

    fn facts(prefix: Prefix<Ipv4Addr>, is_counted: bool) -> Facts {
        Facts { is_counted, ..Facts::of(Way::Blackhole, prefix.into(), Protocol::Static) }
    }

    fn happen(table: &mut Table<Ipv4Addr>, prefix: Prefix<Ipv4Addr>, event: Event) {
        let there = table.paths(prefix, Protocol::Static).map(|paths| Arc::clone(paths.first()));
        let next_hop = NextHopId::new(1);
        match (event, there) {
            (Event::Set { is_counted }, _) => {
                table.set(prefix, Protocol::Static, facts(prefix, is_counted), next_hop);
            }
            (Event::Change { is_counted }, Some(there)) => {
                table.change(prefix, &there, facts(prefix, is_counted), next_hop);
            }
            (Event::Remove, Some(there)) => {
                table.remove(prefix, &there);
            }
            (Event::Change { .. } | Event::Remove, None) => {}
        }
    }

    fn any_event() -> impl Strategy<Value = (Prefix<Ipv4Addr>, Event)> {
        // Few distinct bits, so that prefixes nest and meet again.
        let prefix = (0..16_u32, 0..=32_u8)
            .prop_map(|(number, len)| Prefix::containing(Ipv4Addr::from_bits(number >> 2 << 30 | number & 3), len));
        let event = prop_oneof![
            any::<bool>().prop_map(|is_counted| Event::Set { is_counted }),
            any::<bool>().prop_map(|is_counted| Event::Change { is_counted }),
            Just(Event::Remove),
        ];
        (prefix, event)
    }

    proptest! {
        #[test]
        fn a_packet_is_its_longest_route_s_if_that_is_counted_and_nobody_s_otherwise(
            batches in proptest::collection::vec(proptest::collection::vec(any_event(), 0..12), 1..6),
        ) {
            let (mut table, mut counts) = (Table::default(), Counts::of_workers(1));
            for batch in batches {
                batch.iter().for_each(|(prefix, event)| happen(&mut table, *prefix, *event));
                let counted = table.counting(&mut counts);
                for probe in (0..16_u32).map(|number| Ipv4Addr::from_bits(number >> 2 << 30 | number & 3)) {
                    let route = table.longest_match(probe).map(|(.., paths)| paths.first());
                    let wanted = route.filter(|entry| entry.facts().is_counted).map(|entry| entry.count_from(&mut counts));
                    let got = match counted.fib.lookup(probe).map(Whose::of) {
                        None => CountId::NOBODY,
                        Some(Whose::Route(id)) => id,
                        Some(Whose::OneOf(place)) => panic!("nobody shares, at {place}"),
                    };
                    prop_assert_eq!(got, wanted.flatten().unwrap_or(CountId::NOBODY), "{}", probe);
                }
                let is_any = table.iter().any(|entry| entry.facts().is_counted);
                prop_assert_eq!(table.is_counting(), is_any, "and there is no table for nothing");
            }
        }
    }

    #[test]
    fn a_table_without_counted_routes_notes_nothing() {
        let (mut table, mut counts) = (Table::default(), Counts::of_workers(1));
        happen(&mut table, "10.0.0.0/8".parse().unwrap(), Event::Set { is_counted: false });
        assert!(!table.is_counting());
        assert_eq!(table.counting(&mut counts).fib.lookup(Ipv4Addr::new(10, 0, 0, 1)), None);
    }
}
