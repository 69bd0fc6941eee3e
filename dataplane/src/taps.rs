//! Interfaces of the kernel for ports with `tap = true`, by way of `/dev/net/tun`.
//!
//! A frame to the kernel is written at once by the control thread; what the kernel sends is read by a thread of its own,
//! which waits for all interfaces together and hands frames over a bounded channel. While that is full the thread waits, and
//! the kernel holds as many frames as the interface's queue, and then drops. The interfaces are gone when ferryd is.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use boundary::{Mtu, PortId, PortState};
use control::Kernel;
use control::config::{Config, Port, Tap};
use control_api::{InterfaceAddress, Network};
use crossbeam::channel::{Receiver, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tracing::{error, info};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// The interfaces. Dropping this ends the thread that reads from them.
#[derive(Debug)]
pub(crate) struct Taps {
    /// By [`PortId`].
    interfaces: Vec<Option<Interface>>,
    sent: Receiver<(PortId, Vec<u8>)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Interface {
    tap: Tap,
    device: Arc<SyncDevice>,
    /// The kernel's number of it, in its namespace.
    number: u32,
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interface").field("tap", &self.tap).finish_non_exhaustive()
    }
}

/// Why a port has no interface.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapError {
    #[error("the network namespace `{name}` (/run/netns/{name}) cannot be entered")]
    Namespace {
        name: String,
        #[source]
        error: io::Error,
    },
    #[error("the kernel makes no interface `{name}`")]
    Make {
        name: String,
        #[source]
        error: io::Error,
    },
    #[error("the kernel's interface `{name}` cannot have {what}")]
    Set {
        name: String,
        what: String,
        #[source]
        error: io::Error,
    },
    #[error("no thread for the kernel's interfaces")]
    Thread(#[source] io::Error),
}

impl TapError {
    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::Namespace { name, error } => match error.kind() {
                io::ErrorKind::PermissionDenied => "that takes CAP_SYS_ADMIN".to_owned(),
                _not_there => format!("make it: ip netns add {name}"),
            },
            Self::Make { .. } => {
                "it takes /dev/net/tun, CAP_NET_ADMIN, and a name that no interface there has: tap = \"NAME\""
                    .to_owned()
            }
            Self::Set { .. } | Self::Thread(_) => "leave `tap` out, and ferry answers for itself".to_owned(),
        }
    }
}

impl Taps {
    /// Makes the interfaces that the configuration asks for; `None` when it asks for none.
    pub(crate) fn start(config: &Config, states: &[PortState]) -> Result<Option<Self>, (String, TapError)> {
        if config.ports().iter().all(|port| port.tap.is_none()) {
            return Ok(None);
        }
        let make = |(port, state): (&Port, &PortState)| match &port.tap {
            None => Ok(None),
            Some(tap) => {
                let (device, number) = make(tap, port, state).map_err(|error| (port.name.clone(), error))?;
                info!("port {}: interface {} of the kernel", port.name, Shown(tap));
                Ok(Some(Interface { tap: tap.clone(), device: Arc::new(device), number }))
            }
        };
        let interfaces: Vec<_> = config.ports().iter().zip(states).map(make).collect::<Result<_, _>>()?;
        let devices = (0..).map(PortId).zip(&interfaces);
        let devices: Vec<_> =
            devices.filter_map(|(port, interface)| Some((port, Arc::clone(&interface.as_ref()?.device)))).collect();
        let (found, sent) = crossbeam::channel::bounded(FRAMES);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let read = move || read(&devices, &found, &stopped);
        let thread = std::thread::Builder::new().name("taps".to_owned()).spawn(read);
        let thread = thread.map_err(|error| (String::new(), TapError::Thread(error)))?;
        Ok(Some(Self { interfaces, sent, stop, thread: Some(thread) }))
    }
}

impl Kernel for Taps {
    fn give(&mut self, port: PortId, frame: &[u8]) -> bool {
        let interface = self.interfaces.get(port.index()).and_then(Option::as_ref);
        interface.is_some_and(|interface| interface.device.send(frame).is_ok())
    }

    fn take(&mut self, frame: &mut Vec<u8>) -> Option<PortId> {
        let (port, sent) = self.sent.try_recv().ok()?;
        *frame = sent;
        Some(port)
    }

    fn number(&self, port: PortId) -> Option<u32> {
        Some(self.interfaces.get(port.index())?.as_ref()?.number)
    }

    fn interface(&self, port: PortId) -> Option<(&str, Option<&str>)> {
        let tap = &self.interfaces.get(port.index())?.as_ref()?.tap;
        Some((&tap.ifname, tap.netns.as_deref()))
    }

    fn set_address(&mut self, port: PortId, own: InterfaceAddress, is_there: bool) -> Result<(), String> {
        let change = |device: &SyncDevice| if is_there { add(device, own) } else { remove(device, own) };
        self.set(port, change)
    }

    fn set_mtu(&mut self, port: PortId, mtu: Mtu) -> Result<(), String> {
        self.set(port, |device| device.set_mtu(mtu.bytes()))
    }
}

impl Taps {
    /// Changes the interface of a port, in its namespace, if it has one.
    fn set(&self, port: PortId, change: impl FnOnce(&SyncDevice) -> io::Result<()> + Send) -> Result<(), String> {
        let Some(Some(Interface { tap, device, .. })) = self.interfaces.get(port.index()) else { return Ok(()) };
        let changed = inside(tap.netns.as_deref(), || Ok(change(device))).map_err(|error| error.to_string())?;
        changed.map_err(|error| error.to_string())
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        // Relaxed: nothing is handed over by it.
        self.stop.store(true, Ordering::Relaxed);
        // Nobody takes what it may be waiting to hand over, and without anybody to do so it ends.
        self.sent = crossbeam::channel::never();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread of the kernel's interfaces has panicked");
        }
    }
}

/// Makes an interface, in its namespace.
fn make(tap: &Tap, port: &Port, state: &PortState) -> Result<(SyncDevice, u32), TapError> {
    inside(tap.netns.as_deref(), || set_up(tap, port, state))
}

/// Does something in a namespace. A thread enters that and ends there: nobody else is moved.
fn inside<T: Send>(netns: Option<&str>, work: impl FnOnce() -> Result<T, TapError> + Send) -> Result<T, TapError> {
    let Some(netns) = netns else { return work() };
    let enter = || {
        let namespace = File::open(Path::new("/run/netns").join(netns))?;
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Network))?;
        Ok(())
    };
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            enter().map_err(|error| TapError::Namespace { name: netns.to_owned(), error })?;
            work()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// An interface with the port's station, addresses and MTU, up.
fn set_up(tap: &Tap, port: &Port, state: &PortState) -> Result<(SyncDevice, u32), TapError> {
    let name = &tap.ifname;
    let builder = DeviceBuilder::new().name(name).layer(Layer::L2).packet_information(false).enable(false);
    let device = builder.build_sync().map_err(|error| TapError::Make { name: name.clone(), error })?;
    let set = |what: &str, done: io::Result<()>| {
        done.map_err(|error| TapError::Set { name: name.clone(), what: what.to_owned(), error })
    };
    set("the port's MAC address", device.set_mac_address(state.mac.0))?;
    set("the port's MTU", device.set_mtu(state.mtu.bytes()))?;
    // Ferry says whether an address is taken, and who is a router: the kernel is not to find out for itself.
    for (setting, value) in [("accept_dad", "0"), ("accept_ra", "0"), ("autoconf", "0"), ("router_solicitations", "0")]
    {
        let path = Path::new("/proc/sys/net/ipv6/conf").join(name).join(setting);
        // Without IPv6 in the kernel there is nothing to be said.
        if path.exists() {
            set(setting, fs::write(path, value))?;
        }
    }
    set("to be up", device.enabled(true))?;
    for own in &port.addresses {
        set(&own.to_string(), add(&device, *own))?;
    }
    set("to be read without waiting", device.set_nonblocking(true))?;
    let failed = |error| TapError::Set { name: name.clone(), what: "a number".to_owned(), error };
    let number = device.if_index().map_err(failed)?;
    Ok((device, number))
}

fn add(device: &SyncDevice, own: InterfaceAddress) -> io::Result<()> {
    match (own.address(), own.network()) {
        (std::net::IpAddr::V4(address), Network::V4(_)) => device.add_address_v4(address, own.len()),
        (std::net::IpAddr::V6(address), Network::V6(_)) => device.add_address_v6(address, own.len()),
        _mixed => unreachable!("an address and its network are of one family"),
    }
}

fn remove(device: &SyncDevice, own: InterfaceAddress) -> io::Result<()> {
    match own.address() {
        std::net::IpAddr::V4(_) => device.remove_address(own.address()),
        std::net::IpAddr::V6(address) => device.remove_address_v6(address, own.len()),
    }
}

/// Reads what the kernel sends, until told to stop.
fn read(devices: &[(PortId, Arc<SyncDevice>)], found: &Sender<(PortId, Vec<u8>)>, stop: &AtomicBool) {
    let mut buffer = vec![0; LONGEST_FRAME];
    while !stop.load(Ordering::Relaxed) {
        let mut waiting: Vec<_> = devices
            .iter()
            .map(|(_, device)| PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(device.as_ref()), PollFlags::IN))
            .collect();
        if let Err(error) = poll(&mut waiting, Some(&LOOK_UP)) {
            if error == rustix::io::Errno::INTR {
                continue;
            }
            return error!("the kernel's interfaces cannot be read any more: {error}");
        }
        let ready: Vec<bool> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(waiting);
        for ((port, device), _) in devices.iter().zip(ready).filter(|(_, ready)| *ready) {
            for _frame in 0..FRAMES_A_ROUND {
                let Ok(len) = device.recv(&mut buffer) else { break };
                if found.send((*port, buffer[..len].to_vec())).is_err() {
                    return;
                }
            }
        }
    }
}

/// An interface as people know it.
struct Shown<'a>(&'a Tap);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.ifname)?;
        self.0.netns.as_ref().map_or(Ok(()), |netns| write!(f, " in namespace {netns}"))
    }
}

/// Frames that wait for the control thread.
const FRAMES: usize = 1024;

/// So many frames of one interface, before the others are looked at again.
const FRAMES_A_ROUND: usize = 64;

/// The largest MTU, and an Ethernet header.
const LONGEST_FRAME: usize = Mtu::MAX as usize + 14;

/// How soon the thread sees that it is to stop.
const LOOK_UP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_enter_a_namespace_is_not_told_to_make_it() {
        let refused = |error: io::ErrorKind| TapError::Namespace { name: "bgp".to_owned(), error: error.into() }.help();
        assert_eq!(refused(io::ErrorKind::NotFound), "make it: ip netns add bgp");
        assert_eq!(refused(io::ErrorKind::PermissionDenied), "that takes CAP_SYS_ADMIN");
    }
}
