//! Sockets without an HTTP library.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends `bytes` and gives everything that comes back until the other side closes, or says nothing for two seconds.
pub async fn speak(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The other side may close in the middle of it; what it said until then counts.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer's first line; 0 without an answer.
pub fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// What a service without manners does with one request. `{n}` requests have been heard on all connections.
#[derive(Clone, Copy)]
pub enum Script {
    /// Reads the request, answers these bytes, and closes.
    AnswerAndClose(&'static str),
    /// Reads the request, answers these bytes in one piece, and then says nothing more.
    AnswerAndHold(&'static str),
    /// Answers the first request of a connection well and keeps it open, then closes at the second without a word.
    CloseOnSecond,
}

/// A service without manners; gives its address and how many requests it has read.
pub async fn raw_service(script: Script) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    kit::tasks::spawn("test.raw_service", async move {
        while let Ok((stream, _)) = listener.accept().await {
            kit::tasks::spawn("test.raw_connection", serve(stream, script, Arc::clone(&counter)));
        }
    });
    (addr, heard)
}

async fn serve(mut stream: TcpStream, script: Script, heard: Arc<AtomicUsize>) {
    for nth in 0.. {
        if !read_head(&mut stream).await {
            return;
        }
        heard.fetch_add(1, Ordering::SeqCst);
        match script {
            Script::AnswerAndClose(answer) => {
                let _ = stream.write_all(answer.as_bytes()).await;
                return;
            }
            Script::AnswerAndHold(answer) => {
                let _ = stream.write_all(answer.as_bytes()).await;
                // Until the other side closes; closing with something unread would reset the connection.
                while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {}
                return;
            }
            Script::CloseOnSecond if nth > 0 => return,
            Script::CloseOnSecond => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}
