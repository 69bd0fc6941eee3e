//! How far long work is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of work that takes so long, which `what` names.
    pub(crate) fn new(what: impl Into<String>, time: Duration) -> Self {
        let bar = ProgressBar::new(millis(time)).with_message(what.into());
        let style = ProgressStyle::with_template("{msg:40} [{bar:30}] {eta} left")
            .unwrap_or_else(|_wrong| ProgressStyle::default_bar());
        bar.set_style(style);
        Self(bar)
    }

    /// None.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    pub(crate) fn at(&self, elapsed: Duration) {
        self.0.set_position(millis(elapsed));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
