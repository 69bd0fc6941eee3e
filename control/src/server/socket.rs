//! The socket's file: made where nobody else listens, and gone when the server is.
//!
//! A file left by a ferryd that was killed is replaced, and nothing else ever is: not the socket of a ferryd that lives,
//! nor a file that is no socket. To tell the first two apart, a lock beside the socket is held for as long as the server
//! lives; the kernel lets go of it when the process dies, however it dies. Two that start at once cannot both hold it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// A socket's file that is ours. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: what is at `path` later may be somebody else's.
    identity: (u64, u64),
    owner: u32,
    lock_path: PathBuf,
    _lock: File,
}

impl SocketFile {
    /// Makes a socket at `path`, and listens.
    pub(super) fn bind(path: &Path) -> Result<(Self, UnixListener), ServerError> {
        let failed = |error: io::Error| ServerError::at(path, error);
        let path = &std::path::absolute(path).map_err(failed)?;
        let address = SocketAddrUnix::new(path).map_err(|_errno| ServerError::BadPath { path: path.clone() })?;
        make_parent(path)?;
        let (lock_path, lock) = lock_beside(path)?;
        remove_stale(path, &address)?;

        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|error| failed(error.into()))?;
        rustix::net::bind(&socket, &address).map_err(|error| failed(error.into()))?;
        let made = fs::symlink_metadata(path).map_err(failed)?;
        let ours =
            Self { path: path.clone(), identity: (made.dev(), made.ino()), owner: made.uid(), lock_path, _lock: lock };
        // Before it listens: until then nobody can have connected under another mode.
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
        rustix::net::listen(&socket, BACKLOG).map_err(|error| failed(error.into()))?;
        Ok((ours, UnixListener::from(socket)))
    }

    /// The user it belongs to: the one that ferryd runs as.
    pub(super) const fn owner(&self) -> u32 {
        self.owner
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the API's socket stays behind");
        }
        if let Err(error) = fs::remove_file(&self.lock_path) {
            tracing::warn!(%error, path = %self.lock_path.display(), "the API's lock stays behind");
        }
    }
}

/// A path without a parent is refused later, where it is bound.
fn make_parent(path: &Path) -> Result<(), ServerError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|error| ServerError::Directory { path: parent.to_owned(), error })
}

fn lock_beside(path: &Path) -> Result<(PathBuf, File), ServerError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let failed = |error| ServerError::at(path, error);
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok((lock_path, lock)),
        Err(TryLockError::WouldBlock) => Err(ServerError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Removes what a killed ferryd has left at `path`, and nothing else.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> Result<(), ServerError> {
    let failed = |error| ServerError::at(path, error);
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !found.file_type().is_socket() {
        return Err(ServerError::NotASocket { path: path.to_owned() });
    }
    // Whoever listens without holding our lock is no ferryd, but it listens.
    if someone_listens(address).map_err(|error| failed(error.into()))? {
        return Err(ServerError::InUse { path: path.to_owned() });
    }
    fs::remove_file(path).map_err(failed)
}

/// Whether a connection would be taken, or at least be put in a queue; without waiting for either.
fn someone_listens(address: &SocketAddrUnix) -> Result<bool, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, address) {
        // AGAIN: the queue of a listener is full. PROTOTYPE: it is there, and of another type.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Owner and group may ask; others may not.
const MODE: u32 = 0o660;

const BACKLOG: i32 = 128;

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Another server listens there.
    #[error(
        "`{}` is in use: another ferryd is running; stop it, or give this one a socket of its own in [api]",
        path.display()
    )]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there, and was left alone.
    #[error("`{}` is there and is not a socket; it was left alone: remove it, or choose another path in [api]", path.display())]
    NotASocket {
        /// What is in the way.
        path: PathBuf,
    },
    /// No socket can have this path.
    #[error("`{}` is too long for a socket's path", path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// The directory is not there, and cannot be made.
    #[error("cannot make the directory `{}` for the API's socket", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// This user may not make a socket there.
    #[error("this user may not make the socket `{}`; run as root, or choose another path in [api]", path.display())]
    PermissionDenied {
        /// The socket.
        path: PathBuf,
    },
    /// Anything else about the socket.
    #[error("cannot make the socket `{}`", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The thread to serve on could not be made.
    #[error("cannot start a thread for the API")]
    Thread(#[source] io::Error),
}

impl ServerError {
    pub(super) fn at(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::PermissionDenied { path },
            io::ErrorKind::AddrInUse => Self::InUse { path },
            _other => Self::Socket { path, error },
        }
    }
}
