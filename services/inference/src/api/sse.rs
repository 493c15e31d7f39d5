//! An answer as server-sent events while it is written (WHATWG HTML, "Server-sent events").

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use bytes::Bytes;
use futures_util::stream;
use kit::{
    Problem,
    http::{ErrorForm, RequestContext},
};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    domain::generation::{Event, FinishReason, Usage},
    error::Error,
    llama::Answer,
};

/// Silence after which a comment is sent, so that nobody between here and the client takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// nginx buffers answers unless it is told not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Puts pieces of an answer into the chunks of one route.
pub trait Chunks: 'static {
    type Chunk: Serialize;

    /// What comes before the text; sent together with the head of the answer.
    fn begin(&self) -> Option<Self::Chunk>;

    /// More text.
    fn text(&self, text: String) -> Self::Chunk;

    /// The end, and the usage if it was asked for.
    fn end(&self, reason: FinishReason, usage: Usage) -> Vec<Self::Chunk>;
}

/// The response that streams `answer`. When the client leaves, the body is dropped and the answer with it.
pub fn response(answer: Answer, chunks: impl Chunks, request: &HttpRequest) -> HttpResponse {
    let ready = chunks.begin().iter().map(event).collect();
    let stream = Stream {
        answer: Some(answer),
        chunks,
        ready,
        request_id: RequestContext::of(request).request_id,
        path: request.path().to_owned(),
    };
    let body = stream::unfold(stream, |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<_, Infallible>(bytes), stream))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/event-stream")))
        .insert_header((X_ACCEL_BUFFERING, HeaderValue::from_static("no")))
        .streaming(body)
}

struct Stream<C> {
    /// `None` after the end.
    answer: Option<Answer>,
    chunks: C,
    /// Events that are ready to be sent.
    ready: VecDeque<Bytes>,
    request_id: String,
    path: String,
}

impl<C: Chunks> Stream<C> {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.ready.pop_front() {
            return Some(bytes);
        }
        match timeout(HEARTBEAT, self.answer.as_mut()?.next()).await {
            Err(_silence) => Some(Bytes::from_static(b": still working\n\n")),
            Ok(Ok(Event::Text(text))) => Some(event(&self.chunks.text(text))),
            Ok(Ok(Event::Finished { reason, usage })) => {
                self.answer = None;
                self.ready.extend(self.chunks.end(reason, usage).iter().map(event));
                self.ready.push_back(data("[DONE]"));
                self.ready.pop_front()
            }
            Ok(Err(error)) => {
                self.answer = None;
                Some(self.failed(error))
            }
        }
    }

    /// The status is sent already, so nobody but the client and the log will know.
    fn failed(&self, error: Error) -> Bytes {
        let problem = Problem::from(error);
        tracing::error!(error.code = problem.code().code, error.chain = problem.chain(), "A stream was cut off");
        let body = ErrorForm::OpenAi.render(&problem.body(&self.request_id, &self.path));
        data(&String::from_utf8_lossy(&body))
    }
}

fn event(chunk: &impl Serialize) -> Bytes {
    // Chunks are plain structs; they always serialize.
    data(&serde_json::to_string(chunk).unwrap_or_default())
}

fn data(text: &str) -> Bytes {
    Bytes::from(format!("data: {text}\n\n"))
}
