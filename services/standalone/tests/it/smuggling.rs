//! One request on the wire is one request to the service, with the real service behind the gateway
//! (RFC 9112 section 11.2). Every variation is tried in the gateway's own tests.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use testkit::Answer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{golden_path::Used, support::System};

/// A route that nobody else here calls, so that a single hit shows.
const HIDDEN: &str = "PATCH /v1/users/me HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";

pub async fn try_all(system: &System, used: &Used) {
    let before = requests(system).await;
    let length = HIDDEN.len();
    for (what, headers, body) in [
        ("CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4".to_owned(), format!("0\r\n\r\n{HIDDEN}")),
        ("two CL", format!("Content-Length: 0\r\nContent-Length: {length}"), HIDDEN.to_owned()),
        ("a bad chunk", "Transfer-Encoding: chunked".to_owned(), format!("zz\r\nabc\r\n0\r\n\r\n{HIDDEN}")),
        ("a chunk without end", "Transfer-Encoding: chunked".to_owned(), format!("3\r\nabcX0\r\n\r\n{HIDDEN}")),
    ] {
        let request = format!(
            "POST /v1/organizations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{body}",
            used.token
        );
        let answer = speak(system.api.addr, request.as_bytes()).await;
        // A broken chunk is met when the call is under way: the connection may then end without a word.
        let silent = answer.is_empty() && what.contains("chunk");
        assert!(silent || answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{what}: the connection must end there: {answer}");
    }
    // An honest request, so that the counters are seen to move.
    assert_eq!(system.api.get("/v1/organizations", &used.token).await.status, 200);
    let after = requests(system).await;
    let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(
        new.iter().any(|line| line.contains(r#"method="GET""#) && line.contains(r#"route="/v1/organizations""#)),
        "{new:?}"
    );
    let smuggled: Vec<_> = new
        .iter()
        .filter(|line| line.contains("PATCH") || line.contains(r#"status="2"#) && line.contains("POST"))
        .collect();
    assert!(smuggled.is_empty(), "{smuggled:?}");
}

/// How many requests the users service has answered, by method, route and status.
async fn requests(system: &System) -> Vec<String> {
    let private = system.api.through(system.ports_of("users").1);
    let metrics = Answer::to(private.request(Method::GET, "/metrics")).await.text();
    let of_users = |line: &&str| line.starts_with("http_requests_total{") && line.contains(r#"service="users""#);
    metrics.lines().filter(of_users).map(str::to_owned).collect()
}

/// Everything that comes back for these bytes.
pub async fn speak(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The other side may close in the middle of it; what it said until then counts.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read @ 1..)) = timeout(Duration::from_secs(2), stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
