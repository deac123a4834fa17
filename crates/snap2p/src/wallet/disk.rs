//! Small files that are whole or not there, and that only their owner can read.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

/// What the names of files begin with that are not written to their end.
pub(super) const UNFINISHED: &str = ".new-";

/// What may stand where a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing: a file that is there stays, and this is an error.
    MustBeFree,
    /// Whatever: it is replaced in one step.
    Replace,
}

/// Creates a directory and those above it, for their owner alone. One that is there stays as it is: see [`close_dir`].
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

/// Sees to it that nobody else changes what is in a directory. One that others can enter is closed to them, if `is_ours` says of
/// every name in it that it is one of ours: what else is there may be meant for them. An error if others can write in it then.
#[cfg(unix)]
pub(super) fn close_dir(dir: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    /// Only owners remove files from such a directory: it is meant for everybody.
    const STICKY: u32 = 0o1000;
    let mut permissions = fs::metadata(dir)?.permissions();
    let mode = permissions.mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let mut names = fs::read_dir(dir)?.flatten();
    if mode & STICKY == 0 && names.all(|entry| entry.file_name().to_str().is_some_and(&is_ours)) {
        permissions.set_mode(mode & !OTHERS);
        if fs::set_permissions(dir, permissions).is_ok() {
            return Ok(());
        }
    }
    match mode & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others can write in it and could exchange wallets: take a directory of your own, or close it with chmod go-w",
        )),
    }
}

#[cfg(not(unix))]
pub(super) fn close_dir(_: &Path, _: impl Fn(&str) -> bool) -> io::Result<()> {
    Ok(())
}

/// What the group and everybody may do, and the part of it that is writing.
#[cfg(unix)]
const OTHERS: u32 = 0o077;
#[cfg(unix)]
const OTHERS_WRITE: u32 = 0o022;

/// Closes a file to everybody but its owner. An error if that is not us, or cannot be done.
#[cfg(unix)]
fn close_file(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & OTHERS == 0 {
        return Ok(());
    }
    permissions.set_mode(permissions.mode() & !OTHERS);
    file.set_permissions(permissions).map_err(|error| {
        let why =
            format!("others can get at it, and it cannot be closed to them ({error}): make it yours, with mode 0600");
        io::Error::new(error.kind(), why)
    })
}

#[cfg(not(unix))]
fn close_file(_: &File) -> io::Result<()> {
    Ok(())
}

/// Writes beside the place, to the disk, and then moves it there: after a failure nothing has changed. The file can be read
/// by its owner alone.
pub(super) fn write(path: &Path, bytes: &[u8], place: Place) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match place {
        Place::MustBeFree => file.persist_noclobber(path).map_err(|error| error.error)?,
        Place::Replace => file.persist(path).map_err(|error| error.error)?,
    };
    // The file stands; that its name outlasts a loss of power as well is asked for where that can be.
    #[cfg(unix)]
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// Reads a file of at most `max` bytes. One that others can get at is closed to them first.
pub(super) fn read(path: &Path, max: usize) -> io::Result<String> {
    // Opening a pipe would wait for whoever writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    close_file(&file)?;
    let mut text = String::new();
    file.take(max as u64 + 1).read_to_string(&mut text)?;
    match text.len() > max {
        true => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {max} bytes"),
        )),
        false => Ok(text),
    }
}
