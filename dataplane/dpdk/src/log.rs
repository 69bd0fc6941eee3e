//! What DPDK says, kept for whoever can use it.
//!
//! DPDK explains its failures in its log and nowhere else: a driver's call returns -1, and the reason is a line on
//! stderr. Here the log is a pipe, from the first moment of the process's EAL to the last. A call that fails is answered
//! with the lines it caused; whatever else is said waits for [`Eal::take_log`](crate::Eal::take_log).
//!
//! The pipe never blocks who writes to it. A driver that logs on a worker's core therefore costs that worker a system
//! call and no more; when the pipe is full (64 KiB unread), lines are lost.

use std::fs::File;
use std::io::Read;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::{Mutex, OnceLock};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::eal::lock;

/// How much DPDK shall say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum LogLevel {
    /// What went wrong.
    #[default]
    Error = 4,
    /// And what may.
    Warning = 5,
    /// And what is worth knowing.
    Notice = 6,
    /// And what it is doing.
    Info = 7,
    /// And how.
    Debug = 8,
}

impl LogLevel {
    /// The EAL's arguments for it. Every part of DPDK has a level of its own, below which it is never heard.
    pub(crate) fn arguments(self) -> Vec<String> {
        let level = self as u32;
        let overall = format!("--log-level={level}");
        if level <= Self::Notice as u32 { vec![overall] } else { vec![overall, format!("--log-level=*:{level}")] }
    }
}

/// Sends DPDK's log into the pipe. To be called once, before the EAL starts.
pub(crate) fn capture(level: LogLevel) -> Result<(), std::io::Error> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let _ = LOG.set(Log { reader: File::from(reader), unread: Mutex::default() });
    let stream = stream(writer).ok_or_else(std::io::Error::last_os_error)?;
    // SAFETY: `stream` is open and stays so: nobody closes it.
    unsafe { dpdk_sys::rte_openlog_stream(stream) };
    // SAFETY: sets a number; allowed before the EAL starts, so that its first words are as quiet as the rest.
    unsafe { dpdk_sys::rte_log_set_global_level(level as u32) };
    Ok(())
}

/// Runs `call`, and returns with its answer what DPDK said meanwhile.
pub(crate) fn during<T>(call: impl FnOnce() -> T) -> (T, Vec<String>) {
    let Some(log) = LOG.get() else { return (call(), Vec::new()) };
    let mut unread = lock(&log.unread);
    unread.extend(log.read());
    unread.truncate(MOST_UNREAD);
    let answer = call();
    (answer, log.read())
}

/// Puts back what turned out to explain nothing, for [`take`].
pub(crate) fn keep(lines: Vec<String>) {
    if let Some(log) = LOG.get() {
        lock(&log.unread).extend(lines);
    }
}

/// Takes every line not taken yet.
pub(crate) fn take() -> Vec<String> {
    let Some(log) = LOG.get() else { return Vec::new() };
    let mut lines = std::mem::take(&mut *lock(&log.unread));
    lines.extend(log.read());
    lines
}

#[derive(Debug)]
struct Log {
    reader: File,
    unread: Mutex<Vec<String>>,
}

impl Log {
    /// Reads until the pipe is empty.
    fn read(&self) -> Vec<String> {
        let mut text = Vec::new();
        // Ends with `WouldBlock` when the pipe is empty; what was read until then is in `text`.
        let _ = (&self.reader).read_to_end(&mut text);
        String::from_utf8_lossy(&text).lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
    }
}

/// A C stream over `fd`.
fn stream(fd: OwnedFd) -> Option<*mut dpdk_sys::FILE> {
    // SAFETY: the descriptor is open and given away here; the mode is a C string.
    let stream = unsafe { dpdk_sys::fdopen(fd.into_raw_fd(), c"w".as_ptr()) };
    (!stream.is_null()).then_some(stream)
}

/// Never closed: DPDK may log as long as the process lives, and a closed pipe would be a signal.
static LOG: OnceLock<Log> = OnceLock::new();

/// What nobody takes does not grow forever.
const MOST_UNREAD: usize = 256;
