//! `api!`: one declaration for both ends; and whole objects that answer for themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use handfast_mux::tokio::{
    Answer, Consumption, Context, Incoming, Items, Peer, Router, Service, connection, no_such_method,
};
use handfast_mux::{Body, CallType, Error, Manifest, RemoteError};
use handfast_stack::{api, async_trait};
use serde::{Deserialize, Serialize};

fn serve(api: impl Into<Arc<dyn Service>>) -> Peer {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let (_server, driver) = connection(there, api);
    tokio::spawn(driver);
    let (peer, driver) = connection(here, Router::new());
    tokio::spawn(driver);
    peer
}

fn remote(error: Error) -> RemoteError {
    match error {
        Error::Remote(error) => error,
        error => panic!("a remote error, not {error:?}"),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Blob {
    id: String,
    size: u64,
}

api! {
    /// Blobs by name.
    pub(crate) trait Blobs {
        /// How many there are.
        fn count(&self) -> usize;
        fn has(&self, id: String) -> bool;
        async fn add_all(&self, blobs: Vec<Blob>, replace: Option<bool>) -> (usize, usize);
        async fn forget(&self, id: String);
        async fn bytes_of(&self, blob: Blob) -> Bytes;
        source fn list(&self,) -> Items<Blob>;
        source fn list_larger(&self, than: u64, descending: bool) -> Items<Blob>;
        sink fn import(&self, blobs: Incoming<Blob>);
        sink fn import_named(&self, blobs: Incoming<Blob>, prefix: String, suffix: String,);
        duplex fn sizes(&self, ids: Incoming<String>) -> Items<Option<u64>>;
        duplex fn scaled(&self, ids: Incoming<String>, by: u64) -> Items<u64>;
        /// A name that Rust keeps for itself.
        fn r#type(&self) -> String;
    }

    /// Blobs elsewhere.
    pub(crate) struct BlobsClient;
}

#[derive(Default)]
struct Memory(Mutex<HashMap<String, u64>>);

impl Memory {
    fn sorted(&self) -> Vec<Blob> {
        let blobs = self.0.lock().unwrap();
        let mut blobs: Vec<Blob> = blobs
            .iter()
            .map(|(id, size)| Blob {
                id: id.clone(),
                size: *size,
            })
            .collect();
        blobs.sort_by(|a, b| a.id.cmp(&b.id));
        blobs
    }

    fn insert(&self, blob: Blob) {
        self.0.lock().unwrap().insert(blob.id, blob.size);
    }
}

#[async_trait]
impl Blobs for Memory {
    fn count(&self, _cx: Context) -> Result<usize, RemoteError> {
        Ok(self.0.lock().unwrap().len())
    }

    fn has(&self, _cx: Context, id: String) -> Result<bool, RemoteError> {
        Ok(self.0.lock().unwrap().contains_key(&id))
    }

    async fn add_all(
        &self,
        cx: Context,
        blobs: Vec<Blob>,
        replace: Option<bool>,
    ) -> Result<(usize, usize), RemoteError> {
        let offered = blobs.len();
        for blob in blobs {
            if replace == Some(true) || !self.has(cx.clone(), blob.id.clone())? {
                self.insert(blob);
            }
        }
        Ok((offered, self.count(cx)?))
    }

    async fn forget(&self, _cx: Context, id: String) -> Result<(), RemoteError> {
        let known = self.0.lock().unwrap().remove(&id);
        known
            .map(drop)
            .ok_or_else(|| RemoteError::named("NotFound", format!("no blob {id}")))
    }

    async fn bytes_of(&self, _cx: Context, blob: Blob) -> Result<Bytes, RemoteError> {
        Ok(vec![7; usize::try_from(blob.size).unwrap()].into())
    }

    fn list(&self, _cx: Context) -> Items<Blob> {
        stream::iter(self.sorted().into_iter().map(Ok)).boxed()
    }

    fn list_larger(&self, _cx: Context, than: u64, descending: bool) -> Items<Blob> {
        let mut blobs: Vec<_> = self.sorted().into_iter().filter(|blob| blob.size > than).collect();
        if descending {
            blobs.reverse();
        }
        stream::iter(blobs.into_iter().map(Ok)).boxed()
    }

    async fn import(&self, _cx: Context, mut blobs: Incoming<Blob>) -> Result<(), RemoteError> {
        while let Some(blob) = blobs.try_next().await? {
            self.insert(blob);
        }
        Ok(())
    }

    async fn import_named(
        &self,
        _cx: Context,
        mut blobs: Incoming<Blob>,
        prefix: String,
        suffix: String,
    ) -> Result<(), RemoteError> {
        while let Some(Blob { id, size }) = blobs.try_next().await? {
            if size == 0 {
                return Err("an empty blob".into());
            }
            self.insert(Blob {
                id: format!("{prefix}{id}{suffix}"),
                size,
            });
        }
        Ok(())
    }

    fn sizes(&self, _cx: Context, ids: Incoming<String>) -> Items<Option<u64>> {
        let known = self.0.lock().unwrap().clone();
        ids.map_ok(move |id| known.get(&id).copied()).boxed()
    }

    fn scaled(&self, cx: Context, ids: Incoming<String>, by: u64) -> Items<u64> {
        self.sizes(cx, ids)
            .map_ok(move |size| size.unwrap_or_default() * by)
            .boxed()
    }

    fn r#type(&self, cx: Context) -> Result<String, RemoteError> {
        Ok(cx.method().to_string())
    }
}

fn blob(id: &str, size: u64) -> Blob {
    Blob { id: id.into(), size }
}

#[tokio::test]
async fn the_router_has_the_methods_as_they_are_declared_with_camel_cased_names() {
    let router = Arc::new(Memory::default()).into_router().without_manifest();
    assert_eq!(
        serde_json::to_string(&router.manifest()).unwrap(),
        concat!(
            r#"{"count":"sync","has":"sync","addAll":"async","forget":"async","bytesOf":"async","list":"source","#,
            r#""listLarger":"source","import":"sink","importNamed":"sink","sizes":"duplex","scaled":"duplex","type":"sync"}"#
        )
    );
}

#[tokio::test]
async fn a_client_calls_all_kinds_of_methods() {
    let peer = serve(Arc::new(Memory::default()).into_router());
    let blobs = BlobsClient::new(&peer, "");
    assert_eq!(blobs.count().await.unwrap(), 0);
    assert_eq!(
        blobs.add_all(vec![blob("a", 1), blob("b", 2)], None).await.unwrap(),
        (2, 2)
    );
    assert_eq!(blobs.add_all(vec![blob("a", 5)], Some(true)).await.unwrap(), (1, 2));
    assert!(blobs.has("a".into()).await.unwrap());
    assert_eq!(blobs.bytes_of(blob("a", 3)).await.unwrap(), [7, 7, 7].as_slice());

    let mut import = blobs.import().await.unwrap();
    import.send(blob("c", 3)).await.unwrap();
    import.close().await.unwrap();
    let mut import = blobs.import_named("<".into(), ">".into()).await.unwrap();
    import.send(blob("d", 4)).await.unwrap();
    import.close().await.unwrap();

    let all: Vec<Blob> = blobs.list().await.unwrap().try_collect().await.unwrap();
    assert_eq!(all, [blob("<d>", 4), blob("a", 5), blob("b", 2), blob("c", 3)]);
    let large: Vec<Blob> = blobs.list_larger(3, true).await.unwrap().try_collect().await.unwrap();
    assert_eq!(large, [blob("a", 5), blob("<d>", 4)]);

    let (mut ids, sizes) = blobs.sizes().await.unwrap();
    ids.send("a".into()).await.unwrap();
    ids.send("x".into()).await.unwrap();
    ids.end();
    assert_eq!(sizes.try_collect::<Vec<_>>().await.unwrap(), [Some(5), None]);
    let (mut ids, scaled) = blobs.scaled(10).await.unwrap();
    ids.send("a".into()).await.unwrap();
    ids.end();
    assert_eq!(scaled.try_collect::<Vec<_>>().await.unwrap(), [50]);
    assert_eq!(blobs.r#type().await.unwrap(), "type");
}

#[tokio::test]
async fn errors_of_the_server_reach_the_client() {
    let peer = serve(Arc::new(Memory::default()).into_router());
    let blobs = BlobsClient::new(&peer, "");
    let error = remote(blobs.forget("x".into()).await.unwrap_err());
    assert_eq!((error.name(), error.message()), ("NotFound", "no blob x"));
    let mut import = blobs.import_named("a".into(), "b".into()).await.unwrap();
    import.send(blob("empty", 0)).await.unwrap();
    assert_eq!(remote(import.close().await.unwrap_err()).message(), "an empty blob");
    let elsewhere = BlobsClient::new(&peer, "blobs");
    let error = remote(elsewhere.count().await.unwrap_err());
    assert_eq!(error.message(), "no async:blobs,count");
}

#[tokio::test]
async fn arguments_are_those_of_any_other_caller() {
    let peer = serve(Arc::new(Memory::default()).into_router());
    let added: (usize, usize) = peer.call("addAll", (vec![blob("a", 1)],)).await.unwrap();
    assert_eq!(added, (1, 1), "the last one may be left out");
    let error = remote(peer.call::<bool>("has", (5,)).await.unwrap_err());
    assert_eq!(error.name(), "TypeError");
    let (_ids, mut sizes) = peer.duplex::<u64>("scaled", ("x",)).await.unwrap();
    assert_eq!(remote(sizes.try_next().await.unwrap_err()).name(), "TypeError");
    let import = peer.sink("importNamed", (1, 2)).await.unwrap();
    assert_eq!(remote(import.close().await.unwrap_err()).name(), "TypeError");
}

#[tokio::test]
async fn the_client_finds_the_methods_under_the_plugins_name() {
    let server: Arc<dyn Blobs> = Arc::new(Memory::default());
    let peer = serve(Router::new().nest("myBlobs", server.into_router()));
    let blobs = BlobsClient::new(&peer, "my-blobs");
    assert_eq!(blobs.clone().r#type().await.unwrap(), "myBlobs.type");
    let all: Vec<Blob> = blobs.list().await.unwrap().try_collect().await.unwrap();
    assert!(all.is_empty());
}

mod private_apis {
    use super::{Arc, Context, RemoteError, api, async_trait};

    api! {
        trait Quiet {
            async fn whisper(&self) -> String;
        }

        struct QuietClient;
    }

    struct Mouse;

    #[async_trait]
    impl Quiet for Mouse {
        async fn whisper(&self, _cx: Context) -> Result<String, RemoteError> {
            Ok("psst".into())
        }
    }

    #[tokio::test]
    async fn a_declaration_may_be_private_and_have_one_method() {
        let peer = super::serve(Arc::new(Mouse).into_router());
        assert_eq!(QuietClient::new(&peer, "").whisper().await.unwrap(), "psst");
    }
}

/// A whole object that answers for itself: which methods there are is not known beforehand. Here every key of a table is a
/// method that returns its value, and `watch.KEY` a source of it.
struct Table(HashMap<&'static str, u64>);

impl Table {
    fn value(&self, cx: &Context, key: Option<&str>) -> Result<u64, RemoteError> {
        let value = key.and_then(|key| self.0.get(key));
        value.copied().ok_or_else(|| no_such_method(cx.kind(), cx.method()))
    }
}

impl Service for Table {
    fn call(&self, cx: Context) -> Answer {
        let mut path = cx.method().parts();
        Answer::Ready(match (path.next(), path.next()) {
            (Some("manifest"), None) => {
                let mut manifest = Manifest::new();
                for key in self.0.keys().filter_map(|key| key.parse().ok()) {
                    manifest.insert(&key, CallType::Async);
                }
                Body::from_value(&manifest).map_err(RemoteError::from)
            }
            (key, None) => self.value(&cx, key).and_then(|value| Ok(Body::from_value(&value)?)),
            _ => Err(no_such_method(cx.kind(), cx.method())),
        })
    }

    fn source(&self, cx: Context) -> Result<Items, RemoteError> {
        let mut path = cx.method().parts();
        let key = path.next().filter(|first| *first == "watch").and(path.next());
        let value = Body::from_value(&self.value(&cx, key)?)?;
        Ok(stream::once(future::ready(Ok(value))).boxed())
    }

    fn sink(&self, cx: Context, _items: Incoming) -> Result<Consumption, RemoteError> {
        Err(no_such_method(CallType::Sink, cx.method()))
    }

    fn duplex(&self, cx: Context, _items: Incoming) -> Result<Items, RemoteError> {
        Err(no_such_method(CallType::Duplex, cx.method()))
    }
}

#[tokio::test]
async fn a_whole_object_answers_for_itself_and_is_called_dynamically() {
    let table: Arc<dyn Service> = Arc::new(Table(HashMap::from([("one", 1), ("two", 2)])));
    let peer = serve(table);
    let manifest: Manifest = peer.call("manifest", ()).await.unwrap();
    let mut sum = 0;
    for (method, kind) in manifest.methods() {
        assert_eq!(kind, CallType::Async);
        sum += peer.call_raw(&method, "[]").await.unwrap().to_value::<u64>().unwrap();
    }
    assert_eq!(sum, 3);
    let watched = peer.source::<u64>("watch.two", ()).await.unwrap();
    assert_eq!(watched.try_collect::<Vec<_>>().await.unwrap(), [2]);
    let error = remote(peer.call::<u64>("three", ()).await.unwrap_err());
    assert_eq!(error.message(), "no async:three");
}
