//! What the three protocols of chat share.

use actix_web::{HttpRequest, HttpResponse};
use contracts::Scope;
use kit::{Principal, Problem};
use serde_json::Value;
use tokio::time::Instant;

use super::{answer, asked};
use crate::{
    app::{ChatCall, complete_chat::complete_chat, stream_chat::stream_chat},
    domain::{
        caller::Caller,
        chat::{ChatRequest, Dialect},
        warnings::Warnings,
    },
    protocol::{self, ApiError},
    state::AppState,
};

/// Answers a chat, whole or as a stream, in the form of its dialect.
pub async fn answer(
    state: &AppState,
    who: &Principal,
    dialect: Dialect,
    body: Value,
    http: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let begun = Instant::now();
    who.require(Scope::AiInvoke)?;
    let call = match protocol::parse(dialect, body).and_then(|parsed| read(who, parsed, http, begun)) {
        Ok(call) => call,
        Err(error) => return Ok(answer::refused(http, dialect, &error)),
    };
    let answer = if call.request.stream {
        stream_chat(state, call).await.map(answer::stream)
    } else {
        complete_chat(state, call).await.map(answer::whole)
    };
    Ok(answer.unwrap_or_else(|error| answer::refused(http, dialect, &error)))
}

/// The call that a parsed body and its headers make.
pub fn read(
    who: &Principal,
    (mut request, warnings): (ChatRequest, Warnings),
    http: &HttpRequest,
    begun: Instant,
) -> Result<ChatCall, ApiError> {
    asked::from_headers(http.headers(), &mut request.brainops)?;
    Ok(ChatCall { caller: Caller::from(who), request, warnings, begun })
}
