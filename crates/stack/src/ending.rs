//! How a node ends.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::timeout;

use crate::node::Inner;

/// What is left when a node has closed gets this long to notice, before it is left to itself; and what plugins do last has
/// as long.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Waits until the node is told to close and sees to it that nothing of it is left.
pub(crate) async fn supervise(remains: Remains) {
    let Remains(node) = &remains;
    node.closing.cancelled().await;
    node.sessions.close();
    // Connections end by themselves within the deadline; plugins may still work for them until then.
    tokio::select! {
        () = node.sessions.wait() => {}
        () = node.aborting.cancelled() => {}
    }
    node.aborting.cancel();
    node.tasks.close();
    let ended = async {
        node.sessions.wait().await;
        node.tasks.wait().await;
    };
    if timeout(LEFTOVERS, ended).await.is_err() {
        tracing::warn!("something of the node did not end when it was told to, and is left to itself");
    }
    if timeout(LEFTOVERS, do_last(node)).await.is_err() {
        tracing::warn!("what a plugin does when the node closes took too long, and is given up");
    }
}

/// What plugins do when all connections have ended.
async fn do_last(node: &Inner) {
    loop {
        let next = node.given().as_mut().and_then(|given| given.at_close.pop());
        let Some(last) = next else { return };
        // The panic itself is reported where it happens.
        if AssertUnwindSafe(last).catch_unwind().await.is_err() {
            tracing::error!("what a plugin does when the node closes panicked");
        }
    }
}

/// The rest of a node. Dropped when it has closed, or when its runtime is shut down and nothing else can be done for it.
pub(crate) struct Remains(pub(crate) Arc<Inner>);

impl Drop for Remains {
    fn drop(&mut self) {
        let node = &self.0;
        node.abort();
        let given = node.given().take();
        if catch_unwind(AssertUnwindSafe(|| drop(given))).is_err() {
            tracing::error!("something of a plugin panicked when it was dropped");
        }
        node.herald.close();
        node.gone.cancel();
    }
}
