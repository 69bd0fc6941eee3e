//! A ferryd that runs for one test, and what it says.

use std::io::Read;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running ferryd.
pub(crate) struct Ferryd {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Ferryd {
    /// Runs `command`, which is or becomes ferryd; returns once it forwards.
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ferryd is built with its tests");
        let mut stderr = child.stderr.take().expect("piped above");
        let log = Arc::new(Mutex::new(String::new()));
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                let mut piece = [0; 4096];
                while let Ok(read @ 1..) = stderr.read(&mut piece) {
                    log.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
                }
            }
        });
        let mut ferryd = Self { child, log, reader: Some(reader) };
        ferryd.wait_for("forwarding");
        ferryd
    }

    /// All it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its number among the system's processes.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "no ferryd to signal");
    }

    /// Waits for it to end; returns whether it ended well, and all it said.
    pub(crate) fn wait(mut self) -> (bool, String) {
        let ended = patiently(|| self.child.try_wait().expect("our own child"));
        let ended = ended.unwrap_or_else(|| panic!("ferryd does not stop; it said:\n{}", self.log()));
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading a pipe does not fail");
        }
        (ended.success(), self.log())
    }

    /// Stops it as Ctrl-C would; returns what it said in all.
    pub(crate) fn stop(self) -> String {
        self.signal("INT");
        let (well, log) = self.wait();
        assert!(well, "ferryd did not end well; it said:\n{log}");
        log
    }

    fn wait_for(&mut self, word: &str) {
        let found = patiently(|| {
            let ended = self.child.try_wait().expect("our own child").is_some();
            (ended || self.log().contains(word)).then_some(())
        });
        assert!(found.is_some() && self.log().contains(word), "ferryd never said `{word}`:\n{}", self.log());
    }
}

impl Drop for Ferryd {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

/// Asks again and again until there is an answer; gives up only long after any machine would have given one.
pub(crate) fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        match ask() {
            None if Instant::now() < patience => std::thread::sleep(Duration::from_millis(20)),
            answer => return answer,
        }
    }
}

/// What a command printed, on both of its outputs.
pub(crate) fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The numbers of the line in which ferryd sums up: `received N = transmitted N + punted N + dropped N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accounts {
    pub(crate) received: u64,
    pub(crate) transmitted: u64,
    pub(crate) punted: u64,
    pub(crate) dropped: u64,
}

impl Accounts {
    /// Reads them off the last line of a log.
    pub(crate) fn of(log: &str) -> Self {
        let line = log.lines().last().unwrap_or_default();
        let number = |word: &str| {
            let rest = line.split_once(word).map(|(_, rest)| rest.trim_start());
            let digits = rest.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
            digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("`{word}` in: {line}"))
        };
        let (received, transmitted) = (number("received"), number("transmitted"));
        Self { received, transmitted, punted: number("punted"), dropped: number("dropped") }
    }

    pub(crate) fn are_conserved(&self) -> bool {
        self.received == self.transmitted + self.punted + self.dropped
    }
}
