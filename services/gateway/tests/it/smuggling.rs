//! One request on the wire is one request to the service (RFC 9112 section 11.2).

use crate::support::{App, Backend, speak, status_of};

const HIDDEN: &str = "GET /v1/users/hidden HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn requests_with_two_lengths_are_refused() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let hidden_len = HIDDEN.len();
    for (what, headers, body) in [
        ("CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("CL 0 and TE", "Content-Length: 0\r\nTransfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("two CL", format!("Content-Length: 0\r\nContent-Length: {hidden_len}"), HIDDEN.to_owned()),
        ("two equal CL", "Content-Length: 2\r\nContent-Length: 2".to_owned(), format!("{{}}{HIDDEN}")),
        ("CL list", "Content-Length: 2, 2".to_owned(), format!("{{}}{HIDDEN}")),
        ("CL with plus", "Content-Length: +2".to_owned(), format!("{{}}{HIDDEN}")),
        ("CL negative", "Content-Length: -2".to_owned(), HIDDEN.to_owned()),
        ("CL hexadecimal", "Content-Length: 0x2".to_owned(), format!("{{}}{HIDDEN}")),
        ("CL beyond 64 bits", "Content-Length: 18446744073709551618".to_owned(), format!("{{}}{HIDDEN}")),
        ("two TE", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("TE identity", "Transfer-Encoding: identity\r\nContent-Length: 2".to_owned(), format!("{{}}{HIDDEN}")),
        ("TE list", "Transfer-Encoding: gzip, chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("TE not last", "Transfer-Encoding: chunked, identity".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("TE misspelt", "Transfer-Encoding: xchunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("TE with a tab", "Transfer-Encoding:\x0bchunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("space before the colon", "Transfer-Encoding : chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("folded header", "X: a\r\n Transfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("bare CR", "X: a\rTransfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("NUL in a value", "X: a\0b".to_owned(), String::new()),
        ("two hosts", "Host: y".to_owned(), String::new()),
    ] {
        let token = app.token();
        let request = format!(
            "POST /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}\r\n\r\n{body}"
        );
        let answer = speak(app.addr, request.as_bytes()).await;
        assert_eq!(status_of(&answer), 400, "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: the connection must end there: {answer}");
    }
    assert!(backend.seen().iter().all(|seen| !seen.target.contains("hidden")), "{:?}", backend.seen());
    assert!(backend.seen().is_empty(), "{:?}", backend.seen());
}

#[tokio::test]
async fn bad_chunks_end_the_request_without_reaching_an_end_at_the_service() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for (what, body) in [
        ("no number", "xyz\r\nabc\r\n0\r\n\r\n"),
        ("negative", "-1\r\nabc\r\n0\r\n\r\n"),
        ("overflow", "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
        ("longer than said", "2\r\nabcdef\r\n0\r\n\r\n"),
        ("no line end", "3\r\nabcX0\r\n\r\n"),
        ("spaces", "3 3\r\nabc\r\n0\r\n\r\n"),
    ] {
        let token = app.token();
        let request = format!(
            "POST /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}"
        );
        let answer = speak(app.addr, request.as_bytes()).await;
        // The connection ends there, with or without a word: where the next request begins is unknown.
        assert!(matches!(status_of(&answer), 400 | 0), "{what}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{what}: {answer}");
    }
    let complete = backend.seen().iter().filter(|seen| seen.body_len > 0).count();
    assert_eq!(complete, 0, "no service took a broken body for a whole one: {:?}", backend.seen());
    assert!(backend.seen().iter().all(|seen| !seen.target.contains("hidden")));
}

#[tokio::test]
async fn a_body_is_not_the_next_request() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let token = app.token();
    // A GET with a body, then an honest second request on the same connection.
    let request = format!(
        "GET /v1/users/first HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{HIDDEN}\
         GET /v1/users/second HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
        HIDDEN.len()
    );
    let answer = speak(app.addr, request.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    let seen: Vec<_> = backend.seen().into_iter().map(|seen| (seen.target, seen.body_len)).collect();
    assert_eq!(seen, [("/v1/users/first".to_owned(), HIDDEN.len()), ("/v1/users/second".to_owned(), 0)]);
}

#[tokio::test]
async fn a_refused_body_does_not_become_a_request() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let request = format!("POST /v1/users/me HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
    let answer = speak(app.addr, request.as_bytes()).await;
    assert_eq!(status_of(&answer), 401, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(backend.seen().is_empty());
}
