//! A forwarder in a process of its own, which can be stopped and let go on, and asked how much it has received.
//!
//! Stopping the others by signal while one runs is what makes figures comparable on a machine that has phases: slices are
//! short, and every contestant gets one in each phase.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// How a contestant is asked for its packets, and what it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialect {
    /// An empty line is answered with a line that holds the number.
    Ferry,
    /// A command is answered with a table; the last lines are what its two ports received.
    Testpmd,
}

/// A running forwarder, stopped except while it is measured.
#[derive(Debug)]
pub(crate) struct Contestant {
    process: Child,
    asked: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    dialect: Dialect,
}

impl Contestant {
    /// Starts `command` and stops it as soon as it forwards.
    pub(crate) fn start(mut command: Command, dialect: Dialect) -> Result<Self, String> {
        let shown = format!("{command:?}");
        let refused = |error: std::io::Error| format!("{shown} does not start: {error}");
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(refused)?;
        let asked = process.stdin.take().expect("piped above");
        let said = BufReader::new(process.stdout.take().expect("piped above")).lines();
        let mut contestant = Self { process, asked, said, dialect };
        if let Dialect::Testpmd = dialect {
            contestant.say("set fwd mac\nstart\n")?;
        }
        contestant.packets().map_err(|error| format!("{shown}: {error}"))?;
        contestant.signal(Signal::STOP);
        Ok(contestant)
    }

    /// Lets it forward while `measure` runs.
    pub(crate) fn forwarding<T>(&mut self, measure: impl FnOnce(&mut Self) -> T) -> T {
        self.signal(Signal::CONT);
        let measured = measure(self);
        self.signal(Signal::STOP);
        measured
    }

    /// Lets testpmd forward in this mode from now on.
    pub(crate) fn set_mode(&mut self, mode: &str) -> Result<(), String> {
        self.forwarding(|contestant| {
            contestant.say(&format!("stop\nset fwd {mode}\nstart\n"))?;
            // When it stops it tells what it has received since it was started: on each port, and on both.
            (0..3).try_for_each(|_line| contestant.testpmd_port().map(drop))
        })
    }

    /// Packets it has forwarded since it was started; testpmd hands on all that it receives, and is asked for those.
    pub(crate) fn packets(&mut self) -> Result<u64, String> {
        match self.dialect {
            Dialect::Ferry => {
                self.say("\n")?;
                let line = self.line()?;
                line.trim().parse().map_err(|_not_a_number| format!("answered `{line}`"))
            }
            Dialect::Testpmd => {
                self.say("show port stats all\n")?;
                let mut packets = 0;
                for _port in 0..2 {
                    packets += self.testpmd_port()?;
                }
                Ok(packets)
            }
        }
    }

    /// The next port's count in testpmd's table.
    fn testpmd_port(&mut self) -> Result<u64, String> {
        loop {
            let line = self.line()?;
            if let Some((_, count)) = line.split_once("RX-packets:") {
                let count = count.split_whitespace().next().unwrap_or_default();
                return count.parse().map_err(|_not_a_number| format!("answered `{line}`"));
            }
        }
    }

    fn say(&mut self, words: &str) -> Result<(), String> {
        self.asked.write_all(words.as_bytes()).map_err(|error| format!("has ended: {error}"))
    }

    fn line(&mut self) -> Result<String, String> {
        match self.said.next() {
            Some(Ok(line)) => Ok(line),
            Some(Err(error)) => Err(format!("cannot be read: {error}")),
            None => Err("has ended without forwarding".to_owned()),
        }
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.process);
        // It can only be gone, which the next question finds out.
        let _gone = kill_process(process, signal);
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        let _already_gone = self.process.kill();
        let _already_waited_for = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_worker_is_asked_by_a_line_and_answers_with_a_number() {
        let counting = "n=0; while read question; do n=$((n + 64)); echo $n; done";
        let mut contestant = Contestant::start(shell(counting), Dialect::Ferry).unwrap();
        let (before, after) =
            contestant.forwarding(|contestant| (contestant.packets().unwrap(), contestant.packets().unwrap()));
        assert_eq!(after - before, 64);
    }

    #[test]
    fn testpmd_s_packets_are_those_of_both_its_ports() {
        let tables = r#"while read word more; do
            case $word in
                show) echo "  RX-packets: 40   RX-missed: 7  RX-bytes: 1"; echo "  RX-packets: 2 RX-missed: 0";;
                stop) for part in 0 1 all; do echo "  RX-packets: 999   TX-packets: 9"; done;;
            esac
        done"#;
        let mut contestant = Contestant::start(shell(tables), Dialect::Testpmd).unwrap();
        contestant.set_mode("io").unwrap();
        let packets = contestant.forwarding(Contestant::packets);
        assert_eq!(packets, Ok(42), "what it says when it stops is nobody's answer");
    }

    #[test]
    fn one_that_does_not_forward_is_told_with_what_was_started() {
        let refusal = Contestant::start(shell("exit 1"), Dialect::Ferry).unwrap_err();
        assert!(refusal.contains("exit 1") && refusal.contains("has ended"), "{refusal}");
    }
}
