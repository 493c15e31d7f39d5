//! The body of a request while it arrives: bounded in size and in time, which actix leaves open.
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{dev::Payload, error::PayloadError, web::Bytes};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bounds of one body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes.
    pub limit: usize,
    /// From now until the end.
    pub total: Duration,
    /// Between two pieces.
    pub idle: Duration,
}

/// Puts the bounds around a body. A request without one stays without.
pub(super) fn bounded(payload: Payload, bounds: Bounds) -> Payload {
    match payload {
        Payload::None => Payload::None,
        payload => Payload::Stream {
            payload: Box::pin(Bounded {
                payload,
                left: bounds.limit,
                deadline: Instant::now() + bounds.total,
                idle: bounds.idle,
                timer: None,
            }),
        },
    }
}

struct Bounded {
    payload: Payload,
    left: usize,
    deadline: Instant,
    idle: Duration,
    /// Set while waiting for the next piece; a body that is there already never needs it.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        match Pin::new(&mut this.payload).poll_next(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                this.timer = None;
                Poll::Ready(Some(match this.left.checked_sub(piece.len()) {
                    Some(left) => {
                        this.left = left;
                        Ok(piece)
                    }
                    None => Err(PayloadError::Overflow),
                }))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let next = this.deadline.min(Instant::now() + this.idle);
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
                timer.as_mut().poll(cx).map(|()| {
                    Some(Err(PayloadError::Io(io::Error::new(io::ErrorKind::TimedOut, "the body arrives too slowly"))))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    const BOUNDS: Bounds = Bounds { limit: 10, total: Duration::from_secs(10), idle: Duration::from_secs(3) };

    /// A body whose pieces come one each `pause`.
    fn dripping(pieces: Vec<&'static [u8]>, pause: Duration) -> Payload {
        let drip = stream::iter(pieces).then(move |piece| async move {
            tokio::time::sleep(pause).await;
            Ok(Bytes::from_static(piece))
        });
        bounded(Payload::Stream { payload: Box::pin(drip) }, BOUNDS)
    }

    async fn read(mut payload: Payload) -> Result<usize, PayloadError> {
        let mut size = 0;
        while let Some(piece) = payload.next().await {
            size += piece?.len();
        }
        Ok(size)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_within_its_bounds_passes() {
        assert_eq!(read(dripping(vec![b"12345", b"67890"], Duration::from_secs(2))).await.unwrap(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_too_many_is_overflow() {
        let error = read(dripping(vec![b"12345", b"67890", b"!"], Duration::ZERO)).await.unwrap_err();
        assert!(matches!(error, PayloadError::Overflow));
    }

    fn is_timeout(error: &PayloadError) -> bool {
        matches!(error, PayloadError::Io(io) if io.kind() == io::ErrorKind::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_too_long_ends_it() {
        let start = Instant::now();
        let error = read(dripping(vec![b"1", b"2"], Duration::from_mins(1))).await.unwrap_err();
        assert!(is_timeout(&error));
        assert_eq!(start.elapsed(), BOUNDS.idle);
    }

    #[tokio::test(start_paused = true)]
    async fn dripping_for_ever_ends_too() {
        let start = Instant::now();
        let error = read(dripping(vec![b"1"; 9], Duration::from_secs(2))).await.unwrap_err();
        assert!(is_timeout(&error));
        assert_eq!(start.elapsed(), BOUNDS.total);
    }
}
