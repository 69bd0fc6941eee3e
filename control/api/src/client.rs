//! A client that blocks: connect, ask, read the answer.
//!
//! Meant for tools. Every wait has an end: a ferryd that hangs is reported, not waited for.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{ApiError, ErrorKind};
use crate::event::Told;
use crate::reply::Reply;
use crate::request::Request;
use crate::wire;

/// A connection to a running ferryd.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the ferryd that listens at `path`; each later wait lasts at most `patience`.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or this user may not ask.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self, ApiError> {
        let connect = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(BufReader::new(stream))
        };
        match connect() {
            Ok(stream) => Ok(Self { path: path.to_owned(), stream }),
            Err(error) => Err(no_connection(path, &error)),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// When ferryd refuses, or no answer comes.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ApiError> {
        // A ferryd that has enough clients says so and closes at once: what it said matters more than that the request
        // could not be written.
        let sent = self.stream.get_mut().write_all(wire::request_line(request).as_bytes());
        let mut line = String::new();
        let read = self.stream.by_ref().take(MAX_ANSWER_BYTES).read_line(&mut line);
        match read.and(sent) {
            _ if line.ends_with('\n') => wire::read_answer(&line),
            Ok(()) if line.len() as u64 == MAX_ANSWER_BYTES => Err(ApiError::new(
                ErrorKind::TooLarge,
                format!("ferryd's answer is longer than {MAX_ANSWER_BYTES} bytes"),
            )
            .with_hint("ask for less at a time")),
            Ok(()) => Err(self.hung_up()),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Follows what happens from now on, in one table or in all; [`Client::next_event`] tells.
    ///
    /// # Errors
    ///
    /// When ferryd refuses, or no answer comes.
    pub fn follow(&mut self, fib: Option<u16>) -> Result<(), ApiError> {
        match self.ask(&Request::Monitor { fib, loopback: true })? {
            Reply::Done => Ok(()),
            _another => {
                Err(ApiError::new(ErrorKind::Internal, "ferryd answered another question than the one it was asked"))
            }
        }
    }

    /// Waits for the next event, however long it takes.
    ///
    /// # Errors
    ///
    /// When ferryd hangs up.
    pub fn next_event(&mut self) -> Result<Told, ApiError> {
        let forever = self.stream.get_mut().set_read_timeout(None);
        let mut line = String::new();
        match forever.and_then(|()| self.stream.by_ref().take(MAX_ANSWER_BYTES).read_line(&mut line)) {
            Ok(_length) if line.ends_with('\n') => match wire::read_answer(&line)? {
                Reply::Event(told) => Ok(told),
                _another => Err(ApiError::new(ErrorKind::Internal, "ferryd told something else than what happened")),
            },
            Ok(_length) => Err(self.ended()),
            Err(error) if is_hang_up(&error) => Err(self.ended()),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn lost(&self, error: &io::Error) -> ApiError {
        let path = self.path.display();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ApiError::new(ErrorKind::Timeout, format!("ferryd at `{path}` did not answer in time"))
                    .with_hint("see whether it is alive: its log says what it does")
            }
            _hung_up if is_hang_up(error) => self.hung_up(),
            _other => ApiError::new(ErrorKind::Internal, format!("talking to ferryd at `{path}` failed: {error}")),
        }
    }

    fn hung_up(&self) -> ApiError {
        let path = self.path.display();
        ApiError::new(ErrorKind::ShuttingDown, format!("ferryd at `{path}` hung up before it answered"))
    }

    /// What a follower sees of it.
    fn ended(&self) -> ApiError {
        let path = self.path.display();
        ApiError::new(ErrorKind::ShuttingDown, format!("ferryd at `{path}` has ended, and tells no more"))
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn no_connection(path: &Path, error: &io::Error) -> ApiError {
    let shown = path.display();
    let start = "start it with `ferryd --config FILE`, or point at its socket with `--socket PATH`";
    match error.kind() {
        io::ErrorKind::NotFound => {
            ApiError::new(ErrorKind::NotRunning, format!("no ferryd is running at `{shown}`: there is no such socket"))
                .with_hint(start)
        }
        io::ErrorKind::ConnectionRefused if is_socket(path) => ApiError::new(
            ErrorKind::NotRunning,
            format!("no ferryd is running at `{shown}`: nobody listens there any more"),
        )
        .with_hint(start),
        io::ErrorKind::ConnectionRefused => {
            ApiError::new(ErrorKind::NotRunning, format!("`{shown}` is not a socket")).with_hint(start)
        }
        io::ErrorKind::PermissionDenied => {
            ApiError::new(ErrorKind::PermissionDenied, format!("this user may not talk to ferryd at `{shown}`"))
                .with_hint("run as root; or, to look only, as a member of the socket's group")
        }
        _other => ApiError::new(ErrorKind::NotRunning, format!("cannot connect to ferryd at `{shown}`: {error}"))
            .with_hint(start),
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// The longest answer a client takes: a full table of routes as JSON fits several times over.
const MAX_ANSWER_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    /// What a client hears of a ferryd that does `serve` with its one connection.
    fn answer_of(serve: impl FnOnce(UnixStream) + Send + 'static) -> Result<Reply, ApiError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ferry.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        let answer = Client::connect(&path, PATIENCE).and_then(|mut client| client.ask(&Request::Stats));
        server.join().unwrap();
        answer
    }

    fn read_line(stream: &UnixStream) {
        BufReader::new(stream).read_line(&mut String::new()).unwrap();
    }

    #[test]
    fn an_answer_comes_back() {
        let answer = answer_of(|mut stream| {
            read_line(&stream);
            stream.write_all(b"{\"version\":1,\"ok\":\"done\"}\n").unwrap();
        });
        assert_eq!(answer, Ok(Reply::Done));
    }

    #[test]
    fn a_ferryd_that_hangs_is_reported_in_time() {
        let answer = answer_of(|stream| {
            read_line(&stream);
            std::thread::sleep(2 * PATIENCE);
        });
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Timeout);
    }

    #[test]
    fn a_ferryd_that_goes_away_is_reported() {
        for half in ["", "{\"version\":1,\"ok"] {
            let answer = answer_of(|mut stream| {
                read_line(&stream);
                stream.write_all(half.as_bytes()).unwrap();
            });
            assert_eq!(answer.unwrap_err().kind, ErrorKind::ShuttingDown, "{half}");
        }
    }

    #[test]
    fn a_refusal_is_heard_even_if_the_door_shuts_before_the_question() {
        let answer = answer_of(|mut stream| {
            stream.write_all(b"{\"version\":1,\"error\":{\"kind\":\"busy\",\"message\":\"full\"}}\n").unwrap();
        });
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Busy);
    }

    #[test]
    fn where_nobody_listens_the_message_says_so_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("ferry.sock");
        let stale = directory.path().join("stale.sock");
        drop(UnixListener::bind(&stale).unwrap());
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (path, reason) in
            [(missing, "there is no such socket"), (stale, "nobody listens there any more"), (file, "is not a socket")]
        {
            let error = Client::connect(&path, PATIENCE).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotRunning);
            assert!(error.message.contains(reason), "{}", error.message);
            assert!(error.hint.unwrap().contains("--socket"));
        }
    }
}
