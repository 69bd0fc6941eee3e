//! DPDK's environment: started once, and ended when the last who needs it is gone.
//!
//! # A thread of its own
//!
//! `rte_eal_init` makes the calling thread its own: pins it to a core, gives it a cache in every mempool, and wants the
//! end to come from there too. So the EAL gets a thread of its own, which starts it, sleeps, and ends it. The caller keeps
//! its affinity, and the EAL can be ended from wherever its last holder happens to be dropped.
//!
//! That thread's affinity matters nevertheless: DPDK's interrupt and helper threads inherit it. It is
//! [`EalConfig::cpus`], which should leave out the cores that workers poll on. All of those CPUs together are one lcore;
//! DPDK's own notion of one pinned thread per core is not used, since workers are Rust threads that register.
//!
//! # The end
//!
//! Ports, queues, pools and worker threads each hold the EAL, so whatever order they are dropped in, the EAL goes last.
//! Buffers do not: counting them would cost every packet. Instead, the end counts the buffers at home in their pools. If
//! one is missing, somebody still has it, and the EAL is left standing until the process ends; memory is never unmapped
//! under a buffer. The count is sound because all who could be in the middle of giving a buffer back through a cache,
//! registered threads, hold the EAL and so are gone by then; everybody else's buffer is counted when all is done.

mod devices;

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{env, io};

use dpdk_sys as sys;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use self::devices::{attach_virtual, find_pci};
use crate::device::{Bus, Device};
use crate::log::{self, LogLevel};
use crate::memory::{Memory, MemoryChoice};
use crate::mempool;

/// DPDK, started. Clones share it; when the last of them and of all that was made with it is gone, DPDK ends.
#[derive(Debug, Clone)]
pub struct Eal(Arc<Inner>);

/// How to start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EalConfig {
    /// What kind of memory to take.
    pub memory: MemoryChoice,
    /// How much of it, in MiB.
    pub memory_mib: u32,
    /// The devices to make ports of.
    pub devices: Vec<Device>,
    /// CPUs for DPDK's own threads, which mostly sleep: those no worker polls on. Empty: those the caller may run on.
    pub cpus: Vec<usize>,
    /// How much DPDK shall say, see [`Eal::take_log`].
    pub log_level: LogLevel,
    /// Further arguments of the EAL, for who knows what they do.
    pub extra_arguments: Vec<String>,
}

impl Default for EalConfig {
    fn default() -> Self {
        Self {
            memory: MemoryChoice::Automatic,
            memory_mib: 256,
            devices: Vec::new(),
            cpus: Vec::new(),
            log_level: LogLevel::Error,
            extra_arguments: Vec::new(),
        }
    }
}

impl Eal {
    /// Starts DPDK and brings up the configured devices. Possible once per process, even if it fails.
    ///
    /// # Errors
    ///
    /// [`EalError`], which says what was wanted, what was found and what to do.
    pub fn start(config: &EalConfig) -> Result<Self, EalError> {
        let memory = Memory::choose(config.memory, config.memory_mib)?;
        check_runtime_directory()?;
        let arguments = arguments(config, memory)?;
        if STARTED.swap(true, Ordering::Relaxed) {
            return Err(EalError::AlreadyStarted);
        }
        log::capture(config.log_level).map_err(EalError::NoLog)?;
        let thread = EalThread::start(config.cpus.clone(), arguments, memory)?;
        let eal = Self(Arc::new(Inner { memory, thread, pools: Mutex::default(), claimed_ports: Mutex::default() }));
        if !has_plug_ins() {
            return Err(EalError::NoPlugIns);
        }
        for device in &config.devices {
            eal.bring_up(device)?;
        }
        Ok(eal)
    }

    /// What memory it runs on, in a form to tell the operator.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.0.memory
    }

    /// The ports there are: one for each device, until it is closed.
    #[must_use]
    pub fn ports(&self) -> Vec<PortInfo> {
        let _unchanged = self.port_table();
        list_ports()
    }

    /// Attaches a virtual device to the running EAL. It becomes a port of its name.
    ///
    /// # Errors
    ///
    /// There is one of that name; it is a PCI card; or its driver refuses it.
    pub fn attach(&self, device: &Device) -> Result<(), EalError> {
        if device.is_pci() {
            return Err(EalError::PciAfterStart { device: device.to_string() });
        }
        self.bring_up(device)
    }

    /// Takes what DPDK has logged and nobody has read, line by line.
    #[must_use]
    pub fn take_log(&self) -> Vec<String> {
        log::take()
    }

    fn bring_up(&self, device: &Device) -> Result<(), EalError> {
        let _unchanged = self.port_table();
        match device.bus() {
            Bus::Virtual => attach_virtual(device),
            Bus::Pci => find_pci(device),
        }
    }

    /// Notes a pool, whose buffers must be home before the end.
    pub(crate) fn remember(&self, pool: NonNull<sys::rte_mempool>, buffers: u32) {
        lock(&self.0.pools).push(Pool { raw: pool, buffers });
    }

    /// Locks DPDK's table of ports, which it does not do itself: while this is held, none is attached, claimed or
    /// closed. In it are the ports somebody has claimed.
    pub(crate) fn port_table(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        lock(&self.0.claimed_ports)
    }
}

/// One port DPDK has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    /// DPDK's number for it.
    pub id: u16,
    /// The name of its device: `0000:03:00.0`, `net_ring0`.
    pub name: String,
    /// The driver that runs it.
    pub driver: String,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// The NUMA node it is on; nothing on a machine with one, or for a device that is nowhere.
    pub node: Option<u32>,
    /// Most receive queues it can have.
    pub rx_queues: u16,
    /// Most transmit queues it can have.
    pub tx_queues: u16,
}

impl PortInfo {
    fn of(id: u16) -> Option<Self> {
        let mut name = [0; sys::RTE_ETH_NAME_MAX_LEN as usize];
        // SAFETY: the buffer has the size DPDK asks for.
        if unsafe { sys::rte_eth_dev_get_name_by_port(id, name.as_mut_ptr()) } != 0 {
            return None;
        }
        let info = device_info(id)?;
        // SAFETY: DPDK has ended the name with a NUL.
        let name = unsafe { string(name.as_ptr()) };
        // SAFETY: the driver's name is a constant in the driver.
        let driver = unsafe { string(info.driver_name) };
        // SAFETY: the port exists.
        let node = u32::try_from(unsafe { sys::rte_eth_dev_socket_id(id) }).ok();
        let (rx_queues, tx_queues) = (info.max_rx_queues, info.max_tx_queues);
        Some(Self { id, name, driver, mac: mac(id), node, rx_queues, tx_queues })
    }
}

/// Why DPDK did not start, or would not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EalError {
    /// Once per process.
    #[error("DPDK has been started in this process before; it can be started only once")]
    AlreadyStarted,
    /// Huge pages were asked for outright.
    #[error(
        "{wanted_mib} MiB of huge pages are wanted and {free_mib} MiB are free; \
         reserve some (sysctl vm.nr_hugepages), ask for less, or allow ordinary pages"
    )]
    TooFewHugePages {
        /// Asked for.
        wanted_mib: u32,
        /// Free.
        free_mib: u64,
    },
    /// Huge pages were asked for outright, and DPDK could not use them.
    #[error(
        "huge pages are wanted, and this process may not ask on which NUMA node they are (get_mempolicy, mbind); give it \
         CAP_SYS_NICE (in a container: --cap-add SYS_NICE), or allow ordinary pages"
    )]
    HugePagesUnplaced,
    /// The place for DPDK's own files cannot be used.
    #[error("XDG_RUNTIME_DIR is `{}`, which is no directory; DPDK wants one, or the variable unset", .0.display())]
    NoRuntimeDirectory(PathBuf),
    /// An argument with a NUL in it.
    #[error("argument {0:?} has a NUL in it")]
    Argument(String),
    /// The pipe for DPDK's log.
    #[error("no pipe for DPDK's log")]
    NoLog(#[source] io::Error),
    /// The thread for DPDK.
    #[error("no thread for DPDK")]
    NoThread(#[source] io::Error),
    /// The configured CPUs are not ours.
    #[error("DPDK's threads cannot run on CPUs {cpus:?}; this process may use {allowed:?}")]
    Cpus {
        /// Asked for.
        cpus: Vec<usize>,
        /// What the process may use.
        allowed: Vec<usize>,
    },
    /// The start itself failed.
    #[error("DPDK does not start: {reason}{}{hint}", said(.log))]
    Start {
        /// DPDK's error number, in words.
        reason: String,
        /// What DPDK said.
        log: Vec<String>,
        /// What to do about it, if we know; starts with a separator.
        hint: String,
    },
    /// DPDK runs, but without its drivers.
    #[error(
        "DPDK found none of its plug-ins, and so has no driver; \
         install them (Debian, Ubuntu: apt install librte-meta-all)"
    )]
    NoPlugIns,
    /// No driver by the name a virtual device starts with.
    #[error("DPDK has no driver for `{device}`; its name should be that of a driver and a number, as in `net_null0`")]
    NoDriver {
        /// The device.
        device: String,
    },
    /// A device that is there already.
    #[error("device `{name}` is named twice")]
    DeviceTwice {
        /// Its name.
        name: String,
    },
    /// A card can be named only at the start.
    #[error("`{device}` is a PCI card, which has to be configured before DPDK starts")]
    PciAfterStart {
        /// The device.
        device: String,
    },
    /// A driver refused its device.
    #[error("device `{device}` does not come up{hint}{}", said(.log))]
    Device {
        /// The device.
        device: String,
        /// What we can tell of the reason; starts with a separator.
        hint: String,
        /// What DPDK said.
        log: Vec<String>,
    },
    /// This thread is a worker thread already.
    #[error("this thread is registered with DPDK already")]
    ThreadRegisteredTwice,
    /// DPDK's limit on threads.
    #[error("DPDK takes no further thread, it has room for {most}: {reason}")]
    TooManyThreads {
        /// How many it can know.
        most: u32,
        /// DPDK's reason.
        reason: String,
    },
}

/// DPDK's version, in its own words: `DPDK 22.11.11`.
#[must_use]
pub fn version() -> String {
    // SAFETY: needs no EAL.
    let text = unsafe { sys::rte_version() };
    // SAFETY: a C string that is never freed.
    unsafe { string(text) }
}

#[derive(Debug)]
struct Inner {
    memory: Memory,
    thread: EalThread,
    pools: Mutex<Vec<Pool>>,
    claimed_ports: Mutex<BTreeSet<u16>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let all_home = lock(&self.pools).iter().all(|pool| mempool::available(pool.raw) == pool.buffers);
        self.thread.end(if all_home { Ending::CleanUp } else { Ending::LeaveStanding });
    }
}

#[derive(Debug)]
struct Pool {
    raw: NonNull<sys::rte_mempool>,
    buffers: u32,
}

// SAFETY: the pointer is only used to count, which DPDK allows from any thread.
unsafe impl Send for Pool {}

/// The thread that started DPDK and will end it.
#[derive(Debug)]
struct EalThread {
    ending: Sender<Ending>,
    handle: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    CleanUp,
    /// Somebody still has a buffer: its memory stays, and with it all of DPDK.
    LeaveStanding,
}

impl EalThread {
    fn start(cpus: Vec<usize>, arguments: Vec<CString>, memory: Memory) -> Result<Self, EalError> {
        let (ending, ended) = mpsc::channel();
        let (report, started) = mpsc::channel();
        let life = move || {
            let outcome = run_on(&cpus).and_then(|cpus| initialise(arguments, &cpus, memory));
            let runs = outcome.is_ok();
            if report.send(outcome).is_ok() && runs && ended.recv() == Ok(Ending::CleanUp) {
                // SAFETY: DPDK was initialised by this thread, and nobody else is left to use it, see `Inner::drop`.
                unsafe { sys::rte_eal_cleanup() };
            }
        };
        let thread = thread::Builder::new().name("dpdk".into()).stack_size(STACK_BYTES).spawn(life);
        let handle = thread.map_err(EalError::NoThread)?;
        started.recv().expect("the thread reports before it does anything else")?;
        Ok(Self { ending, handle: Some(handle) })
    }

    fn end(&mut self, ending: Ending) {
        if let Some(handle) = self.handle.take() {
            let _ = self.ending.send(ending);
            // It does not panic, and if it did there would be nothing left to do.
            let _ = handle.join();
        }
    }
}

/// Moves the calling thread to `cpus`, if there are any, and returns those it may now run on.
fn run_on(cpus: &[usize]) -> Result<Vec<usize>, EalError> {
    let mut wanted = CpuSet::new();
    cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| wanted.set(*cpu));
    let moved = cpus.is_empty() || sched_setaffinity(None, &wanted).is_ok();
    let allowed = sched_getaffinity(None).map_or_else(|_| Vec::new(), |set| members(&set));
    if moved { Ok(allowed) } else { Err(EalError::Cpus { cpus: cpus.to_vec(), allowed }) }
}

fn members(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

/// Everything but the CPUs, which are known only to the EAL's thread.
fn arguments(config: &EalConfig, memory: Memory) -> Result<Vec<CString>, EalError> {
    let mut arguments = vec!["ferry".to_owned(), "--no-telemetry".to_owned()];
    arguments.extend(memory.arguments());
    arguments.extend(config.log_level.arguments());
    let mut cards = config.devices.iter().filter(|device| device.is_pci()).peekable();
    if cards.peek().is_none() {
        // Else the EAL would take hold of every card it has a driver for.
        arguments.push("--no-pci".to_owned());
    }
    arguments.extend(cards.flat_map(|card| ["-a".to_owned(), card.to_string()]));
    arguments.extend(config.extra_arguments.iter().cloned());
    arguments.into_iter().map(|text| CString::new(text.clone()).map_err(|_| EalError::Argument(text))).collect()
}

/// Calls `rte_eal_init`.
fn initialise(mut arguments: Vec<CString>, cpus: &[usize], memory: Memory) -> Result<(), EalError> {
    // After the name of the program, so that extra arguments may say otherwise.
    arguments.insert(1, c_string(&format!("--lcores=0@({})", list_of_lcores(cpus))));
    // Some of its parts keep pointers into their arguments, so these are never freed.
    let mut argv: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
    let argc = c_int::try_from(argv.len()).expect("a command line has fewer than two thousand million arguments");
    argv.push(std::ptr::null_mut());
    let argv = argv.leak();
    let (result, log) = log::during(|| {
        // SAFETY: `argv` is `argc` C strings and a null, all of which live forever; `STARTED` has let us pass, so it is
        // the first call in this process.
        unsafe { sys::rte_eal_init(argc, argv.as_mut_ptr()) }
    });
    if result >= 0 {
        log::keep(log);
        return Ok(());
    }
    // SAFETY: reads a variable of this thread.
    let number = unsafe { sys::ferry_errno() };
    Err(EalError::Start { reason: error_text(number), log, hint: start_hint(memory) })
}

/// DPDK numbers CPUs only so far.
fn list_of_lcores(cpus: &[usize]) -> String {
    let mut list = String::new();
    for cpu in cpus.iter().filter(|cpu| **cpu < sys::RTE_MAX_LCORE as usize) {
        let comma = if list.is_empty() { "" } else { "," };
        write!(list, "{comma}{cpu}").expect("a String takes everything");
    }
    list
}

/// What commonly is the matter, once the start has failed.
fn start_hint(memory: Memory) -> String {
    match (memory, Memory::choose(MemoryChoice::Automatic, 0)) {
        (Memory::HugePages { mib, .. }, Ok(Memory::HugePages { free_mib, .. })) if free_mib < u64::from(mib) => {
            format!("; of the huge pages, {free_mib} MiB are free now and {mib} MiB were wanted")
        }
        _ if !is_root() => "; it may need to run as root".to_owned(),
        _ => String::new(),
    }
}

/// Unless root, the EAL keeps a directory below `XDG_RUNTIME_DIR`, and fails obscurely if that is set to none.
fn check_runtime_directory() -> Result<(), EalError> {
    match env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(path) if !is_root() && !path.is_dir() => Err(EalError::NoRuntimeDirectory(path)),
        _ => Ok(()),
    }
}

/// Whether DPDK found its plug-ins: the bus of virtual devices is one of them, and so is what mempools are made with.
fn has_plug_ins() -> bool {
    // SAFETY: looks up a list of buses that is complete once the EAL is initialised.
    !unsafe { sys::rte_bus_find_by_name(c"vdev".as_ptr()) }.is_null()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What DPDK said, to end an error's message with.
pub(crate) fn said(log: &[String]) -> String {
    if log.is_empty() { String::new() } else { format!(" (DPDK said: {})", log.join("; ")) }
}

/// The ports there are; the caller holds the table.
pub(crate) fn list_ports() -> Vec<PortInfo> {
    port_ids().filter_map(PortInfo::of).collect()
}

/// The numbers of the ports there are.
fn port_ids() -> impl Iterator<Item = u16> {
    let next = |from: u16| {
        // SAFETY: walks DPDK's table of ports, which is there once the EAL is initialised.
        let id = unsafe { sys::rte_eth_find_next_owned_by(from, NO_OWNER) };
        u16::try_from(id).ok().filter(|id| u32::from(*id) < sys::RTE_MAX_ETHPORTS)
    };
    std::iter::successors(next(0), move |id| next(id + 1))
}

/// The number of the port named `name`.
pub(crate) fn port_id(name: &str) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let mut id = 0;
    // SAFETY: a C string, and room for the answer.
    let result = unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut id) };
    (result == 0).then_some(id)
}

/// What the driver tells of port `id`.
pub(crate) fn device_info(id: u16) -> Option<sys::rte_eth_dev_info> {
    let mut info = sys::rte_eth_dev_info::default();
    // SAFETY: room for the answer.
    let result = unsafe { sys::rte_eth_dev_info_get(id, &raw mut info) };
    (result == 0).then_some(info)
}

/// The MAC address of port `id`; zeros if it has none.
pub(crate) fn mac(id: u16) -> [u8; 6] {
    let mut address = sys::rte_ether_addr::default();
    // SAFETY: room for the answer, which on failure stays zero.
    unsafe { sys::rte_eth_macaddr_get(id, &raw mut address) };
    address.addr_bytes
}

/// The error number `number`, in words.
pub(crate) fn error_text(number: c_int) -> String {
    // SAFETY: takes any number.
    let text = unsafe { sys::rte_strerror(number) };
    // SAFETY: a C string, which this thread's next call may overwrite; it is copied at once.
    unsafe { string(text) }
}

/// What the call that just failed on this thread left as its reason.
pub(crate) fn last_error() -> String {
    // SAFETY: reads a variable of this thread.
    error_text(unsafe { sys::ferry_errno() })
}

/// A C string of text that came from a [`Device`] or from us.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).expect("a device's name and arguments have no control characters")
}

/// Copies a C string; a null pointer is empty. `text` must be one of the two.
pub(crate) unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller promises a C string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Locks. What a panic left behind a lock here is whole: each critical section is one operation.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One start per process, says DPDK; after its end, too.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Ports nobody has claimed inside DPDK.
const NO_OWNER: u64 = 0;

/// As much as a main thread would have: drivers were written for one.
const STACK_BYTES: usize = 8 << 20;
