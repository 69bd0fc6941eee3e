//! Receive queues: how many a port has, how flows come to be spread over them, and which worker polls which.
//!
//! Either no worker names a queue, and they are spread; or every queue of every port is named by one: a queue that was
//! forgotten would be a part of the flows that nobody ever sees.

use std::collections::BTreeMap;

use control_api::PortQueue;
use toml::Spanned;

use super::check::Once;
use super::mistake::Mistake;
use super::reach::Ports;
use super::read::{PortDraft, WorkerDraft};
use super::value::{self, Value, closest};

/// What a worker does in turns in which nothing came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Idle {
    /// Polls on: what arrives next is seen at once.
    #[default]
    Poll,
    /// Rests ever longer, and leaves the core to others meanwhile.
    Adaptive,
}

/// How a card spreads flows over several queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rss {
    /// With the secret that the device has by itself.
    #[default]
    Device,
    /// With one by which both directions of a conversation come to the same queue number.
    Symmetric,
}

/// A number of receive queues.
pub(super) fn count(value: &Value<'_>) -> Result<u16, Mistake> {
    value::number(value, 1..=MAX_QUEUES, "a number of receive queues")
}

pub(super) fn idle(value: &Value<'_>) -> Result<Idle, Mistake> {
    let said = value::word(value)?;
    match said.as_str() {
        "poll" => Ok(Idle::Poll),
        "adaptive" => Ok(Idle::Adaptive),
        _other => Err(no_choice(value, &said, "a way to wait for packets", ["poll", "adaptive"])),
    }
}

pub(super) fn rss(value: &Value<'_>) -> Result<Rss, Mistake> {
    let said = value::word(value)?;
    match said.as_str() {
        "device" => Ok(Rss::Device),
        "symmetric" => Ok(Rss::Symmetric),
        _other => Err(no_choice(value, &said, "a way to spread flows over queues", ["device", "symmetric"])),
    }
}

fn no_choice(value: &Value<'_>, said: &str, what: &str, known: [&str; 2]) -> Mistake {
    let help = match closest(said, &known) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write \"{}\" or \"{}\"", known[0], known[1]),
    };
    Mistake::new(value.span(), format!("`{said}` is not {what}"), "here").help(help)
}

/// Who polls each queue of each port with a device: a worker's place in the file. Nothing if no worker names any.
pub(super) fn check_queues(
    workers: &[WorkerDraft],
    drafts: &[PortDraft],
    ports: &Ports<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Vec<Vec<usize>>> {
    if workers.iter().all(|worker| worker.queues.is_empty()) {
        return None;
    }
    let mut once = Once::default();
    let mut polled: Vec<BTreeMap<u16, usize>> = drafts.iter().map(|_port| BTreeMap::new()).collect();
    let mut is_patchy = false;
    for (worker, named) in
        workers.iter().enumerate().flat_map(|(place, worker)| worker.queues.iter().map(move |named| (place, named)))
    {
        let PortQueue { port, queue } = named.get_ref();
        let port = match ports.named(&Spanned::new(named.span(), port.clone())) {
            Ok(Some(port)) => port,
            Ok(None) => {
                is_patchy = true;
                continue;
            }
            Err(mistake) => {
                mistakes.push(mistake);
                is_patchy = true;
                continue;
            }
        };
        if let Some(mistake) = not_there(named, &drafts[port.index()]) {
            mistakes.push(mistake);
        } else if let Err(first) = once.insert(named.get_ref().clone(), named.span()) {
            let message = format!("the receive queue {} is to be polled twice", named.get_ref());
            let mistake = Mistake::new(named.span(), message, "and here").also(first, "here");
            mistakes.push(mistake.help("keep one of them: a queue has one worker"));
        }
        polled[port.index()].insert(*queue, worker);
    }
    if is_patchy {
        return None;
    }
    let mut map = Vec::with_capacity(polled.len());
    for (draft, polled) in drafts.iter().zip(polled).filter(|(draft, _)| draft.vlan.is_none()) {
        let named = polled.last_key_value().map_or(1, |(last, _worker)| last + 1);
        let has = draft.queues.as_ref().map_or(named, |count| *count.get_ref());
        if let (Some(forgotten), Some(name)) = ((0..has).find(|queue| !polled.contains_key(queue)), &draft.name) {
            let message = format!("the receive queue {}:{forgotten} is polled by no worker", name.get_ref());
            mistakes.push(Mistake::new(name.span(), message, "of this port").help(
                "name it in the `queues` of a [[worker]], or let no worker name any: then they are spread over all",
            ));
        }
        map.push(polled.into_values().collect());
    }
    Some(map)
}

/// What is wrong with a queue that the port does not have.
fn not_there(named: &Spanned<PortQueue>, draft: &PortDraft) -> Option<Mistake> {
    let PortQueue { port, queue } = named.get_ref();
    if draft.vlan.is_some() {
        let mistake = Mistake::new(named.span(), format!("`{port}` has no receive queues of its own"), "here");
        return Some(mistake.help("name those of the port that it is on"));
    }
    if *queue >= MAX_QUEUES {
        let message = format!("there is no receive queue {}: a port has {MAX_QUEUES} at most", named.get_ref());
        return Some(Mistake::new(named.span(), message, "here"));
    }
    let count = draft.queues.as_ref().filter(|count| queue >= count.get_ref())?;
    let message = format!("there is no receive queue {}: the port has {}", named.get_ref(), count.get_ref());
    let mistake = Mistake::new(named.span(), message, "here").also(count.span(), "this many");
    Some(mistake.help("they are numbered from 0; give the port more `queues`, or name another"))
}

/// Most receive queues of a port.
const MAX_QUEUES: u16 = 256;

#[cfg(test)]
mod tests {
    use super::super::{Config, Core, Worker};
    use super::*;

    fn read(more: &str) -> Result<Config, String> {
        let port = |name, device, more| format!("[[port]]\nname = \"{name}\"\ndevice = \"net_null{device}\"\n{more}");
        let text = port("left", 0, "queues = 2\n") + &port("right", 1, "") + more;
        Config::parse("ferry.toml", &text).map_err(|error| error.report(false))
    }

    fn workers(one: &str, two: &str) -> String {
        format!("[[worker]]\ncore = 1\nqueues = {one}\n[[worker]]\ncore = 2\nidle = \"adaptive\"\nqueues = {two}\n")
    }

    #[test]
    fn workers_that_name_no_queue_leave_it_to_be_spread() {
        let config = read("[[worker]]\ncore = 1\n").unwrap();
        assert_eq!(config.queue_map(), None);
        assert_eq!(config.ports().iter().map(|port| port.queues).collect::<Vec<_>>(), [Some(2), None]);
        assert_eq!(config.workers(), [Worker { core: Core::Number(1), idle: Idle::Poll }]);
    }

    #[test]
    fn workers_that_name_queues_name_all_of_them_and_that_is_how_many_there_are() {
        let config = read(&workers(r#"["left:0", "right:1"]"#, r#"["left:1", "right:2", "right:0"]"#)).unwrap();
        assert_eq!(config.queue_map(), Some(&[vec![0, 1], vec![1, 0, 1]][..]));
        assert_eq!(config.ports().iter().map(|port| port.queues).collect::<Vec<_>>(), [Some(2), Some(3)]);
        assert_eq!(config.workers()[1].idle, Idle::Adaptive);
    }

    #[test]
    fn a_map_that_cannot_be_says_what_is_wrong_with_it() {
        let vlan = "[[port]]\nname = \"v\"\nparent = \"left\"\nvlan = 7\n";
        for (more, message, help) in [
            (workers(r#"["left:0", "right:0"]"#, "[]"), "the receive queue left:1 is polled by no worker", "spread"),
            (workers(r#"["left:0", "left:1"]"#, "[]"), "the receive queue right:0 is polled by no worker", "spread"),
            (workers(r#"["left:0", "left:1", "right:1"]"#, "[]"), "right:0 is polled by no worker", "`queues`"),
            (workers(r#"["left:0", "left:1"]"#, r#"["left:2", "right:0"]"#), "left:2: the port has 2", "from 0"),
            (workers(r#"["left:0", "left:1"]"#, r#"["left:0", "right:0"]"#), "left:0 is to be polled twice", "one"),
            (workers(r#"["lfet:0"]"#, "[]"), "there is no port named `lfet`", "did you mean `left`?"),
            (workers(r#"["left"]"#, "[]"), "`left` is not a receive queue", "left:0"),
            (workers(r#"["right:256"]"#, "[]"), "right:256: a port has 256 at most", ""),
            (workers(r#"["v:0"]"#, "[]") + vlan, "`v` has no receive queues of its own", "the port that it is on"),
            (
                "[[worker]]\ncore = 1\nidle = \"adaptve\"\n".to_owned(),
                "`adaptve` is not a way to wait",
                "\"adaptive\"?",
            ),
            (vlan.to_owned() + "queues = 2\n", "this port has no key `queues`", ""),
        ] {
            let report = read(&more).unwrap_err();
            assert!(report.contains(message) && report.contains(help), "{more}\n{report}");
        }
        let two = "[[port]]\nname = \"third\"\ndevice = \"net_null2\"\n";
        for (key, message) in [
            ("queues = 0", "expected a number of receive queues from 1 to 256, found 0"),
            ("rss = \"symetric\"", "`symetric` is not a way to spread flows over queues"),
        ] {
            let report = read(&format!("{two}{key}\n")).unwrap_err();
            assert!(report.contains(message), "{report}");
        }
    }
}
