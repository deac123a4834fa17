//! Small files that are whole or not there, and that only their owner can read.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

/// What may stand where a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing: a file that is there stays, and this is an error.
    MustBeFree,
    /// Whatever: it is replaced in one step.
    Replace,
}

/// Creates a directory and those above it, for their owner alone. One that is there stays as it is.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

/// Writes beside the place, to the disk, and then moves it there: after a failure nothing has changed. The file can be read
/// by its owner alone.
pub(super) fn write(path: &Path, bytes: &[u8], place: Place) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
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

/// Reads a file of at most `max` bytes.
pub(super) fn read(path: &Path, max: usize) -> io::Result<String> {
    // Opening a pipe would wait for whoever writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(max as u64 + 1).read_to_string(&mut text)?;
    match text.len() > max {
        true => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {max} bytes"),
        )),
        false => Ok(text),
    }
}
