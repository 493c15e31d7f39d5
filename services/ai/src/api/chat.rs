//! What the three protocols of chat share.

use actix_web::{HttpRequest, HttpResponse};
use contracts::{Role, Scope, UserId};
use kit::{Principal, Problem, http::codes};
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
        Ok(mut call) => {
            may_use_memory(who, &mut call)?;
            call
        }
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
) -> Result<Box<ChatCall>, ApiError> {
    asked::from_headers(http.headers(), &mut request.brainops)?;
    protocol::check_brainops(&request.brainops)?;
    let token = asked::token(http.headers());
    Ok(Box::new(ChatCall { caller: Caller::from(who), token, request, warnings, begun }))
}

/// Whoever asks for memory needs its scopes; who only names a session gets what the token allows. Members talk for
/// themselves, admins (whose keys applications use) also for an application's users: memory's own rule.
fn may_use_memory(who: &Principal, call: &mut ChatCall) -> Result<(), Problem> {
    let brainops = &mut call.request.brainops;
    if brainops.recalls() > 0 && !who.scopes.contains(Scope::MemoryRead) {
        if brainops.recall.is_some() {
            who.require(Scope::MemoryRead)?;
        }
        brainops.recall = Some(0);
        call.warnings.dropped("brainops.recall");
    }
    if brainops.remembers_in().is_some() && !who.scopes.contains(Scope::MemoryWrite) {
        if brainops.remember.is_some() {
            who.require(Scope::MemoryWrite)?;
        }
        brainops.remember = Some(false);
        call.warnings.dropped("brainops.remember");
    }
    match &brainops.user {
        Some(user) if who.role < Role::Admin && user.parse() != Ok(who.user) => {
            Err(Problem::new(&codes::FORBIDDEN).detail("Only admins may talk for the users of an application"))
        }
        Some(user) if user.parse::<UserId>().is_ok_and(|member| member != who.user) => {
            Err(Problem::new(&codes::FORBIDDEN).detail("Nobody may talk for another member"))
        }
        _ => Ok(()),
    }
}
