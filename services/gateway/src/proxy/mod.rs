//! One call to a service: a replica, a connection, the request streamed up and the answer streamed down.
//!
//! Everything about a call lives in the task of the client's connection: the connection to the replica is driven by
//! whoever waits for the answer's head and then by the answer's body. So a client that leaves drops all of it, which is
//! how the work upstream is cancelled, and nothing is handed from task to task on the way.

mod answer;
mod connection;
mod failure;
mod headers;
mod patience;
mod pool;
mod upload;

use std::future::poll_fn;
use std::net::SocketAddr;

use actix_web::{HttpRequest, HttpResponse, web};
use hyper::Request;
use kit::Coded;
use tokio::time::{Instant, timeout_at};

pub use answer::Answer;
pub use failure::Failure;
pub use headers::{Authorization, Forwarded};
pub use pool::Pool;

use self::connection::{Connection, SendError};
use self::upload::Upload;
use crate::config::Deadlines;
use crate::upstream::{Dice, Lease, Upstream};

/// What a call needs besides the request.
pub struct Call<'a> {
    /// Where it goes.
    pub upstream: &'a Upstream,
    /// How long it may take.
    pub deadlines: &'a Deadlines,
    /// What the services learn about the client.
    pub forwarded: &'a Forwarded,
    /// What they learn about who it is.
    pub authorization: &'a Authorization,
    /// This worker's connections.
    pub pool: &'a web::Data<Pool>,
    /// This worker's randomness.
    pub dice: &'a Dice,
}

impl Call<'_> {
    /// Sends `request` to a replica and gives its answer as soon as the head is there.
    ///
    /// A request is sent a second time, to another replica where there is one, only when nothing of it can have been
    /// processed: the connection could not be opened, or was found closed before the request was written, or the
    /// request is safe to repeat (GET and HEAD without a body, RFC 9110 section 9.2.2) and a kept connection ended
    /// without an answer.
    pub async fn send(&self, request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse<Answer>, Failure> {
        let deadline = Instant::now() + self.deadlines.total;
        let answered = timeout_at(deadline, self.try_replicas(request, payload, deadline)).await;
        answered
            .unwrap_or(Err(Failure::TooSlow))
            .inspect_err(|failure| self.upstream.count_failure(failure.code().code))
    }

    async fn try_replicas(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        deadline: Instant,
    ) -> Result<HttpResponse<Answer>, Failure> {
        let upload = Upload::new(request, payload);
        let repeatable = upload.is_empty() && matches!(request.method().as_str(), "GET" | "HEAD");
        let mut prepared = headers::to_upstream(request, self.forwarded, self.authorization, upload)?;
        let mut failed = None;
        loop {
            let lease = self.upstream.lease(self.dice, failed).ok_or(Failure::NoReplica)?;
            let attempt = self.attempt(&lease, prepared, repeatable, failed.is_none()).await;
            match attempt {
                // Other informational answers never come this far.
                Ok((answer, _)) if answer.status().is_informational() => return Err(Failure::Switched),
                Ok((answer, connection)) => {
                    let returns = connection.returning_to(self.pool.clone(), lease);
                    return Ok(answer::respond(request, answer, returns, self.deadlines, deadline));
                }
                Err(Attempt::Again(request, cause)) => {
                    tracing::debug!(upstream = %self.upstream.service, replica = %lease.addr(), error = %cause, "Trying again");
                    self.upstream.count_retry();
                    failed = Some(lease.addr());
                    prepared = *request;
                }
                Err(Attempt::Over(failure)) => return Err(failure),
            }
        }
    }

    /// One try. `may_repeat` is false for the second.
    async fn attempt(
        &self,
        lease: &Lease,
        mut request: Request<Upload>,
        repeatable: bool,
        may_repeat: bool,
    ) -> Result<(hyper::Response<hyper::body::Incoming>, Connection), Attempt> {
        headers::set_host(&mut request, lease.replica());
        let kept = poll_fn(|cx| std::task::Poll::Ready(self.pool.take(lease.addr(), cx))).await;
        if let Some(connection) = kept {
            let copy = repeatable.then(|| headers::copy_without_body(&request));
            match connection.send(request).await {
                Ok(answered) => return Ok(answered),
                // A kept connection may have been closed a moment ago. That says nothing about the replica.
                Err(SendError { unsent: Some(unsent), .. }) => request = *unsent,
                Err(SendError { cause, unsent: None }) => match copy {
                    Some(copy) if cause.is_incomplete_message() || cause.is_closed() => request = copy,
                    _ => return Err(Attempt::Over(Failure::from_hyper(cause))),
                },
            }
        }
        let connection = match open(lease.addr(), self.deadlines).await {
            Ok(connection) => connection,
            Err(cause) => {
                lease.replica().could_not_connect();
                let other = may_repeat && self.upstream.has_other(lease.addr());
                return Err(if other {
                    Attempt::Again(Box::new(request), cause)
                } else {
                    Attempt::Over(Failure::Unreachable(cause))
                });
            }
        };
        connection.send(request).await.map_err(|error| Attempt::Over(Failure::from_hyper(error.cause)))
    }
}

async fn open(addr: SocketAddr, deadlines: &Deadlines) -> std::io::Result<Connection> {
    match tokio::time::timeout(deadlines.connect, Connection::open(addr)).await {
        Ok(opened) => opened,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// How a try ended that brought no answer.
enum Attempt {
    /// Nothing was sent; the request is good for another replica.
    Again(Box<Request<Upload>>, std::io::Error),
    /// The client learns of this.
    Over(Failure),
}
