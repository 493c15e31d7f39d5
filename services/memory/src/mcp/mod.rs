//! The MCP server at `/mcp`: what is remembered, as tools of a model (Model Context Protocol 2026-07-28, and the versions
//! before it that begin with `initialize`).
//!
//! Nothing is kept between requests: each carries its caller's token, and any replica can serve it.

mod calls;
mod http;
mod schema;
mod server;
mod tool;

use std::sync::Arc;

use actix_web::web::{self, Data, PayloadConfig, ServiceConfig};
use kit::HttpOptions;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};

use self::server::Server;
use crate::state::AppState;

/// Speaks the protocol over HTTP.
pub type Endpoint = StreamableHttpService<Server, NeverSessionManager>;

pub fn endpoint(state: AppState) -> Endpoint {
    let server = Server::new(state);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // `Host` names a replica here, since the gateway is in front; and a page that was lured to this address by DNS has
        // nothing to ride on: there are no cookies, and a caller's token is something that it does not know. For the same
        // reason any `Origin` may call; which of them may read the answer is the gateway's to say (CORS).
        .disable_allowed_hosts()
        .disable_allowed_origins();
    StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config)
}

pub fn routes(config: &mut ServiceConfig, endpoint: &Data<Endpoint>) {
    config.service(
        web::resource("/mcp")
            .app_data(endpoint.clone())
            .app_data(PayloadConfig::new(HttpOptions::default().body_limit))
            .route(web::post().to(http::serve)),
    );
}
