//! What both files say and is not there: somebody has taken it away while ferryd ran, and the file brings it back.
//!
//! Only what is *gone* comes back. Where somebody has put something else in its place, another gateway or another station,
//! that is somebody's own and stays.
//!
//! **Cost.** One look at the table for each route of the file.

use control_api::Network;

use super::is_learnt;
use crate::config::{self, Config, Step, are_same};
use crate::control::Control;
use crate::rib::Protocol;

impl Control {
    /// `steps`, and those that bring back what is missing of what both files say.
    pub(super) fn with_missing(&self, steps: Vec<Step>, running: &Config, next: &Config) -> Vec<Step> {
        let mut all = self.missing_routes(running, next);
        all.extend(self.missing_neighbours(running, next));
        all.extend(steps);
        all.extend(self.missing_addresses(running, next));
        all
    }

    fn missing_routes(&self, running: &Config, next: &Config) -> Vec<Step> {
        let mut steps = Vec::new();
        for ((fib, to), [before, after]) in running.routes_beside(next) {
            if are_same(&before, &after)
                && let Some(there) = self.still_there(fib, to, &after)
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
        let in_both = next.neighbours().iter().filter(|neighbour| running.neighbours().contains(neighbour));
        let missing = in_both.filter(|said| !self.neighbours.is_permanent((said.address, said.port)));
        let back = |said: &config::Neighbour| Step::Neighbour {
            port: said.port,
            address: said.address,
            before: None,
            after: Some(said.mac),
        };
        missing.map(back).collect()
    }

    fn missing_addresses(&self, running: &Config, next: &Config) -> Vec<Step> {
        let mut steps = Vec::new();
        for (port, _info) in self.ports.iter() {
            let before = &running.port(port).addresses;
            let in_both = next.port(port).addresses.iter().filter(|own| before.contains(own));
            let missing = in_both.filter(|own| !self.has_address(port, **own));
            steps.extend(missing.map(|own| Step::Address { port, own: *own, is_new: true }));
        }
        steps
    }
}
