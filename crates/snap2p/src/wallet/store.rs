//! The directory where wallets are kept: the reference's, read and written as the reference does.

use super::{
    Sealed, Wallet,
    date::Millis,
    disk,
    file::{FILE_MAX, proper_name},
    registry::{self, Known, Registry},
};
use crate::{Address, Error, Network, UnixTime, WalletFault, identity::hex::lower_hex, shown::steers_a_terminal};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The most wallets that are looked at in a directory: more is no directory of wallets.
pub const WALLETS_MAX: usize = 1000;
/// What follows the id in the name of a wallet's file.
const SUFFIX: &str = ".wallet.json";

/// A directory of wallet files, shared with the reference: `<32 hexadecimal digits>.wallet.json` each, and `registry.json`.
///
/// The wallet files are the truth. The registry only tells when each was used last, and is made anew from the files where it
/// is missing or damaged. Files are readable for their owner alone, and are written beside their place and then moved there,
/// so that a full disk or a loss of power loses nothing that stood before.
///
/// Every method works on the file system, and [`create`](Self::create) and [`unlock`](Self::unlock) take up to a second and
/// 128 MiB: run them off the async threads.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// What can be told of a wallet without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The 32 hexadecimal digits that its file is called by.
    pub id: String,
    /// Its name, made harmless for terminals.
    pub name: String,
    /// The address of its first account.
    pub address: Address,
    /// The network of its addresses.
    pub network: Network,
    /// When it was saved.
    pub created_at: UnixTime,
    /// When it was unlocked last, if that is known.
    pub last_used: Option<UnixTime>,
}

impl Store {
    /// The store in a directory, which is created for its owner alone if it is not there. A registry that is missing or
    /// damaged is made anew, if the directory can be written.
    ///
    /// On Unix a directory with nothing but wallets in it is closed to everybody but its owner (mode 0700), and so is each wallet
    /// file when it is read (0600). A file that cannot be closed, since it is somebody else's, is told among the
    /// [`damaged`](Self::damaged).
    ///
    /// # Errors
    /// [`Error::Io`] if there is no directory and none can be created, or others can write in it and that cannot be changed.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        disk::create_dir(&dir).map_err(|error| failed("creating the directory", &dir, error))?;
        disk::close_dir(&dir, is_ours).map_err(|error| failed("opening the directory", &dir, error))?;
        let store = Self { dir };
        let files = store.files()?;
        // Only a convenience of the reference's: whoever may only read has no use for it.
        let _ = store.update_registry(&files.0, |_| {});
        Ok(store)
    }

    /// Where the reference keeps its wallets: `.snap2p/wallets` in the home directory, if that is known.
    #[must_use]
    pub fn default_dir() -> Option<PathBuf> {
        let home = std::env::home_dir()?;
        (!home.as_os_str().is_empty()).then(|| home.join(".snap2p").join("wallets"))
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every wallet that can be read, the one saved first in front.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        let registry = self.registry().unwrap_or_default();
        let (files, _) = self.files()?;
        Ok(files.iter().map(|file| file.entry(&registry)).collect())
    }

    /// The files that look like wallets and cannot be read, with what is wrong with each.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be read.
    pub fn damaged(&self) -> Result<Vec<(PathBuf, Error)>, Error> {
        self.files().map(|(_, damaged)| damaged)
    }

    /// Saves a wallet under a name that no other has, and a password of at least
    /// [`PASSWORD_MIN`](super::PASSWORD_MIN) characters. When this returns it is on the disk. Takes up to a second.
    ///
    /// # Errors
    /// [`Error::Wallet`] for a name that is taken or none, and for a password that is too short; [`Error::Io`] if it cannot
    /// be written: then nothing is left behind.
    pub fn create(&self, name: &str, wallet: &Wallet, password: &str) -> Result<Entry, Error> {
        self.check_new(&proper_name(name)?, None)?;
        self.save(Sealed::seal(wallet, password, name)?)
    }

    /// Saves a file that [`export`](Self::export) or the reference wrote elsewhere, under the name it tells.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`WalletFault::File`] for what is no wallet file.
    pub fn import(&self, text: &str) -> Result<Entry, Error> {
        let sealed = Sealed::parse(text)?;
        self.check_new(&proper_name(sealed.name())?, None)?;
        self.save(sealed)
    }

    fn save(&self, sealed: Sealed) -> Result<Entry, Error> {
        let mut id = [0; 16];
        handfast_keys::random(&mut id)?;
        let file = Found {
            id: lower_hex(&id),
            sealed,
        };
        let path = self.path_of(&file.id);
        disk::write(&path, file.sealed.to_text().as_bytes(), disk::Place::MustBeFree)
            .map_err(|error| failed("writing", &path, error))?;
        self.used(&file.id, true);
        Ok(file.entry(&self.registry().unwrap_or_default()))
    }

    /// Takes the password off a wallet. Takes up to a second.
    ///
    /// # Errors
    /// [`Error::Wallet`]: [`WalletFault::Unknown`], [`WalletFault::Ambiguous`], and those of [`Sealed::open`].
    pub fn unlock(&self, name_or_id: &str, password: &str) -> Result<Wallet, Error> {
        let file = self.find(name_or_id)?;
        let wallet = file.sealed.open(password)?;
        self.used(&file.id, false);
        Ok(wallet)
    }

    /// What can be told of a wallet without its password.
    ///
    /// # Errors
    /// [`Error::Wallet`]: [`WalletFault::Unknown`], [`WalletFault::Ambiguous`]; [`Error::Io`].
    pub fn entry(&self, name_or_id: &str) -> Result<Entry, Error> {
        Ok(self.find(name_or_id)?.entry(&self.registry().unwrap_or_default()))
    }

    /// The text of a wallet's file: as good as the wallet for whoever knows or guesses the password.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn export(&self, name_or_id: &str) -> Result<String, Error> {
        Ok(self.find(name_or_id)?.sealed.to_text())
    }

    /// Names a wallet anew. The password is not needed: names stand in clear.
    ///
    /// # Errors
    /// As [`entry`](Self::entry), and [`WalletFault::Exists`] and [`WalletFault::Name`] for the new name.
    pub fn rename(&self, name_or_id: &str, name: &str) -> Result<Entry, Error> {
        let mut file = self.find(name_or_id)?;
        self.check_new(&proper_name(name)?, Some(&file.id))?;
        file.sealed.rename(name)?;
        let path = self.path_of(&file.id);
        disk::write(&path, file.sealed.to_text().as_bytes(), disk::Place::Replace)
            .map_err(|error| failed("writing", &path, error))?;
        let (files, _) = self.files()?;
        let _ = self.update_registry(&files, |_| {});
        Ok(file.entry(&self.registry().unwrap_or_default()))
    }

    /// Removes a wallet's file. Without its words written down elsewhere, its keys are gone for ever.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn delete(&self, name_or_id: &str) -> Result<(), Error> {
        let file = self.find(name_or_id)?;
        let path = self.path_of(&file.id);
        fs::remove_file(&path).map_err(|error| failed("removing", &path, error))?;
        let (files, _) = self.files()?;
        let _ = self.update_registry(&files, |_| {});
        Ok(())
    }

    fn find(&self, name_or_id: &str) -> Result<Found, Error> {
        let (files, damaged) = self.files()?;
        if let Some(file) = files.iter().find(|file| file.id == name_or_id) {
            return Ok(file.clone());
        }
        let name = name_or_id.trim();
        let named: Vec<&Found> = files.iter().filter(|file| file.sealed.name() == name).collect();
        match named.as_slice() {
            [file] => Ok((*file).clone()),
            [] => Err(WalletFault::Unknown {
                name: name.chars().filter(|c| !steers_a_terminal(*c)).take(64).collect(),
                known: known(&files, damaged.len()),
            }
            .into()),
            several => Err(WalletFault::Ambiguous {
                name: name.into(),
                ids: several
                    .iter()
                    .map(|file| file.id.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            }
            .into()),
        }
    }

    fn check_new(&self, name: &str, of: Option<&str>) -> Result<(), Error> {
        let (files, damaged) = self.files()?;
        if of.is_none() && files.len() + damaged.len() >= WALLETS_MAX {
            return Err(Error::Misuse("a directory has room for 1000 wallets; take another one"));
        }
        match files
            .iter()
            .any(|file| file.sealed.name() == name && Some(file.id.as_str()) != of)
        {
            true => Err(WalletFault::Exists(name.into()).into()),
            false => Ok(()),
        }
    }

    fn path_of(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}{SUFFIX}"))
    }

    /// The wallets by age, and what looks like one and is none.
    #[allow(clippy::type_complexity)]
    fn files(&self) -> Result<(Vec<Found>, Vec<(PathBuf, Error)>), Error> {
        let (mut files, mut damaged) = (Vec::new(), Vec::new());
        let reading = |error| failed("reading the directory", &self.dir, error);
        for file in fs::read_dir(&self.dir).map_err(reading)? {
            let name = file.map_err(reading)?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else {
                continue;
            };
            if !is_id(id) || files.len() + damaged.len() >= WALLETS_MAX {
                continue;
            }
            let path = self.path_of(id);
            let read = disk::read(&path, FILE_MAX).map_err(|error| failed("reading", &path, error));
            match read.and_then(|text| Sealed::parse(&text)) {
                Ok(sealed) => files.push(Found { id: id.into(), sealed }),
                // Another process may just have removed it.
                Err(Error::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => damaged.push((path, error)),
            }
        }
        files.sort_by(|a, b| (a.sealed.created(), &a.id).cmp(&(b.sealed.created(), &b.id)));
        Ok((files, damaged))
    }

    fn registry(&self) -> Option<Registry> {
        Registry::read(&self.dir)
    }

    /// Notes that a wallet was used. The wallet files are the truth, so what goes wrong here is no failure.
    fn used(&self, id: &str, created: bool) {
        let Ok((files, _)) = self.files() else { return };
        let now = Millis::now().to_text();
        let _ = self.update_registry(&files, |registry| {
            registry.current = Some(id.into());
            if let Some(known) = registry.accounts.iter_mut().find(|known| known.id == id) {
                known.last_used = Some(now.clone());
                if created {
                    known.created_at.clone_from(&now);
                }
            }
        });
    }

    /// Brings the registry up to what the files tell, and writes it if it has changed.
    fn update_registry(&self, files: &[Found], change: impl FnOnce(&mut Registry)) -> io::Result<()> {
        let accounts = files
            .iter()
            .map(|file| Known {
                id: file.id.clone(),
                address: file.sealed.address().to_string(),
                display_name: file.sealed.name().into(),
                created_at: file.sealed.created().to_text(),
                last_used: None,
            })
            .collect();
        Registry::update(&self.dir, accounts, change)
    }
}

/// A wallet file.
#[derive(Clone)]
struct Found {
    id: String,
    sealed: Sealed,
}

impl Found {
    fn entry(&self, registry: &Registry) -> Entry {
        Entry {
            id: self.id.clone(),
            name: self.sealed.name().into(),
            address: *self.sealed.address(),
            network: self.sealed.network(),
            created_at: self.sealed.created_at(),
            last_used: registry
                .accounts
                .iter()
                .find(|known| known.id == self.id)
                .and_then(|known| Millis::from_text(known.last_used.as_deref()?))
                .map(|time| UnixTime(time.secs())),
        }
    }
}

/// Whether a text is what wallet files are called by: nothing else becomes part of a path.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a name is one that this store or the reference gives to a file.
fn is_ours(name: &str) -> bool {
    name.ends_with(SUFFIX) || name == registry::NAME || name.starts_with(disk::UNFINISHED)
}

fn known(files: &[Found], damaged: usize) -> String {
    let mut text = match files {
        [] => String::from("none is saved yet"),
        files => {
            let names: Vec<&str> = files.iter().take(20).map(|file| file.sealed.name()).collect();
            format!("saved are: {}", names.join(", "))
        }
    };
    if damaged > 0 {
        text.push_str(&format!("; files that cannot be read: {damaged}"));
    }
    text
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::Io {
        what: format!("{what} {}", path.display()),
        error,
    }
}
