//! A transport and a transform as a user would write them.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use async_trait::async_trait;
use handfast_multiserver::{
    Address, Arrival, Auth, BoxSocket, Endpoint, Error, Established, Incoming, Layer, Listener, Multiserver, Outgoing,
    Scope, Shs, Transform, Transport,
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};
use support::{NETWORK, accepted, connect, device, incoming, key, keys, node, talk};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::mpsc,
};

/// Streams within one process: `memory:ROOM`.
#[derive(Debug, Clone, Default)]
struct Memory {
    rooms: Arc<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>>,
}

fn room(name: &str) -> Endpoint {
    Endpoint::Other(Layer::new("memory", [name]).unwrap())
}

#[async_trait]
impl Transport for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn understands(&self, endpoint: &Endpoint) -> bool {
        endpoint.transport() == "memory"
    }

    async fn dial(&self, to: &Endpoint, _options: &Outgoing) -> Result<BoxSocket, Error> {
        let Endpoint::Other(layer) = to else { unreachable!() };
        let door = self.rooms.lock().unwrap().get(&layer.parts()[0]).cloned();
        let door = door.ok_or_else(|| Error::other("no such room"))?;
        let (here, there) = duplex(4096);
        door.send(there).await.map_err(|_| Error::other("the room is empty"))?;
        Ok(Box::new(here))
    }

    async fn listen(&self, options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        let name = options.host[0].clone();
        let (door, arrivals) = mpsc::channel(8);
        self.rooms.lock().unwrap().insert(name.clone(), door);
        Ok(Box::new(Room { name, arrivals }))
    }
}

struct Room {
    name: String,
    arrivals: mpsc::Receiver<DuplexStream>,
}

#[async_trait]
impl Listener for Room {
    fn endpoints(&self, scope: Scope) -> Vec<Endpoint> {
        if scope == Scope::Device {
            self.bound()
        } else {
            Vec::new()
        }
    }

    fn bound(&self) -> Vec<Endpoint> {
        vec![room(&self.name)]
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        let socket = self.arrivals.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Arrival::ready(room("visitor"), None, socket))
    }
}

/// Whoever knows the word comes in: `password`.
#[derive(Debug)]
struct Password(&'static str);

#[async_trait]
impl Transform for Password {
    fn name(&self) -> &str {
        "password"
    }

    fn layer(&self) -> Layer {
        Layer::new("password", Vec::<String>::new()).unwrap()
    }

    async fn connect(&self, mut socket: BoxSocket, _to: &Layer, _over: &Endpoint) -> Result<Established, Error> {
        socket.write_all(self.0.as_bytes()).await.map_err(Error::other)?;
        Ok(self.known(socket))
    }

    async fn accept(&self, mut socket: BoxSocket, _from: &Endpoint) -> Result<Established, Error> {
        let mut word = vec![0; self.0.len()];
        socket.read_exact(&mut word).await.map_err(Error::other)?;
        if word != self.0.as_bytes() {
            return Err(Error::other("the word was wrong"));
        }
        Ok(self.known(socket))
    }
}

impl Password {
    fn known(&self, socket: BoxSocket) -> Established {
        Established {
            socket,
            peer: None,
            layer: self.layer(),
            auth: Auth::grant(self.0.len()),
        }
    }
}

fn in_room(name: &str, transform: &str) -> Incoming {
    Incoming {
        host: vec![name.to_owned()],
        ..device(transform)
    }
}

fn ways(transform: &str) -> std::collections::BTreeMap<String, Vec<Outgoing>> {
    [("memory".to_owned(), vec![Outgoing::new(transform)])].into()
}

#[tokio::test]
async fn a_transport_of_ones_own_carries_shs() {
    let memory = Memory::default();
    let server = Multiserver::new()
        .transport(memory.clone())
        .transform(Shs::new(NETWORK, keys(1)));
    let client = Multiserver::new()
        .transport(memory)
        .transform(Shs::new(NETWORK, keys(2)));
    let mut server = server
        .listen(&incoming([("memory", in_room("hall", "shs"))]))
        .await
        .unwrap();
    let to = server.addresses(Scope::Device).unwrap();
    assert_eq!(to.to_string(), format!("memory:hall~shs:{}", key(1).to_base64()));
    assert_eq!(to.to_string().parse::<Address>().unwrap(), to);
    let ways = ways("shs");
    let (dialled, mut came) = tokio::join!(client.dial(&to, &ways), accepted(&mut server));
    let mut dialled = dialled.unwrap();
    assert_eq!(came.peer, Some(key(2)));
    assert_eq!(
        came.address.to_string(),
        format!("memory:visitor~shs:{}", key(2).to_base64())
    );
    talk(&mut dialled, &mut came).await;
    let nowhere = format!("memory:attic~shs:{}", key(1).to_base64()).parse().unwrap();
    let error = client.dial(&nowhere, &ways).await.unwrap_err();
    assert!(error.to_string().ends_with("no such room"), "{error}");
}

#[tokio::test]
async fn a_transform_of_ones_own_decides_who_comes_in() {
    let mut server = node(1)
        .transform(Password("friend"))
        .listen(&incoming([("net", device("password"))]))
        .await
        .unwrap();
    let to = server.addresses(Scope::Device).unwrap();
    assert!(to.to_string().ends_with("~password"));
    let ways = [("net".to_owned(), vec![Outgoing::new("password")])].into();
    let knowing = node(2).transform(Password("friend"));
    let (dialled, mut came) = tokio::join!(knowing.dial(&to, &ways), accepted(&mut server));
    let mut dialled = dialled.unwrap();
    assert_eq!(came.auth.granted::<usize>().as_deref(), Some(&6));
    assert_eq!(came.peer, None);
    talk(&mut dialled, &mut came).await;
    let guessing = node(2).transform(Password("enemy!"));
    let (_, failed) = tokio::join!(guessing.dial(&to, &ways), support::failed(&mut server));
    assert_eq!(failed.error.to_string(), "the word was wrong");
}

#[tokio::test]
async fn the_later_of_two_with_one_name_counts() {
    let node = node(1).transform(Shs::new(NETWORK, keys(5)));
    let mut server = node.listen(&incoming([("net", device("shs"))])).await.unwrap();
    let to = server.addresses(Scope::Device).unwrap();
    assert_eq!(to.key(), Some(key(5)));
    connect(&support::node(2), &to, &mut server).await;
}
