//! Connecting to a host that has several addresses.

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};

/// The most addresses of one host that are tried: whoever wrote the name of the host chooses them, and a name may have
/// thousands.
const MOST_ADDRESSES: usize = 8;
/// How long an address may be silent before the next one is tried beside it, as RFC 8305 has it. The network of one family
/// may swallow what is sent, and one such address would otherwise take all the time there is.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first address of the host that answers.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = alternating(lookup_host((host, port)).await?);
    race(addresses, TcpStream::connect).await
}

/// The addresses in their order, but after each one of the other family, if there is one.
fn alternating(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.peekable();
    let first = addresses.peek().map(SocketAddr::is_ipv6);
    let (same, other): (Vec<_>, Vec<_>) = addresses.partition(|address| Some(address.is_ipv6()) == first);
    let mut other = other.into_iter();
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in same {
        all.push(address);
        all.extend(other.next());
    }
    all.extend(other);
    all.truncate(MOST_ADDRESSES);
    all
}

/// Tries one address after the other, the next one when one has failed or has been silent for a while.
async fn race<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut left = addresses.into_iter();
    let mut tried = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    loop {
        tried.extend(left.next().map(&connect));
        tokio::select! {
            Some(result) = tried.next() => match result {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error,
            },
            () = sleep(HEAD_START), if left.len() > 0 => {}
            else => return Err(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::IpAddr, sync::Mutex};

    fn address(last: u8) -> SocketAddr {
        (IpAddr::from([192, 0, 2, last]), 1).into()
    }

    /// Odd addresses never answer, 4 and 8 refuse, the others connect.
    async fn answer(address: SocketAddr) -> io::Result<SocketAddr> {
        match address.ip() {
            IpAddr::V4(ip) if ip.octets()[3] % 2 == 1 => std::future::pending().await,
            IpAddr::V4(ip) if ip.octets()[3] % 4 == 0 => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(address),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_does_not_keep_the_others_from_being_tried() {
        let tried = Mutex::new(Vec::new());
        let connect = |address| {
            tried.lock().unwrap().push(address);
            answer(address)
        };
        let all = [1, 4, 3, 2, 6].map(address);
        assert_eq!(race(all.into(), connect).await.unwrap(), address(2));
        assert_eq!(*tried.lock().unwrap(), all[..4], "6 was not needed any more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_failure_is_told_when_all_have_failed() {
        let refused = race([4, 8].map(address).into(), answer).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let nothing = race(Vec::new(), answer).await.unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn families_alternate_and_there_is_an_end_to_them() {
        let six = |last: u8| SocketAddr::from((IpAddr::from([0, 0, 0, 0, 0, 0, 0, u16::from(last)]), 1));
        let all = [six(1), six(2), six(3), address(1), address(2)].into_iter();
        assert_eq!(alternating(all), [six(1), address(1), six(2), address(2), six(3)]);
        assert_eq!(alternating((0..=255).map(address)).len(), MOST_ADDRESSES);
    }
}
