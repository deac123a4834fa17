//! The registry of transports and transforms.

use crate::{Error, Incoming, Limits, Server, Transform, Transport, server::Suite};
use std::{collections::BTreeMap, sync::Arc};

/// The transports and transforms of a node. Cheap to clone.
///
/// Two that are registered under one name replace each other: the later one counts.
#[derive(Debug, Clone, Default)]
pub struct Multiserver {
    pub(crate) transports: Vec<Arc<dyn Transport>>,
    pub(crate) transforms: Vec<Arc<dyn Transform>>,
    pub(crate) limits: Limits,
}

impl Multiserver {
    /// Without any transport.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With every transport that is built in: `net`, and by their features `ws`, `unix` and `onion`. Transforms need keys,
    /// so they are yours to add.
    #[must_use]
    pub fn standard() -> Self {
        let standard = Self::new().transport(crate::Net::new());
        #[cfg(feature = "ws")]
        let standard = standard.transport(crate::Ws::new());
        #[cfg(all(feature = "unix", unix))]
        let standard = standard.transport(crate::Unix::new());
        #[cfg(feature = "onion")]
        let standard = standard.transport(crate::Onion::new());
        standard
    }

    /// Adds a transport.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transports.retain(|other| other.name() != transport.name());
        self.transports.push(Arc::new(transport));
        self
    }

    /// Adds a transform.
    #[must_use]
    pub fn transform(mut self, transform: impl Transform) -> Self {
        self.transforms.retain(|other| other.name() != transform.name());
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Sets what strangers may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn find_transport(&self, name: &str) -> Option<&Arc<dyn Transport>> {
        self.transports.iter().find(|transport| transport.name() == name)
    }

    pub(crate) fn find_transform(&self, name: &str) -> Option<&Arc<dyn Transform>> {
        self.transforms.iter().find(|transform| transform.name() == name)
    }

    /// Listens on everything in `incoming`, side by side. Has to run in a tokio runtime, where it starts one task for each
    /// place to listen on.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a transport or transform that is not registered, [`Error::Misconfigured`],
    /// [`Error::CannotListen`], [`Error::Listen`] and [`Error::File`]. After an error nothing is left that listens.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing is left that listens.
    pub async fn listen(&self, incoming: &BTreeMap<String, Vec<Incoming>>) -> Result<Server, Error> {
        let mut wanted = Vec::new();
        for (name, places) in incoming {
            let transport = self
                .find_transport(name)
                .ok_or_else(|| unknown("transport", name, self.transports.iter().map(|one| one.name())))?;
            for options in places {
                let transform = self.find_transform(&options.transform).ok_or_else(|| {
                    let known = self.transforms.iter().map(|one| one.name());
                    unknown("transform", &options.transform, known)
                })?;
                wanted.push((transport, transform, options));
            }
        }
        let mut suites = Vec::new();
        for (transport, transform, options) in wanted {
            let listener = transport.listen(options).await?;
            for bound in listener.bound() {
                transform.check_listen(&bound, options)?;
            }
            suites.push(Suite {
                transport: transport.name().to_owned(),
                transform: Arc::clone(transform),
                listener,
            });
        }
        Ok(Server::start(suites, &self.limits))
    }
}

fn unknown<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<_> = known.collect();
    Error::UnknownName {
        kind,
        name: name.to_owned(),
        known: if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        },
    }
}
