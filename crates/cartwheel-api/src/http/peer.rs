//! The address that a request comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderName, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The headers by which a proxy names the client.
pub(crate) const FORWARDED: [HeaderName; 2] = [header::FORWARDED, X_FORWARDED_FOR];

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

    /// Whether the address is in one of `networks`.
    pub(crate) fn is_in(self, networks: &[IpNet]) -> bool {
        let address = self.0.to_canonical();
        networks.iter().any(|network| network.contains(&address))
    }
}

/// Replaces the address of a trusted proxy by that of its client: the last one in
/// `x-forwarded-for` that is no trusted proxy itself. What stands before it, the client may have
/// invented. The headers that name clients then have had their effect and are removed; those of
/// anybody else stay, and nothing believes them.
pub(crate) fn look_behind(request: &mut Request, trusted: &[IpNet]) {
    let Some(mut peer) = request.extensions().get::<Peer>().copied() else { return };
    if !peer.is_in(trusted) {
        return;
    }
    let named = request.headers().get_all(X_FORWARDED_FOR).iter().rev();
    let named = named.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
    for text in named {
        let Some(client) = address(text.trim()) else { break };
        peer = Peer(client);
        if !peer.is_in(trusted) {
            break;
        }
    }
    for name in FORWARDED {
        request.headers_mut().remove(name);
    }
    request.extensions_mut().insert(peer);
}

/// An address as proxies write it: some append the port.
fn address(text: &str) -> Option<IpAddr> {
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.trim_matches(['[', ']']).parse().ok().or_else(socket)
}
