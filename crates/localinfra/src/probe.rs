//! The shortest exchange that proves a server takes clients.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// True when PostgreSQL answers a start-up message with a request for authentication.
///
/// While it starts or recovers it answers with an error instead, so an open port is not enough
/// (PostgreSQL manual, "Message Flow: Start-up").
pub(crate) fn postgres(port: u16) -> bool {
    let mut message = Vec::from([0, 0, 0, 0, 0, 3, 0, 0]);
    message.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
    let length = u32::try_from(message.len()).unwrap_or_default();
    message[..4].copy_from_slice(&length.to_be_bytes());
    exchange::<1>(port, &message).is_ok_and(|answer| answer == *b"R")
}

/// True when RabbitMQ answers the protocol header with `connection.start` (AMQP 0-9-1, 2.2.4 and 4.2.2).
pub(crate) fn amqp(port: u16) -> bool {
    // Frame type 1 (method) on channel 0; four bytes of size; class 10, method 10.
    exchange::<11>(port, b"AMQP\x00\x00\x09\x01")
        .is_ok_and(|answer| answer[..3] == [1, 0, 0] && answer[7..] == [0, 10, 0, 10])
}

/// True when something accepts connections, for a protocol that does not speak first.
pub(crate) fn open(port: u16) -> bool {
    connect(port).is_ok()
}

fn exchange<const N: usize>(port: u16, request: &[u8]) -> io::Result<[u8; N]> {
    let mut stream = connect(port)?;
    stream.write_all(request)?;
    let mut answer = [0; N];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    const LIMIT: Duration = Duration::from_secs(2);
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}
