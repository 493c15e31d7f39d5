//! Which addresses a URL from a user may lead to: public unicast ones and no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, Url};

use super::OutboundError;

/// IPv4 that is not the public internet: IANA's special-purpose registry (RFC 6890 and its updates), multicast, and the
/// one metadata address that lies in public space.
const CLOSED_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8),        // "this network"; 0.0.0.0 reaches the machine itself
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // shared by carriers (CGNAT); metadata of one cloud
    v4([127, 0, 0, 0], 8),      // loopback
    v4([168, 63, 129, 16], 32), // metadata and DNS of one cloud
    v4([169, 254, 0, 0], 16),   // link-local; metadata of most clouds
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocol assignments; metadata of one cloud
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // 6to4 relays, deprecated
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarking
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 4),      // multicast
    v4([240, 0, 0, 0], 4),      // reserved and broadcast
];

/// IPv6 is the other way round: only global unicast space is open, except for
const CLOSED_V6: &[Ipv6Net] = &[
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments; Teredo carries IPv4 in it
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4 carries IPv4 in it
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];
const OPEN_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// NAT64 (RFC 6052): how networks without IPv4 reach it. As good as the IPv4 address inside.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Names that mean this machine or this network wherever they are asked (RFC 6761, RFC 6762, RFC 8375, ICANN `.internal`).
const CLOSED_NAMES: &[&str] = &["localhost", "local", "internal", "home.arpa"];

const fn v4(address: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

/// Whether `address` is public.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !CLOSED_V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        // IPv4-mapped (::ffff:0:0/96), unique local, link-local, multicast and loopback all lie outside.
        IpAddr::V6(v6) => OPEN_V6.contains(&v6) && !CLOSED_V6.iter().any(|net| net.contains(&v6)),
    }
}

/// What can be said of `url` before its name is resolved. Returns the address when the host is one.
pub(super) fn check_url(url: &Url, http_too: bool) -> Result<Option<IpAddr>, OutboundError> {
    match url.scheme() {
        "https" => {}
        "http" if http_too => {}
        _ => return Err(OutboundError::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OutboundError::Credentials);
    }
    // The parser has already turned decimal, octal, hexadecimal and full-width spellings into plain addresses.
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(Some(address.into())),
        Some(Host::Ipv6(address)) => Ok(Some(address.into())),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let closed = CLOSED_NAMES
                .iter()
                .any(|closed| name.strip_suffix(closed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
            if name.is_empty() || closed { Err(OutboundError::Host) } else { Ok(None) }
        }
        None => Err(OutboundError::Host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_open() {
        for open in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::8a",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(open.parse().unwrap()), "{open}");
        }
    }

    #[test]
    fn everything_else_is_closed() {
        for closed in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(!is_public(closed.parse().unwrap()), "{closed}");
        }
    }
}
