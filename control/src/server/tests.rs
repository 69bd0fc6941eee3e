//! A server between clients of every kind and a control thread that is an actor.

use std::io::{BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Instant;

use control_api::Version;
use control_api::client::Client;
use tempfile::TempDir;

use super::*;

/// A server in a directory of its own, before a control thread that does as it is told.
struct Scene {
    server: Option<Server>,
    directory: TempDir,
}

/// Longer than anything here takes on any machine: who waits this long has found a server that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// As good as for ever: what would be waited for so long is not waited for.
const FOREVER: Duration = Duration::from_secs(3600);

const QUICK: Limits = Limits {
    clients: 4,
    idle: Duration::from_millis(500),
    decide: Duration::from_millis(500),
    write: Duration::from_millis(300),
    drain: Duration::from_secs(1),
};

/// The file that ferryd was started with, which nobody here has written.
fn config() -> &'static Path {
    Path::new("/nowhere/ferry.toml")
}

impl Scene {
    /// A control thread that answers each request with what `decide` says.
    fn with(limits: Limits, mut decide: impl FnMut(Asked) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (sender, asked) = crossbeam::channel::bounded(64);
        let server = Server::start_with(&directory.path().join("ferry.sock"), config(), sender, limits).unwrap();
        std::thread::spawn(move || asked.iter().for_each(&mut decide));
        Self { server: Some(server), directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ferry.sock")
    }

    fn client(&self) -> Client {
        Client::connect(&self.path(), PATIENCE).unwrap()
    }

    /// What comes back for `bytes`, until the server hangs up or has said one line.
    fn says_to(&self, bytes: &[u8]) -> String {
        let mut stream = self.stream();
        // The server may have heard enough before the end.
        let _cut_short = stream.write_all(bytes);
        line_of(&mut stream)
    }

    fn stream(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }
}

fn line_of(stream: &mut UnixStream) -> String {
    let mut line = String::new();
    io::BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

/// Who answers everything at once.
fn willing(asked: Asked) {
    let _client_gone = asked.reply.send(Ok(Reply::Done));
}

#[test]
fn a_request_reaches_the_control_thread_and_its_answer_the_client() {
    let version = Version { ferryd: "1".to_owned(), protocol: 1, pid: 7 };
    let answer = Ok(Reply::Version(version));
    let scene = Scene::with(QUICK, {
        let answer = answer.clone();
        move |asked| {
            assert_eq!(asked.request, Request::Version);
            asked.reply.send(answer.clone()).unwrap();
        }
    });
    let mut client = scene.client();
    for _again in 0..3 {
        assert_eq!(client.ask(&Request::Version), answer);
    }
}

#[test]
fn a_refusal_of_the_control_thread_arrives_whole() {
    let refusal = ApiError::new(ErrorKind::Exists, "there is a route to 10.0.0.0/8").with_hint("replace it");
    let scene = Scene::with(QUICK, {
        let refusal = refusal.clone();
        move |asked| asked.reply.send(Err(refusal.clone())).unwrap()
    });
    assert_eq!(scene.client().ask(&Request::Stats), Err(refusal));
}

#[test]
fn several_requests_in_one_breath_are_answered_in_order() {
    let mut names = ["one", "two", "three"].into_iter();
    let scene = Scene::with(QUICK, move |asked| {
        let _gone = asked.reply.send(Err(ApiError::new(ErrorKind::Internal, names.next().unwrap())));
    });
    let mut stream = scene.stream();
    stream.write_all(wire::request_line(&Request::Stats).repeat(3).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let order: Vec<_> = answers.lines().map(|line| wire::read_answer(line).unwrap_err().message).collect();
    assert_eq!(order, ["one", "two", "three"]);
}

#[test]
fn what_is_no_request_is_refused_for_its_reason_and_never_reaches_the_control_thread() {
    let scene = Scene::with(QUICK, |asked| panic!("{asked:?}"));
    let long = vec![b' '; wire::MAX_REQUEST_BYTES + 1];
    #[rustfmt::skip]
    let garbage: [(&[u8], ErrorKind); 7] = [
        (b"\n",                                 ErrorKind::Invalid),
        (b"\0\xff\xfe\x80\n",                   ErrorKind::Invalid),
        (b"GET /stats HTTP/1.1\r\n\r\n",        ErrorKind::Invalid),
        (b"{\"version\":1,\"request\":{\"command\":\"reboot\"}}\n", ErrorKind::NotSupported),
        (b"{\"version\":9,\"request\":\"?\"}\n", ErrorKind::UnsupportedVersion),
        (b"{\"version\":1,",                    ErrorKind::Timeout),
        (&long,                                 ErrorKind::TooLarge),
    ];
    for (bytes, kind) in garbage {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        assert_eq!(wire::read_answer(&scene.says_to(bytes)).unwrap_err().kind, kind, "{shown}");
    }
}

#[test]
fn after_garbage_the_same_client_may_speak_properly() {
    let scene = Scene::with(QUICK, willing);
    let mut stream = scene.stream();
    stream.write_all(b"hello?\n").unwrap();
    assert!(line_of(&mut stream).contains("\"error\""));
    stream.write_all(wire::request_line(&Request::Stats).as_bytes()).unwrap();
    assert_eq!(line_of(&mut stream), "{\"version\":1,\"ok\":\"done\"}\n");
}

#[test]
fn a_request_that_ends_with_the_stream_is_one() {
    let scene = Scene::with(QUICK, willing);
    let mut stream = scene.stream();
    stream.write_all(wire::request_line(&Request::Stats).trim_end().as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(line_of(&mut stream), "{\"version\":1,\"ok\":\"done\"}\n");
}

#[test]
fn a_client_that_says_nothing_is_let_go_and_keeps_nobody_waiting() {
    let patient = Scene::with(Limits { idle: FOREVER, ..QUICK }, willing);
    let _silent = patient.stream();
    assert_eq!(patient.client().ask(&Request::Stats), Ok(Reply::Done));

    let quick = Scene::with(QUICK, willing);
    assert_eq!(line_of(&mut quick.stream()), "");
}

#[test]
fn a_client_that_takes_no_answer_is_let_go_and_keeps_nobody_waiting() {
    let scene = Scene::with(QUICK, |asked| {
        let long = ApiError::new(ErrorKind::Internal, "x".repeat(16 << 20));
        let answer = if asked.request == Request::Stats { Err(long) } else { Ok(Reply::Done) };
        let _gone = asked.reply.send(answer);
    });
    let mut greedy = scene.stream();
    greedy.write_all(wire::request_line(&Request::Stats).as_bytes()).unwrap();
    assert_eq!(scene.client().ask(&Request::Drops), Ok(Reply::Done));
    std::thread::sleep(3 * QUICK.write);
    let mut taken = Vec::new();
    greedy.read_to_end(&mut taken).unwrap();
    assert!(!taken.ends_with(b"\n"), "the answer was cut off, and no part of it reads as one");
}

#[test]
fn a_client_that_vanishes_before_its_answer_disturbs_nobody() {
    let (came, asked_for) = crossbeam::channel::unbounded();
    let scene = Scene::with(Limits { clients: 64, ..QUICK }, move |asked| {
        std::thread::sleep(Duration::from_millis(5));
        willing(asked);
        came.send(()).unwrap();
    });
    for _vanishing in 0..20 {
        scene.stream().write_all(wire::request_line(&Request::Stats).as_bytes()).unwrap();
    }
    for _asked in 0..20 {
        asked_for.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(scene.client().ask(&Request::Stats), Ok(Reply::Done));
}

#[test]
fn a_client_too_many_is_told_so_and_finds_a_seat_when_one_is_free() {
    let scene = Scene::with(Limits { idle: FOREVER, ..QUICK }, willing);
    let mut seated: Vec<_> = (0..QUICK.clients).map(|_seat| scene.client()).collect();
    for client in &mut seated {
        client.ask(&Request::Stats).unwrap();
    }
    let refused = scene.client().ask(&Request::Stats).unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (ErrorKind::Busy, "ferryd has 4 clients already, and takes no more")
    );

    seated.pop();
    let start = Instant::now();
    while scene.client().ask(&Request::Stats).is_err() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_control_thread_that_hangs_or_is_busy_or_gone_is_reported() {
    // Keeps what it is asked, and so never answers.
    let mut kept = Vec::new();
    let hanging = Scene::with(QUICK, move |asked| kept.push(asked));
    assert_eq!(hanging.client().ask(&Request::Stats).unwrap_err().kind, ErrorKind::Timeout);

    let careless = Scene::with(QUICK, drop);
    assert_eq!(careless.client().ask(&Request::Stats).unwrap_err().kind, ErrorKind::ShuttingDown);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ferry.sock");
    let (sender, asked) = crossbeam::channel::bounded(0);
    let _server = Server::start_with(&path, config(), sender, QUICK).unwrap();
    let ask = || Client::connect(&path, PATIENCE).unwrap().ask(&Request::Stats).unwrap_err().kind;
    assert_eq!(ask(), ErrorKind::Busy);
    drop(asked);
    assert_eq!(ask(), ErrorKind::ShuttingDown);
}

#[test]
fn stopping_sees_answers_out_and_takes_the_socket_away() {
    let (came, asked_for) = crossbeam::channel::unbounded();
    let limits = Limits { idle: FOREVER, drain: FOREVER, ..QUICK };
    let mut scene = Scene::with(limits, move |asked| {
        came.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        willing(asked);
    });
    let mut asking = scene.stream();
    let mut idle = scene.stream();
    asking.write_all(wire::request_line(&Request::Stats).as_bytes()).unwrap();
    asked_for.recv_timeout(PATIENCE).unwrap();
    // Returns, although the idle client may stay for ever.
    scene.stop();
    assert_eq!(line_of(&mut asking), "{\"version\":1,\"ok\":\"done\"}\n");
    assert_eq!(line_of(&mut idle), "");
    assert_eq!(std::fs::read_dir(scene.directory.path()).unwrap().count(), 0);
}

#[test]
fn stopping_does_not_wait_for_an_answer_that_never_comes() {
    let (came, asked_for) = crossbeam::channel::unbounded();
    let mut scene = Scene::with(Limits { decide: FOREVER, ..QUICK }, move |asked| came.send(asked).unwrap());
    let mut stream = scene.stream();
    stream.write_all(wire::request_line(&Request::Stats).as_bytes()).unwrap();
    let _kept = asked_for.recv_timeout(PATIENCE).unwrap();
    scene.stop();
}

/// A channel whose other end is kept, so that a server can start.
fn nobody() -> Sender<Asked> {
    crossbeam::channel::unbounded().0
}

#[test]
fn a_socket_that_a_ferryd_listens_on_is_not_taken_from_it() {
    let scene = Scene::with(QUICK, willing);
    let refused = Server::start(&scene.path(), config(), nobody()).unwrap_err();
    assert!(refused.to_string().contains("ferry.sock` is in use: another ferryd is running"), "{refused}");
    assert_eq!(scene.client().ask(&Request::Stats), Ok(Reply::Done));
}

#[test]
fn a_socket_that_anybody_listens_on_is_not_taken_from_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ferry.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    assert!(matches!(Server::start(&path, config(), nobody()), Err(ServerError::InUse { .. })));
    assert!(path.exists());
}

#[test]
fn a_socket_left_by_a_killed_ferryd_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ferry.sock");
    // As after `kill -9`: both files are there, and nobody holds either.
    drop(UnixListener::bind(&path).unwrap());
    std::fs::write(directory.path().join("ferry.sock.lock"), "").unwrap();
    let (sender, asked) = crossbeam::channel::unbounded();
    let _server = Server::start(&path, config(), sender).unwrap();
    std::thread::spawn(move || asked.iter().for_each(willing));
    assert_eq!(Client::connect(&path, PATIENCE).unwrap().ask(&Request::Stats), Ok(Reply::Done));
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for path in [&file, &link, &directory.path().to_owned()] {
        assert!(
            matches!(Server::start(path, config(), nobody()), Err(ServerError::NotASocket { .. })),
            "{}",
            path.display()
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
}

#[test]
fn a_directory_that_is_missing_is_made_or_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/ferry/ferry.sock");
    drop(Server::start(&path, config(), nobody()).unwrap());

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = Server::start(&file.join("ferry/ferry.sock"), config(), nobody()).unwrap_err();
    assert!(refused.to_string().ends_with("file/ferry` for the API's socket"), "{refused}");
    assert_eq!(std::error::Error::source(&refused).unwrap().to_string(), "Not a directory (os error 20)");
}

#[test]
fn a_path_that_is_too_long_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let refused = Server::start(&directory.path().join("x".repeat(120)), config(), nobody()).unwrap_err();
    assert!(refused.to_string().ends_with("is too long for a socket's path"), "{refused}");
}

#[test]
fn no_permission_is_said_in_words() {
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let refused = ServerError::at(Path::new("/run/ferry/ferry.sock"), denied);
    assert_eq!(
        refused.to_string(),
        "this user may not make the socket `/run/ferry/ferry.sock`; run as root, or choose another path in [api]"
    );
}

#[test]
fn others_may_not_ask() {
    let scene = Scene::with(QUICK, willing);
    assert_eq!(std::fs::metadata(scene.path()).unwrap().permissions().mode() & 0o777, 0o660);
}

/// A control thread that lets everybody follow what happens, and tells of so many misses for every other request.
fn telling(misses: usize) -> impl FnMut(Asked) {
    let mut events = events::Events::default();
    move |asked: Asked| {
        let Asked { request, asker, reply } = asked;
        if matches!(request, Request::Monitor { .. }) {
            events.subscribe(asker.queue.unwrap(), None, asker.client, true);
        } else {
            (0..misses).for_each(|_miss| events.missed(0, "203.0.113.9".parse().unwrap()));
        }
        let _client_gone = reply.send(Ok(Reply::Done));
    }
}

#[test]
fn who_follows_is_told_what_happens_however_silent_he_is() {
    let scene = Scene::with(QUICK, telling(1));
    let mut follower = scene.client();
    follower.follow(None).unwrap();
    std::thread::sleep(2 * QUICK.idle);
    for _again in 0..2 {
        assert_eq!(scene.client().ask(&Request::Stats), Ok(Reply::Done));
        let told = follower.next_event().unwrap();
        assert_eq!((told.lost, told.event.kind), (0, control_api::EventKind::Miss));
    }
}

#[test]
fn who_follows_may_ask_over_the_same_connection() {
    let scene = Scene::with(QUICK, telling(1));
    let mut stream = scene.stream();
    let lines = [Request::Monitor { fib: None, loopback: true }, Request::Stats].map(|r| wire::request_line(&r));
    stream.write_all(lines.concat().replace("1,", "1,\"seq\":9,").as_bytes()).unwrap();
    let mut read = io::BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        read.read_line(&mut line).unwrap();
        line
    };
    let done = "{\"version\":1,\"seq\":9,\"ok\":\"done\"}\n";
    assert_eq!([next(), next()], [done, done], "answers bear the number of their request");
    assert!(next().contains("\"event\":{\"type\":\"miss\""));
}

#[test]
fn who_follows_and_takes_nothing_is_let_go_and_holds_nobody_up() {
    let scene = Scene::with(QUICK, telling(1000));
    let mut follower = scene.stream();
    follower.write_all(wire::request_line(&Request::Monitor { fib: None, loopback: true }).as_bytes()).unwrap();
    assert_eq!(line_of(&mut follower), "{\"version\":1,\"ok\":\"done\"}\n");
    let mut other = scene.client();
    for _again in 0..20 {
        assert_eq!(other.ask(&Request::Stats), Ok(Reply::Done));
    }
    std::thread::sleep(10 * QUICK.write);
    // What fits between here and there is still read, and then it is over: he was let go.
    let end = follower.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert!(matches!(end, Ok(_) | Err(io::ErrorKind::ConnectionReset)), "{end:?}");
    // The connection from before has been idle for too long by now.
    assert_eq!(scene.client().ask(&Request::Stats), Ok(Reply::Done));
}

#[test]
fn who_follows_a_ferryd_that_stops_is_told_no_more() {
    let mut scene = Scene::with(QUICK, telling(1));
    let mut follower = scene.client();
    follower.follow(None).unwrap();
    scene.stop();
    assert_eq!(follower.next_event().unwrap_err().kind, ErrorKind::ShuttingDown);
}

// holds X37
#[test]
fn root_and_ferryd_s_own_user_may_change_things_and_nobody_else() {
    assert_eq!([0, 1000, 1001].map(|user| may_change(user, 1000)), [true, true, false]);
    assert_eq!([0, 1000].map(|user| may_change(user, 0)), [true, false]);
    let (said, heard) = crossbeam::channel::unbounded();
    let scene = Scene::with(QUICK, move |asked| {
        said.send((asked.asker.pid, asked.asker.may_change, asked.asker.client)).unwrap();
        willing(asked);
    });
    let (mut one, mut other) = (scene.client(), scene.client());
    for client in [&mut one, &mut other] {
        client.ask(&Request::Version).unwrap();
    }
    let [first, second] = [heard.recv().unwrap(), heard.recv().unwrap()];
    assert_eq!((first.0, first.1), (std::process::id(), true), "this test runs as the user it runs as");
    assert_ne!(first.2, second.2, "each connection is a client");
}

#[test]
fn a_configuration_is_read_before_it_is_asked_for_and_its_mistakes_are_said_with_their_lines() {
    let (said, heard) = crossbeam::channel::unbounded();
    let scene = Scene::with(QUICK, move |asked: Asked| {
        said.send((asked.request.clone(), asked.asker.config.map(|config| config.routes().len()))).unwrap();
        asked.reply.send(Ok(Reply::Done)).unwrap();
    });
    let file = scene.directory.path().join("ferry.toml");
    let name = file.display().to_string();
    let wanted = |file: Option<&str>| Request::ConfigReload { file: file.map(str::to_owned), dry_run: false };
    let sound = "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[[route]]\nto = \"10.0.0.0/8\"\nblackhole = true\n";
    std::fs::write(&file, sound).unwrap();
    scene.client().ask(&wanted(Some(&name))).unwrap();
    assert_eq!(heard.recv().unwrap(), (wanted(Some(&name)), Some(1)));
    std::fs::write(&file, sound.replace("blackhole", "blackhol")).unwrap();
    let refused = scene.client().ask(&wanted(Some(&name))).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("line 6, column 1: "), "{refused}");
    assert!(refused.picture.is_some_and(|picture| picture.contains("ferry.toml:6:1")));
    let unnamed = scene.client().ask(&wanted(None)).unwrap_err();
    assert!(unnamed.message.contains("`/nowhere/ferry.toml`: there is no such file"), "{unnamed}");
    assert!(heard.is_empty(), "what cannot be read does not get to the control thread");
}
