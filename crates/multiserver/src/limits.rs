//! How much strangers may take.

use std::time::Duration;

/// What a stranger can cost a server, and what a slow peer can cost a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most connections that came in. Stops a crowd from taking every file of the process. When all places are taken, a
    /// newcomer gets the one of whoever holds the most of them, if that is more than the newcomer's, and is refused
    /// otherwise. Default: half of the files that the process may open.
    pub max_connections: usize,
    /// The most of them from one address, or from one /64 network for IPv6, where one host has that many addresses to
    /// itself. Stops one host from taking every place. Loopback is exempt, since Tor and local proxies bring everybody from
    /// there. Default: 64.
    pub max_connections_per_ip: usize,
    /// The most connections whose handshake is not finished. Stops whoever connects and says nothing: one more, and the
    /// oldest goes. Default: a quarter of the files that the process may open.
    pub max_half_open: usize,
    /// The most of them from one address or /64 network, loopback exempt: one more, and the oldest from there goes. Keeps
    /// a single host from pushing others out. Default: 32.
    pub max_half_open_per_ip: usize,
    /// How long a connection that came in may take for everything before it is one: TLS and HTTP upgrade, handshake and
    /// authentication together. The transform of a dialled connection has as long. Default: 15 s.
    pub handshake_timeout: Duration,
    /// How long each alternative that is dialled may take until the transport stands, TLS and HTTP upgrade included.
    /// Default: 15 s.
    pub connect_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_files(open_files())
    }
}

/// What systems allow a process at least.
#[cfg(unix)]
const FEW_FILES: u64 = 1024;
/// More connections than this allows are not worth their memory to a program that does not say so itself.
const MANY_FILES: u64 = 32 * 1024;
/// Files that the process keeps for itself: standard streams, listeners, the runtime, a few of its own.
const OWN_FILES: u64 = 64;

impl Limits {
    /// The defaults for a process that may open this many files. Half of them are for connections that came in, a quarter
    /// for handshakes, and the rest for dialling and everything else.
    #[must_use]
    pub fn for_files(files: u64) -> Self {
        let files = files.min(MANY_FILES).saturating_sub(OWN_FILES);
        let share = |part| usize::try_from(files / part).unwrap_or(usize::MAX).max(1);
        Self {
            max_connections: share(2),
            max_connections_per_ip: 64,
            max_half_open: share(4),
            max_half_open_per_ip: 32,
            handshake_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(15),
        }
    }
}

/// How many files the process may open now.
fn open_files() -> u64 {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().unwrap_or(FEW_FILES);
    #[cfg(not(unix))]
    return MANY_FILES;
}

/// Lets the process open as many files as the system allows it, up to 32,768, and returns how many that are. For programs
/// that serve many peers; call it before [`Limits::default`], which reads the result.
pub fn raise_open_files() -> u64 {
    #[cfg(unix)]
    {
        let (soft, hard) = rlimit::Resource::NOFILE.get().unwrap_or((FEW_FILES, FEW_FILES));
        let wanted = hard.min(MANY_FILES);
        if wanted > soft && rlimit::Resource::NOFILE.set(wanted, hard).is_ok() {
            return wanted;
        }
        soft
    }
    #[cfg(not(unix))]
    MANY_FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_leave_files_for_the_rest() {
        for files in [0, 1, 65, 256, 1024, 1 << 20, u64::MAX] {
            let limits = Limits::for_files(files);
            assert!(limits.max_connections >= 1 && limits.max_half_open >= 1);
            let taken = (limits.max_connections + limits.max_half_open) as u64;
            assert!(taken <= files.saturating_sub(OWN_FILES).max(2));
        }
    }
}
