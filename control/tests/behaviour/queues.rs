//! Which worker polls which receive queue.

use boundary::handover::{Hands, desks};
use boundary::{Desk, ForwardingState, QueueId, RingSizes, Tally, WorkerId, connect_queues};
use control::{Control, Queues, Setup, Timestamp, WorkerInfo};
use control_api::{ApiError, ErrorKind, PortQueue, QueuePlace, QueueShare, Reply, Request};

use crate::scene::{LEFT, NoHardware, setup};

/// Two workers, on cores 2 and 5; two queues on the left, one on the right.
struct Office {
    control: Control,
    desks: Vec<Desk<QueueId>>,
    held: Vec<Held>,
    tallies: Vec<Tally>,
}

#[derive(Default)]
struct Held(Vec<QueueId>);

impl Hands<QueueId> for Held {
    fn release(&mut self, queue: QueueId) -> Option<QueueId> {
        let place = self.0.iter().position(|held| *held == queue)?;
        Some(self.0.remove(place))
    }

    fn take(&mut self, queue: QueueId) {
        self.0.push(queue);
    }
}

fn office() -> Office {
    let setup = setup();
    let first = ForwardingState::without_routes(setup.ports.iter().map(|port| port.state));
    let (publisher, _links, counters, ends) = connect_queues(first, &[2, 1], 2, RingSizes { slots: 1, frame_len: 64 });
    let workers = [2, 5].into_iter().zip(counters).map(|(core, counters)| WorkerInfo { core, counters }).collect();
    let (map, desks) = desks(&[WorkerId(0), WorkerId(1), WorkerId(0)], 2);
    let setup = Setup { queues: Queues::new(map, vec![2, 1]), ..setup };
    let control = Control::new(setup, publisher, workers, Box::new(NoHardware), Timestamp::ZERO);
    let held = vec![Held(vec![QueueId(0), QueueId(2)]), Held(vec![QueueId(1)])];
    Office { control, desks, held, tallies: ends.into_iter().map(|end| end.tally).collect() }
}

impl Office {
    fn ask(&mut self, request: Request) -> Result<Vec<QueuePlace>, ApiError> {
        match self.control.handle_request(request, Timestamp::ZERO)? {
            Reply::QueueMap(map) => Ok(map),
            other => panic!("no map: {other:?}"),
        }
    }

    fn move_to(&mut self, queues: &[(&str, usize)]) -> Result<Vec<QueuePlace>, ApiError> {
        let place = |(queue, core): &(&str, usize)| place(queue, *core);
        self.ask(Request::QueueMapSet { queues: queues.iter().map(place).collect() })
    }

    /// Every worker ends a turn.
    fn turn(&mut self) {
        for (desk, held) in self.desks.iter_mut().zip(&mut self.held) {
            if desk.is_called() {
                desk.exchange(held);
            }
        }
    }
}

fn place(queue: &str, core: usize) -> QueuePlace {
    QueuePlace { queue: queue.parse().unwrap(), core, moving: false }
}

fn moving(queue: &str, core: usize) -> QueuePlace {
    QueuePlace { moving: true, ..place(queue, core) }
}

#[test]
fn a_queue_is_shown_on_its_way_until_its_new_worker_has_it() {
    let mut office = office();
    let before = [place("left:0", 2), place("left:1", 5), place("right:0", 2)];
    assert_eq!(office.ask(Request::QueueMapShow).unwrap(), before);
    let asked = office.move_to(&[("left:0", 5), ("right:0", 2)]).unwrap();
    assert_eq!(asked, [moving("left:0", 5), place("left:1", 5), place("right:0", 2)]);
    office.turn();
    assert_eq!(office.ask(Request::QueueMapShow).unwrap()[0], place("left:0", 5));
    assert_eq!(office.held[1].0, [QueueId(1), QueueId(0)]);
}

#[test]
fn a_map_that_cannot_be_is_refused_whole_with_what_there_is() {
    let mut office = office();
    let before = office.ask(Request::QueueMapShow).unwrap();
    let refused = [
        ("left:2", 5, ErrorKind::NotFound, "no receive queue left:2: port `left` has 2, numbers 0 to 1", "`queues`"),
        ("right:1", 5, ErrorKind::NotFound, "port `right` has one, number 0", "`queues`"),
        ("up:0", 5, ErrorKind::UnknownPort, "there is no port `up`", "left, right"),
        ("left:1", 3, ErrorKind::NotFound, "no worker is on core 3", "name the core of one: 2, 5"),
        ("left:0", 2, ErrorKind::Invalid, "receive queue left:0 is named twice", "one worker for each queue"),
    ];
    for (queue, core, kind, message, hint) in refused {
        let error = office.move_to(&[("left:0", 5), (queue, core)]).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(message), "{error}");
        assert!(error.hint.as_ref().is_some_and(|said| said.contains(hint)), "{error:?}");
        office.turn();
        assert_eq!(office.ask(Request::QueueMapShow).unwrap(), before, "the first of them has not moved either");
    }
}

#[test]
fn a_queue_through_which_nothing_comes_while_others_receive_is_starved() {
    let mut office = office();
    let shares = |office: &mut Office, name: Option<&str>| {
        let request = Request::PortRss { name: name.map(str::to_owned) };
        match office.control.handle_request(request, Timestamp::ZERO).unwrap() {
            Reply::PortRss(ports) => ports,
            other => panic!("{other:?}"),
        }
    };
    let quiet = shares(&mut office, None);
    assert_eq!(quiet.len(), 2);
    assert!(quiet.iter().all(|port| port.rss.is_none() && port.queues.iter().all(|queue| !queue.starved)));

    office.tallies[1].received(LEFT, 1, 7, 420);
    office.tallies.iter_mut().for_each(|tally| tally.publish());
    let share = |queue, core, packets, starved| QueueShare { queue, core, packets, starved };
    let left = shares(&mut office, Some("left"));
    assert_eq!(left[0].queues, [share(0, 2, 0, true), share(1, 5, 7, false)]);
    assert_eq!(shares(&mut office, None)[1].queues, [share(0, 2, 0, false)], "one alone has none beside it");
}

#[test]
fn without_workers_there_is_no_map_and_nothing_to_change_in_it() {
    let mut scene = crate::scene::Scene::new();
    assert_eq!(scene.ask(Request::QueueMapShow).unwrap(), Reply::QueueMap(Vec::new()));
    let queue = PortQueue { port: "left".to_owned(), queue: 0 };
    let queues = vec![QueuePlace { queue, core: 1, moving: false }];
    let error = scene.ask(Request::QueueMapSet { queues }).unwrap_err();
    assert!(error.message.ends_with("port `left` has no receive queues of its own"), "{error}");
}
