//! The file that keeps a routing daemon's routes while ferryd does not run.
//!
//! What is in it `control::fpm` decides; here it gets to the disk and back. A thread of its own writes it, so that the
//! control thread never waits for a disk: beside the old one, then in its place. So there is always a whole file, however
//! ferryd ends.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use control::fpm::{Keeper, Piece};
use control::{Control, Timestamp};
use crossbeam::channel::{Receiver, unbounded};
use tracing::{info, warn};

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Shelf(JoinHandle<()>);

impl Shelf {
    /// Gives `control` the routes of the file at `path`, and from now on writes there what it wants kept.
    ///
    /// A file that cannot be used is said so, and costs nothing but the routes in it.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub(crate) fn open(path: &Path, control: &mut Control) -> io::Result<Self> {
        restore(path, control);
        let (pieces, to_write) = unbounded();
        let failed = Arc::new(AtomicU64::new(0));
        control.keep_daemon_s_routes(Keeper { pieces, failed: Arc::clone(&failed) });
        let path = path.to_owned();
        let life = move || write_all(&path, &to_write, &failed);
        std::thread::Builder::new().name("keep".to_owned()).spawn(life).map(Self)
    }

    /// Waits until everything is written; `control` must have let go of it.
    pub(crate) fn close(self) {
        if self.0.join().is_err() {
            warn!("the routing daemon's routes could not be saved at the end: the thread that writes has panicked");
        }
    }
}

fn restore(path: &Path, control: &mut Control) {
    let shown = path.display();
    let file = match fs::read_to_string(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return info!("no routes of a daemon are saved in {shown} yet");
        }
        Err(error) => return warn!("starting without the routes saved in {shown}: {error}"),
    };
    match control.restore_daemon_s_routes(&file, Timestamp::ZERO) {
        Ok(restored) => {
            control.publish();
            info!(
                "forwarding by {} routes saved in {shown} until the daemon tells its own; {} lead nowhere any more",
                restored.routes, restored.refused
            );
        }
        Err(error) => warn!("starting without the routes saved in {shown}: {error}"),
    }
}

/// Writes file after file, until nobody has anything to write any more.
fn write_all(path: &Path, to_write: &Receiver<Piece>, failed: &AtomicU64) {
    // What went wrong with the file being written; the rest of it is passed over.
    let mut draft: io::Result<Draft> = Err(io::Error::other("nothing is begun"));
    for piece in to_write {
        match piece {
            Piece::First(lines) => draft = Draft::begin(path).and_then(|draft| draft.add(&lines)),
            Piece::More(lines) => draft = draft.and_then(|draft| draft.add(&lines)),
            Piece::Last(lines) => {
                let written = draft.and_then(|draft| draft.add(&lines)).and_then(Draft::publish);
                draft = Err(io::Error::other("nothing is begun"));
                if let Err(error) = written {
                    warn!("the routing daemon's routes cannot be saved in {}: {error}", path.display());
                    // Relaxed: a count, and nothing besides.
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// A file that is not whole yet.
struct Draft {
    file: BufWriter<File>,
    beside: PathBuf,
    path: PathBuf,
}

impl Draft {
    fn begin(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut beside = path.to_owned().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        Ok(Self { file: BufWriter::new(File::create(&beside)?), beside, path: path.to_owned() })
    }

    fn add(mut self, lines: &str) -> io::Result<Self> {
        self.file.write_all(lines.as_bytes())?;
        Ok(self)
    }

    /// Puts it in the place of the one before, once it is on the disk.
    fn publish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes these pieces to a file in a folder of its own that does not exist yet; what is there then, and failures.
    fn written(pieces: &[Piece], before: Option<&str>) -> (Option<String>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ferry/fpm");
        if let Some(before) = before {
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(&path, before).unwrap();
        }
        let (sender, receiver) = unbounded();
        pieces.iter().for_each(|piece| sender.send(piece.clone()).unwrap());
        drop(sender);
        let failed = AtomicU64::new(0);
        write_all(&path, &receiver, &failed);
        (fs::read_to_string(&path).ok(), failed.into_inner())
    }

    fn pieces() -> [Piece; 3] {
        [Piece::First("a\n".to_owned()), Piece::More("b\n".to_owned()), Piece::Last("c\n".to_owned())]
    }

    #[test]
    fn a_file_is_in_its_place_when_its_last_line_is_there() {
        assert_eq!(written(&pieces(), None), (Some("a\nb\nc\n".to_owned()), 0));
        assert_eq!(written(&pieces(), Some("old")), (Some("a\nb\nc\n".to_owned()), 0));
    }

    #[test]
    fn until_then_the_one_before_it_is() {
        assert_eq!(written(&pieces()[..2], Some("old")), (Some("old".to_owned()), 0));
        assert_eq!(written(&[pieces(), pieces()].concat()[..4], None), (Some("a\nb\nc\n".to_owned()), 0));
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_next_is_tried_anew() {
        let folder = tempfile::tempdir().unwrap();
        // A file is where a folder would have to be.
        fs::write(folder.path().join("ferry"), "").unwrap();
        let (sender, receiver) = unbounded();
        [pieces(), pieces()].concat().into_iter().for_each(|piece| sender.send(piece).unwrap());
        drop(sender);
        let failed = AtomicU64::new(0);
        write_all(&folder.path().join("ferry/fpm"), &receiver, &failed);
        assert_eq!(failed.into_inner(), 2);
    }
}
