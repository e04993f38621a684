//! How many connections one client has open at the same time. This host's alone: what they take is its memory.

use super::address::{Proxies, network};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections. Clones count together.
#[derive(Clone, Debug)]
pub struct Places {
    most: usize,
    proxies: Proxies,
    taken: Arc<Mutex<HashMap<u128, usize>>>,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    /// None: a proxy's, which brings many clients.
    network: Option<u128>,
    places: Places,
}

impl Places {
    /// So many for each client, 0 for any number; trusted proxies have as many as they like.
    pub fn new(most: usize, proxies: Proxies) -> Places {
        Places { most, proxies, taken: Arc::default() }
    }

    /// A place for a connection from `peer`; none when it has all that one client may have.
    pub fn take(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let network = (self.most > 0 && !self.proxies.trust(peer)).then(|| network(peer));
        if let Some(network) = network {
            let mut taken = self.taken();
            let count = taken.entry(network).or_default();
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        Some(Place { network, places: self.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u128, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_so_many() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let places = Places::new(2, Proxies::parse("10.0.0.0/8").expect("a network"));
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = places.take(one).expect("the first");
        let _second = places.take(address("::ffff:192.0.2.1")).expect("the second");
        assert!(places.take(one).is_none());
        drop((places.take(other).expect("somebody else"), first));
        let _again = places.take(one).expect("one is free again");
        assert!(places.take(one).is_none());
        let proxy: Vec<_> = (0..9).map(|_| places.take(address("10.1.2.3"))).collect();
        assert!(proxy.iter().all(Option::is_some));
        assert_eq!(places.taken().len(), 1, "what is free is forgotten");
        let any = Places::new(0, Proxies::default());
        assert!((0..9).map(|_| any.take(one)).collect::<Vec<_>>().iter().all(Option::is_some));
    }
}
