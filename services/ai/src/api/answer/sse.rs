//! Server-sent events as the body of an answer.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use futures_util::Stream;

use crate::app::LiveAnswer;

/// Asked for the next piece only when the last one has left for the client, so a slow reader slows the provider down
/// instead of filling our memory. Dropped when the client leaves.
pub struct Events(pub Box<LiveAnswer>);

impl MessageBody for Events {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(&mut *self.0).poll_next(cx).map(|next| next.map(Ok))
    }
}
