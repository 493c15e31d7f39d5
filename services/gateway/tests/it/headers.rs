//! What crosses the gateway, and what does not.

use reqwest::Method;
use testkit::Answer;

use crate::support::{App, Backend, Script, raw_service, speak, status_of};

#[tokio::test]
async fn headers_of_one_hop_do_not_cross() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let request = format!(
        "GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close, X-Named , x-also\r\n\
         X-Named: 1\r\nX-Also: 2\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n\
         TE: trailers\r\nTrailer: x-sum\r\nUpgrade: h2c\r\nX-Kept: 3\r\n\r\n",
        app.token()
    );
    let answer = speak(app.addr, request.as_bytes()).await;
    assert_eq!(status_of(&answer), 200, "{answer}");
    let seen = backend.only();
    for gone in [
        "connection",
        "x-named",
        "x-also",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
    ] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert_eq!(seen.header("x-kept"), Some("3"));
}

#[tokio::test]
async fn what_a_service_could_take_for_the_gateways_word_is_the_gateways() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let spoofed = [
        "x-user-id",
        "x-user-role",
        "x-org-id",
        "x-internal-token",
        "x-forwarded-user",
        "x-forwarded-prefix",
        "forwarded",
        "x-real-ip",
    ];
    let mut request = app.request(Method::GET, "/v1/users/me").header("host", "evil.example");
    for name in spoofed {
        request = request.header(name, "admin");
    }
    for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        request = request.header(name, "6.6.6.6");
    }
    Answer::to(request).await.json::<serde_json::Value>(200);
    let seen = backend.only();
    for name in spoofed {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("brainops.test"));
    assert_eq!(seen.header("host"), Some(backend.public.to_string().as_str()));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let backend = Backend::start();
    let app =
        App::builder().users(&[&backend]).env("BRAINOPS_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8").start().await;
    let request = app.request(Method::GET, "/v1/users/me").header("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.1.2.3");
    Answer::to(request).await.json::<serde_json::Value>(200);
    assert_eq!(backend.only().header("x-forwarded-for"), Some("203.0.113.7"));
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let token = app.token();
    let request = app
        .client
        .patch(format!("{}/v1/users/a%20b/%C3%A9?q=1%2F2&q=%20", app.url))
        .bearer_auth(&token)
        .header("if-match", "\"3\"")
        .header("idempotency-key", "k")
        .header("x-twice", "a")
        .header("x-twice", "b")
        .header("content-type", "application/merge-patch+json")
        .body("{}");
    Answer::to(request).await.json::<serde_json::Value>(200);
    let seen = backend.only();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str(), seen.body_len),
        ("PATCH", "/v1/users/a%20b/%C3%A9?q=1%2F2&q=%20", 2)
    );
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}").as_str()));
    assert_eq!(seen.header("if-match"), Some("\"3\""));
    assert_eq!(seen.header("idempotency-key"), Some("k"));
    assert_eq!(seen.header("content-type"), Some("application/merge-patch+json"));
    assert_eq!(seen.header("content-length"), Some("2"));
    assert_eq!(seen.all("x-twice"), ["a", "b"]);
    assert_eq!(seen.header("accept-encoding"), None);
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_given() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = app.get("/v1/users/cookies").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(answer.header("etag"), Some("\"7\""));
    assert_eq!(answer.header("content-length"), Some("2"));
}

#[tokio::test]
async fn headers_of_one_hop_do_not_come_back() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
                  Proxy-Authenticate: Basic\r\nTrailer: x-sum\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nok";
    let (addr, _) = raw_service(Script::AnswerAndClose(answer)).await;
    let app = App::builder().users_at(&[(addr, addr)]).start().await;
    let answer = app.get("/v1/users/me").await;
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-kept")), (200, "ok", Some("2")));
    for gone in ["x-private", "keep-alive", "proxy-authenticate", "trailer", "connection"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn answers_without_a_body_stay_without() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let empty = app.get("/v1/users/empty").await;
    assert_eq!((empty.status, empty.body.len(), empty.header("content-length")), (204, 0, None));
    let unchanged = app.get("/v1/users/unchanged").await;
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, Some("\"7\"")));
    // The connections they came on are still good.
    assert_eq!(app.get("/v1/users/cookies").await.text(), "ok");
}

#[tokio::test]
async fn head_tells_the_length_without_the_body() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = Answer::to(app.request(Method::HEAD, "/v1/users/large")).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-length"), Some("20002"));
    assert_eq!(backend.only().method, "HEAD");
    assert_eq!(app.get("/v1/users/cookies").await.text(), "ok");
}

#[tokio::test]
async fn a_problem_of_a_service_passes_untouched() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = app.get("/v1/users/problem").await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("x-from"), Some("the service"));
    assert_eq!(answer.json::<serde_json::Value>(409)["request_id"], "of the service");
}

#[tokio::test]
async fn a_request_id_is_taken_when_it_is_well_formed_and_replaced_when_not() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for (sent, kept) in [("client-made-1234", true), ("short", false), ("has spaces in it", false)] {
        let answer = Answer::to(app.request(Method::GET, "/v1/users/me").header("x-request-id", sent)).await;
        let returned = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(returned == sent, kept, "{sent}: {returned}");
        let seen = backend.seen().pop().unwrap();
        assert_eq!(seen.header("x-request-id"), Some(returned.as_str()));
    }
}

#[tokio::test]
async fn a_trace_goes_on_through_the_gateway() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    Answer::to(app.request(Method::GET, "/v1/users/me").header("traceparent", &parent)).await;
    let seen = backend.only();
    let sent = seen.header("traceparent").unwrap();
    assert!(sent.starts_with(&format!("00-{trace}-")), "{sent}");
    assert_ne!(sent, parent, "the gateway's own span is the parent of the service's");
}

#[tokio::test]
async fn an_old_client_gets_an_old_answer() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let request = format!("GET /v1/users/chunked HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", app.token());
    let answer = speak(app.addr, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert_eq!(body.len(), 20_000);
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for path in ["/v1/users/me", "/v1/users/problem", "/nowhere", "/docs/", "/"] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"), "{path}");
        assert!(answer.header("strict-transport-security").is_some(), "{path}");
    }
}
