//! The way from the program's commands to the node that runs in the same directory: its Unix socket, with full rights.

use crate::{exit::Failure, home::Home};
use anyhow::anyhow;
#[cfg(unix)]
use handfast_multiserver::{self as multiserver, Endpoint, Outgoing, Transport as _, Unix};
use handfast_mux::{
    Error,
    tokio::{Peer, Router, Source, connection},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};

/// A connection to the running node.
pub(crate) struct Node {
    peer: Peer,
    driving: JoinHandle<Result<(), Error>>,
}

impl Node {
    /// Connects to the node that runs in this directory.
    #[cfg(unix)]
    pub(crate) async fn reach(home: &Home) -> Result<Self, Failure> {
        let path = home.socket();
        let endpoint = Endpoint::Unix {
            path: path.to_string_lossy().into_owned(),
        };
        let stream = Unix::new()
            .dial(&endpoint, &Outgoing::new("noauth"))
            .await
            .map_err(|error| {
                use std::io::ErrorKind::{ConnectionRefused, NotFound};
                Failure::connection(match error {
                    // A node that was killed leaves its socket behind, with nobody at the other end.
                    multiserver::Error::Connect { source, .. }
                        if matches!(source.kind(), NotFound | ConnectionRefused) =>
                    {
                        anyhow!(
                            "no node runs in {}; start one with: {}",
                            home.dir().display(),
                            home.command("start")
                        )
                    }
                    error => anyhow!("cannot talk to the node in {}: {error}", home.dir().display()),
                })
            })?;
        Ok(Self::over(stream))
    }

    #[cfg(not(unix))]
    pub(crate) async fn reach(_home: &Home) -> Result<Self, Failure> {
        Err(Failure::connection(anyhow!(
            "a running node is reached through a Unix socket, which this system does not have"
        )))
    }

    /// Talks to a node over this stream, which proves by itself who is at both ends.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        // The node may call its owner too; it finds nothing.
        let (peer, driver) = connection(stream, Router::new());
        Self {
            peer,
            driving: tokio::spawn(driver),
        }
    }

    /// The connection and the task that drives it, for a command that knows what to do with any peer.
    pub(crate) fn into_parts(self) -> (Peer, JoinHandle<Result<(), Error>>) {
        (self.peer, self.driving)
    }

    /// Calls a method of the node.
    pub(crate) async fn call<R: DeserializeOwned>(&self, method: &str, args: impl Serialize) -> Result<R, Failure> {
        self.peer.call(method, args).await.map_err(failed)
    }

    /// Reads a source of the node.
    pub(crate) async fn source<T: DeserializeOwned>(
        &self,
        method: &str,
        args: impl Serialize,
    ) -> Result<Source<T>, Failure> {
        self.peer.source(method, args).await.map_err(failed)
    }

    /// Ends the connection; what has been answered stays answered, whatever happens here.
    pub(crate) async fn leave(self) {
        self.peer.abort("done");
        let _ = self.driving.await;
    }
}

/// Reads an answer of the node.
pub(crate) fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(misunderstood)
}

fn misunderstood(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    let why = "the node answers in another form; is it of another version than this program?";
    Failure::remote(anyhow::Error::new(error).context(why))
}

/// Sorts an error of the node by exit code.
pub(crate) fn failed(error: Error) -> Failure {
    match error {
        Error::Remote(error) => Failure::remote(anyhow!("the node says: {}", error.message())),
        Error::Decode(_) => misunderstood(error),
        Error::Encode(_) | Error::BodyTooLong { .. } | Error::MethodName(_) => Failure::usage(error),
        error => Failure::connection(anyhow::Error::new(error).context("the node is gone")),
    }
}
