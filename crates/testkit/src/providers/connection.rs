//! HTTP/1.1 as far as a provider needs it, by hand, so that it can be spoken badly and so that a caller who leaves is
//! noticed at once, even while nothing is being sent.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
    time::sleep,
};

use super::{
    Inner, Seen,
    render::{self, Body, Rendered, Route},
    reply::Then,
};

/// The other side is gone.
struct Gone;

/// Serves until it is aborted, and with it every connection.
pub(super) async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                let inner = Arc::clone(&inner);
                connections.spawn(async move {
                    // Nagle and delayed acknowledgements would make 40 ms out of nothing.
                    let _ = socket.set_nodelay(true);
                    let _ = Connection::new(socket, inner).serve().await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// Read and not yet used.
    buffer: Vec<u8>,
    inner: Arc<Inner>,
}

/// An answer under way; counts itself.
struct Underway {
    inner: Arc<Inner>,
    stream: bool,
    done: bool,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.inner.change(|state| {
            state.active -= 1;
            state.streams -= usize::from(self.stream);
            state.cancelled += usize::from(!self.done);
        });
    }
}

impl Connection {
    fn new(socket: TcpStream, inner: Arc<Inner>) -> Self {
        let (reader, writer) = socket.into_split();
        Self { reader, writer, buffer: Vec::with_capacity(16 << 10), inner }
    }

    async fn serve(mut self) -> Result<(), Gone> {
        loop {
            let (seen, raw) = self.request().await?;
            self.inner.change(|state| state.active += 1);
            let mut underway = Underway { inner: Arc::clone(&self.inner), stream: false, done: false };
            let rendered = self.answer_to(seen, &raw);
            let keep = self.respond(&rendered, &mut underway).await?;
            underway.done = true;
            if !keep {
                return Ok(());
            }
        }
    }

    fn answer_to(&self, mut seen: Seen, raw: &[u8]) -> Arc<Rendered> {
        if self.inner.strict {
            seen.body = serde_json::from_slice(raw).unwrap_or_default();
            return Arc::new(render::strictly(&self.inner, &seen, raw));
        }
        let route = Route::of(&seen, raw);
        let mut state = self.inner.state();
        if let Some(reply) = state.next.pop_front() {
            return Arc::new(render::render(route, &reply, &seen));
        }
        if let Some(rendered) = state.ready_made.get(&route) {
            return Arc::clone(rendered);
        }
        seen.body = serde_json::from_slice(raw).unwrap_or_default();
        let reply = state.always.clone().unwrap_or_else(super::Reply::echo);
        let rendered = Arc::new(render::render(route, &reply, &seen));
        state.ready_made.insert(route, Arc::clone(&rendered));
        rendered
    }

    /// Whether the connection can take another request.
    async fn respond(&mut self, rendered: &Rendered, underway: &mut Underway) -> Result<bool, Gone> {
        if let Some(gate) = &rendered.head_gate {
            let gate = gate.clone();
            self.unless_gone(async move { gate.passed().await }).await?;
        }
        if !rendered.first_byte.is_zero() {
            self.unless_gone(sleep(rendered.first_byte)).await?;
        }
        match &rendered.body {
            Body::Nothing => {
                underway.done = true;
                Err(Gone)
            }
            Body::Whole(body) => {
                let head = rendered.head(&format!("content-length: {}", body.len()));
                if matches!(rendered.then, Some((_, Then::Cut))) {
                    self.send(&[head.as_bytes(), &body[..body.len() / 2]].concat()).await?;
                    underway.done = true;
                    return Ok(false);
                }
                self.send(&[head.as_bytes(), body].concat()).await?;
                Ok(true)
            }
            Body::Stream(events) => {
                self.inner.change(|state| state.streams += 1);
                underway.stream = true;
                self.stream(rendered, events, underway).await
            }
            Body::Endless(first, again) => {
                self.inner.change(|state| state.streams += 1);
                underway.stream = true;
                self.send(rendered.head("transfer-encoding: chunked").as_bytes()).await?;
                if !first.is_empty() {
                    self.chunk(first, None).await?;
                }
                loop {
                    self.chunk(again, None).await?;
                    if !rendered.pace.is_zero() {
                        self.unless_gone(sleep(rendered.pace)).await?;
                    }
                }
            }
        }
    }

    async fn stream(&mut self, rendered: &Rendered, events: &[String], underway: &mut Underway) -> Result<bool, Gone> {
        self.send(rendered.head("transfer-encoding: chunked").as_bytes()).await?;
        for i in 0..=events.len() {
            if let Some((after, gate)) = &rendered.gate
                && *after == i
            {
                let gate = gate.clone();
                self.unless_gone(async move { gate.passed().await }).await?;
            }
            if let Some((after, then)) = &rendered.then
                && *after == i
            {
                match then {
                    Then::Stall => self.unless_gone(std::future::pending::<()>()).await?,
                    Then::Cut => {
                        underway.done = true;
                        return Ok(false);
                    }
                    Then::Close => break,
                    Then::Malformed => self.chunk(b"data: {\"half\": \n\n", rendered.piece).await?,
                    Then::Error(error) => {
                        let event = rendered.route.error_event(error);
                        self.chunk(event.as_bytes(), rendered.piece).await?;
                        break;
                    }
                }
            }
            let Some(event) = events.get(i) else { break };
            if i > 0 && !rendered.pace.is_zero() {
                self.unless_gone(sleep(rendered.pace)).await?;
            }
            self.chunk(event.as_bytes(), rendered.piece).await?;
        }
        self.send(b"0\r\n\r\n").await?;
        Ok(true)
    }

    /// Chunked transfer coding (RFC 9112 7.1), in pieces when wanted.
    async fn chunk(&mut self, bytes: &[u8], piece: Option<usize>) -> Result<(), Gone> {
        let mut coded = Vec::with_capacity(bytes.len() + 16);
        for piece in bytes.chunks(piece.unwrap_or(bytes.len()).max(1)) {
            coded.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            coded.extend_from_slice(piece);
            coded.extend_from_slice(b"\r\n");
        }
        self.send(&coded).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.writer.write_all(bytes).await.map_err(|_| Gone)?;
        self.inner.change(|state| state.bytes_sent += bytes.len() as u64);
        Ok(())
    }

    /// Waits for `future`, but no longer than the other side.
    async fn unless_gone<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Gone> {
        let (reader, buffer) = (&mut self.reader, &mut self.buffer);
        let gone = async { while reader.read_buf(buffer).await.is_ok_and(|n| n > 0) {} };
        tokio::select! {
            result = future => Ok(result),
            () = gone => Err(Gone),
        }
    }

    async fn more(&mut self) -> Result<(), Gone> {
        match self.reader.read_buf(&mut self.buffer).await {
            Ok(n) if n > 0 => Ok(()),
            _ => Err(Gone),
        }
    }

    /// The next request and its body.
    async fn request(&mut self) -> Result<(Seen, Vec<u8>), Gone> {
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 4);
                break head;
            }
            self.more().await?;
        };
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let (path, query) =
            words.next().map(|target| target.split_once('?').unwrap_or((target, ""))).unwrap_or_default();
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let seen = Seen { method, path: path.to_owned(), query: query.to_owned(), headers, body: Value::Null };
        let chunked = seen.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
        let body = if chunked {
            self.chunked_body().await?
        } else {
            let length = seen.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            self.take(length).await?
        };
        Ok((seen, body))
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Gone> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn chunked_body(&mut self) -> Result<Vec<u8>, Gone> {
        let mut body = Vec::new();
        loop {
            let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") else {
                self.more().await?;
                continue;
            };
            let size =
                std::str::from_utf8(&self.buffer[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.ok_or(Gone)?;
            self.buffer.drain(..end + 2);
            body.extend(self.take(size).await?);
            self.take(2).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}
