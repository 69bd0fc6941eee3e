//! What ends ferryd: a signal, or the end of a thread without which it would forward no longer, or by stale routes.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Waits for the end. From its making on, signals wait until they are asked for.
#[derive(Debug)]
pub(crate) struct End(Signals);

/// Held by a thread that has to live: dropping it, as a panic does, is the end of ferryd.
#[derive(Debug, Clone)]
pub(crate) struct Alarm(Handle);

impl End {
    /// Takes over the signals that ask a program to end.
    pub(crate) fn of_signals() -> io::Result<Self> {
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map(Self)
    }

    /// What every thread that has to live is to hold a clone of.
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm(self.0.handle())
    }

    /// Waits for a signal, and returns its name; or for an alarm, which has none.
    pub(crate) fn wait(&mut self) -> Option<&'static str> {
        let signal = self.0.forever().next()?;
        Some(signal_hook::low_level::signal_name(signal).unwrap_or("a signal"))
    }
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
        assert_eq!(end.wait(), None);
        assert!(thread.join().is_err());
    }
}
