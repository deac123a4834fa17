//! `unix`: sockets in the file system, for the owner's own programs.

use super::tcp;
use crate::{Arrival, BoxSocket, Endpoint, Error, Incoming, Listener, Outgoing, Scope, Transport};
use async_trait::async_trait;
use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// The name of the socket in its directory, as in the original.
const SOCKET: &str = "socket";
/// The name of the file that says, by a lock, that somebody listens.
const LOCK: &str = "socket.lock";

/// Unix domain sockets: `unix:/DIRECTORY/socket`.
///
/// They serve the owner of the node: the socket is readable by him alone, stands in a directory that nobody else may write
/// to (made with mode 0700 if it is missing), and processes of other users than him and root are turned away, at both ends.
/// A socket that a crashed node left behind is replaced, one that is alive is not. The socket is removed when the listener
/// is dropped; next to it stays an empty file `socket.lock`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Unix;

impl Unix {
    /// The transport.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Transport for Unix {
    fn name(&self) -> &str {
        "unix"
    }

    fn understands(&self, endpoint: &Endpoint) -> bool {
        matches!(endpoint, Endpoint::Unix { .. })
    }

    async fn dial(&self, to: &Endpoint, _options: &Outgoing) -> Result<BoxSocket, Error> {
        let Endpoint::Unix { path } = to else {
            return Err(tcp::not_mine("unix", to));
        };
        let failed = |source| Error::Connect {
            place: path.clone(),
            source,
        };
        let socket = UnixStream::connect(path).await.map_err(failed)?;
        // Root may look into everybody's node.
        if !rustix::process::geteuid().is_root() {
            check_owner(&socket)?;
        }
        Ok(Box::new(socket))
    }

    async fn listen(&self, options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        let Some(directory) = &options.path else {
            return Err(Error::Misconfigured {
                transport: "unix".to_owned(),
                problem: "path is missing, the directory in which the socket is made".to_owned(),
            });
        };
        if !options.scope.is_device_only() {
            return Err(Error::Misconfigured {
                transport: "unix".to_owned(),
                problem: "a Unix socket is reached from this machine only; write scope = \"device\"".to_owned(),
            });
        }
        Ok(Box::new(UnixPlace::bind(directory).await?))
    }
}

/// Fails unless the process at the other end is the owner's, or root's.
fn check_owner(socket: &UnixStream) -> Result<(), Error> {
    let uid = match socket.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(source) => {
            return Err(Error::Connect {
                place: "the Unix socket".to_owned(),
                source,
            });
        }
    };
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(Error::OtherUser { uid })
    }
}

struct UnixPlace {
    listener: UnixListener,
    path: PathBuf,
    /// The path as it stands in addresses.
    text: String,
    /// Device and inode of the socket: what is removed in the end is this one and no other.
    identity: (u64, u64),
    // Invariant: locked for as long as the socket is ours.
    _lock: File,
}

impl UnixPlace {
    async fn bind(directory: &Path) -> Result<Self, Error> {
        prepare(directory)?;
        let path = directory.join(SOCKET);
        let Some(text) = path.to_str().map(str::to_owned) else {
            return Err(unusable(&path, "a path in an address has to be UTF-8"));
        };
        let lock = lock(&directory.join(LOCK), &path)?;
        remove_stale(&path).await?;
        let failed = |source| Error::Listen {
            place: text.clone(),
            source,
        };
        let listener = UnixListener::bind(&path).map_err(failed)?;
        // Until this line the mode of the socket is what the process leaves by default; others who came in between are
        // turned away by `check_owner`.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        Ok(Self {
            listener,
            text,
            identity: (metadata.dev(), metadata.ino()),
            path,
            _lock: lock,
        })
    }
}

fn unusable(path: &Path, problem: impl ToString) -> Error {
    Error::File {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

/// Makes the directory, or checks that nobody else can put another socket into it.
fn prepare(directory: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| unusable(directory, error))?;
    let metadata = fs::metadata(directory).map_err(|error| unusable(directory, error))?;
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(unusable(
            directory,
            "the directory belongs to another user, who could put another socket in its place",
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(unusable(
            directory,
            format!(
                "other users may write to the directory (mode {:04o}); forbid it with: chmod go-w {}",
                metadata.mode() & 0o7777,
                directory.display()
            ),
        ));
    }
    Ok(())
}

/// Takes the lock that says that we listen.
fn lock(file: &Path, socket: &Path) -> Result<File, Error> {
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let lock = options.open(file).map_err(|error| unusable(file, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(taken(socket)),
        Err(TryLockError::Error(error)) => Err(unusable(file, error)),
    }
}

/// Removes a socket that nobody listens on. With the lock held, one that is alive can only be a JavaScript node's.
async fn remove_stale(path: &Path) -> Result<(), Error> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(path, error)),
        Ok(metadata) => metadata,
    };
    if !metadata.file_type().is_socket() {
        return Err(unusable(
            path,
            "there is a file of this name that is no socket; move it away",
        ));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(taken(path)),
        // Too many wait to be accepted: it is slow, but alive.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(taken(path)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| unusable(path, error))
        }
        Err(error) => Err(unusable(path, error)),
    }
}

fn taken(path: &Path) -> Error {
    unusable(
        path,
        "another node listens there already; stop it, or choose another directory",
    )
}

impl Drop for UnixPlace {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl UnixPlace {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Unix {
            path: self.text.clone(),
        }
    }
}

#[async_trait]
impl Listener for UnixPlace {
    fn endpoints(&self, scope: Scope) -> Vec<Endpoint> {
        let here = (scope == Scope::Device).then(|| self.endpoint());
        here.into_iter().collect()
    }

    fn bound(&self) -> Vec<Endpoint> {
        vec![self.endpoint()]
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        let (socket, _) = self.listener.accept().await?;
        let from = self.endpoint();
        Ok(match check_owner(&socket) {
            Ok(()) => Arrival::ready(from, None, socket),
            Err(error) => Arrival {
                from,
                ip: None,
                socket: Box::pin(std::future::ready(Err(error))),
            },
        })
    }
}
