//! A file that arrives, on the disk: under another name until it is whole, and then under its own, which it takes from nobody.

use super::{
    machine::fresh_hash,
    message::{Checksum, Offer},
    name::harmless,
};
use ring::digest::Context;
use std::{
    fs::{File, Metadata, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// How much is read at once for a checksum.
const CHUNK: usize = 256 * 1024;

/// What there is of a file that is offered.
#[derive(Debug)]
pub(super) enum Place {
    /// Room for it, and maybe its beginning.
    Partial(Box<Partial>),
    /// All of it: the same file is here under the same name.
    Whole(PathBuf),
    /// Another file of this name.
    Taken(PathBuf),
    /// Its beginning, and somebody is writing to that.
    Busy,
}

/// The part of a file that has arrived.
pub(super) struct Partial {
    /// Locked, so that two transfers of one file do not write to one place.
    pub(super) file: File,
    /// What the hash of the part is.
    pub(super) hash: Context,
    /// How long the part is, bytes.
    pub(super) from: u64,
    part: PathBuf,
    target: PathBuf,
    force: bool,
}

impl std::fmt::Debug for Partial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partial")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

/// Where the partial file of an offer is: its name tells its checksum, so what is gone on with is the same file.
pub(super) fn part_of(dir: &Path, offer: &Offer) -> PathBuf {
    dir.join(format!("{}.{}.part", harmless(&offer.name), offer.sha256.short()))
}

/// Looks what there is of a file, and makes room for the rest. Blocks while it reads what is there.
pub(super) fn prepare(dir: &Path, offer: &Offer, force: bool) -> io::Result<Place> {
    let target = dir.join(harmless(&offer.name));
    if let Ok(there) = target.symlink_metadata() {
        if there.is_file() && there.len() == offer.size {
            let mut hash = fresh_hash();
            let mut file = File::open(&target)?;
            absorb(&mut file, &mut hash, |_| ())?;
            if Checksum::of(hash) == offer.sha256 {
                return Ok(Place::Whole(target));
            }
        }
        if !force || !there.is_file() {
            return Ok(Place::Taken(target));
        }
    }
    let part = part_of(dir, offer);
    let mut file = open_part(&part)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Place::Busy),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if file.metadata()?.len() > offer.size {
        file.set_len(0)?;
    }
    let mut hash = fresh_hash();
    let from = absorb(&mut file, &mut hash, |_| ())?;
    file.seek(SeekFrom::Start(from))?;
    Ok(Place::Partial(Box::new(Partial {
        file,
        hash,
        from,
        part,
        target,
        force,
    })))
}

/// Opens the part, or makes it. Whoever else can write into the folder may have put something there in advance: what leads
/// elsewhere is not followed, or the sender would write there.
fn open_part(part: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).open(part) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => return made,
    }
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe would keep us waiting for somebody at its other end.
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    let elsewhere = || {
        let what = format!("{} is a link, or no file; take it away", part.display());
        io::Error::new(ErrorKind::InvalidInput, what)
    };
    if !part.symlink_metadata()?.is_file() {
        return Err(elsewhere());
    }
    let file = options.open(part)?;
    match is_only_here(&file.metadata()?) {
        true => Ok(file),
        false => Err(elsewhere()),
    }
}

/// Whether this is a file that has no other name.
fn is_only_here(file: &Metadata) -> bool {
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(file) != 1 {
        return false;
    }
    file.is_file()
}

/// What becomes of a partial file in the end.
#[derive(Debug)]
pub(super) struct Ending {
    part: PathBuf,
    target: PathBuf,
    force: bool,
}

impl Partial {
    /// Takes it apart: the file to write to, the hash to go on with, and what to do in the end.
    pub(super) fn open(self) -> (File, Context, u64, Ending) {
        let ending = Ending {
            part: self.part,
            target: self.target,
            force: self.force,
        };
        (self.file, self.hash, self.from, ending)
    }
}

impl Ending {
    /// Gives the whole file its name. [`ErrorKind::AlreadyExists`] if meanwhile somebody else has that.
    pub(super) fn keep(self, file: File) -> io::Result<PathBuf> {
        file.sync_all()?;
        // Not every system renames what is open.
        drop(file);
        if !self.force {
            // Whoever creates the name has it, and what is renamed onto it then replaces nobody's.
            OpenOptions::new().write(true).create_new(true).open(&self.target)?;
        }
        std::fs::rename(&self.part, &self.target)?;
        Ok(self.target)
    }

    /// Leaves the part for the next try, unless there is nothing of it.
    pub(super) fn keep_part(self, file: &File) {
        if file.metadata().is_ok_and(|part| part.len() == 0) {
            let _ = std::fs::remove_file(&self.part);
        }
    }

    /// Throws away what is not what was offered: going on with it could never end well.
    pub(super) fn discard(self) {
        let _ = std::fs::remove_file(&self.part);
    }

    /// Where the part is.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }
}

/// Reads a file to its end into a hash, and tells how far it is. How long it is.
pub(super) fn absorb(file: &mut File, hash: &mut Context, mut tell: impl FnMut(u64)) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut read = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(read),
            Ok(length) => {
                hash.update(chunk.get(..length).unwrap_or_default());
                read += length as u64;
                tell(read);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn offer(name: &str, content: &[u8]) -> Offer {
        let mut hash = fresh_hash();
        hash.update(content);
        Offer {
            name: name.into(),
            size: content.len() as u64,
            sha256: Checksum::of(hash),
        }
    }

    fn partial(dir: &Path, offer: &Offer, force: bool) -> Box<Partial> {
        match prepare(dir, offer, force).unwrap() {
            Place::Partial(partial) => partial,
            other => panic!("{other:?}"),
        }
    }

    fn written(dir: &Path, offer: &Offer, force: bool, rest: &[u8]) -> io::Result<PathBuf> {
        let (mut file, _, _, ending) = partial(dir, offer, force).open();
        file.write_all(rest).unwrap();
        ending.keep(file)
    }

    #[test]
    fn what_is_there_of_a_file_is_kept_and_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let offer = offer("../x.txt", b"abcdef");
        let mut begun = partial(dir.path(), &offer, false);
        assert_eq!(begun.from, 0);
        begun.file.write_all(b"abc").unwrap();
        assert!(matches!(prepare(dir.path(), &offer, false).unwrap(), Place::Busy));
        drop(begun);
        assert_eq!(partial(dir.path(), &offer, false).from, 3);
        let path = written(dir.path(), &offer, false, b"def").unwrap();
        assert_eq!(path, dir.path().join("x.txt"));
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(matches!(prepare(dir.path(), &offer, false).unwrap(), Place::Whole(_)));
    }

    #[test]
    fn another_file_of_the_same_name_begins_anew_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (offer("x", b"abcdef"), offer("x", b"ghijkl"));
        partial(dir.path(), &one, false).file.write_all(b"abc").unwrap();
        assert_eq!(partial(dir.path(), &other, false).from, 0);
        assert_eq!(partial(dir.path(), &one, false).from, 3);
    }

    #[test]
    fn nothing_that_is_there_is_overwritten_unless_that_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let offer = offer("x", b"abc");
        let there = dir.path().join("x");
        std::fs::write(&there, "mine").unwrap();
        assert!(matches!(prepare(dir.path(), &offer, false).unwrap(), Place::Taken(path) if path == there));
        std::fs::remove_file(&there).unwrap();
        // Somebody is faster while it travels.
        let (mut file, _, _, ending) = partial(dir.path(), &offer, false).open();
        file.write_all(b"abc").unwrap();
        std::fs::write(&there, "mine").unwrap();
        assert_eq!(ending.keep(file).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&there).unwrap(), b"mine");
        assert_eq!(written(dir.path(), &offer, true, b"").unwrap(), there);
        assert_eq!(std::fs::read(&there).unwrap(), b"abc");
        // Not even --force replaces what is no file.
        std::fs::remove_file(&there).unwrap();
        std::fs::create_dir(&there).unwrap();
        assert!(matches!(prepare(dir.path(), &offer, true).unwrap(), Place::Taken(_)));
    }

    #[cfg(unix)]
    #[test]
    fn what_stands_in_the_place_of_the_part_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let offer = offer("x", b"abc");
        let part = part_of(dir.path(), &offer);
        let treasure = dir.path().join("treasure");
        std::fs::write(&treasure, "mine, and longer than what comes").unwrap();
        let refused = || {
            let error = prepare(dir.path(), &offer, true).unwrap_err();
            assert!(error.to_string().contains("take it away"), "{error}");
            std::fs::remove_file(&part).unwrap();
        };
        std::os::unix::fs::symlink(&treasure, &part).unwrap();
        refused();
        std::os::unix::fs::symlink(dir.path().join("nothing yet"), &part).unwrap();
        refused();
        std::fs::hard_link(&treasure, &part).unwrap();
        refused();
        std::os::unix::net::UnixListener::bind(&part).unwrap();
        refused();
        assert_eq!(std::fs::read(&treasure).unwrap(), b"mine, and longer than what comes");
        assert!(!dir.path().join("nothing yet").exists());
    }

    #[test]
    fn a_part_that_is_longer_than_the_file_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let offer = offer("x", b"abc");
        std::fs::write(part_of(dir.path(), &offer), "far too long").unwrap();
        assert_eq!(partial(dir.path(), &offer, false).from, 0);
    }
}
