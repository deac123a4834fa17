//! Dialling: one alternative after the other.

use crate::{
    Address, Alternative, Attempt, Connection, Direction, Error, Layer, Multiserver, Outgoing, Transform, Transport,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::timeout;

impl Multiserver {
    /// Connects to the first alternative of `to` that can be reached, one after the other, with what `outgoing` allows.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with every attempt and its error, also for alternatives that nothing here understands.
    ///
    /// # Cancel safety
    /// Dropping the future gives up: the connection that was being made is closed.
    pub async fn dial(&self, to: &Address, outgoing: &BTreeMap<String, Vec<Outgoing>>) -> Result<Connection, Error> {
        self.dial_with(None, to, outgoing).await
    }

    /// [`dial`](Self::dial) with `transform` in place of the registered one of the same name: to come with other keys.
    ///
    /// # Errors
    /// As [`dial`](Self::dial).
    ///
    /// # Cancel safety
    /// As [`dial`](Self::dial).
    pub async fn dial_as(
        &self,
        transform: Arc<dyn Transform>,
        to: &Address,
        outgoing: &BTreeMap<String, Vec<Outgoing>>,
    ) -> Result<Connection, Error> {
        self.dial_with(Some(&transform), to, outgoing).await
    }

    async fn dial_with(
        &self,
        instead: Option<&Arc<dyn Transform>>,
        to: &Address,
        outgoing: &BTreeMap<String, Vec<Outgoing>>,
    ) -> Result<Connection, Error> {
        let mut attempts = Vec::new();
        for alternative in to.alternatives() {
            match self.attempt(instead, alternative, outgoing).await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    tracing::debug!(address = %alternative, %error, "dialling failed");
                    attempts.push(Attempt {
                        alternative: alternative.without_seed(),
                        error,
                    });
                }
            }
        }
        Err(Error::Unreachable { attempts })
    }

    async fn attempt(
        &self,
        instead: Option<&Arc<dyn Transform>>,
        to: &Alternative,
        outgoing: &BTreeMap<String, Vec<Outgoing>>,
    ) -> Result<Connection, Error> {
        let way = self.find_way(instead, to, outgoing)?;
        let allowed = self.limits.connect_timeout;
        let socket = timeout(allowed, way.transport.dial(&to.endpoint, way.options))
            .await
            .unwrap_or(Err(Error::Timeout {
                what: "connecting",
                allowed,
            }))?;
        let allowed = self.limits.handshake_timeout;
        let established = timeout(allowed, way.transform.connect(socket, &way.layer, &to.endpoint))
            .await
            .unwrap_or(Err(Error::Timeout {
                what: "the handshake",
                allowed,
            }))?;
        Ok(Connection {
            socket: established.socket,
            address: Alternative {
                endpoint: to.endpoint.clone(),
                transforms: vec![established.layer],
            },
            peer: established.peer,
            auth: established.auth,
            direction: Direction::Outgoing,
            seeded: way.layer.seed().is_some(),
            transport: way.transport.name().to_owned(),
            transform: way.transform.name().to_owned(),
        })
    }

    /// The transport and the transform that lead to an alternative, or why there are none.
    fn find_way<'a>(
        &'a self,
        instead: Option<&'a Arc<dyn Transform>>,
        to: &Alternative,
        outgoing: &'a BTreeMap<String, Vec<Outgoing>>,
    ) -> Result<Way<'a>, Error> {
        if let Some(problem) = to.problem() {
            return Err(Error::NotUnderstood(problem.to_string()));
        }
        if to.transforms.len() > 1 {
            return Err(Error::NotUnderstood("it has more than one transform".to_owned()));
        }
        let ways = outgoing
            .iter()
            .filter_map(|(name, ways)| Some((self.find_transport(name)?, ways)))
            .filter(|(transport, _)| transport.understands(&to.endpoint))
            .flat_map(|(transport, ways)| ways.iter().map(move |options| (transport, options)));
        // An address without a transform is that of the first way that leads there.
        let wanted = to.transforms.first();
        let mut others = Vec::new();
        for (transport, options) in ways {
            let name = options.transform.as_str();
            if wanted.is_some_and(|wanted| wanted.name() != name) {
                others.push(name);
                continue;
            }
            let instead = instead.filter(|instead| instead.name() == name);
            let Some(transform) = instead.or_else(|| self.find_transform(name)) else {
                return Err(Error::NotUnderstood(format!(
                    "dialling it is configured with the transform {name}, which is not registered"
                )));
            };
            let layer = match wanted {
                Some(layer) => layer.clone(),
                None => Layer::new(name, Vec::<String>::new())?,
            };
            return Ok(Way {
                transport,
                options,
                transform,
                layer,
            });
        }
        Err(Error::NotUnderstood(if others.is_empty() {
            let names: Vec<_> = outgoing
                .keys()
                .map(String::as_str)
                .filter(|name| self.find_transport(name).is_some())
                .collect();
            format!(
                "nothing here dials {}; configured for dialling: {}",
                to.transport(),
                if names.is_empty() {
                    "nothing".to_owned()
                } else {
                    names.join(", ")
                }
            )
        } else {
            format!(
                "it speaks {}, and {} is configured for dialling with {}",
                wanted.map_or("nothing", Layer::name),
                to.transport(),
                others.join(", ")
            )
        }))
    }
}

struct Way<'a> {
    transport: &'a Arc<dyn Transport>,
    options: &'a Outgoing,
    transform: &'a Arc<dyn Transform>,
    layer: Layer,
}
