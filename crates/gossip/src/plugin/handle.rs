//! The use of the plugin: what the application holds.

use super::driver::heard;
use crate::{Certificate, Contact, Error, MessageId, NodeId, Revocation, Topic, TopicId, swarm::Delivery};
use futures_core::Stream;
use futures_util::stream;
use handfast_json::Value;
use handfast_keys::PublicKey;
use handfast_multiserver::Address;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::fmt;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Joins topics, publishes, and hears. Cheap to clone; it does not keep the node running.
#[derive(Clone)]
pub struct GossipHandle {
    commands: mpsc::Sender<Command>,
}

/// How to join a topic.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Join {
    /// Whom to ask first: addresses with keys, such as `net:HOST:PORT~shs:KEY`. One that answers is enough; with none, the node
    /// waits to be asked, or for what is discovered.
    pub contacts: Vec<Address>,
    /// What lets this node into a closed topic that is not its own.
    pub certificate: Option<Certificate>,
    /// Not to ask the peers to which the node is connected for other reasons. They learn the topic's id when they are asked.
    pub discreet: bool,
}

impl Join {
    /// Through these contacts.
    pub fn through(contacts: impl IntoIterator<Item = Address>) -> Self {
        Self {
            contacts: contacts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// With this certificate.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Without asking the peers to which the node is connected for other reasons.
    #[must_use]
    pub fn discreet(mut self) -> Self {
        self.discreet = true;
        self
    }
}

/// A message that was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// In which topic.
    pub topic: TopicId,
    /// Its name.
    pub id: MessageId,
    /// Who signed it.
    pub public: PublicKey,
    /// When its author says that it was written, in milliseconds since the Unix epoch.
    pub at: u64,
    /// What it says.
    pub message: Value,
    /// Whether it was said before it could be heard here: it came by catch-up.
    pub caught_up: bool,
    /// Over how many links it came; 0 if it came by catch-up.
    pub hops: u16,
}

impl Serialize for Heard {
    /// `{"public": …, "message": …}` as in secure-gossip, the time in milliseconds, and whether it was caught up.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Heard", 4)?;
        fields.serialize_field("public", &format_args!("{}.ed25519", self.public.to_base64()))?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("at", &self.at)?;
        fields.serialize_field("caughtUp", &self.caught_up)?;
        fields.end()
    }
}

/// Something that happens in a topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody else's message.
    Heard(Heard),
    /// A node is our neighbour now.
    NeighbourUp(NodeId),
    /// A node is our neighbour no longer.
    NeighbourDown(NodeId),
    /// The owner of a closed topic has taken a membership back.
    Revoked(Revocation),
    /// The listener did not keep up, and this many events are lost to it.
    Missed(u64),
}

/// The events of one topic from the moment on when this was made.
pub struct Events(broadcast::Receiver<Told>);

/// What waits for listeners. Messages wait as they travelled and are taken apart by whoever listens, since taken apart they
/// fill many times the memory.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Heard(TopicId, Delivery<NodeId>),
    Event(Event),
}

impl Events {
    /// The next event; `None` when the node has left the topic, or has closed.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            return match self.0.recv().await {
                Ok(Told::Event(event)) => Some(event),
                Ok(Told::Heard(topic, delivery)) => match heard(topic, &delivery) {
                    Some(heard) => Some(Event::Heard(heard)),
                    None => continue,
                },
                Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
                Err(broadcast::error::RecvError::Closed) => None,
            };
        }
    }

    /// Only the messages. Those that are missed by a slow listener are not told of.
    pub fn messages(self) -> impl Stream<Item = Heard> + Send + Unpin + 'static {
        Box::pin(stream::unfold(self, |mut events| async move {
            loop {
                if let Event::Heard(heard) = events.next().await? {
                    return Some((heard, events));
                }
            }
        }))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events(..)")
    }
}

/// A topic that the node has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// Its name on the wire.
    pub topic: TopicId,
    /// Its name for people.
    pub name: String,
    /// Whose it is.
    pub owner: Option<PublicKey>,
    /// Our neighbours.
    pub neighbours: Vec<NodeId>,
}

/// What the driver is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Join(Topic, Box<Join>, Reply<Events>),
    Leave(TopicId, Reply<()>),
    Publish(TopicId, Value, Reply<MessageId>),
    Revoke(Revocation, Reply<()>),
    Listen(TopicId, Reply<Events>),
    Topics(Reply<Vec<Joined>>),
}

/// Where the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

impl GossipHandle {
    pub(super) const fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Joins a topic. Its events from the first one on come out of what is returned, which may be dropped.
    ///
    /// Returns once the node has begun to look for neighbours. What is published before it has any reaches those who come
    /// later.
    ///
    /// In a closed topic that it has joined already, the node shows a new certificate from now on.
    ///
    /// Cancel safe in that the node then may have joined or not.
    ///
    /// # Errors
    /// [`Error::Caller`] if it has joined already and there is no new certificate, has joined as many topics as it may, or an address has no key;
    /// [`Error::Certificate`] if the topic is closed and the certificate does not do; [`Error::Stopped`] if the node has closed.
    pub async fn join(&self, topic: Topic, how: Join) -> Result<Events, Error> {
        self.ask(|reply| Command::Join(topic, Box::new(how), reply)).await
    }

    /// Leaves a topic, and says goodbye to the neighbours in it.
    ///
    /// # Errors
    /// [`Error::Caller`] if the node has not joined it; [`Error::Stopped`] if the node has closed.
    pub async fn leave(&self, topic: TopicId) -> Result<(), Error> {
        self.ask(|reply| Command::Leave(topic, reply)).await
    }

    /// Signs a message, an object in JSON, and tells it to all who have joined the topic.
    ///
    /// Returns once it is on its way. Cancel safe in that it then may have been published or not.
    ///
    /// # Errors
    /// What is wrong with the message; [`Error::Caller`] if the node has not joined the topic; [`Error::Certificate`] if it may
    /// not speak in it any more; [`Error::Stopped`] if the node has closed.
    pub async fn publish(&self, topic: TopicId, message: impl Serialize) -> Result<MessageId, Error> {
        // The value must not live across the wait: it need not be `Send`.
        let value = handfast_json::to_value(&message);
        drop(message);
        let value = value?;
        self.ask(|reply| Command::Publish(topic, value, reply)).await
    }

    /// Takes a membership back: tells all members, who turn the member away from then on, each for as long as its node runs.
    ///
    /// # Errors
    /// [`Error::Certificate`] if the topic's owner has not signed it; [`Error::Caller`] if the node has not joined the topic;
    /// [`Error::Stopped`] if the node has closed.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), Error> {
        self.ask(|reply| Command::Revoke(revocation, reply)).await
    }

    /// What happens in a topic from now on.
    ///
    /// # Errors
    /// [`Error::Caller`] if the node has not joined it; [`Error::Stopped`] if the node has closed.
    pub async fn events(&self, topic: TopicId) -> Result<Events, Error> {
        self.ask(|reply| Command::Listen(topic, reply)).await
    }

    /// The messages of others in a topic from now on.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub async fn messages(
        &self,
        topic: TopicId,
    ) -> Result<impl Stream<Item = Heard> + Send + Unpin + 'static + use<>, Error> {
        Ok(self.events(topic).await?.messages())
    }

    /// The neighbours in a topic.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub async fn neighbours(&self, topic: TopicId) -> Result<Vec<NodeId>, Error> {
        let joined = self.topics().await?.into_iter().find(|joined| joined.topic == topic);
        Ok(joined.ok_or(NOT_JOINED)?.neighbours)
    }

    /// The topics that the node has joined.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the node has closed.
    pub async fn topics(&self) -> Result<Vec<Joined>, Error> {
        self.ask(Command::Topics).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}

impl fmt::Debug for GossipHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GossipHandle(..)")
    }
}

pub(super) const NOT_JOINED: Error = Error::Caller("the node has not joined this topic; join it first");

pub(super) const fn events(receiver: broadcast::Receiver<Told>) -> Events {
    Events(receiver)
}

/// Who is at an address, and where it is.
///
/// # Errors
/// [`Error::Caller`] if the address has no key, or is too long to be told to others.
pub fn contact(address: &Address) -> Result<Contact<NodeId>, Error> {
    let key = address.key().ok_or(Error::Caller(
        "an address has to say whom it leads to, as in net:HOST:PORT~shs:KEY",
    ))?;
    let text = address.without_seed().to_string();
    if text.len() > Contact::<NodeId>::ADDRESS_MAX {
        return Err(Error::Caller("an address of a contact has 512 bytes at most"));
    }
    Ok(Contact {
        peer: NodeId::from(&key),
        address: text.into(),
    })
}
