//! One HTTP/1.1 connection to a replica, driven by whoever waits for it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};

use actix_web::web;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::pool::Pool;
use super::upload::Upload;
use crate::upstream::Lease;

/// An open connection. Dropping it closes it, and with it whatever is on its way.
pub struct Connection(Box<Inner>);

struct Inner {
    sender: SendRequest<Upload>,
    /// None once the connection ended.
    driver: Option<http1::Connection<TokioIo<TcpStream>, Upload>>,
}

/// No answer came.
pub struct SendError {
    pub cause: hyper::Error,
    /// The request, when not a byte of it was written.
    pub unsent: Option<Box<Request<Upload>>>,
}

impl Connection {
    /// Connects to a replica.
    pub async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self(Box::new(Inner { sender, driver: Some(driver) })))
    }

    /// Sends a request; gives the head of the answer and the connection that its body comes from.
    pub async fn send(mut self, request: Request<Upload>) -> Result<(Response<Incoming>, Self), SendError> {
        let mut answer = pin!(self.0.sender.try_send_request(request));
        let driver = &mut self.0.driver;
        let answered = std::future::poll_fn(|cx| {
            drive(driver, cx);
            answer.as_mut().poll(cx)
        })
        .await;
        match answered {
            Ok(answer) => Ok((answer, self)),
            Err(mut error) => {
                let unsent = error.take_message().map(Box::new);
                Err(SendError { unsent, cause: error.into_error() })
            }
        }
    }

    /// Reads and writes what can be read and written now.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.0.driver, cx);
    }

    /// Whether another request can be sent on it; [`drive`](Self::drive) it first to learn what the replica did.
    pub fn is_reusable(&self) -> bool {
        self.0.driver.is_some() && self.0.sender.is_ready()
    }

    /// The connection with the knowledge of where it goes when its answer has been read.
    pub fn returning_to(self, pool: web::Data<Pool>, lease: Lease) -> Borrowed {
        Borrowed { connection: self, pool, lease }
    }
}

fn drive(driver: &mut Option<http1::Connection<TokioIo<TcpStream>, Upload>>, cx: &mut Context<'_>) {
    // How a connection ended is told to the request on it; there is nobody else to tell.
    if let Some(connection) = driver
        && let Poll::Ready(_ended) = pin!(connection).poll(cx)
    {
        *driver = None;
    }
}

/// A connection that carries an answer.
pub struct Borrowed {
    connection: Connection,
    pool: web::Data<Pool>,
    lease: Lease,
}

impl Borrowed {
    /// See [`Connection::drive`].
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        self.connection.drive(cx);
    }

    /// The answer was read to its end: keeps the connection for the next request, when it is fit for one.
    pub fn give_back(self) {
        if self.connection.is_reusable() {
            self.pool.put(self.lease.addr(), self.connection);
        }
    }

    /// Names the replica in logs.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }
}
