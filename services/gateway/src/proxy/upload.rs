//! The client's body on its way to a replica, passed on piece by piece. kit bounds it in size and in time.

use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, web};
use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Body, Frame, SizeHint};

/// Why a client's body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadFault {
    /// The client left, or broke the framing of its own body.
    #[error("the client's body could not be read")]
    Broken,
    /// The client sent too slowly.
    #[error("the client's body did not arrive in time")]
    Stalled,
    /// More than the limit.
    #[error("the client's body is too large")]
    TooLarge,
}

impl From<PayloadError> for UploadFault {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Overflow => Self::TooLarge,
            PayloadError::Io(error) if error.kind() == ErrorKind::TimedOut => Self::Stalled,
            _ => Self::Broken,
        }
    }
}

/// The body of a request, if it has one.
pub struct Upload(Option<Incoming>);

struct Incoming {
    payload: web::Payload,
    /// What is still to come, as the client announced it; None for a chunked body.
    left: Option<u64>,
}

impl Upload {
    /// No body.
    pub fn empty() -> Self {
        Self(None)
    }

    /// The body of `request`.
    pub fn new(request: &HttpRequest, payload: web::Payload) -> Self {
        // actix has refused what is not one plain number, and a length beside chunks.
        let length =
            request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        match length {
            Some(0) => Self::empty(),
            Some(_) => Self(Some(Incoming { payload, left: length })),
            None if request.chunked().unwrap_or(false) => Self(Some(Incoming { payload, left: None })),
            None => Self::empty(),
        }
    }

    /// Whether there is no body at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        Pin::new(&mut body.payload).poll_next(cx).map(|next| {
            next.map(|piece| {
                let piece = piece?;
                body.left = body.left.map(|left| left.saturating_sub(piece.len() as u64));
                Ok(Frame::data(piece))
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.left == Some(0))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(body) => body.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
