//! How fast a daemon's full table comes from the socket into the tables of workers, again when it is told anew, and from the
//! file that keeps it: `cargo bench -p control --bench resync`.
//!
//! The stream is `shared/data/fpm/bgp_full_resync.fpm.zst` beside the workspace: all that zebra told after it had connected
//! anew, a million routes. It prints figures and judges nothing.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boundary::{ForwardingState, Mtu, Policy, PortId, PortState, RingSizes, WorkerLink, connect};
use control::fpm::{Keeper, Listener, Piece, Said, Settings, read};
use control::server::Asked;
use control::thread::ControlThread;
use control::{Asker, Control, Hardware, HardwareStatus, PortInfo, Setup, Timestamp};
use control_api::{Fpm, Link, Reply, Request};
use crossbeam::channel::Sender;
use packet::ethernet::MacAddr;
use tokio::sync::oneshot;

const STREAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/fpm/bgp_full_resync.fpm.zst");

fn main() {
    let unpacked = Command::new("zstd").args(["-dqc", STREAM]).output();
    let Some(stream) = unpacked.ok().filter(|output| output.status.success()).map(|output| output.stdout) else {
        return println!("skipped: it takes zstd, and {STREAM}");
    };
    let begun = Instant::now();
    let mut said = Vec::new();
    read(&stream, &mut said, usize::MAX).expect("zebra sent it");
    let decoded = begun.elapsed();
    let routes = said.iter().filter(|said| matches!(said, Said::Route(_))).count() as u64;
    drop(said);
    report("read", routes, decoded);

    let (listener, feed) = Listener::start(([127, 0, 0, 1], 0).into(), None).expect("any port will do");
    let (asked, requests) = crossbeam::channel::bounded(8);
    let (mut control, links) = router();
    control.listen_to_daemon(feed);
    let thread = ControlThread::spawn(control, links, requests, Instant::now(), ()).expect("there is a thread");
    for (session, what) in (1..).zip(["first told", "told again"]) {
        let mut zebra = TcpStream::connect(listener.address()).expect("it listens");
        let begun = Instant::now();
        zebra.write_all(&stream).expect("it is read");
        while fpm(&asked).counts["routes"] < session * routes {
            std::thread::sleep(Duration::from_millis(1));
        }
        report(what, routes, begun.elapsed());
    }
    let shown = fpm(&asked);
    println!(
        "{} networks; {:?}",
        shown.routes,
        shown.counts.iter().filter(|(_, count)| **count > 0).collect::<Vec<_>>()
    );
    let mut stopped = thread.stop().expect("it has not panicked");

    let (pieces, file) = crossbeam::channel::unbounded();
    stopped.keep_daemon_s_routes(Keeper { pieces, failed: Arc::default() });
    let begun = Instant::now();
    stopped.save_daemon_s_routes();
    let saved = begun.elapsed();
    let file: String =
        file.iter().map(|(Piece::First(lines) | Piece::More(lines) | Piece::Last(lines))| lines).collect();
    let networks = shown.routes as u64;
    report("saved", networks, saved);
    println!("{} MiB", file.len() >> 20);
    drop(stopped);
    let (mut started, _links) = router();
    let begun = Instant::now();
    started.restore_daemon_s_routes(&file, Timestamp::ZERO).expect("it is whole");
    report("read back", networks, begun.elapsed());
    let begun = Instant::now();
    started.publish();
    report("published", networks, begun.elapsed());
}

/// A router that listens to a daemon.
fn router() -> (Control, Vec<WorkerLink>) {
    let (publisher, links, _counters, _ends) =
        connect(ForwardingState::without_routes((0..3).map(state)), 1, RingSizes { slots: 1, frame_len: 64 });
    let setup = Setup {
        ports: (0..3).map(port).collect(),
        fpm: Some(Settings { interfaces: (2..).zip((0..3).map(PortId)).collect(), ..Settings::default() }),
        ..Setup::default()
    };
    (Control::new(setup, publisher, Vec::new(), Box::new(NoHardware), Timestamp::ZERO), links)
}

fn report(what: &str, routes: u64, time: Duration) {
    println!(
        "{what:>11}: {routes} routes in {:.2} s, {:.0} routes/s",
        time.as_secs_f64(),
        routes as f64 / time.as_secs_f64()
    );
}

fn fpm(asked: &Sender<Asked>) -> Fpm {
    let (reply, mut answer) = oneshot::channel();
    asked.send(Asked { request: Request::FpmShow, asker: Asker::ferryd(), reply }).expect("it runs");
    loop {
        match answer.try_recv() {
            Ok(Ok(Reply::Fpm(fpm))) => return fpm,
            Ok(other) => panic!("{other:?}"),
            Err(_not_yet) => std::thread::sleep(Duration::from_micros(100)),
        }
    }
}

fn state(number: u16) -> PortState {
    let [.., low] = number.to_be_bytes();
    let mac = MacAddr([2, 0, 0, 0, 0, low + 1]);
    PortState {
        mac,
        mtu: Mtu::new(1500).expect("it is one"),
        link_local: mac.link_local(),
        promiscuous: false,
        vlan: None,
        policy: Policy::default(),
        tap: false,
    }
}

fn port(number: u16) -> PortInfo {
    let v6 = if number == 0 { "2001:db8::1/64".to_owned() } else { format!("2001:db8:{number}::1/64") };
    let addresses = [format!("10.0.{number}.1/24"), v6].map(|text| text.parse().expect("it is an address"));
    PortInfo {
        name: format!("rv{number}"),
        device: format!("mem_{number}"),
        addresses: addresses.into(),
        state: state(number),
        directed_broadcast: false,
    }
}

struct NoHardware;

impl Hardware for NoHardware {
    fn status(&self, _port: PortId) -> HardwareStatus {
        HardwareStatus { link: Link::Up, driver: "memory".to_owned(), counters: None }
    }
}
