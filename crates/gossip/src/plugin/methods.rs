//! What the owner calls.

use super::handle::{GossipHandle, Join, Joined, NOT_JOINED};
use crate::{Error, NodeId, Topic, TopicId};
use futures_util::{Stream, StreamExt, future, stream};
use handfast_keys::PublicKey;
use handfast_multiserver::Address;
use handfast_mux::{RemoteError, tokio::Router};
use serde::Serialize;
use serde_json::Value;

/// A topic, as the owner sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// Its name on the wire, in hexadecimal.
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<PublicKey>,
    neighbours: Vec<String>,
}

/// `topics`, `join`, `leave`, `publish`, `messages` and `neighbours`, none of them for strangers.
///
/// Where a topic is expected, the name of one that was joined stands, or its id in hexadecimal.
pub(super) fn router(handle: &GossipHandle) -> Router {
    let [topics, join, leave, publish, messages, neighbours] = std::array::from_fn(|_| handle.clone());
    Router::new()
        .call("topics", move |_cx, ()| {
            let handle = topics.clone();
            async move {
                let joined = handle.topics().await.map_err(failed)?;
                Ok(joined.into_iter().map(Shown::from).collect::<Vec<_>>())
            }
        })
        .call("join", move |_cx, (name, contacts): (String, Option<Vec<Address>>)| {
            let handle = join.clone();
            async move {
                let topic = Topic::open(name);
                let id = hex(&topic.id());
                let how = Join::through(contacts.unwrap_or_default());
                handle.join(topic, how).await.map_err(failed)?;
                Ok(id)
            }
        })
        .call("leave", move |_cx, topic: String| {
            let handle = leave.clone();
            async move {
                let topic = find(&handle, &topic).await.map_err(failed)?.topic;
                handle.leave(topic).await.map_err(failed)
            }
        })
        .call("publish", move |_cx, (topic, message): (String, Value)| {
            let handle = publish.clone();
            async move {
                let topic = find(&handle, &topic).await.map_err(failed)?.topic;
                let id = handle.publish(topic, message).await.map_err(failed)?;
                Ok(bytes_as_hex(id.as_bytes()))
            }
        })
        .source("messages", move |_cx, topic: String| heard(messages.clone(), topic))
        .call("neighbours", move |_cx, topic: String| {
            let handle = neighbours.clone();
            async move {
                let joined = find(&handle, &topic).await.map_err(failed)?;
                Ok(Shown::from(joined).neighbours)
            }
        })
}

fn heard(handle: GossipHandle, topic: String) -> impl Stream<Item = Result<Value, RemoteError>> + Send + 'static {
    let opened = async move {
        let topic = find(&handle, &topic).await?.topic;
        Ok(handle.events(topic).await?.messages())
    };
    stream::once(opened).flat_map(|opened: Result<_, Error>| match opened {
        Ok(messages) => messages
            .map(|heard| serde_json::to_value(&heard).map_err(|error| RemoteError::new(error.to_string())))
            .boxed(),
        Err(error) => stream::once(future::ready(Err(failed(error)))).boxed(),
    })
}

/// The topic that the owner means. Of several with one name, the open one.
async fn find(handle: &GossipHandle, named: &str) -> Result<Joined, Error> {
    let mut topics = handle.topics().await?;
    topics.sort_by_key(|joined| joined.owner.is_some());
    let means = |joined: &Joined| joined.name == named || hex(&joined.topic) == named;
    topics.into_iter().find(means).ok_or(NOT_JOINED)
}

impl From<Joined> for Shown {
    fn from(joined: Joined) -> Self {
        Self {
            id: hex(&joined.topic),
            name: joined.name,
            owner: joined.owner,
            neighbours: joined.neighbours.iter().filter_map(id).collect(),
        }
    }
}

/// The id of a node, as it is written everywhere else.
fn id(node: &NodeId) -> Option<String> {
    PublicKey::from_bytes(node.as_bytes()).ok().map(|key| key.to_string())
}

fn hex(topic: &TopicId) -> String {
    bytes_as_hex(topic.as_bytes())
}

fn bytes_as_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(error: Error) -> RemoteError {
    RemoteError::new(error.to_string())
}
