//! Room for connections: so many at once, a share of them for each address, and a reserve in which
//! only probes of the server's health are answered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;

use crate::http::peer::Peer;

/// Connections in the reserve at once.
pub(crate) const RESERVE: usize = 16;
/// Connections in the reserve that one address may hold.
const RESERVE_SHARE: usize = 4;
/// The part of all connections that one address may hold: one of so many.
const SHARE: usize = 4;

/// How many connections an address holds.
#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Held {
    /// Counts a connection unless there are `most`, or `share` of its address. Those without an
    /// address have no share.
    fn take(&mut self, address: Option<IpAddr>, most: usize, share: usize) -> bool {
        let own = address.and_then(|address| self.by_address.get(&address)).copied();
        if self.total >= most || own.is_some_and(|own| own >= share) {
            return false;
        }
        self.total += 1;
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += 1;
        }
        true
    }

    fn give_back(&mut self, address: Option<IpAddr>) {
        self.total -= 1;
        let Some(address) = address else { return };
        if let Some(own) = self.by_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// The room of a server. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    most: usize,
    /// Proxies that hold the connections of all clients.
    exempt: Arc<[IpNet]>,
    usual: Arc<Mutex<Held>>,
    reserve: Arc<Mutex<Held>>,
}

/// A place that a connection holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Mutex<Held>>,
    address: Option<IpAddr>,
    /// Whether it is in the reserve.
    pub(crate) for_probes: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.lock().give_back(self.address);
    }
}

impl Places {
    /// Room for `most` connections and the reserve. Loopback and `exempt` have no share: their
    /// connections come from the operator, or from all clients through a proxy.
    pub(crate) fn new(most: usize, exempt: &[IpNet]) -> Self {
        Self { most, exempt: exempt.into(), usual: Arc::default(), reserve: Arc::default() }
    }

    /// A place for a connection, in the reserve if the rest is taken or the address holds its
    /// share; `None` if the reserve has none either.
    pub(crate) fn take(&self, peer: Peer) -> Option<Place> {
        let has_share = !peer.is_loopback() && !peer.is_in(&self.exempt);
        let address = has_share.then(|| peer.network());
        let share = (self.most / SHARE).max(1);
        let place =
            |of: &Arc<Mutex<Held>>, for_probes| Place { of: of.clone(), address, for_probes };
        if self.usual.lock().take(address, self.most, share) {
            return Some(place(&self.usual, false));
        }
        let reserved = self.reserve.lock().take(address, RESERVE, RESERVE_SHARE);
        reserved.then(|| place(&self.reserve, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Places, address: &str, count: usize) -> Vec<Place> {
        let peer = Peer(address.parse().unwrap());
        (0..count).map_while(|_| places.take(peer)).collect()
    }

    fn usual(places: &[Place]) -> usize {
        places.iter().filter(|place| !place.for_probes).count()
    }

    #[test]
    fn one_address_holds_a_quarter_and_little_of_the_reserve() {
        let places = Places::new(100, &["10.0.0.0/8".parse().unwrap()]);
        let greedy = take(&places, "192.0.2.1", 1000);
        assert_eq!((usual(&greedy), greedy.len()), (25, 25 + RESERVE_SHARE));
        // The owner of an IPv6 network has all of its addresses.
        let other: Vec<Place> =
            (0..60).flat_map(|n| take(&places, &format!("2001:db8::{n}"), 1)).collect();
        assert_eq!(usual(&other), 25);
        // Proxies and this machine hold what is left, and probes still find a place.
        let proxy = take(&places, "10.1.2.3", 30);
        let local = take(&places, "127.0.0.1", 20);
        assert_eq!((usual(&proxy), usual(&local)), (30, 20));
        drop(other);
        let probe = take(&places, "192.0.2.8", 1);
        assert!(!probe[0].for_probes, "what is given back is free");
        drop(greedy);
        assert_eq!(usual(&take(&places, "192.0.2.1", 1000)), 25);
    }

    #[test]
    fn a_full_server_keeps_a_reserve_for_probes() {
        let places = Places::new(2, &[]);
        let full = take(&places, "127.0.0.1", 2);
        assert_eq!(usual(&full), 2);
        let probes = take(&places, "127.0.0.1", 100);
        assert_eq!((usual(&probes), probes.len()), (0, RESERVE));
        drop((full, probes));
        assert!(places.usual.lock().by_address.is_empty() && places.usual.lock().total == 0);
    }
}
