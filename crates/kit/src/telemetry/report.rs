//! Error reports to Sentry: which code failed, how and in which trace. Never who asked or what they sent.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sentry::protocol::Event;
use sentry::{ClientInitGuard, ClientOptions, Hub};

use crate::Secret;
use crate::config::Environment;

static GUARD: OnceLock<ClientInitGuard> = OnceLock::new();

/// Turns reports on; false when the DSN cannot be read.
pub(super) fn init(dsn: &Secret<String>, name: &'static str, environment: Environment) -> bool {
    let Ok(dsn) = dsn.expose().parse() else { return false };
    crate::tls::install();
    let mut options = ClientOptions::new();
    options.dsn = Some(dsn);
    options.release = Some(concat!("brainops@", env!("CARGO_PKG_VERSION")).into());
    options.environment = Some(environment.as_str().into());
    options.send_default_pii = false;
    options.max_breadcrumbs = 0;
    options.before_send = Some(Arc::new(move |event| Some(scrub(event, name))));
    GUARD.get_or_init(|| sentry::init(options));
    // `init` binds the client to this thread only, when some other thread asked Sentry for anything before.
    Hub::main().bind_client(Hub::current().client());
    true
}

pub(super) fn flush(timeout: Duration) {
    if let Some(guard) = GUARD.get() {
        guard.flush(Some(timeout));
    }
}

/// Takes out everything that could name a person, an address or a machine, and adds what finds the log lines.
fn scrub(mut event: Event<'static>, service: &'static str) -> Event<'static> {
    event.request = None;
    event.user = None;
    event.server_name = None;
    event.breadcrumbs = Vec::new().into();
    event.extra.clear();
    event.tags.insert("service".into(), service.into());
    if let Some(id) = super::trace_id() {
        event.tags.insert("trace_id".into(), id);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentry::protocol::{Request, User};

    #[test]
    fn a_report_names_nobody() {
        let mut event = Event { message: Some("The query failed".into()), ..Event::default() };
        event.request = Some(Request { data: Some("a-body".into()), ..Request::default() });
        event.request.as_mut().unwrap().headers.insert("authorization".into(), "a-token".into());
        event.user = Some(User { email: Some("a-person".into()), ..User::default() });
        event.server_name = Some("a-host".into());
        event.extra.insert("address".into(), "an-address".into());

        let sent = serde_json::to_string(&scrub(event, "auth")).unwrap();
        assert!(sent.contains("The query failed") && sent.contains("auth"));
        for kept_back in ["a-body", "a-token", "a-person", "a-host", "an-address"] {
            assert!(!sent.contains(kept_back), "{kept_back} in {sent}");
        }
    }
}
