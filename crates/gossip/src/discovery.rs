//! Where a node finds others who are interested in a topic.

use crate::{Contact, NodeId, TopicId};
use futures_core::Stream;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// Contacts as they are found, some at a time. It may go on for ever, and may tell the same ones again.
pub type Found = Pin<Box<dyn Stream<Item = Vec<Contact<NodeId>>> + Send>>;

/// A way to find nodes: a file, a name server, a beacon in the local network, a table distributed among all.
///
/// What it tells need not be true. A contact is dialled, and whoever answers has to prove the key that the contact names and
/// to be let into the topic by its rules.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use handfast_gossip::{Contact, NodeId, TopicId, discovery::{Discovery, Found}};
/// use std::{path::PathBuf, time::Duration};
///
/// /// A file with one address a line, looked at every minute.
/// struct File(PathBuf);
///
/// impl Discovery for File {
///     fn find(&self, _topic: TopicId) -> Found {
///         let path = self.0.clone();
///         let looks = stream::unfold(Duration::ZERO, move |wait| {
///             let path = path.clone();
///             async move {
///                 tokio::time::sleep(wait).await;
///                 let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
///                 Some((read(&text), Duration::from_secs(60)))
///             }
///         });
///         looks.boxed()
///     }
/// }
/// # fn read(_: &str) -> Vec<Contact<NodeId>> { Vec::new() }
/// ```
pub trait Discovery: Send + Sync + 'static {
    /// Begins to look for nodes that may be interested in a topic. Dropping the stream ends the search; when the stream ends,
    /// nothing more will be found.
    fn find(&self, topic: TopicId) -> Found;
}

/// Always the same contacts, for every topic.
#[derive(Clone, Debug, Default)]
pub struct Given(Vec<Contact<NodeId>>);

impl Given {
    /// These contacts.
    pub fn new(contacts: impl IntoIterator<Item = Contact<NodeId>>) -> Self {
        Self(contacts.into_iter().collect())
    }
}

impl Discovery for Given {
    fn find(&self, _topic: TopicId) -> Found {
        Box::pin(Once(Some(self.0.clone())))
    }
}

/// A stream of one item.
struct Once(Option<Vec<Contact<NodeId>>>);

impl Stream for Once {
    type Item = Vec<Contact<NodeId>>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().filter(|contacts| !contacts.is_empty()))
    }
}

impl fmt::Debug for dyn Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Discovery(..)")
    }
}
