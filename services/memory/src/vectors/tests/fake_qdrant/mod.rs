//! A server that speaks the part of Qdrant's protocol that the adapter uses, keeps everything in memory, and takes no
//! request that would go wrong or reach too far on a real one. It can be told to misbehave.

/// Implements what the adapter calls, and refuses the rest of a service. It has to be around the whole implementation.
macro_rules! service {
    ($service:ident: { $($used:tt)* } $($call:ident $request:ident $response:ident;)*) => {
        #[tonic::async_trait]
        impl $service for FakeQdrant {
            $($used)*
            $(async fn $call(&self, _: Request<q::$request>) -> Result<Response<q::$response>, Status> {
                Err(Status::unimplemented(stringify!($call)))
            })*
        }
    };
}

mod collections;
mod filter;
mod points;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use qdrant_client::qdrant::{
    PointsOperationResponse, UpdateResult, UpdateStatus, Value, collections_server::CollectionsServer,
    points_server::PointsServer,
};
use tonic::{Code, Request, Response, Status, transport::server::TcpIncoming};

/// What the server does instead of answering the next call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Refuse(Code),
    /// Answers rightly, but so late.
    Sleep(Duration),
    /// Does what it is told, and does not say so.
    LoseAnswer,
    /// Says of a change that it is only written down.
    Acknowledge,
}

#[derive(Default)]
pub(super) struct State {
    collections: BTreeMap<String, Collection>,
    aliases: BTreeMap<String, String>,
    /// Names of the calls that came, for tests.
    pub(super) calls: Vec<&'static str>,
    pub(super) faults: VecDeque<Fault>,
    /// What every call has to carry, if anything.
    pub(super) api_key: Option<String>,
}

#[derive(Default)]
struct Collection {
    dimension: usize,
    /// Fields that may be asked for.
    fields: Vec<String>,
    points: HashMap<String, Point>,
}

#[derive(Clone)]
struct Point {
    vector: Vec<f32>,
    payload: HashMap<String, Value>,
}

#[derive(Clone, Default)]
pub(super) struct FakeQdrant(Arc<Mutex<State>>);

impl FakeQdrant {
    pub(super) async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(PointsServer::new(self.clone()).max_decoding_message_size(64 << 20))
            .add_service(CollectionsServer::new(self.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        kit::tasks::spawn("fake qdrant", server);
        address
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Takes down a call, and misbehaves if it is time to.
    async fn enter<T>(&self, call: &'static str, request: &Request<T>) -> Result<Option<Fault>, Status> {
        let fault = {
            let mut state = self.state();
            state.calls.push(call);
            let key = request.metadata().get("api-key").and_then(|key| key.to_str().ok());
            if state.api_key.as_deref() != key {
                return Err(Status::unauthenticated("wrong key"));
            }
            state.faults.pop_front()
        };
        match fault {
            Some(Fault::Refuse(code)) => return Err(Status::new(code, "on purpose")),
            Some(Fault::Sleep(time)) => tokio::time::sleep(time).await,
            _ => {}
        }
        Ok(fault)
    }
}

impl State {
    fn resolve(&mut self, name: &str) -> Result<&mut Collection, Status> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.collections.get_mut(name).ok_or_else(|| Status::not_found(format!("Collection `{name}` doesn't exist!")))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.collections.keys().chain(self.aliases.keys()).map(String::as_str).collect()
    }

    pub(super) fn delete(&mut self, collection: &str) {
        self.collections.remove(collection).unwrap();
        self.aliases.retain(|_, target| target != collection);
    }
}

fn changed(fault: Option<Fault>) -> Result<Response<PointsOperationResponse>, Status> {
    answer(fault)?;
    let status =
        if matches!(fault, Some(Fault::Acknowledge)) { UpdateStatus::Acknowledged } else { UpdateStatus::Completed };
    let result = UpdateResult { operation_id: None, status: status.into() };
    Ok(Response::new(PointsOperationResponse { result: Some(result), ..PointsOperationResponse::default() }))
}

fn answer(fault: Option<Fault>) -> Result<(), Status> {
    if matches!(fault, Some(Fault::LoseAnswer)) { Err(Status::unavailable("the answer was lost")) } else { Ok(()) }
}

fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}
