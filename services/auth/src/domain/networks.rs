//! Where a key may be used from: a list of networks in CIDR notation (RFC 4632, RFC 4291), IPv4 and IPv6.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

/// The most networks in one list.
pub const MAX_NETWORKS: usize = 50;

/// Networks, none of which twice. The empty list allows every address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// Why a list is none; the number is the place of the entry, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetworks {
    #[error("must have at most {MAX_NETWORKS} networks")]
    TooMany,
    #[error("must have networks such as 203.0.113.0/24 or 2001:db8::/32, which entry {0} is not")]
    Malformed(usize),
    #[error("must have networks without host bits, which entry {0} has: 10.0.0.0/8, not 10.1.2.3/8")]
    HostBits(usize),
    #[error("must have IPv4 networks as such, and not mapped into IPv6 like entry {0}")]
    Mapped(usize),
}

impl Networks {
    /// Reads a list; a single address is a network of one.
    pub fn parse(texts: &[String]) -> Result<Self, BadNetworks> {
        if texts.len() > MAX_NETWORKS {
            return Err(BadNetworks::TooMany);
        }
        let mut networks = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            networks.push(parse_one(text, at + 1)?);
        }
        networks.sort();
        networks.dedup();
        Ok(Self(networks))
    }

    /// Whether a client at `address` is let through. One whose address is not known only passes where all do.
    pub fn allow(&self, address: Option<IpAddr>) -> bool {
        // A socket that listens for both families shows IPv4 clients as IPv6 ones.
        let allows = |address: IpAddr| self.0.iter().any(|network| network.contains(&address.to_canonical()));
        self.is_unrestricted() || address.is_some_and(allows)
    }

    /// Whether every address is let through.
    pub fn is_unrestricted(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `other` lets every address through that this list does.
    pub fn is_within(&self, other: &Self) -> bool {
        let covered = |mine: &IpNet| other.0.iter().any(|theirs| theirs.contains(mine));
        other.is_unrestricted() || (!self.is_unrestricted() && self.0.iter().all(covered))
    }

    /// A list that lets nobody through: the discard prefix of RFC 6666, from which nothing ever comes.
    pub fn nowhere() -> Self {
        Self(vec![IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 128))])
    }

    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

fn parse_one(text: &str, place: usize) -> Result<IpNet, BadNetworks> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| BadNetworks::Malformed(place))?;
    if network.trunc() != network {
        return Err(BadNetworks::HostBits(place));
    }
    match network {
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => Err(BadNetworks::Mapped(place)),
        network => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Result<Networks, BadNetworks> {
        Networks::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn allows(list: &[&str], address: &str) -> bool {
        networks(list).unwrap().allow(Some(address.parse().unwrap()))
    }

    #[test]
    fn addresses_inside_pass_and_others_do_not() {
        let list = ["203.0.113.0/24", "2001:db8:7::/48", "198.51.100.7"];
        for inside in ["203.0.113.0", "203.0.113.255", "198.51.100.7", "2001:db8:7:ffff::1", "::ffff:203.0.113.9"] {
            assert!(allows(&list, inside), "{inside}");
        }
        for outside in ["203.0.114.0", "198.51.100.8", "2001:db8:8::1", "::1", "::203.0.113.9"] {
            assert!(!allows(&list, outside), "{outside}");
        }
        assert!(!networks(&list).unwrap().allow(None), "an address that nobody knows is in no network");
    }

    #[test]
    fn no_networks_mean_everywhere_and_zero_bits_mean_a_family() {
        assert!(networks(&[]).unwrap().allow(None));
        assert!(allows(&["0.0.0.0/0"], "192.0.2.1") && !allows(&["0.0.0.0/0"], "2001:db8::1"));
        assert!(allows(&["::/0"], "2001:db8::1"));
    }

    #[test]
    fn lists_are_sorted_and_hold_nothing_twice() {
        let list = networks(&["10.0.0.0/8", "10.0.0.0/8", "192.0.2.1", "192.0.2.1/32", "2001:DB8::/32"]).unwrap();
        assert_eq!(list.to_texts(), ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
        assert_eq!(Networks::parse(&list.to_texts()), Ok(list));
    }

    #[test]
    fn what_is_no_network_is_named_by_its_place() {
        for bad in ["", "x", "10.0.0.0/33", "10.0.0/8", "2001:db8::/129", "10.0.0.0/8 ", "example.org", "010.0.0.1"] {
            assert_eq!(networks(&["192.0.2.1", bad]), Err(BadNetworks::Malformed(2)), "{bad:?}");
        }
        assert_eq!(networks(&["10.1.2.3/8"]), Err(BadNetworks::HostBits(1)));
        assert_eq!(networks(&["::ffff:10.0.0.0/104"]), Err(BadNetworks::Mapped(1)));
        assert_eq!(networks(&["10.0.0.1"; MAX_NETWORKS + 1]), Err(BadNetworks::TooMany));
    }

    #[test]
    fn a_list_is_within_another_when_it_lets_nobody_else_through() {
        let within = |a: &[&str], b: &[&str]| networks(a).unwrap().is_within(&networks(b).unwrap());
        assert!(within(&["10.1.0.0/16", "192.0.2.1"], &["10.0.0.0/8", "192.0.2.0/24"]));
        assert!(within(&["10.0.0.0/8"], &["10.0.0.0/8"]) && within(&["10.0.0.0/8"], &[]) && within(&[], &[]));
        assert!(!within(&[], &["0.0.0.0/0", "::/0"]), "an unknown address passes the one only");
        assert!(!within(&["10.0.0.0/7"], &["10.0.0.0/8"]));
        assert!(!within(&["10.0.0.0/8", "192.0.2.1"], &["10.0.0.0/8"]));
    }
}
