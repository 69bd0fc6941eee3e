//! The clauses of rt_timer(9), one test per row of the project's table (`tm_..`), and a plain model of all of them.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What timers in these tests are for: a number does for a route.
type Number = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    F,
    G,
    /// Puts itself on this queue again.
    Again(QueueId),
}

/// Timers, and what ran so far.
struct Scene {
    timers: Timers<Number, Action>,
    routes: HashMap<Number, RouteTimers>,
    ran: Vec<(Number, Action)>,
    /// What was said to those who put themselves back.
    answers: Vec<Result<TimerId, TimerError>>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let timers = Timers::new(limits);
        Self { timers, routes: HashMap::new(), ran: Vec::new(), answers: Vec::new() }
    }

    fn queue(&mut self, period: u64) -> QueueId {
        self.timers.create_queue(Duration::from_secs(period)).unwrap()
    }

    fn add(&mut self, route: Number, action: Action, queue: QueueId, second: u64) {
        self.try_add(route, action, queue, second).unwrap();
    }

    fn try_add(&mut self, route: Number, action: Action, queue: QueueId, second: u64) -> Result<TimerId, TimerError> {
        self.timers.add(self.routes.entry(route).or_default(), route, action, queue, at(second))
    }

    fn remove_all(&mut self, route: Number) -> usize {
        self.timers.remove_all(self.routes.entry(route).or_default())
    }

    fn touched(&self) -> u64 {
        self.timers.timers.touched() + self.timers.queues.touched() + self.timers.routes.touched()
    }

    /// A tick; what ran in it.
    fn tick(&mut self, second: u64) -> Vec<(Number, Action)> {
        while let Some(expired) = self.timers.next_due(at(second)) {
            self.run(expired, second);
        }
        std::mem::take(&mut self.ran)
    }

    /// Destroys a queue with its actions; what ran.
    fn destroy(&mut self, queue: QueueId, second: u64) -> Vec<(Number, Action)> {
        self.timers.destroy_queue(queue, Destroy::RunActions).unwrap();
        while let Some(expired) = self.timers.next_destroyed(queue) {
            self.run(expired, second);
        }
        std::mem::take(&mut self.ran)
    }

    fn run(&mut self, expired: Expired<Number, Action>, second: u64) {
        self.ran.push((expired.route, expired.action));
        if let Action::Again(queue) = expired.action {
            let answer = self.try_add(expired.route, expired.action, queue, second);
            self.answers.push(answer);
        }
    }

    /// What runs in which of these seconds.
    fn ticks(&mut self, seconds: impl IntoIterator<Item = u64>) -> Vec<(u64, Number)> {
        let ran = |second| self.tick(second).into_iter().map(move |(route, _)| (second, route)).collect::<Vec<_>>();
        seconds.into_iter().flat_map(ran).collect()
    }
}

fn at(second: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(second)
}

// holds S1.01, S1.02, S1.09, TM-01
#[test]
fn tm_01_a_queue_for_each_period_starts_empty() {
    let mut scene = Scene::new();
    let [ten, twenty] = [600, 1200].map(|period| scene.queue(period));
    assert_ne!(ten, twenty);
    for (queue, period) in [(ten, 600), (twenty, 1200)] {
        assert_eq!(scene.timers.count(queue), Some(0));
        assert_eq!(scene.timers.period(queue), Some(Duration::from_secs(period)));
    }
}

// holds S1.02, S1.12, S1.14, TM-02
#[test]
fn tm_02_any_period_will_do_and_counts_in_whole_seconds_rounded_up() {
    let mut scene = Scene::new();
    let century = Duration::from_secs(100 * 365 * 86400);
    for (period, counted) in [
        (Duration::ZERO, Duration::ZERO),
        (Duration::from_secs(10), Duration::from_secs(10)),
        (Duration::from_nanos(1), Duration::from_secs(1)),
        (Duration::from_millis(1500), Duration::from_secs(2)),
        (century, century),
        (Duration::MAX, Duration::from_secs(u64::MAX)),
    ] {
        let queue = scene.timers.create_queue(period).unwrap();
        assert_eq!(scene.timers.period(queue), Some(counted));
    }
    let never = scene.timers.create_queue(Duration::MAX).unwrap();
    scene.add(1, Action::F, never, 1000);
    assert_eq!(scene.tick(u64::MAX / 1_000_000_000), []);
}

// holds S1.05, S1.07, S1.18, TM-03
#[test]
fn tm_03_a_timer_runs_at_the_first_tick_after_the_end_of_its_period() {
    let mut scene = Scene::new();
    let queue = scene.queue(10);
    scene.add(1, Action::F, queue, 1000);
    assert_eq!(scene.ticks(1001..1020), [(1011, 1)]);
    assert_eq!(scene.timers.count(queue), Some(0));
}

// holds S1.07
#[test]
fn what_is_called_out_for_is_told_which_timer_it_was() {
    let mut scene = Scene::new();
    let queue = scene.queue(10);
    scene.add(7, Action::G, queue, 1000);
    let expected = Expired { route: 7, action: Action::G, queue, added: 1000 };
    assert_eq!(scene.timers.next_due(at(1011)), Some(expected));
}

// holds S1.14, S1.18, TM-04
#[test]
fn tm_04_on_a_queue_of_period_zero_a_timer_runs_in_the_next_second_and_not_in_this() {
    let mut scene = Scene::new();
    let queue = scene.queue(0);
    scene.add(1, Action::F, queue, 1000);
    assert_eq!(scene.ticks(1000..1005), [(1001, 1)]);
}

// holds S1.05, TM-07
#[test]
fn tm_07_to_add_a_timer_again_puts_it_off() {
    let mut scene = Scene::new();
    let queue = scene.queue(10);
    scene.add(1, Action::F, queue, 1000);
    scene.add(2, Action::F, queue, 1005);
    scene.add(1, Action::F, queue, 1005);
    assert_eq!(scene.timers.count(queue), Some(2));
    assert_eq!(scene.ticks(1000..1030), [(1016, 2), (1016, 1)], "behind those that were there");
}

// holds S1.05, TM-08
#[test]
fn tm_08_to_add_a_timer_to_another_queue_moves_it_there() {
    let mut scene = Scene::new();
    let [long, short] = [600, 10].map(|period| scene.queue(period));
    scene.add(1, Action::F, long, 1000);
    scene.add(1, Action::F, short, 1000);
    assert_eq!([long, short].map(|queue| scene.timers.count(queue)), [Some(0), Some(1)]);
    assert_eq!(scene.ticks(1000..2000), [(1011, 1)]);
}

// holds S1.05, S1.07, TM-09
#[test]
fn tm_09_a_route_may_have_a_timer_for_each_action() {
    let mut scene = Scene::new();
    let queue = scene.queue(10);
    scene.add(1, Action::F, queue, 1000);
    scene.add(1, Action::G, queue, 1000);
    assert_eq!(scene.timers.count(queue), Some(2));
    assert_eq!(scene.tick(1011), [(1, Action::F), (1, Action::G)]);
}

// holds S1.03, S1.13, S1.15, S1.16, TM-10
#[test]
fn tm_10_a_shorter_period_counts_for_the_timers_that_wait_from_the_next_tick_on() {
    let mut scene = Scene::new();
    let queue = scene.queue(600);
    (1000..1003).for_each(|second| scene.add(u32::try_from(second).unwrap(), Action::F, queue, second));
    assert_eq!(scene.ticks(1003..=1010), []);
    scene.timers.change_queue(queue, Duration::from_secs(5)).unwrap();
    assert_eq!(scene.ticks([1010, 1011]), [(1011, 1000), (1011, 1001), (1011, 1002)]);
    scene.add(9, Action::F, queue, 1020);
    assert_eq!(scene.ticks(1020..1040), [(1026, 9)], "and for those that come later");
}

// holds S1.03, S1.14, S1.15, TM-11
#[test]
fn tm_11_a_period_of_zero_makes_all_that_are_older_than_now_due_at_once() {
    let mut scene = Scene::new();
    let queue = scene.queue(600);
    scene.add(1, Action::F, queue, 1000);
    scene.add(2, Action::F, queue, 1009);
    scene.add(3, Action::F, queue, 1010);
    assert_eq!(scene.tick(1009), []);
    scene.timers.change_queue(queue, Duration::ZERO).unwrap();
    assert_eq!(scene.ticks([1010, 1011]), [(1010, 1), (1010, 2), (1011, 3)]);
}

// holds S1.03, S1.15, S1.16, TM-12
#[test]
fn tm_12_a_longer_period_holds_back_the_timers_that_wait() {
    let mut scene = Scene::new();
    let queue = scene.queue(5);
    (1000..1003).for_each(|second| scene.add(u32::try_from(second).unwrap(), Action::F, queue, second));
    scene.timers.change_queue(queue, Duration::from_secs(600)).unwrap();
    assert_eq!(scene.ticks(1003..2000), [(1601, 1000), (1602, 1001), (1603, 1002)]);
}

// holds S1.03, S1.04
#[test]
fn a_queue_that_is_not_there_is_neither_changed_nor_destroyed_nor_added_to() {
    let mut scene = Scene::new();
    let gone = scene.queue(5);
    scene.timers.destroy_queue(gone, Destroy::Discard).unwrap();
    let other = scene.queue(7);
    assert_eq!(scene.timers.change_queue(gone, Duration::ZERO), Err(TimerError::Invalid));
    assert_eq!(scene.timers.destroy_queue(gone, Destroy::RunActions), Err(TimerError::Invalid));
    assert_eq!(scene.try_add(1, Action::F, gone, 1), Err(TimerError::Invalid));
    assert_eq!(scene.timers.count(gone), None);
    assert_eq!(scene.timers.period(other), Some(Duration::from_secs(7)), "though it may lie where the other did");
}

// holds S1.04, S1.17, TM-13
#[test]
fn tm_13_a_queue_destroyed_with_its_actions_runs_each_once_in_order() {
    let mut scene = Scene::new();
    let queue = scene.queue(600);
    (1..=3).for_each(|route| scene.add(route, Action::F, queue, 1000));
    assert_eq!(scene.destroy(queue, 1001), [(1, Action::F), (2, Action::F), (3, Action::F)]);
    assert_eq!(scene.try_add(1, Action::F, queue, 1002), Err(TimerError::Invalid));
    assert_eq!((scene.timers.len(), scene.timers.next_destroyed(queue)), (0, None));
}

// holds S1.04, S1.17, TM-14
#[test]
fn tm_14_a_queue_destroyed_without_its_actions_runs_none() {
    let mut scene = Scene::new();
    let queue = scene.queue(1);
    (1..=3).for_each(|route| scene.add(route, Action::F, queue, 1000));
    scene.timers.destroy_queue(queue, Destroy::Discard).unwrap();
    assert_eq!((scene.timers.len(), scene.timers.next_destroyed(queue)), (0, None));
    assert_eq!(scene.ticks(1000..1010), []);
    assert_eq!(scene.remove_all(1), 0);
}

// holds S1.06, S1.20, TM-15
#[test]
fn tm_15_with_a_route_go_its_timers_and_nothing_runs() {
    let mut scene = Scene::new();
    let [one, other] = [1, 2].map(|period| scene.queue(period));
    scene.add(1, Action::F, one, 1000);
    scene.add(1, Action::G, other, 1000);
    scene.add(2, Action::F, one, 1000);
    assert_eq!(scene.remove_all(1), 2);
    assert_eq!([one, other].map(|queue| scene.timers.count(queue)), [Some(1), Some(0)]);
    assert_eq!(scene.ticks(1000..1010), [(1002, 2)]);
}

// holds S1.06, TM-16
#[test]
fn tm_16_of_a_route_without_timers_none_are_removed() {
    assert_eq!(Scene::new().remove_all(1), 0);
}

// holds S1.05
#[test]
fn one_timer_can_be_taken_away_and_its_name_means_nothing_afterwards() {
    let mut scene = Scene::new();
    let queue = scene.queue(1);
    let timer = scene.try_add(1, Action::F, queue, 1000).unwrap();
    scene.add(1, Action::G, queue, 1000);
    assert!(scene.timers.remove(timer));
    scene.add(2, Action::F, queue, 1000);
    assert!(!scene.timers.remove(timer), "though another may lie where it did");
    assert_eq!(scene.tick(1002), [(1, Action::G), (2, Action::F)]);
}

// holds S1.20, TM-17
#[test]
fn tm_17_a_timer_that_an_earlier_one_of_its_tick_took_away_does_not_run() {
    let mut scene = Scene::new();
    let queue = scene.queue(0);
    (1..=3).for_each(|route| scene.add(route, Action::F, queue, 1000));
    assert_eq!(scene.timers.next_due(at(1001)).map(|expired| expired.route), Some(1));
    assert_eq!(scene.remove_all(2), 1);
    assert_eq!(scene.timers.next_due(at(1001)).map(|expired| expired.route), Some(3));
    assert_eq!(scene.timers.next_due(at(1001)), None);
}

/// Counted, not timed: what an operation touches among a million is what it touches among a thousand.
// holds S1.10, TM-18
#[test]
fn tm_18_an_operation_touches_as_many_timers_among_a_million_as_among_a_thousand() {
    let costs = [1_000, 1_000_000].map(|number| {
        let mut scene = Scene::new();
        let [one, other] = [600, 1200].map(|period| scene.queue(period));
        let mut most = [0; 4];
        let mut count = |kind: usize, scene: &mut Scene, operation: &mut dyn FnMut(&mut Scene)| {
            let before = scene.touched();
            operation(scene);
            let cost = scene.touched() - before;
            most[kind] = cost.max(most[kind]);
        };
        // A generator of period 2^32, so that the removed half is spread all over.
        let mut state = 1_u32;
        let mut noise = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        scene.routes.reserve(number as usize);
        (0..number).for_each(|route| count(0, &mut scene, &mut |scene| scene.add(route, Action::F, one, 1000)));
        for _ in 0..number / 4 {
            let route = noise() % number;
            count(1, &mut scene, &mut |scene| scene.add(route, Action::F, other, 1001));
        }
        let doomed: Vec<_> = (0..number).filter(|_| noise() % 2 == 0).collect();
        for route in &doomed {
            count(2, &mut scene, &mut |scene| assert_eq!(scene.remove_all(*route), 1));
        }
        assert_eq!(scene.timers.len(), number as usize - doomed.len());
        let mut left = scene.timers.len();
        while left > 0 {
            count(3, &mut scene, &mut |scene| left -= usize::from(scene.timers.next_due(at(9000)).is_some()));
        }
        most
    });
    assert_eq!(costs[0], costs[1], "add, add again, remove, expire");
    assert!(costs[1].iter().all(|touched| *touched <= 16), "{costs:?}");
}

// holds S1.18, TM-21
#[test]
fn tm_21_a_timer_that_puts_itself_back_runs_once_a_tick() {
    let mut scene = Scene::new();
    let queue = scene.queue(0);
    scene.add(1, Action::Again(queue), queue, 1000);
    assert_eq!(scene.ticks(1000..=1003), [(1001, 1), (1002, 1), (1003, 1)]);
    assert_eq!(scene.timers.count(queue), Some(1));
}

// holds S1.17, TM-22
#[test]
fn tm_22_nothing_is_put_on_a_queue_that_is_being_destroyed() {
    let mut scene = Scene::new();
    let [queue, other] = [600, 600].map(|period| scene.queue(period));
    scene.add(1, Action::Again(queue), queue, 1000);
    scene.add(2, Action::Again(other), queue, 1000);
    assert_eq!(scene.destroy(queue, 1000), [(1, Action::Again(queue)), (2, Action::Again(other))]);
    assert_eq!(scene.answers[0], Err(TimerError::Invalid));
    assert_eq!(scene.timers.count(other), Some(1), "another queue takes it");
    scene.timers.destroy_queue(other, Destroy::RunActions).unwrap();
    assert_eq!(scene.timers.change_queue(other, Duration::ZERO), Err(TimerError::Invalid));
    assert_eq!(scene.timers.destroy_queue(other, Destroy::Discard), Err(TimerError::Invalid));
}

// holds S1.18, TM-23
#[test]
fn tm_23_of_two_queues_the_newer_one_is_swept_first() {
    let mut scene = Scene::new();
    let [older, newer] = [5, 5].map(|period| scene.queue(period));
    (1..=2).for_each(|route| scene.add(route, Action::F, older, 1000));
    (3..=4).for_each(|route| scene.add(route, Action::F, newer, 1000));
    let ran: Vec<_> = scene.tick(1006).into_iter().map(|(route, _)| route).collect();
    assert_eq!(ran, [3, 4, 1, 2]);
}

// holds S1.18, TM-24
#[test]
fn tm_24_after_a_leap_of_the_clock_all_that_is_due_runs_in_one_pass_and_in_order() {
    let mut scene = Scene::new();
    let queue = scene.queue(10);
    (1..=5).for_each(|route| scene.add(route, Action::F, queue, 1000 + u64::from(route)));
    let ran: Vec<_> = scene.tick(4600).into_iter().map(|(route, _)| route).collect();
    assert_eq!(ran, [1, 2, 3, 4, 5]);
    scene.add(6, Action::F, queue, 4600);
    assert_eq!(scene.ticks(1000..1100), [], "a clock that is set back runs nothing");
    assert_eq!(scene.ticks(4600..4620), [(4611, 6)]);
}

// holds S1.05, TM-26
#[test]
fn tm_26_where_there_is_no_room_a_timer_is_refused_and_one_that_is_there_is_put_off() {
    let mut scene = Scene::with(Limits { timers: 10, queues: 1, ..Limits::default() });
    let queue = scene.queue(10);
    assert_eq!(scene.timers.create_queue(Duration::ZERO), Err(TimerError::NoBuffers));
    (0..10).for_each(|route| scene.add(route, Action::F, queue, 1000));
    assert_eq!(scene.try_add(10, Action::F, queue, 1001), Err(TimerError::NoBuffers));
    assert_eq!(scene.try_add(0, Action::G, queue, 1001), Err(TimerError::NoBuffers));
    assert!(scene.try_add(3, Action::F, queue, 1001).is_ok());
    assert_eq!(scene.timers.count(queue), Some(10));
    assert_eq!(scene.remove_all(3), 1);
    assert!(scene.try_add(0, Action::G, queue, 1001).is_ok());
}

// holds S1.18
#[test]
fn there_is_one_tick_a_second_however_often_it_is_asked_for_one() {
    let mut scene = Scene::new();
    let queue = scene.queue(600);
    let millis = |millis| Timestamp::ZERO + Duration::from_millis(millis);
    scene.add(1, Action::F, queue, 1000);
    assert_eq!(scene.timers.next_due(millis(1_005_200)), None);
    scene.timers.change_queue(queue, Duration::ZERO).unwrap();
    assert_eq!(scene.timers.next_due(millis(1_005_900)), None, "the tick of this second is over");
    assert!(scene.timers.next_due(millis(1_006_000)).is_some());
}

// holds S1.17
#[test]
fn a_queue_may_go_while_it_is_swept_and_the_sweep_goes_on() {
    let mut scene = Scene::new();
    let queues = [0; 3].map(|period| scene.queue(period));
    (0..6).for_each(|route| scene.add(route, Action::F, queues[route as usize % 3], 1000));
    assert_eq!(scene.timers.next_due(at(1001)).map(|expired| expired.route), Some(2));
    scene.timers.destroy_queue(queues[2], Destroy::Discard).unwrap();
    let created = scene.queue(0);
    scene.add(9, Action::F, created, 1000);
    assert_eq!(scene.timers.next_due(at(1001)).map(|expired| expired.route), Some(1));
    scene.timers.destroy_queue(queues[0], Destroy::Discard).unwrap();
    assert_eq!(scene.timers.next_due(at(1001)).map(|expired| expired.route), Some(4));
    assert_eq!(scene.timers.next_due(at(1001)), None, "a queue made meanwhile is for the next tick");
    assert_eq!(scene.tick(1002), [(9, Action::F)]);
}

/// The plain meaning: every queue a list, every list looked through from end to end.
#[derive(Default)]
struct Model {
    /// Newest first.
    queues: Vec<(QueueId, u64, Vec<Waiting>)>,
    latest: u64,
    ticked: Option<u64>,
}

#[derive(Clone, Copy)]
struct Waiting {
    route: Number,
    action: Action,
    added: u64,
}

impl Model {
    fn see(&mut self, second: u64) -> u64 {
        self.latest = self.latest.max(second);
        self.latest
    }

    fn add(&mut self, route: Number, action: Action, queue: usize, second: u64) {
        let added = self.see(second);
        for (_, _, waiting) in &mut self.queues {
            waiting.retain(|waiting| (waiting.route, waiting.action) != (route, action));
        }
        self.queues[queue].2.push(Waiting { route, action, added });
    }

    fn remove_all(&mut self, route: Number) -> usize {
        let before = self.len();
        self.queues.iter_mut().for_each(|(_, _, waiting)| waiting.retain(|waiting| waiting.route != route));
        before - self.len()
    }

    fn len(&self) -> usize {
        self.queues.iter().map(|(_, _, waiting)| waiting.len()).sum()
    }

    fn tick(&mut self, second: u64) -> Vec<(Number, Action)> {
        let now = self.see(second);
        if self.ticked.is_some_and(|ticked| second <= ticked) {
            return Vec::new();
        }
        self.ticked = Some(second);
        let mut ran = Vec::new();
        for (_, period, waiting) in &mut self.queues {
            ran.extend(waiting.extract_if(.., |waiting| waiting.added + *period < now));
        }
        ran.into_iter().map(|waiting| (waiting.route, waiting.action)).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Create(u64),
    Change(usize, u64),
    Destroy(usize, bool),
    Add(Number, bool, usize),
    RemoveAll(Number),
    Pass(u64),
    SetBack(u64),
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let period = || prop_oneof![0..3_u64, 0..30_u64, Just(600_u64)];
    prop_oneof![
        1 => period().prop_map(Step::Create),
        1 => (0..8_usize, period()).prop_map(|(queue, period)| Step::Change(queue, period)),
        1 => (0..8_usize, any::<bool>()).prop_map(|(queue, runs)| Step::Destroy(queue, runs)),
        8 => (0..12_u32, any::<bool>(), 0..8_usize).prop_map(|(route, is_g, queue)| Step::Add(route, is_g, queue)),
        1 => (0..12_u32).prop_map(Step::RemoveAll),
        4 => prop_oneof![4 => 0..4_u64, 1 => 0..40_u64, 1 => Just(3600_u64)].prop_map(Step::Pass),
        1 => (0..5_u64).prop_map(Step::SetBack),
        6 => Just(Step::Tick),
    ]
}

proptest! {
    // holds S1.01, S1.05, S1.10, S1.15, S1.17, S1.18, S1.20
    #[test]
    fn timers_do_as_lists_do_that_are_looked_through(steps in proptest::collection::vec(step(), 0..150)) {
        let mut scene = Scene::new();
        let mut model = Model::default();
        let mut now = 1000;
        for step in steps {
            match step {
                Step::Create(period) => {
                    model.queues.insert(0, (scene.queue(period), period, Vec::new()));
                }
                Step::Change(queue, period) if !model.queues.is_empty() => {
                    let queue = queue % model.queues.len();
                    model.queues[queue].1 = period;
                    scene.timers.change_queue(model.queues[queue].0, Duration::from_secs(period)).unwrap();
                }
                Step::Destroy(queue, runs) if !model.queues.is_empty() => {
                    let (id, _, waiting) = model.queues.remove(queue % model.queues.len());
                    if runs {
                        let expected: Vec<_> = waiting.iter().map(|waiting| (waiting.route, waiting.action)).collect();
                        prop_assert_eq!(scene.destroy(id, now), expected);
                    } else {
                        scene.timers.destroy_queue(id, Destroy::Discard).unwrap();
                    }
                    prop_assert_eq!(scene.timers.count(id), None);
                }
                Step::Add(route, is_g, queue) if !model.queues.is_empty() => {
                    let queue = queue % model.queues.len();
                    let action = if is_g { Action::G } else { Action::F };
                    scene.add(route, action, model.queues[queue].0, now);
                    model.add(route, action, queue, now);
                }
                Step::Change(..) | Step::Destroy(..) | Step::Add(..) => {}
                Step::RemoveAll(route) => prop_assert_eq!(scene.remove_all(route), model.remove_all(route)),
                Step::Pass(seconds) => now += seconds,
                Step::SetBack(seconds) => now -= seconds,
                Step::Tick => prop_assert_eq!(scene.tick(now), model.tick(now)),
            }
            prop_assert_eq!(scene.timers.len(), model.len());
            for (id, _, waiting) in &model.queues {
                prop_assert_eq!(scene.timers.count(*id), Some(waiting.len()));
            }
        }
        // Nothing is left behind in the lists of routes.
        for route in 0..12 {
            prop_assert_eq!(scene.remove_all(route), model.remove_all(route));
        }
        prop_assert!(scene.timers.is_empty() && scene.timers.routes.len() == 0);
    }
}
