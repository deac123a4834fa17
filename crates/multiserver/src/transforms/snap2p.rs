//! `snap2p`: a SNaP2P session, and one stream of it.

use crate::{Auth, Authenticate, BoxSocket, Endpoint, Error, Established, Layer, Refusal, Transform};
use async_trait::async_trait;
use handfast_keys::{KeyPair, PublicKey};
use handfast_snap2p::{
    Error as Snap2pError, ErrorCode, Network, Now, Principal, UnixTime, WalletKey,
    access::Allow,
    limits::ATTESTATION_VALIDITY,
    session::{Answer, Dial, Local},
    tokio::{Config, Incoming, Session, Stream, answer, dial},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The label of the stream that carries everything. The dialler opens it; a session carries no other one.
const LABEL: &str = "muxrpc";

/// Mutual authentication by wallet and an encrypted stream: `snap2p:PRINCIPAL`.
///
/// Whoever dials demands the principal of the address. Each end has a node key too, for which its wallet vouches: that is the
/// key of [`Established::peer`], so that permissions for keys mean here what they mean over `shs`. Give the node's own keys, or the
/// node is somebody else over this transform.
///
/// A SNaP2P node of another kind can shake hands with this one, and has to open a stream labelled `muxrpc`. The session ends with
/// the socket.
#[derive(Clone)]
pub struct Snap2p {
    wallet: WalletKey,
    principal: Principal,
    keys: KeyPair,
    allow: Allow,
    authenticate: Option<Arc<dyn Authenticate>>,
    config: Config,
    /// What handshakes say of us, and until when: the wallet vouches for the node key a day at a time.
    local: Arc<Mutex<Option<(Local, UnixTime)>>>,
}

impl Snap2p {
    /// Speaks for a wallet's key on a network of Stacks, from a node with the key `node`, and lets in everybody who shakes hands.
    #[must_use]
    pub fn new(wallet: WalletKey, network: Network, node: KeyPair) -> Self {
        Self {
            principal: Principal(wallet.address(network)),
            wallet,
            keys: node,
            allow: Allow::everybody(),
            authenticate: None,
            config: Config::default(),
            local: Arc::default(),
        }
    }

    /// Lets in only these, and is content only with these when it dials.
    #[must_use]
    pub fn allow(mut self, principals: impl IntoIterator<Item = Principal>) -> Self {
        self.allow = Allow::only(principals);
        self
    }

    /// Asks before letting a node in, by its node key. The node has proved its wallet by then, and hears of a refusal only that
    /// the session closes.
    #[must_use]
    pub fn authenticate(mut self, judge: Arc<dyn Authenticate>) -> Self {
        self.authenticate = Some(judge);
        self
    }

    /// What a session may take. [`Limits::handshake_timeout`](crate::Limits::handshake_timeout) bounds the handshake as well.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Whom it speaks for.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What a handshake of now says of us.
    fn local(&self) -> Result<Local, Error> {
        let now = Now::get();
        // It is replaced as a whole, so there is nothing half done in a poisoned one.
        let mut kept = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((local, _)) = kept.as_ref().filter(|(_, renew)| now.unix < *renew) {
            return Ok(local.clone());
        }
        let local = Local::attested(&self.wallet, self.principal, self.keys.clone(), now)?;
        // Long before the attestation ends, so that clocks may differ and sessions begin at the last moment.
        let renew = now.unix.plus(ATTESTATION_VALIDITY / 2);
        *kept = Some((local.clone(), renew));
        Ok(local)
    }

    /// Who is at the other end, and what it may do; `stream` is all that holds the session from here on.
    fn established(session: &Session, stream: Stream, auth: Auth) -> Established {
        Established {
            socket: Box::new(stream),
            peer: Some(session.peer_info().node_key),
            layer: Layer::snap2p(session.principal()),
            auth,
        }
    }

    async fn judge(&self, peer: &PublicKey) -> Result<Auth, Error> {
        let Some(judge) = &self.authenticate else {
            return Ok(Auth::Anonymous);
        };
        let judged = judge.authenticate(peer).await;
        judged.map_err(|Refusal(reason)| Error::other(format!("{peer} is turned away: {reason}")))
    }
}

impl fmt::Debug for Snap2p {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snap2p")
            .field("principal", &self.principal)
            .field("node", self.keys.public())
            .field("allow", &self.allow)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transform for Snap2p {
    fn name(&self) -> &str {
        "snap2p"
    }

    fn layer(&self) -> Layer {
        Layer::snap2p(&self.principal)
    }

    async fn connect(&self, socket: BoxSocket, to: &Layer, _over: &Endpoint) -> Result<Established, Error> {
        let wanted = Dial {
            expect: Some(to.require_principal()?),
            token: None,
            allow: self.allow.clone(),
        };
        // Streams that the other side opens are refused: nobody asks for them.
        let (session, _) = dial(socket, &self.local()?, wanted, self.config.clone()).await?;
        let stream = session.open_stream(LABEL).await?;
        Ok(Self::established(&session, stream, Auth::Anonymous))
    }

    async fn accept(&self, socket: BoxSocket, _from: &Endpoint) -> Result<Established, Error> {
        let wanted = Answer {
            stealth: false,
            allow: self.allow.clone(),
        };
        let everybody = |_| std::future::ready(true);
        let (session, mut incoming) = answer(socket, &self.local()?, wanted, everybody, self.config.clone()).await?;
        let auth = self.judge(&session.peer_info().node_key).await?;
        let stream = labelled(&mut incoming)
            .await
            .ok_or(Snap2pError::Truncated("a stream labelled muxrpc"))?;
        Ok(Self::established(&session, stream, auth))
    }
}

/// The first stream with our label; those before it are refused. Whoever never opens one runs into the deadline of the handshake.
async fn labelled(incoming: &mut Incoming) -> Option<Stream> {
    loop {
        let stream = incoming.next().await?;
        if stream.label() == LABEL {
            return Some(stream);
        }
        stream.reset(ErrorCode::StreamRefused);
    }
}
