//! The private port of a replica: is it ready, and what does its API look like.
//!
//! A connection of its own each time, to an address rather than a name: a check must meet this replica and no other, and
//! a connection that was kept says little about whether a new one could be opened.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Larger than any description of an API.
const MAX_BYTES: usize = 16 << 20;

/// `GET path`; gives the status and the body.
pub async fn get(addr: SocketAddr, path: &str, within: Duration) -> anyhow::Result<(StatusCode, Bytes)> {
    tokio::time::timeout(within, exchange(addr, path)).await?
}

async fn exchange(addr: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request =
        Request::get(path).header("host", addr.to_string()).header("connection", "close").body(Empty::<Bytes>::new())?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await.map_err(anyhow::Error::from_boxed)?;
        anyhow::Ok((status, body.to_bytes()))
    };
    // The connection is driven here; when it ends first, what was read of the answer is still to be had.
    match select(std::pin::pin!(answer), std::pin::pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    }
}
