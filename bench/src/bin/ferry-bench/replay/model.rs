//! What the model says of each packet: the worker and the control plane that ferryd runs, in memory, by the capture's clock.

use std::collections::BTreeMap;

use boundary::{PortId, Totals};
use control::config::Config;
use simulation::Simulation;

use super::{Arrival, is_talk};

/// What becomes of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// It leaves.
    Forwarded,
    /// The control plane decides it, for this reason.
    Punted(&'static str),
    /// It dies, for this reason.
    Dropped(&'static str),
    /// Nothing of the kind was counted.
    Nothing,
}

/// A frame that leaves, whose it is, and out of which port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaving {
    /// The place of the packet that it follows from among those that arrived; nothing if it follows from the time.
    pub(super) packet: Option<usize>,
    pub(super) port: PortId,
    pub(super) bytes: Vec<u8>,
    /// Whether the control plane made it: an answer, or an error.
    pub(super) is_own: bool,
}

/// All that the model says.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// By the place of the packet.
    pub(super) said: Vec<Said>,
    pub(super) leaving: Vec<Leaving>,
    pub(super) dropped: BTreeMap<String, u64>,
    pub(super) punted: BTreeMap<String, u64>,
    /// Answers that were not given because there were too many.
    pub(super) limited: u64,
}

impl Model {
    /// Lets `arrivals` come one by one, in the order of their times.
    pub(super) fn of(config: &Config, arrivals: &[Arrival]) -> Self {
        let mut model = Self::default();
        let Some(first) = arrivals.first() else { return model };
        let mut simulation = Simulation::new(config, false, first.time);
        for (place, arrival) in arrivals.iter().enumerate() {
            simulation.advance(arrival.time);
            model.take(&mut simulation, None, true);
            let before = simulation.totals();
            simulation.arrive(arrival.port, [arrival.bytes.clone()]);
            let said = between(&before, &simulation.totals());
            model.take(&mut simulation, Some(place), said != Said::Forwarded);
            model.said.push(said);
        }
        simulation.advance(simulation.now() + super::AFTERMATH);
        model.take(&mut simulation, None, true);
        let totals = simulation.totals();
        let named = |(name, count): (&'static str, u64)| (count > 0).then(|| (name.to_owned(), count));
        model.dropped = totals.drops().map(|(reason, count)| (reason.name(), count)).filter_map(named).collect();
        model.punted = totals.punts().map(|(reason, count)| (reason.name(), count)).filter_map(named).collect();
        model.limited = simulation.counts().icmp_limited;
        model
    }

    fn take(&mut self, simulation: &mut Simulation, packet: Option<usize>, is_own: bool) {
        let sent = simulation.take_sent().map(|(port, frame)| Leaving { packet, port, bytes: frame.0, is_own });
        self.leaving.extend(sent.filter(|leaving| !is_talk(&leaving.bytes)));
    }
}

/// What was counted of one packet.
fn between(before: &Totals, after: &Totals) -> Said {
    let grown = |(one, other): (u64, u64)| other > one;
    let drops = before.drops().zip(after.drops()).find(|(one, other)| grown((one.1, other.1)));
    let punts = before.punts().zip(after.punts()).find(|(one, other)| grown((one.1, other.1)));
    match (drops, punts) {
        (Some((_, (reason, _))), _) => Said::Dropped(reason.name()),
        (None, Some((_, (reason, _)))) => Said::Punted(reason.name()),
        (None, None) if after.transmitted() > before.transmitted() => Said::Forwarded,
        (None, None) => Said::Nothing,
    }
}
