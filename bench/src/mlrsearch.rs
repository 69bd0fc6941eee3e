//! MLRsearch (draft-ietf-bmwg-mlrsearch): the highest loads at which a device loses no more than each of several goals allows.
//!
//! RFC 2544's bisection believes every trial. On a machine that now and then does something else, one bad trial sends it far
//! below the truth, and another day elsewhere. MLRsearch measures a load until it is decided: it is a *lower bound* of a goal
//! when, of the time it was measured, no more than the *exceed ratio* lost more than the goal's *loss ratio*, whatever the
//! rest up to the *duration sum* would have brought; it is an *upper bound* when even a perfect rest could not save it. The
//! search narrows both until they are closer than the goal's *width*, first coarsely and with few trials, then finely.
//!
//! It is a pure function of the trials so far: [`Search::next`] says what to measure, [`Search::note`] takes the result.
//! That is why it can be tested against devices that are models, noisy ones too, without a clock.
//!
//! ```
//! use bench::mlrsearch::{Goal, Measured, Search};
//! use std::time::Duration;
//!
//! let mut search = Search::new(vec![Goal::NDR], 1e3, 1e7);
//! while let Some(trial) = search.next() {
//!     let loss_ratio = (1.0 - 4.2e6 / trial.load).max(0.0); // a device that carries 4.2 million packets a second
//!     search.note(Measured { load: trial.load, time: trial.time, loss_ratio });
//! }
//! let found = &search.bounds()[0];
//! assert!((4.17e6..=4.2e6).contains(&found.lower.unwrap()));
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// The part of a trial's packets that may be lost.
    pub loss_ratio: f64,
    /// The part of the time measured in which more may be lost.
    pub exceed_ratio: f64,
    /// How long a load is measured, in all, before it is believed.
    pub duration_sum: Duration,
    /// How long the first trials are, which decide what is worth a longer look.
    pub initial_trial: Duration,
    /// How long a trial is that counts in full.
    pub final_trial: Duration,
    /// How far apart the bounds may be, as a part of the upper one.
    pub width: f64,
}

impl Goal {
    /// No loss, as FD.io's CSIT measures it (NDR).
    pub const NDR: Self = Self {
        loss_ratio: 0.0,
        exceed_ratio: 0.5,
        duration_sum: Duration::from_secs(21),
        initial_trial: Duration::from_secs(1),
        final_trial: Duration::from_secs(1),
        width: 0.005,
    };

    /// Half a percent of loss, likewise (PDR).
    pub const PDR: Self = Self { loss_ratio: 0.005, ..Self::NDR };

    /// The same with less time, or more: trials and their sum by this factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            duration_sum: self.duration_sum.mul_f64(factor),
            initial_trial: self.initial_trial.mul_f64(factor),
            final_trial: self.final_trial.mul_f64(factor),
            ..self
        }
    }

    /// The goal's stages, from coarse to fine: wide bounds from single trials first, at the end the goal itself.
    fn targets(&self) -> Vec<Self> {
        let mut targets = vec![*self];
        for _coarser in 0..COARSER {
            let finer = targets[targets.len() - 1];
            let duration_sum = self.initial_trial.max(finer.duration_sum.mul_f64(0.25));
            targets.push(Self { duration_sum, final_trial: self.initial_trial, width: finer.width * 2.0, ..*self });
        }
        targets.reverse();
        targets
    }
}

/// A trial to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Packets a second.
    pub load: f64,
    /// For how long.
    pub time: Duration,
}

/// A trial that was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Packets a second, as they were asked for.
    pub load: f64,
    /// For how long.
    pub time: Duration,
    /// The part of them that was lost.
    pub loss_ratio: f64,
}

/// What is known of a goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The highest load known to meet it; none if not even the least does.
    pub lower: Option<f64>,
    /// The lowest load known not to; none if even the highest meets it.
    pub upper: Option<f64>,
    /// Packets a second that came through at the lower bound (the draft's conditional throughput).
    pub throughput: f64,
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    goals: Vec<Goal>,
    least: f64,
    most: f64,
    budget: Duration,
    measured: Vec<Measured>,
    /// The same by their loads; the bits of positive numbers are ordered as they are.
    by_load: BTreeMap<u64, Vec<Measured>>,
}

/// What a load is to a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Undecided,
}

impl Search {
    /// For `goals`, between two loads in packets a second, above 0.
    ///
    /// A device that does as it pleases may be measured for ever: what has not been found after sixty times the longest
    /// duration sum of a goal is left as wide as it is.
    #[must_use]
    pub fn new(goals: Vec<Goal>, least: f64, most: f64) -> Self {
        let longest = goals.iter().map(|goal| goal.duration_sum).max().unwrap_or_default();
        Self { goals, least, most, budget: longest * 60, measured: Vec::new(), by_load: BTreeMap::new() }
    }

    /// The next trial, or none when every goal is reached.
    #[must_use]
    pub fn next(&self) -> Option<Trial> {
        // How the device does at the most says where to look for everything else.
        let Some(first) = self.measured.first() else {
            let time = self.goals.iter().map(|goal| goal.initial_trial).min()?;
            return Some(Trial { load: self.most, time });
        };
        if self.measured.iter().map(|trial| trial.time).sum::<Duration>() > self.budget {
            return None;
        }
        for goal in &self.goals {
            // What a device forwards when it is offered too much is mostly near what it can.
            let forwarded = (first.load * (1.0 - first.loss_ratio)).clamp(self.least, self.most);
            let mut hint = (Some(forwarded), None);
            for target in goal.targets() {
                if let Some(load) = self.candidate(&target, hint) {
                    return Some(Trial { load, time: target.final_trial });
                }
                hint = self.narrowest(&target);
            }
        }
        None
    }

    /// Takes the result of a trial.
    pub fn note(&mut self, measured: Measured) {
        self.measured.push(measured);
        self.by_load.entry(measured.load.to_bits()).or_default().push(measured);
    }

    /// What is known of each goal, in their order.
    #[must_use]
    pub fn bounds(&self) -> Vec<Bounds> {
        let bounds = self.goals.iter().map(|goal| {
            let (lower, upper) = self.narrowest(goal);
            Bounds { lower, upper, throughput: lower.map_or(0.0, |load| self.throughput(load, goal)) }
        });
        bounds.collect()
    }

    /// All trials so far.
    #[must_use]
    pub fn trials(&self) -> &[Measured] {
        &self.measured
    }

    /// The load to measure for a target, if its bounds are not close enough yet. `hint` is what a coarser one found.
    fn candidate(&self, target: &Goal, hint: (Option<f64>, Option<f64>)) -> Option<f64> {
        let bounds = self.narrowest(target);
        let is_inside =
            |load: f64| bounds.0.is_none_or(|lower| load > lower) && bounds.1.is_none_or(|upper| load < upper);
        let hinted = || [hint.0, hint.1].into_iter().flatten().find(|load| is_inside(*load));
        match bounds {
            (Some(lower), Some(upper)) => (width(lower, upper) > target.width).then(|| (lower * upper).sqrt()),
            (Some(lower), None) if lower >= self.most => None,
            (None, Some(upper)) if upper <= self.least => None,
            (None, None) => Some(hinted().unwrap_or(self.most)),
            // Steps away from the one bound grow twofold while they lead to no other.
            (Some(lower), None) => {
                let step = self.step(target, lower, Class::Lower);
                Some(hinted().unwrap_or(lower / (1.0 - step)).min(self.most))
            }
            (None, Some(upper)) => {
                let step = self.step(target, upper, Class::Upper);
                Some(hinted().unwrap_or(upper * (1.0 - step)).max(self.least))
            }
        }
    }

    /// How far to go from a bound, as a part of the higher load: twice as far as from the next one of its class behind it.
    fn step(&self, target: &Goal, bound: f64, class: Class) -> f64 {
        let of_class = self.loads().into_iter().filter(|load| self.class(*load, target) == class);
        let behind = match class {
            Class::Lower => of_class.filter(|load| *load < bound).max_by(f64::total_cmp),
            Class::Upper | Class::Undecided => of_class.filter(|load| *load > bound).min_by(f64::total_cmp),
        };
        let before = behind.map_or(0.0, |behind| width(behind.min(bound), behind.max(bound)));
        (before * 2.0).clamp(target.width, 0.5)
    }

    /// The lowest upper bound, and the highest lower bound below it.
    fn narrowest(&self, target: &Goal) -> (Option<f64>, Option<f64>) {
        let loads = self.loads();
        let upper = loads.iter().copied().find(|load| self.class(*load, target) == Class::Upper);
        let below = loads.iter().copied().filter(|load| upper.is_none_or(|upper| *load < upper));
        (below.rev().find(|load| self.class(*load, target) == Class::Lower), upper)
    }

    /// The loads measured, from the least.
    fn loads(&self) -> Vec<f64> {
        self.by_load.keys().copied().map(f64::from_bits).collect()
    }

    fn at(&self, load: f64) -> &[Measured] {
        self.by_load.get(&load.to_bits()).map_or(&[], Vec::as_slice)
    }

    /// The draft's classification of a load (its appendix A): short trials count only against it, as far as there are more
    /// bad ones than the exceed ratio expects.
    fn class(&self, load: f64, target: &Goal) -> Class {
        let (mut long, mut short) = (Sums::default(), Sums::default());
        for trial in self.at(load) {
            let sums = if trial.time >= target.final_trial { &mut long } else { &mut short };
            let sum = if trial.loss_ratio > target.loss_ratio { &mut sums.bad } else { &mut sums.good };
            *sum += trial.time.as_secs_f64();
        }
        let balance = short.good * target.exceed_ratio / (1.0 - target.exceed_ratio);
        let bad = long.bad + (short.bad - balance).max(0.0);
        let whole = target.duration_sum.as_secs_f64().max(long.good + bad);
        let allowed = whole * target.exceed_ratio;
        // A little more than nothing: sums of durations are not exact.
        let slack = whole * 1e-9;
        match (bad <= allowed + slack, whole - long.good <= allowed + slack) {
            (true, true) => Class::Lower,
            (true, false) => Class::Undecided,
            (false, _) => Class::Upper,
        }
    }

    /// What came through at a load that is a lower bound: of the trials, the one that the exceed ratio leaves as the worst.
    fn throughput(&self, load: f64, goal: &Goal) -> f64 {
        let at = self.at(load).iter().filter(|trial| trial.time >= goal.final_trial);
        let mut trials: Vec<(f64, f64)> = at.map(|trial| (trial.loss_ratio, trial.time.as_secs_f64())).collect();
        trials.sort_by(|one, other| one.0.total_cmp(&other.0));
        let measured = trials.iter().map(|(_loss, time)| time).sum::<f64>();
        let counted = measured.max(goal.duration_sum.as_secs_f64()) * (1.0 - goal.exceed_ratio);
        let mut sum = 0.0;
        for (loss_ratio, time) in &trials {
            sum += time;
            if sum + 1e-9 >= counted {
                return load * (1.0 - loss_ratio);
            }
        }
        trials.last().map_or(0.0, |(loss_ratio, _time)| load * (1.0 - loss_ratio))
    }
}

/// Seconds, by whether too much was lost.
#[derive(Debug, Default)]
struct Sums {
    good: f64,
    bad: f64,
}

/// How far apart two loads are, as a part of the higher one.
fn width(lower: f64, upper: f64) -> f64 {
    (upper - lower) / upper
}

/// How many coarser stages a goal has before itself.
const COARSER: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a search against a model, which tells the loss ratio of the n-th trial at a load.
    fn found(goals: &[Goal], most: f64, mut model: impl FnMut(usize, f64) -> f64) -> (Vec<Bounds>, usize) {
        let mut search = Search::new(goals.to_vec(), most / 1e4, most);
        while let Some(Trial { load, time }) = search.next() {
            let number = search.trials().len();
            assert!(number < 2000, "it does not end: {:?}", &search.trials()[number - 10..]);
            assert!((most / 1e4..=most).contains(&load), "{load} is out of bounds");
            search.note(Measured { load, time, loss_ratio: model(number, load) });
        }
        (search.bounds(), search.trials().len())
    }

    fn sharp(capacity: f64) -> impl FnMut(usize, f64) -> f64 {
        move |_number, load| (1.0 - capacity / load).max(0.0)
    }

    #[test]
    fn a_device_that_carries_everything_is_measured_at_the_most_alone() {
        let (bounds, trials) = found(&[Goal::NDR, Goal::PDR], 1e6, |_number, _load| 0.0);
        assert!(bounds.iter().all(|found| (found.lower, found.upper) == (Some(1e6), None)), "{bounds:?}");
        assert!(bounds.iter().all(|found| (found.throughput - 1e6).abs() < 1.0));
        assert!(trials <= 21, "{trials}");
    }

    #[test]
    fn a_device_that_carries_nothing_has_no_lower_bound() {
        let (bounds, _trials) = found(&[Goal::NDR], 1e6, |_number, _load| 1.0);
        assert_eq!((bounds[0].lower, bounds[0].throughput), (None, 0.0));
        assert!(bounds[0].upper.unwrap() <= 1e6 / 1e4);
    }

    #[test]
    fn a_trial_is_not_believed_before_the_duration_sum_is_certain() {
        let goal = Goal { duration_sum: Duration::from_secs(4), ..Goal::NDR };
        let mut search = Search::new(vec![goal], 1.0, 100.0);
        let mut class_after = |loss_ratio| {
            search.note(Measured { load: 50.0, time: Duration::from_secs(1), loss_ratio });
            search.class(50.0, &goal)
        };
        assert_eq!([0.0, 0.1, 0.0].map(&mut class_after), [Class::Undecided, Class::Undecided, Class::Lower]);
        // Half of four seconds may be bad, and no more.
        assert_eq!([0.1, 0.1].map(&mut class_after), [Class::Lower, Class::Upper]);
    }

    #[test]
    fn short_trials_speak_against_a_load_and_never_for_it() {
        let goal = Goal { duration_sum: Duration::from_secs(4), final_trial: Duration::from_secs(2), ..Goal::NDR };
        let class_of = |losses: &[f64]| {
            let mut search = Search::new(vec![goal], 1.0, 100.0);
            for loss_ratio in losses {
                search.note(Measured { load: 50.0, time: Duration::from_secs(1), loss_ratio: *loss_ratio });
            }
            search.class(50.0, &goal)
        };
        assert_eq!(class_of(&[0.0; 10]), Class::Undecided);
        assert_eq!(class_of(&[0.1; 3]), Class::Upper);
        assert_eq!(class_of(&[0.1, 0.1, 0.1, 0.0, 0.0]), Class::Undecided);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_bounds_hold_the_capacity_of_a_sharp_device_between_them(capacity in 0.001..1.0_f64) {
            let (bounds, trials) = found(&[Goal::NDR, Goal::PDR], 1e7, sharp(capacity * 1e7));
            for (found, loss_ratio) in bounds.iter().zip([0.0, 0.005]) {
                // What loses half a percent of a load is offered that much more than the device carries.
                let truth = (capacity * 1e7 / (1.0 - loss_ratio)).min(1e7);
                let lower = found.lower.unwrap();
                prop_assert!(lower <= truth * 1.000_001, "{} above {}", lower, truth);
                if let Some(upper) = found.upper {
                    prop_assert!(upper >= truth && width(lower, upper) <= 0.005, "{} {} {}", lower, truth, upper);
                }
                prop_assert!((found.throughput - lower.min(capacity * 1e7)).abs() <= lower * 0.005);
            }
            prop_assert!(trials < 150, "{} trials", trials);
        }

        #[test]
        fn a_device_that_loses_a_little_long_before_it_is_full_has_a_ndr_below_its_pdr(
            first_loss in 0.1..0.5_f64, full in 0.5..1.0_f64,
        ) {
            let (first_loss, full) = (first_loss * 1e7, full * 1e7);
            let model = |_number: usize, load: f64| {
                let little = if load > first_loss { 0.001 } else { 0.0 };
                (1.0 - full / load).max(little)
            };
            let (bounds, _trials) = found(&[Goal::NDR, Goal::PDR], 1e7, model);
            let (ndr, pdr) = (bounds[0].lower.unwrap(), bounds[1].lower.unwrap());
            prop_assert!(ndr <= first_loss && ndr >= first_loss * 0.99, "{} of {}", ndr, first_loss);
            prop_assert!(pdr >= full * 0.99, "{} of {}", pdr, full);
        }

        #[test]
        fn a_machine_that_disturbs_fewer_trials_than_the_exceed_ratio_disturbs_no_result(
            capacity in 0.01..0.9_f64, disturbed in 3_usize..8,
        ) {
            let mut sharp = sharp(capacity * 1e7);
            let model = |number: usize, load: f64| {
                if number % disturbed == 1 { sharp(number, load).max(0.01) } else { sharp(number, load) }
            };
            let (bounds, _trials) = found(&[Goal::NDR], 1e7, model);
            let (lower, upper) = (bounds[0].lower.unwrap(), bounds[0].upper.unwrap());
            prop_assert!(lower <= capacity * 1e7 * 1.000_001 && width(lower, upper) <= 0.005);
            prop_assert!(lower >= capacity * 1e7 * 0.98, "{} of {}", lower, capacity * 1e7);
        }

        #[test]
        fn whatever_a_device_does_the_search_ends(losses in proptest::collection::vec(0.0..1.0_f64, 1..50)) {
            // A device with no capacity at all: every trial is a throw of dice.
            let dice = |number: usize, _load: f64| if losses[number % losses.len()] < 0.6 { 0.0 } else { 0.3 };
            let (bounds, _trials) = found(&[Goal::NDR.scaled(0.2), Goal::PDR.scaled(0.2)], 1e6, dice);
            for found in bounds {
                if let (Some(lower), Some(upper)) = (found.lower, found.upper) {
                    prop_assert!(lower < upper);
                }
            }
        }
    }
}
