//! Carries requests to the protocol and its answers back. actix speaks the older `http` types, rmcp the newer.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use kit::{
    Principal, Problem,
    http::{RequestContext, codes},
};
use rmcp::model::ClientJsonRpcMessage;

use super::Endpoint;

/// Who calls a tool, and in which request.
#[derive(Clone)]
pub struct Caller {
    pub who: Principal,
    pub request_id: String,
}

pub async fn serve(
    endpoint: Data<Endpoint>,
    who: Principal,
    context: RequestContext,
    http: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    check(&body)?;
    let mut request = Request::post("/mcp").body(Full::new(body)).map_err(Problem::internal)?;
    for (name, value) in http.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            request.headers_mut().append(name, value);
        }
    }
    request.extensions_mut().insert(Caller { who, request_id: context.request_id });
    let (head, body) = endpoint.handle(request).await.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).map_err(Problem::internal)?;
    let mut answer = HttpResponse::build(status);
    for (name, value) in &head.headers {
        answer.append_header((name.as_str(), value.as_bytes()));
    }
    // No tool says anything before its result, so there is no stream that would have to be passed on.
    let Ok(body) = body.collect().await;
    Ok(answer.body(body.to_bytes()))
}

/// Whatever is no message, rmcp would call an unsupported media type.
fn check(body: &[u8]) -> Result<(), Problem> {
    match serde_json::from_slice::<ClientJsonRpcMessage>(body) {
        Ok(_) => Ok(()),
        Err(error) if error.is_data() => Err(Problem::new(&codes::BAD_REQUEST).detail("Send one JSON-RPC 2.0 message")),
        Err(_) => Err(Problem::new(&codes::MALFORMED_JSON)),
    }
}
