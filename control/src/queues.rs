//! Which worker polls which receive queue: shown, and changed while they run.
//!
//! A change is checked whole before any of it is written into the map; from there workers hand the queues over between
//! their turns, and nobody waits for them. A port without a device has no queues: its frames come in by another's.

use boundary::{PortId, QueueId, QueueMap, WorkerId};
use control_api::{ApiError, ErrorKind, PortQueue, PortRss, QueuePlace, QueueShare};

use crate::control::Control;

/// The receive queues of all ports, and the map of who polls them. Without workers there is none of either.
#[derive(Debug, Default)]
pub struct Queues {
    map: Option<QueueMap>,
    /// How many each port has, by [`PortId`].
    of_ports: Vec<u16>,
}

impl Queues {
    /// Of ports with so many queues each, by [`PortId`], in a map that has them in this order.
    pub fn new(map: QueueMap, of_ports: Vec<u16>) -> Self {
        Self { map: Some(map), of_ports }
    }

    /// How many receive queues a port has of its own.
    pub(crate) fn of_port(&self, port: PortId) -> u16 {
        self.of_ports.get(port.index()).copied().unwrap_or(0)
    }

    /// A queue of a port, which has it.
    fn id(&self, port: PortId, number: u16) -> QueueId {
        QueueId(self.of_ports.iter().take(port.index()).sum::<u16>() + number)
    }
}

impl Control {
    /// Every receive queue, with the worker that polls it.
    pub(crate) fn queue_map(&self) -> Vec<QueuePlace> {
        let Some(map) = &self.queues.map else { return Vec::new() };
        let ports = self.ports.iter().map(|(id, port)| (id, port.name.clone()));
        let queues =
            ports.flat_map(|(id, name)| (0..self.queues.of_port(id)).map(move |queue| (id, name.clone(), queue)));
        let place = |(port, name, number): (PortId, String, u16)| {
            let queue = self.queues.id(port, number);
            QueuePlace {
                queue: PortQueue { port: name, queue: number },
                core: self.workers[map.owner(queue).index()].core,
                moving: !map.has_arrived(queue),
            }
        };
        queues.map(place).collect()
    }

    /// Gives queues to other workers, all of them or none.
    pub(crate) fn set_queue_map(&mut self, wanted: &[QueuePlace]) -> Result<Vec<QueuePlace>, ApiError> {
        let mut owners: Vec<(QueueId, WorkerId)> = Vec::with_capacity(wanted.len());
        for place in wanted {
            let (queue, worker) = (self.queue_named(&place.queue)?, self.worker_on(place.core)?);
            if owners.iter().any(|(other, _worker)| *other == queue) {
                let message = format!("receive queue {} is named twice", place.queue);
                return Err(ApiError::new(ErrorKind::Invalid, message).with_hint("name one worker for each queue"));
            }
            owners.push((queue, worker));
        }
        if let Some(map) = &self.queues.map {
            map.assign(owners);
        }
        Ok(self.queue_map())
    }

    /// What came in through the receive queues of all ports, or of one, and how they come to it.
    pub(crate) fn shown_rss(&self, name: Option<&str>) -> Result<Vec<PortRss>, ApiError> {
        let only = name.map(|name| self.ports.named(name)).transpose()?;
        if let Some(port) = only.filter(|port| self.queues.of_port(*port) == 0) {
            return Err(self.no_queues(port));
        }
        let totals = self.totals();
        let cores = self.queue_map();
        let shown = self.ports.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        let rss = shown.filter(|(id, _)| self.queues.of_port(*id) > 0).map(|(id, port)| {
            let received = totals.queues(id);
            let others_receive = received.iter().any(|packets| *packets > 0);
            let places = cores.iter().filter(|place| place.queue.port == port.name);
            let share = |(place, packets): (&QueuePlace, &u64)| QueueShare {
                queue: place.queue.queue,
                core: place.core,
                packets: *packets,
                starved: *packets == 0 && others_receive,
            };
            let queues = places.zip(received).map(share).collect();
            PortRss { ifname: port.name.clone(), queues, rss: self.hardware.spread(id) }
        });
        Ok(rss.collect())
    }

    fn no_queues(&self, port: PortId) -> ApiError {
        let info = self.ports.port(port);
        let error =
            ApiError::new(ErrorKind::NotFound, format!("port `{}` has no receive queues of its own", info.name));
        match info.state.vlan {
            Some(vlan) => {
                error.with_hint(format!("its frames come in by those of `{}`", self.ports.port(vlan.parent).name))
            }
            None => error,
        }
    }

    fn queue_named(&self, wanted: &PortQueue) -> Result<QueueId, ApiError> {
        let port = self.ports.named(&wanted.port)?;
        let info = self.ports.port(port);
        let has = self.queues.of_port(port);
        if wanted.queue < has {
            return Ok(self.queues.id(port, wanted.queue));
        }
        let found = match has {
            0 => return Err(self.no_queues(port)),
            1 => "one, number 0".to_owned(),
            _ => format!("{has}, numbers 0 to {}", has - 1),
        };
        let message = format!("there is no receive queue {wanted}: port `{}` has {found}", info.name);
        Err(ApiError::new(ErrorKind::NotFound, message)
            .with_hint("say in the configuration how many `queues` a port has, and start ferryd anew"))
    }

    fn worker_on(&self, core: usize) -> Result<WorkerId, ApiError> {
        let place = self.workers.iter().position(|worker| worker.core == core);
        let worker = place.and_then(|place| u16::try_from(place).ok());
        worker.map(WorkerId).ok_or_else(|| {
            let cores: Vec<_> = self.workers.iter().map(|worker| worker.core.to_string()).collect();
            ApiError::new(ErrorKind::NotFound, format!("no worker is on core {core}"))
                .with_hint(format!("name the core of one: {}", cores.join(", ")))
        })
    }
}
