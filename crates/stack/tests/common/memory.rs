//! Streams within one process: `memory:ROOM`. No sockets, so the clock may be paused.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use handfast_multiserver::{
    Arrival, BoxSocket, Endpoint, Error, Incoming, Layer, Listener, Outgoing, Scope, Transport,
};
use handfast_stack::Config;
use serde_json::json;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
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
        let (here, there) = duplex(64 * 1024);
        let door = door.ok_or_else(|| Error::other("no such room"))?;
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
    fn endpoints(&self, _scope: Scope) -> Vec<Endpoint> {
        self.bound()
    }

    fn bound(&self) -> Vec<Endpoint> {
        vec![room(&self.name)]
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        let socket = self.arrivals.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Arrival::ready(room("somewhere"), None, socket))
    }
}

/// Listens in a room, and dials into others.
pub(crate) fn config(room: &str) -> Config {
    Config::from_value(json!({ "global": { "connections": {
        "incoming": { "memory": [{ "scope": "device", "transform": "shs", "host": room }] },
        "outgoing": { "memory": [{ "transform": "shs" }] },
    } } }))
    .unwrap()
}
