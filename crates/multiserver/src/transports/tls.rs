//! TLS for `wss`.

use super::tcp::NetSocket;
use crate::Error;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::OnceCell;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    client::TlsStream as ClientStream,
    rustls::{
        self, ClientConfig, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
    server::TlsStream as ServerStream,
};

/// What the system trusts, read once, when it is first needed.
#[derive(Clone, Default)]
pub(super) struct Client {
    system: Arc<OnceCell<RootCertStore>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn tls(error: impl ToString) -> Error {
    Error::Tls(error.to_string())
}

impl Client {
    pub(super) async fn connect(
        &self,
        tcp: NetSocket,
        host: &str,
        extra: &[PathBuf],
    ) -> Result<ClientStream<NetSocket>, Error> {
        let name = ServerName::try_from(host.to_owned()).map_err(tls)?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .with_root_certificates(self.roots(extra).await?)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, tcp).await.map_err(tls)
    }

    async fn roots(&self, extra: &[PathBuf]) -> Result<RootCertStore, Error> {
        let system = self.system.get_or_init(|| async {
            // Files are read, which may wait for a disk.
            tokio::task::spawn_blocking(system_roots)
                .await
                .unwrap_or_else(|_| RootCertStore::empty())
        });
        let mut roots = system.await.clone();
        for path in extra {
            for certificate in certificates(path.clone()).await? {
                roots.add(certificate).map_err(|error| file(path, error))?;
            }
        }
        if roots.is_empty() {
            return Err(tls(
                "this system trusts no certificates; install the package ca-certificates, or name a file as ca",
            ));
        }
        Ok(roots)
    }
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "cannot read some of the certificates that the system trusts");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

/// The key and certificates of a server.
#[derive(Clone)]
pub(super) struct Server(TlsAcceptor);

impl Server {
    /// Reads both files, in PEM.
    pub(super) async fn load(key: PathBuf, cert: PathBuf) -> Result<Self, Error> {
        let chain = certificates(cert.clone()).await?;
        let (secret, path) = blocking(move || (PrivateKeyDer::from_pem_file(&key), key)).await?;
        let secret = secret.map_err(|error| file(&path, error))?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| file(&cert, error))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) async fn accept(self, tcp: NetSocket) -> Result<ServerStream<NetSocket>, Error> {
        self.0.accept(tcp).await.map_err(tls)
    }
}

/// Every certificate of a PEM file, at least one.
async fn certificates(path: PathBuf) -> Result<Vec<CertificateDer<'static>>, Error> {
    let (read, path) = blocking(move || (read_certificates(&path), path)).await?;
    match read.map_err(|error| file(&path, error))? {
        certificates if certificates.is_empty() => Err(file(&path, "it holds no certificate in PEM")),
        certificates => Ok(certificates),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(tls)
}

fn file(path: &Path, problem: impl ToString) -> Error {
    Error::File {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}
