//! The address that a request comes from.

use std::net::{IpAddr, Ipv6Addr};

/// The client's address. Absent behind a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    /// The address to count requests by: the /64 network of an IPv6 address, because its
    /// owner can use any address in it.
    pub(crate) fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 => v4,
        }
    }

    /// Whether the request comes from this machine.
    pub(crate) fn is_loopback(self) -> bool {
        self.0.to_canonical().is_loopback()
    }
}
