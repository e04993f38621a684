//! Where a request came from, and how: worked out once, for everybody who needs to know. No header is believed but for those of proxies that
//! the operator trusts, and none ever says who somebody is.

use crate::limits::Proxies;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, HeaderMap};
use std::net::{IpAddr, SocketAddr};

/// The other end of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Origin {
    address: IpAddr,
    /// A trusted proxy says that it took the request over TLS.
    secure: bool,
}

/// Its address; none where no connection is known.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Origin>().map(|origin| origin.address)
}

/// Whether it came over TLS, as far as is known.
pub(super) fn is_secure(extensions: &Extensions) -> bool {
    extensions.get::<Origin>().is_some_and(|origin| origin.secure)
}

/// Tells the layers and handlers within.
pub(super) fn tell(proxies: &Proxies, request: &mut Request) {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let peer = peer.ip().to_canonical();
        let address = proxies.client(peer, values(request.headers(), "x-forwarded-for"));
        let scheme = values(request.headers(), "x-forwarded-proto").next_back();
        let secure = proxies.trust(peer) && scheme.is_some_and(|scheme| scheme.trim() == "https");
        request.extensions_mut().insert(Origin { address, secure });
    }
}

/// The parts of a list that may be spread over several headers.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'h str> {
    // Byte by byte: what a client put before its proxy's part must not make that unreadable.
    let parts = headers.get_all(name).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    parts.map(|part| std::str::from_utf8(part).unwrap_or_default())
}
