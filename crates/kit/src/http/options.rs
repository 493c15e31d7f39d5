//! Limits of the HTTP servers, with defaults that suit a service behind the gateway.
use std::{borrow::Cow, net::IpAddr, time::Duration};

use actix_web::{HttpRequest, web};
use ipnet::IpNet;

/// Limits and deadlines. `..HttpOptions::default()` for the rest.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Until the header section of a request must be complete (slowloris).
    pub header_timeout: Duration,
    /// Until the whole body must be there, counted from the head.
    pub body_timeout: Duration,
    /// Longest pause between two pieces of a body.
    pub body_idle_timeout: Duration,
    /// Until the handler must begin its answer, the body read; `None` for no limit. The body of the answer may stream on.
    pub handler_timeout: Option<Duration>,
    /// Largest body, in bytes.
    pub body_limit: usize,
    /// Routes that take other bodies.
    pub body_limits: Vec<BodyLimit>,
    /// Longest path and query, in bytes.
    pub uri_limit: usize,
    /// Largest header section, names and values, in bytes.
    pub headers_limit: usize,
    /// Open connections per worker.
    pub max_connections: usize,
    /// The service is reached over https, so `Strict-Transport-Security` is sent.
    pub https: bool,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// What one route takes, in place of [`HttpOptions::body_limit`] and [`HttpOptions::body_timeout`].
#[derive(Debug, Clone)]
pub struct BodyLimit {
    /// The route's template: `/v1/files/{file_id}`.
    pub route: Cow<'static, str>,
    /// Largest body, in bytes.
    pub bytes: usize,
    /// Until the whole body must be there, counted from the head.
    pub timeout: Duration,
}

/// Loopback and private networks: where the gateway and load balancers are.
const PRIVATE: [&str; 6] = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(75),
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            body_idle_timeout: Duration::from_secs(5),
            handler_timeout: Some(Duration::from_secs(30)),
            body_limit: 1 << 20,
            body_limits: Vec::new(),
            uri_limit: 8 << 10,
            headers_limit: 16 << 10,
            max_connections: 25_000,
            https: false,
            trusted_proxies: PRIVATE.iter().filter_map(|net| net.parse().ok()).collect(),
        }
    }
}

impl HttpOptions {
    /// The options that [`serve`](super::serve) put into the application; the defaults without it.
    pub(super) fn of(req: &HttpRequest) -> web::Data<Self> {
        req.app_data::<web::Data<Self>>().cloned().unwrap_or_else(|| web::Data::new(Self::default()))
    }

    /// The largest body of a route, by its template.
    pub fn body_limit(&self, route: Option<&str>) -> usize {
        self.special(route).map_or(self.body_limit, |limit| limit.bytes)
    }

    /// How long the body of a route may take to arrive.
    pub(super) fn body_timeout(&self, route: Option<&str>) -> Duration {
        self.special(route).map_or(self.body_timeout, |limit| limit.timeout)
    }

    /// How long the handler may take until it begins its answer. It reads the body itself, so where that may take longer, the
    /// handler may too.
    pub(super) fn handler_timeout(&self, route: Option<&str>) -> Option<Duration> {
        let longer = self.body_timeout(route).saturating_sub(self.body_timeout);
        self.handler_timeout.map(|limit| limit + longer)
    }

    fn special(&self, route: Option<&str>) -> Option<&BodyLimit> {
        self.body_limits.iter().find(|limit| Some(&*limit.route) == route)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

/// The client's address: of the peer, or, as far as peers are trusted proxies, the nearest address in `X-Forwarded-For`
/// that is none. What a client itself writes into that header stands further left and is never reached.
pub fn client_address(req: &HttpRequest) -> Option<IpAddr> {
    let options = HttpOptions::of(req);
    let mut address = canonical(req.peer_addr()?.ip());
    let forwarded: Vec<&str> = req
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in forwarded.iter().rev() {
        if !options.trusts(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(next) => address = canonical(next),
            Err(_) => break,
        }
    }
    Some(address)
}

/// `::ffff:10.0.0.1` is 10.0.0.1.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
        for value in forwarded {
            request = request.append_header(("x-forwarded-for", *value));
        }
        client_address(&request.to_http_request()).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(address("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(address("198.51.100.9", &["203.0.113.7"]), "198.51.100.9");
        assert_eq!(address("[::ffff:10.0.0.1]", &["203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn what_the_client_wrote_itself_is_not_reached() {
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "203.0.113.7, 10.2.2.2"]), "203.0.113.7");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
    }

    #[test]
    fn limits_may_differ_by_route() {
        let files = BodyLimit { route: "/v1/files/{id}".into(), bytes: 7, timeout: Duration::from_mins(5) };
        let options = HttpOptions { body_limits: vec![files], ..HttpOptions::default() };
        let of = |route| (options.body_limit(route), options.body_timeout(route).as_secs());
        assert_eq!(of(Some("/v1/files/{id}")), (7, 300));
        assert_eq!(of(Some("/v1/x")), (1 << 20, 30));
        assert_eq!(of(None), (1 << 20, 30));
        let to_answer = |route| options.handler_timeout(route).map(|limit| limit.as_secs());
        assert_eq!(to_answer(Some("/v1/files/{id}")), Some(300), "as long as its body, and not cut off before");
        assert_eq!(to_answer(Some("/v1/x")), Some(30));
    }
}
