//! Whose core is whose on the machine that measures.
//!
//! What is measured polls on a core of its own and loses packets when that is taken from it for longer than a ring lasts,
//! a millisecond at a million packets a second. The kernel's time slices are longer. So no thread of this program runs there
//! ([`keep_off`]), and nobody else who may run elsewhere, as far as this program may move them and unless it is told not to
//! ([`Cleared`]). Threads that are bound to the core stay, such as `kworker/0:1`, and so do its interrupts and what the
//! hypervisor does.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this program may run on and `core` is not.
pub(crate) fn all_but(core: usize) -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_else(|_error| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|other| *other != core && allowed.is_set(*other)).collect()
}

/// Moves the calling thread off `core`, and with it every thread that it starts from now on; nothing if there is no other.
pub(crate) fn keep_off(core: usize) {
    move_off(None, core);
}

/// Moves a thread that may run elsewhere; where it might run before.
fn move_off(thread: Option<Pid>, core: usize) -> Option<CpuSet> {
    let before = sched_getaffinity(thread).ok()?;
    let mut after = before;
    after.unset(core);
    (before.is_set(core) && after.count() > 0 && sched_setaffinity(thread, &after).is_ok()).then_some(before)
}

/// A core that everybody who can run elsewhere was moved away from, until this is dropped.
///
/// A process of its own does it, and undoes it when its input ends: however this program ends, the others come back.
#[derive(Debug)]
pub(crate) struct Cleared(Child);

impl Cleared {
    /// Clears `core` as far as it may. Those who are to have it must be there, and pinned, before. The process says on standard
    /// error why it cannot, if that `is_asked_for`.
    fn of(core: usize, is_asked_for: bool) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let mut command = Command::new(this);
        // A group of its own, so that the interrupt of a terminal does not end it first.
        command.args(["clear-core", &core.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        if !is_asked_for {
            command.stderr(Stdio::null());
        }
        let mut child = command.spawn().map_err(|error| format!("core {core} cannot be cleared: {error}"))?;
        let mut said = [0; 1];
        let told = child.stdout.take().map(|mut out| out.read_exact(&mut said));
        match told {
            Some(Ok(())) => Ok(Self(child)),
            Some(Err(_)) | None => Err(format!("core {core} cannot be cleared; that takes root")),
        }
    }
}

/// Whether a core is cleared, as an option of what measures there.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Clearing {
    /// Keeps everybody who may run elsewhere off the worker's core meanwhile, as far as this program may: what others do
    /// there the worker loses packets for. By default it is so if this program starts the worker; it is undone whatever way
    /// the program ends.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    clear_core: Option<bool>,
}

impl Clearing {
    /// Clears `core` if it is to be, `by_default` where nothing is said. Only who has asked for it is refused without.
    pub(crate) fn of(self, core: usize, by_default: bool) -> Result<Option<Cleared>, String> {
        if !self.clear_core.unwrap_or(by_default) {
            return Ok(None);
        }
        match Cleared::of(core, self.clear_core.is_some()) {
            Err(error) if self.clear_core.is_none() => {
                eprintln!("note: {error}; others may take it");
                Ok(None)
            }
            cleared => cleared.map(Some),
        }
    }
}

impl Drop for Cleared {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _already_gone = self.0.wait();
    }
}

/// Options of the hidden `ferry-bench clear-core`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The core.
    core: usize,
}

/// Clears the core, says so with a byte, and undoes it when standard input ends.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let core = options.core;
    let ours = sched_getaffinity(None).map_err(|error| format!("no cores to run on: {error}"))?;
    let workqueues = fs::read_to_string(WORKQUEUES).ok();
    let mut there = HashMap::new();
    // Twice, for those that were started by one that was not moved yet.
    for _round in 0..2 {
        for thread in threads().filter(|thread| !there.contains_key(thread)).collect::<Vec<_>>() {
            there.insert(thread, move_off(Some(thread), core));
        }
    }
    if there.values().all(Option::is_none) {
        return Err("nobody could be moved".to_owned());
    }
    if let Some(masked) = workqueues.as_deref().and_then(|mask| without(mask, core)) {
        // A kernel that lets nobody do this keeps its workers where they are.
        let _kept = fs::write(WORKQUEUES, masked);
    }
    println!();
    let _until_it_ends = io::stdin().read(&mut [0; 1]);
    for thread in threads() {
        // Who was started meanwhile has inherited where it may run.
        if let Some(before) = there.get(&thread).copied().unwrap_or(Some(ours)) {
            move_back(thread, before, core);
        }
    }
    if let Some(mask) = workqueues {
        let _kept = fs::write(WORKQUEUES, mask);
    }
    Ok(())
}

/// Lets a thread run where it might before, unless it has moved on since.
fn move_back(thread: Pid, before: CpuSet, core: usize) {
    let mut moved = before;
    moved.unset(core);
    if sched_getaffinity(Some(thread)).is_ok_and(|now| now == moved) {
        let _gone = sched_setaffinity(Some(thread), &before);
    }
}

/// All threads of the system.
fn threads() -> impl Iterator<Item = Pid> {
    numbers("/proc").flat_map(|process| numbers(&format!("/proc/{process}/task"))).filter_map(Pid::from_raw)
}

fn numbers(folder: &str) -> impl Iterator<Item = i32> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A mask of cores as the kernel writes them, groups of eight hexadecimal digits, less one core; none if it has no other.
fn without(mask: &str, core: usize) -> Option<String> {
    let mut groups: Vec<u32> =
        mask.trim().split(',').map(|group| u32::from_str_radix(group, 16)).collect::<Result<_, _>>().ok()?;
    let group = groups.len().checked_sub(1 + core / 32)?;
    groups[group] &= !(1 << (core % 32));
    let has_others = groups.iter().any(|group| *group != 0);
    has_others.then(|| groups.iter().map(|group| format!("{group:08x}")).collect::<Vec<_>>().join(","))
}

/// Which cores the kernel's workers that are bound to none may use.
const WORKQUEUES: &str = "/sys/devices/virtual/workqueue/cpumask";

/// How long a process's worker had its core, and how long it waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    /// It ran, less what the hypervisor took meanwhile.
    pub(crate) ran: Duration,
    /// It could have run, and somebody else did.
    pub(crate) waited: Duration,
}

/// The thread of a process that is pinned to `core`, of several the one that has run longest.
pub(crate) fn pinned_to(core: usize, process: u32) -> Option<Pid> {
    let pinned = numbers(&format!("/proc/{process}/task")).filter(|thread| {
        let only = Pid::from_raw(*thread).and_then(|thread| sched_getaffinity(Some(thread)).ok());
        only.is_some_and(|cores| cores.count() == 1 && cores.is_set(core))
    });
    let worker = pinned.max_by_key(|thread| Pid::from_raw(*thread).and_then(presence).map(|presence| presence.ran))?;
    Pid::from_raw(worker)
}

/// Of a thread; exact while it does not run, and as of the kernel's last look while it does.
pub(crate) fn presence(thread: Pid) -> Option<Presence> {
    let text = fs::read_to_string(format!("/proc/{}/schedstat", thread.as_raw_nonzero())).ok()?;
    let mut nanos = text.split_whitespace().map(str::parse).map_while(Result::ok).map(Duration::from_nanos);
    Some(Presence { ran: nanos.next()?, waited: nanos.next()? })
}

/// Waits until a thread has stopped, as a signal told it to; not for long.
pub(crate) fn await_stop(thread: Pid) {
    let begin = Instant::now();
    let path = format!("/proc/{}/stat", thread.as_raw_nonzero());
    // The state comes after the name, which is in parentheses and may hold anything.
    let has_stopped = || {
        fs::read_to_string(&path).is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    };
    while !has_stopped() && begin.elapsed() < Duration::from_millis(20) {
        sleep(Duration::from_micros(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_of_cores_loses_one_of_them_and_never_the_last() {
        assert_eq!(without("3\n", 0).as_deref(), Some("00000002"));
        assert_eq!(without("ff,ffffffff\n", 33).as_deref(), Some("000000fd,ffffffff"));
        assert_eq!(without("1\n", 0), None);
        assert_eq!(without("3\n", 40), None, "the machine has no such core");
        assert_eq!(without("nonsense", 0), None);
    }

    #[test]
    fn a_thread_that_works_is_there_and_one_that_may_run_anywhere_is_pinned_nowhere() {
        let this = rustix::thread::gettid();
        let before = presence(this).unwrap();
        let begin = Instant::now();
        while presence(this).unwrap().ran == before.ran {
            assert!(begin.elapsed() < Duration::from_secs(60), "the kernel looks at it now and then");
        }
        if all_but(usize::MAX).len() > 1 {
            assert_eq!(pinned_to(0, std::process::id()), None);
        }
    }

    #[test]
    fn a_thread_is_moved_only_if_it_may_run_elsewhere() {
        let moved = std::thread::spawn(|| {
            let allowed = all_but(usize::MAX);
            let first = allowed[0];
            let before = move_off(None, first);
            let others = all_but(usize::MAX);
            (allowed, before.is_some(), others, move_off(None, first).is_some())
        });
        let (allowed, was_moved, others, again) = moved.join().unwrap();
        assert_eq!(was_moved, allowed.len() > 1);
        assert_eq!(others, if was_moved { allowed[1..].to_vec() } else { allowed });
        assert!(!again, "it is not there any more");
    }
}
