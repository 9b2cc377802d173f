//! HTTP itself: connections, bodies, requests and problems. Knows nothing of the shop.

pub(crate) mod assets;
pub(crate) mod blocking;
pub(crate) mod body;
pub(crate) mod bounded;
pub(crate) mod completion;
pub(crate) mod connection;
pub(crate) mod lines;
pub(crate) mod peer;
pub(crate) mod places;
pub(crate) mod problem;
pub(crate) mod request;
pub(crate) mod request_id;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod trace;
