//! A replica's answer on its way to the client, piece by piece as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::{ConnectionType, StatusCode, Version};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::connection::Borrowed;
use super::patience::Patience;
use super::{Failure, headers};
use crate::config::Deadlines;

/// The body of an answer. Dropping it closes the connection to the replica, unless it was read to its end.
pub struct Answer {
    body: Incoming,
    /// None once the answer is complete.
    connection: Option<Borrowed>,
    size: BodySize,
    patience: Patience,
}

/// The client's answer from the replica's.
pub fn respond(
    request: &HttpRequest,
    answer: hyper::Response<Incoming>,
    connection: Borrowed,
    deadlines: &Deadlines,
    deadline: Instant,
) -> HttpResponse<Answer> {
    let (head, body) = answer.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    // What RFC 9110 says has no body, has none; Content-Length of HEAD and 304 tells of the body that is not there.
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let announced = headers::content_length(&head.headers);
    let size = match announced {
        _ if bodiless => BodySize::None,
        Some(length) => BodySize::Sized(length),
        None if request.method() == actix_web::http::Method::HEAD => BodySize::None,
        None => BodySize::Stream,
    };
    let end = (!headers::is_event_stream(&head.headers)).then_some(deadline);
    let mut response = HttpResponse::new(status);
    headers::to_client(&head.headers, response.headers_mut());
    if size == BodySize::Stream && request.version() < Version::HTTP_11 {
        // HTTP/1.0 has no chunks: there the end of the connection is the end of the body.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }

    let mut answer =
        Answer { body, connection: Some(connection), size, patience: Patience::new(deadlines.answer_idle, end) };
    if bodiless || answer.body.is_end_stream() {
        // actix does not ask for a body that is empty, so nothing would give the connection back later.
        answer.finish();
    }
    response.set_body(answer)
}

impl Answer {
    fn finish(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }
}

impl MessageBody for Answer {
    type Error = Failure;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let this = &mut *self;
        loop {
            let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
            // Asking first tells the connection that a piece is wanted; then it reads one, if it is there.
            let mut polled = Pin::new(&mut this.body).poll_frame(cx);
            if polled.is_pending() {
                connection.drive(cx);
                polled = Pin::new(&mut this.body).poll_frame(cx);
            }
            match polled {
                Poll::Ready(Some(Ok(frame))) => {
                    this.patience.reset();
                    // Trailers end here: HTTP/1.1 clients that ask for them are not known to exist.
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(cause))) => {
                    let failure = Failure::from_hyper(cause);
                    failure.report(connection.lease().replica());
                    this.connection = None;
                    return Poll::Ready(Some(Err(failure)));
                }
                Poll::Ready(None) => {
                    // Lets the connection see that the answer is complete.
                    connection.drive(cx);
                    this.finish();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(this.patience.poll(cx));
                    let failure = Failure::TooSlow;
                    failure.report(connection.lease().replica());
                    this.connection = None;
                    return Poll::Ready(Some(Err(failure)));
                }
            }
        }
    }
}
