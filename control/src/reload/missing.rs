//! What both files say and is not there: somebody has taken it away while ferryd ran, and the file brings it back.
//!
//! Only what is *gone* comes back. Where somebody has put something else in its place, another gateway or another station, an
//! address where a route was or a route where an address was, that is somebody's own and stays; and so does a port that
//! somebody has made too small for what is gone. So what is refused when a file says it anew is not missing: the file that
//! ferryd runs by is in nobody's way, whatever was asked for since.
//!
//! **Cost.** One look at the table for each route of the file, and one at a set for each neighbour.

use std::collections::HashSet;

use control_api::Network;

use super::is_learnt;
use crate::addresses::Leaving;
use crate::config::{self, Config, Step, are_same};
use crate::control::Control;
use crate::rib::Protocol;

impl Control {
    /// `steps`, and those that bring back what is missing of what both files say.
    pub(super) fn with_missing(&self, steps: Vec<Step>, running: &Config, next: &Config) -> Vec<Step> {
        let leaving = self.leaving(&steps);
        let addresses = self.missing_addresses(running, next, &steps, &leaving);
        let mut all = self.missing_routes(running, next, &leaving);
        all.extend(self.missing_neighbours(running, next));
        all.extend(steps);
        all.extend(addresses);
        all
    }

    fn missing_routes(&self, running: &Config, next: &Config, leaving: &Leaving) -> Vec<Step> {
        let mut steps = Vec::new();
        for ((fib, to), [before, after]) in running.routes_beside(next) {
            if are_same(&before, &after)
                && let Some(there) = self.still_there(fib, to, &after)
                && self.refuse_network(to, running).is_ok()
                && self.refuse_routes(fib, &after, running, leaving).is_ok()
            {
                steps.push(Step::Routes { fib, to, before: there, after });
            }
        }
        steps
    }

    /// Those of a network's `routes` that are still there, if not all are and nobody has put others in their place.
    fn still_there(&self, fib: u16, to: Network, routes: &[config::Route]) -> Option<Vec<config::Route>> {
        let there: Vec<_> = routes.iter().filter(|route| self.said(fib, route).is_some()).copied().collect();
        if there.len() == routes.len() {
            return None;
        }
        let of_people = self.routes.all(fib, to).into_iter();
        let of_people = of_people.filter(|entry| entry.protocol() == Protocol::Static && !is_learnt(entry)).count();
        (of_people == there.len()).then_some(there)
    }

    fn missing_neighbours(&self, running: &Config, next: &Config) -> Vec<Step> {
        let before: HashSet<_> = running.neighbours().iter().collect();
        let in_both = next.neighbours().iter().filter(|said| before.contains(said));
        let missing = in_both.filter(|said| {
            let place = (said.address, said.port);
            !self.neighbours.is_permanent(place) && self.refuse_neighbour(place, None, said.mac, running).is_ok()
        });
        let back = |said: &config::Neighbour| Step::Neighbour {
            port: said.port,
            address: said.address,
            before: None,
            after: Some(said.mac),
        };
        missing.map(back).collect()
    }

    fn missing_addresses(&self, running: &Config, next: &Config, steps: &[Step], leaving: &Leaving) -> Vec<Step> {
        let mut all = Vec::new();
        for (port, _info) in self.ports.iter() {
            let before = &running.port(port).addresses;
            let in_both = next.port(port).addresses.iter().filter(|own| before.contains(own));
            let missing = in_both.filter(|own| {
                !self.has_address(port, **own) && self.refuse_new_address(port, **own, steps, leaving).is_ok()
            });
            all.extend(missing.map(|own| Step::Address { port, own: *own, is_new: true }));
        }
        all
    }
}
