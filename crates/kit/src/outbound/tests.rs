//! The guarded client against the tricks that are known, and a real local server for what only shows on the wire.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server that gives `answers` in turn, one a connection, and keeps what it was sent.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let mut answers = VecDeque::from(answers);
        crate::tasks::spawn("test.server", async move {
            while let Some(answer) = answers.pop_front() {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut bytes = vec![0; 16 * 1024];
                let n = socket.read(&mut bytes).await.unwrap();
                kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..n]).into_owned());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { port, seen }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.port)).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn redirect_to(status: u16, location: &str) -> String {
    answer(&format!("{status} Go"), &format!("Location: {location}\r\n"), "")
}

/// May reach 127.0.0.1, and nothing else that is not public; not even 127.0.0.2.
fn lenient() -> Policy {
    Policy { http_too: true, also: vec!["127.0.0.1/32".parse().unwrap()] }
}

fn scripted(policy: Policy, answers: &'static [&'static str]) -> (Outbound, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let lookup = Lookup::new(move |_| {
        let turn = counter.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        Box::pin(async move { Ok(answers[turn].split(' ').map(|ip| ip.parse().unwrap()).collect()) })
    });
    (Outbound(Arc::new(Inner { policy, lookup, client: OnceLock::new() })), asked)
}

async fn get(outbound: &Outbound, url: &str) -> Result<Answer, OutboundError> {
    outbound.call(Call::new(Method::GET, Url::parse(url).unwrap())).await
}

#[tokio::test]
async fn ssrf_corpus() {
    let outbound = Outbound::new(Policy { http_too: true, also: Vec::new() });
    for url in [
        // loopback in every spelling
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://①②⑦.⓪.⓪.①/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http:127.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http:////127.0.0.1/",
        // private, carrier, link-local, metadata, multicast, broadcast, reserved
        "http://10.0.0.1/",
        "http://172.16.5.4/",
        "http://192.168.0.1/",
        "http://3232235521/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://100.100.100.200/",
        "http://192.0.0.192/",
        "http://168.63.129.16/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://240.0.0.1/",
        "http://[ff02::1]/",
        // names that mean inside
        "http://localhost/",
        "http://LOCALHOST/",
        "http://localhost./",
        "http://localhost../",
        "http://a.localhost/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "http://router.home.arpa./",
        // credentials that disguise the host
        "http://example.com@127.0.0.1/",
        "http://user:pass@example.com/",
        "http://@127.0.0.1/",
        // other schemes
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "unix:/run/x.sock",
        "data:,x",
    ] {
        // What is no URL at all cannot be called either.
        let Ok(url) = Url::parse(url) else { continue };
        let refused = outbound.call(Call::new(Method::GET, url.clone())).await.unwrap_err();
        assert!(
            !matches!(refused, OutboundError::Failed(_) | OutboundError::Timeout(_)),
            "{url} was tried: {refused:?}"
        );
    }
}

#[tokio::test]
async fn plain_http_needs_permission() {
    let refused = get(&Outbound::default(), "http://1.1.1.1/").await.unwrap_err();
    assert!(matches!(refused, OutboundError::Scheme), "{refused:?}");
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    for inside in ["127.0.0.1", "10.1.2.3", "::1", "169.254.169.254", "::ffff:127.0.0.1", "1.1.1.1 127.0.0.1"] {
        let (outbound, asked) =
            scripted(Policy { http_too: true, also: Vec::new() }, Vec::leak(vec![&*inside.to_owned().leak()]));
        for host in ["innocent.example", "innocent.example."] {
            let refused = get(&outbound, &format!("http://{host}/")).await.unwrap_err();
            assert!(matches!(refused, OutboundError::Address), "{inside}: {refused:?}");
        }
        assert!(asked.load(Ordering::Relaxed) > 0);
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    // The first answer is fine; a second look-up, which a check-then-connect client would make, leads inside.
    let server = Server::start(vec![answer("200 OK", "", "hello")]).await;
    let (outbound, asked) = scripted(lenient(), &["127.0.0.1", "127.0.0.2"]);
    let url = format!("http://rebinding.example:{}/", server.port);
    let reached = get(&outbound, &url).await.unwrap();
    assert_eq!((reached.status.as_u16(), &*reached.body), (200, &b"hello"[..]));
    assert_eq!(asked.load(Ordering::Relaxed), 1, "one look-up, and the connection went to its answer");

    let refused = get(&outbound, &url).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Address), "{refused:?}");
}

#[tokio::test]
async fn every_redirect_is_checked() {
    for inside in [
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://0x7f000002/",
        "http://localhost/",
        "ftp://1.1.1.1/",
        "//127.0.0.2/x",
    ] {
        let server = Server::start(vec![redirect_to(302, inside)]).await;
        let refused = get(&Outbound::new(lenient()), server.url("/").as_str()).await.unwrap_err();
        assert!(
            !matches!(refused, OutboundError::Failed(_) | OutboundError::Timeout(_)),
            "{inside} was tried: {refused:?}"
        );
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_downgrade_is_refused() {
    let mut call = Call::new(Method::GET, Url::parse("https://example.com/").unwrap());
    redirect(&mut call, StatusCode::FOUND, Url::parse("http://example.com/").unwrap());
    assert!(matches!(address::check_url(&call.url, false), Err(OutboundError::Scheme)));
}

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let server = Server::start(vec![redirect_to(307, "/two"), answer("200 OK", "", "done")]).await;
    let mut call = Call::new(Method::POST, server.url("/one"));
    call.body = "payload".into();
    call.headers.insert("x-signature", "s".parse().unwrap());
    let reached = Outbound::new(lenient()).call(call).await.unwrap();
    assert_eq!(reached.url.path(), "/two");
    let seen = server.seen();
    assert!(
        seen[1].starts_with("POST /two ") && seen[1].contains("x-signature: s") && seen[1].ends_with("payload"),
        "{seen:?}"
    );

    let server = Server::start(vec![redirect_to(301, "/"); 3]).await;
    let mut call = Call::new(Method::GET, server.url("/"));
    call.limits.redirects = 2;
    let refused = Outbound::new(lenient()).call(call).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Redirect), "{refused:?}");
    assert_eq!(server.seen().len(), 3);

    let server = Server::start(vec![redirect_to(301, "/")]).await;
    let mut call = Call::new(Method::GET, server.url("/"));
    call.limits.redirects = 0;
    assert_eq!(Outbound::new(lenient()).call(call).await.unwrap().status, 301);
}

#[tokio::test]
async fn secrets_do_not_follow_to_another_origin() {
    let other = Server::start(vec![answer("200 OK", "", "")]).await;
    let first = Server::start(vec![redirect_to(303, other.url("/there").as_str())]).await;
    let mut call = Call::new(Method::POST, first.url("/"));
    call.body = "payload".into();
    for (name, value) in
        [("authorization", "Bearer t"), ("cookie", "c=1"), ("x-api-key", "k"), ("accept", "a/b"), ("host", "evil")]
    {
        call.headers.insert(name, value.parse().unwrap());
    }
    Outbound::new(lenient()).call(call).await.unwrap();
    assert!(first.seen()[0].contains("authorization: Bearer t"));
    assert!(!first.seen()[0].contains("evil"), "the host header is ours");
    let there = &other.seen()[0];
    assert!(there.starts_with("GET /there ") && there.contains("accept: a/b"), "{there}");
    for secret in ["Bearer", "c=1", "x-api-key", "payload"] {
        assert!(!there.contains(secret), "{secret} in {there}");
    }
}

#[tokio::test]
async fn size_and_time_are_bounded() {
    let chunked = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n8\r\naaaaaaaa\r\n8\r\nbbbbbbbb\r\n0\r\n\r\n";
    let server = Server::start(vec![answer("200 OK", "", &"x".repeat(16)), chunked.to_owned()]).await;
    for _ in 0..2 {
        let mut call = Call::new(Method::GET, server.url("/"));
        call.limits.body_bytes = 15;
        let refused = Outbound::new(lenient()).call(call).await.unwrap_err();
        assert!(matches!(refused, OutboundError::TooLarge(15)), "{refused:?}");
    }

    // Promises a body and never sends it.
    let silent = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned();
    let server = Server::start(vec![silent, String::new()]).await;
    let mut call = Call::new(Method::GET, server.url("/"));
    call.limits.timeout = Duration::from_millis(200);
    let late = Outbound::new(lenient()).call(call).await.unwrap_err();
    assert!(matches!(late, OutboundError::Timeout(_) | OutboundError::Failed(_)), "{late:?}");
}

#[tokio::test]
async fn an_opened_answer_is_read_piece_by_piece() {
    let chunked =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let server = Server::start(vec![chunked.to_owned(), chunked.to_owned()]).await;
    let outbound = Outbound::new(lenient());
    let mut opened = outbound.open(Call::new(Method::GET, server.url("/"))).await.unwrap();
    assert_eq!(opened.status, StatusCode::OK);
    let mut body = Vec::new();
    while let Some(chunk) = opened.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    assert_eq!(body, b"abcde");

    let mut call = Call::new(Method::GET, server.url("/"));
    call.limits.body_bytes = 4;
    let mut opened = outbound.open(call).await.unwrap();
    let refused = loop {
        match opened.chunk().await {
            Ok(Some(_)) => {}
            other => break other.unwrap_err(),
        }
    };
    assert!(matches!(refused, OutboundError::TooLarge(4)), "{refused:?}");
}

#[tokio::test]
async fn opening_has_the_same_guards() {
    let strict = Outbound::new(Policy::default());
    for (url, why) in
        [("http://example.com/", "Scheme"), ("https://127.0.0.1/", "Address"), ("https://localhost/", "Host")]
    {
        let refused = strict.open(Call::new(Method::POST, Url::parse(url).unwrap())).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), why, "{url}");
    }
    let (rebinding, _) = scripted(Policy::default(), &["10.0.0.1"]);
    let call = Call::new(Method::POST, Url::parse("https://innocent.example/").unwrap());
    assert!(matches!(rebinding.open(call).await.unwrap_err(), OutboundError::Address));

    let server = Server::start(vec![redirect_to(307, "http://127.0.0.2/")]).await;
    let opened = Outbound::new(lenient()).open(Call::new(Method::POST, server.url("/"))).await.unwrap();
    assert_eq!(opened.status, StatusCode::TEMPORARY_REDIRECT, "a redirect is an answer, and is not followed");

    let server = Server::start(vec![answer("200 OK", "", "too much")]).await;
    let mut call = Call::new(Method::GET, server.url("/"));
    call.limits.body_bytes = 7;
    assert!(matches!(Outbound::new(lenient()).open(call).await.unwrap_err(), OutboundError::TooLarge(7)));
}

#[tokio::test]
async fn errors_do_not_tell_what_is_inside() {
    let (outbound, _) = scripted(Policy { http_too: true, also: Vec::new() }, &["10.9.8.7"]);
    let refused = get(&outbound, "http://innocent.example/").await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("10.9.8.7"));
}

mod internal {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Thing {
        name: String,
    }

    fn client(server: &Server) -> InternalClient {
        InternalClient::new("auth", server.url("")).with_deadline(Duration::from_millis(300))
    }

    #[tokio::test]
    async fn an_answer_is_read_and_the_token_sent() {
        let server =
            Server::start(vec![answer("200 OK", "Content-Type: application/json\r\n", r#"{"name":"x"}"#)]).await;
        let thing: Thing = client(&server).get("/internal/things?limit=1").bearer("tok").json().await.unwrap();
        assert_eq!(thing, Thing { name: "x".into() });
        let seen = &server.seen()[0];
        assert!(
            seen.starts_with("GET /internal/things?limit=1 HTTP/1.1") && seen.contains("authorization: Bearer tok"),
            "{seen}"
        );
    }

    #[tokio::test]
    async fn a_problem_keeps_its_code() {
        let server =
            Server::start(vec![answer("409 Conflict", "", r#"{"code":"already_there"}"#), answer("503 Busy", "", "")])
                .await;
        let refused = client(&server).post("/x").body(&serde_json::json!({"a": 1})).done().await.unwrap_err();
        assert_eq!(refused.to_string(), "auth answered 409 Conflict already_there");
        assert!(!refused.is_transient());
        assert!(client(&server).get("/x").done().await.unwrap_err().is_transient());
    }

    #[tokio::test]
    async fn nobody_there_and_too_late_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let client = InternalClient::new("auth", base.clone()).with_deadline(Duration::from_millis(200));
        let late = client.get("/x").done().await.unwrap_err();
        assert!(matches!(late, CallError::Deadline { .. }), "{late:?}");
        drop(listener);
        let nobody = InternalClient::new("auth", base).get("/x").done().await.unwrap_err();
        assert!(matches!(nobody, CallError::Unreachable { .. }), "{nobody:?}");
        assert!(nobody.is_transient());
    }

    #[tokio::test]
    async fn a_wrong_shape_is_named_without_its_content() {
        let server = Server::start(vec![answer("200 OK", "", r#"{"name":"hunter2","name":7}"#)]).await;
        let wrong = client(&server).get("/x").json::<Thing>().await.unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("hunter2"), "{wrong:?}");
        assert!(matches!(wrong, CallError::Answer { .. }));
    }
}
