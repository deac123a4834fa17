//! The SSB secret file: one identity, as JSON between lines of comment.

use crate::{Error, KeyPair, base64};
use serde::{Deserialize, Serialize};
use std::{fs, io, io::Read, io::Write, path::Path};
use zeroize::{Zeroize, Zeroizing};

/// A secret file is a few hundred bytes; anything much larger is something else.
const MAX_LENGTH: u64 = 64 * 1024;

/// What stands in the file. Texts only, erased when dropped.
#[derive(Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
struct Record {
    curve: String,
    public: String,
    private: String,
    id: String,
}

const WARNING_ABOVE: &str = "\
# This is your SECRET identity. Whoever has this file can speak as you.
#
# Keep it to yourself, and keep a copy in a safe place: if it is lost, the
# identity is lost. Never use one file on two devices at the same time: the two
# would write different messages with the same number, and others would have to
# stop listening to both.
#
# Lines that begin with # are comments; the rest is read by programs.

";

const WARNING_BELOW: &str = "

# The name that you may give to others stands above behind \"id\":
";

/// Reads the identity in the file at `path`, as ssb-keys writes it or as [`create`] does.
///
/// # Errors
/// [`Error::SecretExposed`] if others than the owner have any right to the file (on Unix),
/// [`Error::SecretInvalid`] if what it holds is no identity or its halves do not fit together, [`Error::Io`] if it
/// cannot be read. No error quotes the file.
pub fn load(path: impl AsRef<Path>) -> Result<KeyPair, Error> {
    let path = path.as_ref();
    let failed = |source| Error::Io {
        action: "read the secret file",
        path: path.into(),
        source,
    };
    let mut file = fs::File::open(path).map_err(failed)?;
    // The open file is asked, not the path, so that nobody can exchange it between the question and the reading.
    refuse_exposed(path, &file.metadata().map_err(failed)?)?;
    let mut text = Zeroizing::new(String::with_capacity(2048));
    Read::take(&mut file, MAX_LENGTH)
        .read_to_string(&mut text)
        .map_err(failed)?;
    parse(&text).map_err(|why| Error::SecretInvalid { path: path.into(), why })
}

/// Writes `identity` to a new file at `path`, readable by its owner only.
///
/// The file appears whole or not at all, and never replaces another: it is written beside its place, flushed to the
/// disk, and then linked there. A crash leaves at worst a temporary file.
///
/// # Errors
/// [`Error::SecretExists`] if `path` is taken, [`Error::Io`] for anything else that the operating system refuses.
pub fn create(path: impl AsRef<Path>, identity: &KeyPair) -> Result<(), Error> {
    let path = path.as_ref();
    let failed = |source| Error::Io {
        action: "write the secret file",
        path: path.into(),
        source,
    };
    let exists = || Error::SecretExists { path: path.into() };
    if path.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Temporary files are made with mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix(".secret-")
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(print(identity).as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path)
        .map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => failed(refused.error),
        })?;
    #[cfg(unix)]
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    Ok(())
}

/// Reads the identity in the text of a secret file.
///
/// # Errors
/// A sentence that says what is wrong, and quotes nothing.
pub(crate) fn parse(text: &str) -> Result<KeyPair, &'static str> {
    let json = Zeroizing::new(without_comments(text));
    let record: Record = serde_json::from_str(json.trim())
        .map_err(|_| "outside of its comments it is not the JSON object {curve, public, private, id}")?;
    if record.curve != "ed25519" {
        return Err("its curve is not ed25519");
    }
    let secret = record.private.strip_suffix(".ed25519").unwrap_or(&record.private);
    let secret: Zeroizing<[u8; 64]> =
        Zeroizing::new(base64::decode(secret).ok_or("its private key is not 64 bytes in base64")?);
    let pair =
        KeyPair::from_libsodium(&secret).map_err(|_| "the two halves of its private key do not belong together")?;
    let public = record.public.strip_suffix(".ed25519").unwrap_or(&record.public);
    if public != pair.public().to_base64() || record.id != pair.public().to_string() {
        return Err("its public key or id is not that of its private key");
    }
    Ok(pair)
}

/// The text of a secret file.
pub(crate) fn print(identity: &KeyPair) -> Zeroizing<String> {
    let id = identity.public().to_string();
    let record = Record {
        curve: "ed25519".into(),
        public: format!("{}.ed25519", identity.public().to_base64()),
        private: format!("{}.ed25519", *Zeroizing::new(base64::encode(&*identity.to_libsodium()))),
        id: id.clone(),
    };
    // Serialising four texts cannot fail; an empty file would be refused on the next reading.
    let json = Zeroizing::new(serde_json::to_string_pretty(&record).unwrap_or_default());
    Zeroizing::new(format!("{WARNING_ABOVE}{}{WARNING_BELOW}# {id}\n", *json))
}

/// Comments run from `#` to the end of the line, wherever `#` stands: base64 has no such character.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        kept.push_str(line.split('#').next().unwrap_or_default());
        kept.push('\n');
    }
    kept
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(Error::SecretExposed {
            path: path.into(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), Error> {
    // Windows keeps a user's files private by inheritance from the profile folder.
    Ok(())
}
