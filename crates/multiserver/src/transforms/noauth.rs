//! `noauth`: whoever can connect is the owner.

use crate::{Auth, BoxSocket, Endpoint, Error, Established, Incoming, Layer, Transform};
use async_trait::async_trait;
use handfast_keys::PublicKey;
use std::net::IpAddr;

/// No handshake and no encryption: the other end is taken for the owner himself, with the node's own key and every right.
///
/// So it listens only where nobody else can connect: on Unix sockets, which serve the owner's processes and root only, and
/// on loopback addresses over TCP, where every user of the machine can connect. Over WebSockets even a web page that the
/// owner visits could. [`Incoming::insecure_noauth`] allows it anywhere.
#[derive(Debug, Clone)]
pub struct Noauth {
    own: PublicKey,
}

impl Noauth {
    /// Takes everybody for the holder of `own`.
    #[must_use]
    pub const fn new(own: PublicKey) -> Self {
        Self { own }
    }

    fn establish(&self, socket: BoxSocket, auth: Auth) -> Established {
        Established {
            socket,
            peer: Some(self.own),
            layer: Layer::noauth(),
            auth,
        }
    }
}

#[async_trait]
impl Transform for Noauth {
    fn name(&self) -> &str {
        "noauth"
    }

    fn layer(&self) -> Layer {
        Layer::noauth()
    }

    fn check_listen(&self, bound: &Endpoint, options: &Incoming) -> Result<(), Error> {
        let safe = match bound {
            Endpoint::Unix { .. } => true,
            Endpoint::Net { host, .. } => options.scope.is_device_only() && is_loopback(host),
            _ => false,
        };
        if safe || options.insecure_noauth {
            return Ok(());
        }
        Err(Error::Misconfigured {
            transport: bound.transport().to_owned(),
            problem:
                "noauth makes everybody who connects the owner; use it with unix, or with net for the scope device \
                      alone, or write insecureNoauth = true if nobody else can reach this place"
                    .to_owned(),
        })
    }

    async fn connect(&self, socket: BoxSocket, _to: &Layer, _over: &Endpoint) -> Result<Established, Error> {
        Ok(self.establish(socket, Auth::Anonymous))
    }

    async fn accept(&self, socket: BoxSocket, _from: &Endpoint) -> Result<Established, Error> {
        Ok(self.establish(socket, Auth::Owner))
    }
}

fn is_loopback(host: &str) -> bool {
    host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}
