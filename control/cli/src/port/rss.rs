//! `ferry port rss`: what comes in through each receive queue, and how flows are spread over them.

use std::fmt::Write;

use control_api::{PortRss, Reply, Request, Spread};

use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Paint, Table, Tone, count, toned, word};

pub(super) fn run(name: Option<String>, context: &Context) -> Result<(), Failure> {
    let Reply::PortRss(ports) = context.ask(&Request::PortRss { name })? else {
        return Err(Failure::unexpected_answer());
    };
    context.say(&ports, |paint| if ports.is_empty() { "no receive queues\n".to_owned() } else { show(&ports, paint) })
}

fn show(ports: &[PortRss], paint: Paint) -> String {
    let mut table = Table::new(["queue", "core", "packets", "share", ""]);
    for port in ports {
        let all: u64 = port.queues.iter().map(|queue| queue.packets).sum();
        for queue in &port.queues {
            let remark = if queue.starved { toned("starved", Tone::Bad) } else { word("") };
            table.row([
                word(format!("{}:{}", port.ifname, queue.queue)),
                word(queue.core.to_string()),
                count(queue.packets),
                word(share(queue.packets, all)),
                remark,
            ]);
        }
    }
    let mut text = table.render(paint);
    for port in ports {
        let how = match &port.rss {
            Some(rss) => spread(rss, port.queues.len()),
            None if port.queues.len() == 1 => continue,
            None => "its device spreads flows in a way of its own".to_owned(),
        };
        let _memory = write!(text, "\n{}: {how}\n", port.ifname);
    }
    text
}

fn share(packets: u64, all: u64) -> String {
    let thousandths = (u128::from(packets) * 1000 + u128::from(all) / 2).checked_div(u128::from(all));
    thousandths.map_or_else(|| "-".to_owned(), |share| format!("{}.{} %", share / 10, share % 10))
}

/// What is hashed, with what, and how often each queue is in the table.
fn spread(rss: &Spread, queues: usize) -> String {
    let mut text = format!("hashes {}, {} key", rss.hashed.join(", "), rss.key.name());
    if rss.table.is_empty() {
        text.push_str("; its device does not tell the table");
        return text;
    }
    let entries = |queue| rss.table.iter().filter(|entry| usize::from(**entry) == queue).count().to_string();
    let each: Vec<_> = (0..queues).map(entries).collect();
    let _memory = write!(text, "; of {} entries of its table each queue has {}", rss.table.len(), each.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_to_a_tenth_of_a_percent_and_of_nothing_there_is_none() {
        for (packets, all, said) in [(1, 2, "50.0 %"), (1, 3, "33.3 %"), (2, 3, "66.7 %"), (0, 5, "0.0 %"), (0, 0, "-")]
        {
            assert_eq!(share(packets, all), said);
        }
    }
}
