//! What ferryd is called for while it runs: to end, by a signal or because a thread has ended without which it would forward no
//! longer, or by stale routes; and to read its configuration again.
//!
//! SIGHUP says both: "your terminal is gone", which ends what was started there, and by custom, to a service, "read your
//! configuration again". So it is looked whether ferryd had a terminal, and has it no more.

use std::fs::File;
use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Waits for the end. From its making on, signals wait until they are asked for.
#[derive(Debug)]
pub(crate) struct End {
    signals: Signals,
    had_terminal: bool,
}

/// What ferryd is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// To read its configuration again.
    Reload,
    /// To end, by the signal of this name.
    Stop(&'static str),
    /// To end, because a thread has.
    Alarm,
}

/// Held by a thread that has to live: dropping it, as a panic does, is the end of ferryd.
#[derive(Debug, Clone)]
pub(crate) struct Alarm(Handle);

impl End {
    /// Takes over the signals that ask a program to end.
    pub(crate) fn of_signals() -> io::Result<Self> {
        Ok(Self { signals: Signals::new([SIGINT, SIGTERM, SIGHUP])?, had_terminal: has_terminal() })
    }

    /// What every thread that has to live is to hold a clone of.
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm(self.signals.handle())
    }

    /// Waits for a signal or an alarm.
    pub(crate) fn wait(&mut self) -> Call {
        match self.signals.forever().next() {
            None => Call::Alarm,
            Some(SIGHUP) if !self.had_terminal || has_terminal() => Call::Reload,
            Some(signal) => Call::Stop(signal_hook::low_level::signal_name(signal).unwrap_or("a signal")),
        }
    }
}

/// Whether there is a terminal that this process belongs to.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_is_the_end() {
        let mut end = End::of_signals().unwrap();
        let alarm = end.alarm();
        let thread = std::thread::spawn({
            let alarm = alarm.clone();
            move || {
                let _alarm = alarm;
                panic!("as the test wants it");
            }
        });
        assert_eq!(end.wait(), Call::Alarm);
        assert!(thread.join().is_err());
    }
}
