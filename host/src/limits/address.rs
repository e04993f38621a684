//! Where a request came from: the other end of its connection, or what a proxy that is trusted says of it.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The proxies that are believed when they say whom they speak for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// From a list such as `10.0.0.0/8, 2001:db8::/32, 192.0.2.7`.
    ///
    /// # Errors
    /// With the part that is no network.
    pub fn parse(list: &str) -> Result<Proxies, String> {
        let parts = list.split([',', ' ']).filter(|part| !part.is_empty());
        let network =
            |part: &str| part.parse().or_else(|_| part.parse().map(IpAddr::into)).map_err(|_| part.to_owned());
        Ok(Proxies(parts.map(network).collect::<Result<_, _>>()?))
    }

    /// Whether what somebody at this address says of others is believed.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who sent a request that came over a connection from `peer`. `forwarded` are the hops that it says it came over (`X-Forwarded-For`),
    /// the last one last: each is what the one behind it saw, so it is good as long as those behind it are trusted.
    pub fn client<'h>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'h str>) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = forwarded.rev();
        while self.trust(client) {
            match hops.next().and_then(hop) {
                Some(before) => client = before,
                None => break,
            }
        }
        client
    }
}

/// An address, perhaps with a port.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// What is counted as one client. Whoever has an IPv6 address has all that begin with the same 64 bits.
pub(super) fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &str) -> String {
        let proxies = Proxies::parse(trusted).expect("networks");
        proxies.client(peer.parse().expect("an address"), forwarded.split(',')).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("", "192.0.2.1", "198.51.100.9"), "192.0.2.1");
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", "198.51.100.9"), "192.0.2.1");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", "198.51.100.9"), "198.51.100.9");
        assert_eq!(client("10.0.0.0/8", "::ffff:10.1.2.3", "198.51.100.9"), "198.51.100.9");
        // What the client itself wrote is left of what the first proxy saw.
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", "1.1.1.1, 198.51.100.9 , 10.9.9.9"), "198.51.100.9");
        assert_eq!(client("10.0.0.0/8 2001:db8::1", "2001:db8::1", "203.0.113.5:4711"), "203.0.113.5");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", "[2001:db8::7]:80"), "2001:db8::7");
        // Nothing that could be believed.
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", "1.1.1.1, unknown"), "10.1.2.3");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", ""), "10.1.2.3");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", "10.0.0.1,10.0.0.2"), "10.0.0.1");
        assert_eq!(Proxies::parse("10.0.0.0/8,10.0.0.0/40"), Err("10.0.0.0/40".into()));
    }

    #[test]
    fn one_network_is_one_client() {
        let network = |address: &str| network(address.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8:0:0:ffff::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
