//! The tool as a person or a script meets it: a command line, what it prints, and how it exits. The ferryd on the other
//! side is an actor.

mod answers;
mod asked;
mod config;
mod packaging;
mod printed;
mod refused;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use control_api::*;
use tempfile::TempDir;

/// An actor that gives every request the same answer, and remembers what it was asked.
struct Ferryd {
    directory: TempDir,
    asked: Receiver<Request>,
}

impl Ferryd {
    fn that_says(answer: Result<Reply, ApiError>) -> Self {
        Self::that_writes(wire::answer_line(&answer))
    }

    fn that_writes(line: String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("ferry.sock")).unwrap();
        let (remember, asked) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = String::new();
                BufReader::new(&stream).read_line(&mut request).unwrap();
                let _test_is_over = remember.send(wire::read_request(request.as_bytes()).unwrap());
                stream.write_all(line.as_bytes()).unwrap();
            }
        });
        Self { directory, asked }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("ferry.sock")
    }

    /// What `ferry` does with this command line.
    fn told(&self, line: &str) -> Said {
        Said::of(ferry(line).env("FERRY_SOCKET", self.socket()))
    }
}

fn ferry(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    command.args(line.split_whitespace()).env_remove("FERRY_SOCKET").stdin(Stdio::null());
    command
}

/// What a command printed, and what it exited with.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    stdout: String,
    stderr: String,
    exit_code: i32,
}

impl Said {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        Self { stdout, stderr, exit_code: status.code().unwrap() }
    }

    fn printed(stdout: &str) -> Self {
        Self { stdout: stdout.to_owned(), stderr: String::new(), exit_code: 0 }
    }

    fn failed(exit_code: u8, stderr: &str) -> Self {
        Self { stdout: String::new(), stderr: stderr.to_owned(), exit_code: exit_code.into() }
    }
}

fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}
