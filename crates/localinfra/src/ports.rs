//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below the ranges from which Linux (32768…) and macOS (49152…) take ports for outgoing connections. Inside of
/// them a client that reconnects to a stopped server can be given the server's own port as its source, connects
/// to itself, and keeps the server from ever coming back to that port.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// `N` different free ports: those of an earlier run if all of them are still free, else random ones.
pub(crate) fn free<const N: usize>(earlier: Option<[u16; N]>) -> io::Result<[u16; N]> {
    if let Some(ports) = earlier
        && ports.iter().map(|port| listen(*port)).collect::<io::Result<Vec<_>>>().is_ok()
    {
        return Ok(ports);
    }
    let mut ports = [0; N];
    // Kept open until all are chosen, so that they differ.
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = random()?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn random() -> io::Result<TcpListener> {
    let mut last = None;
    for attempt in 0..200_u32 {
        // The hasher's keys are random; that is all the randomness a port needs.
        let offset = RandomState::new().hash_one(attempt) % u64::from(COUNT);
        match listen(FIRST + u16::try_from(offset).unwrap_or(0)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrInUse)))
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
