//! An open-loop load generator: requests leave at a constant rate whether or not answers come back, and a latency counts
//! from the moment a request was due, so that a stall of the server is felt by every request that it delayed.
//!
//! `cargo bench -p gateway --bench load -- URL RATE SECONDS [--body FILE] [HEADER: VALUE]…` prints one line of JSON
//! (milliseconds); with a body it is a POST. `first_*` is the time to the first byte of the answer's body.
//! Plain threads and blocking sockets: a timer of tokio would add a millisecond of its own.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a measuring tool talks to its terminal, stops when it cannot measure, and its numbers are small"
)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// Requests under way at most; enough that none waits for a connection.
const CONNECTIONS: u64 = 48;

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [url, rate, seconds, headers @ ..] = args.as_slice() else {
        println!("usage: load URL RATE SECONDS [--body FILE] [HEADER: VALUE]...");
        return;
    };
    let rate: u64 = rate.parse().expect("requests a second");
    let total = rate * seconds.parse::<u64>().expect("seconds");
    let (host, path) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("http://host:port/path");
    let (body, headers) = match headers {
        [flag, file, rest @ ..] if flag == "--body" => (std::fs::read(file).expect("the body's file"), rest),
        all => (Vec::new(), all),
    };
    let method = if body.is_empty() { "GET" } else { "POST" };
    let headers = headers.iter().fold(format!("content-length: {}\r\n", body.len()), |all, one| all + one + "\r\n");
    let mut request = format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n").into_bytes();
    request.extend(body);

    let begin = Instant::now() + Duration::from_millis(200);
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|first| {
            let (host, request) = (host.to_owned(), request.clone());
            thread::spawn(move || {
                let due = (first..total)
                    .step_by(CONNECTIONS as usize)
                    .map(|n| begin + Duration::from_nanos(n * 1_000_000_000 / rate));
                drive(&host, &request, due)
            })
        })
        .collect();
    let (mut latencies, mut firsts) = (Vec::with_capacity(total as usize), Vec::with_capacity(total as usize));
    let mut failed = 0;
    for worker in workers {
        let (mine, failures) = worker.join().expect("a worker");
        for (first, whole) in mine {
            firsts.push(first);
            latencies.push(whole);
        }
        failed += failures;
    }
    let elapsed = begin.elapsed().as_secs_f64();
    latencies.sort_unstable();
    firsts.sort_unstable();
    let at = |share| quantile(&latencies, share);
    println!(
        r#"{{"rate":{rate},"achieved":{:.0},"ok":{},"failed":{failed},"p50_ms":{:.3},"p90_ms":{:.3},"p99_ms":{:.3},"p999_ms":{:.3},"max_ms":{:.3},"first_p50_ms":{:.3},"first_p99_ms":{:.3}}}"#,
        latencies.len() as f64 / elapsed,
        latencies.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0),
        quantile(&firsts, 0.5),
        quantile(&firsts, 0.99),
    );
}

/// Milliseconds; `sorted` is.
fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

/// Until the first byte of the body, and until its last.
type Latency = (Duration, Duration);

/// Sends each request when it is due, or at once when it is late already; gives the latencies and the failures.
fn drive(host: &str, request: &[u8], due: impl Iterator<Item = Instant>) -> (Vec<Latency>, u64) {
    let connect = || {
        let stream = TcpStream::connect(host).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        BufReader::new(stream)
    };
    let (mut stream, mut latencies, mut failed) = (connect(), Vec::new(), 0);
    for due in due {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match exchange(&mut stream, request) {
            Ok((200, first)) => latencies.push((first.saturating_duration_since(due), due.elapsed())),
            Ok(_) => failed += 1,
            Err(_) => {
                failed += 1;
                stream = connect();
            }
        }
    }
    (latencies, failed)
}

/// One request and its answer, read to the end; gives the status and when the body began.
fn exchange(stream: &mut BufReader<TcpStream>, request: &[u8]) -> std::io::Result<(u16, Instant)> {
    stream.get_mut().write_all(request)?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status =
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    if !chunked {
        if length > 0 {
            stream.fill_buf()?;
        }
        let first = Instant::now();
        stream.read_exact(&mut vec![0; length])?;
        return Ok((status, first));
    }
    let mut first = None;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        first.get_or_insert_with(Instant::now);
        let size = usize::from_str_radix(line.trim_end(), 16)
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
        // The chunk and the line's end after it; the last chunk is empty.
        stream.read_exact(&mut vec![0; size + 2])?;
        if size == 0 {
            return Ok((status, first.unwrap_or_else(Instant::now)));
        }
    }
}
