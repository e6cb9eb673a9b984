//! How a client reached the server: scheme, host and address, through proxies that are trusted and no others.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, USER_AGENT};
use hyper::http::request::Parts;
pub use registry_core::AddressBlock;

use crate::listener::ConnectionInfo;

/// What is known beforehand of how clients reach the server.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The public scheme, which then stands whatever a request says.
    pub scheme: Option<String>,
    /// The public host, which then stands whatever a request says (`SERVER_HOSTNAME`).
    pub host: Option<String>,
    /// Peers whose `X-Forwarded-*` count (`TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<AddressBlock>,
}

/// Scheme and host, with the port if it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: String,
    /// A name or address, with a port where needed.
    pub host: String,
}

impl Origins {
    /// The origin by which the client of this request knows the server.
    pub fn origin(&self, head: &Parts, from: ConnectionInfo) -> Origin {
        let forwarded = |name| self.is_trusted(from.peer.ip()).then(|| first(&head.headers, name)).flatten();
        let host = self
            .host
            .as_deref()
            .or_else(|| forwarded("x-forwarded-host"))
            .or_else(|| first(&head.headers, HOST.as_str()))
            .or_else(|| head.uri.authority().map(|authority| authority.as_str()))
            .filter(|host| is_host(host))
            .unwrap_or("localhost");
        let scheme = self
            .scheme
            .as_deref()
            .or_else(|| forwarded("x-forwarded-proto"))
            .filter(|scheme| ["http", "https"].contains(scheme))
            .unwrap_or(if from.is_tls { "https" } else { "http" });
        Origin { scheme: scheme.to_owned(), host: host.to_owned() }
    }

    /// The address of the client: the peer, or whom a trusted proxy names. Of several, the last that is no trusted proxy
    /// itself, since whatever stands before was sent by that one.
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !self.is_trusted(peer) {
            return peer;
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let entries = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        let addresses = entries.map_while(|entry| entry.trim().parse::<IpAddr>().ok());
        let mut client = peer;
        for address in addresses {
            client = address.to_canonical();
            if !self.is_trusted(client) {
                break;
            }
        }
        client
    }

    /// What the audit trail says of where a request came from.
    pub fn trail(&self, headers: &HeaderMap, peer: IpAddr) -> registry_core::Origin {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme =
            text(AUTHORIZATION).and_then(|value| value.split_once(' ')).map_or("", |(scheme, _)| scheme);
        registry_core::Origin {
            address: self.client(headers, peer).to_string(),
            user_agent: text(USER_AGENT).unwrap_or_default().to_owned(),
            credential: match scheme.to_ascii_lowercase().as_str() {
                "basic" => "basic".to_owned(),
                "bearer" => "bearer".to_owned(),
                _ if headers.contains_key(COOKIE) => "session".to_owned(),
                _ => String::new(),
            },
            performer: None,
        }
    }

    fn is_trusted(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|block| block.contains(peer))
    }
}

/// The first entry of a header that proxies append to.
fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|entry| !entry.is_empty())
}

/// The host ends up in a quoted header value, so nothing but a name, an address and a port passes.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hyper::Request;

    use super::*;

    fn origin(origins: &Origins, peer: &str, headers: &[(&str, &str)]) -> String {
        origin_over(origins, peer, false, headers)
    }

    fn origin_over(origins: &Origins, peer: &str, is_tls: bool, headers: &[(&str, &str)]) -> String {
        let mut request = Request::builder().uri("/v2/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let peer = SocketAddr::new(peer.parse().unwrap(), 9);
        let origin = origins.origin(&head, ConnectionInfo { peer, is_tls });
        format!("{}://{}", origin.scheme, origin.host)
    }

    #[test]
    fn forwarded_headers_count_only_from_trusted_proxies() {
        let block = AddressBlock { address: "10.1.0.0".parse().unwrap(), prefix_bits: 16 };
        let origins = Origins { trusted_proxies: vec![block], ..Origins::default() };
        let headers =
            [("host", "inner:8080"), ("x-forwarded-host", "hub.lab"), ("x-forwarded-proto", "https")];
        assert_eq!(origin(&origins, "10.1.2.3", &headers), "https://hub.lab");
        assert_eq!(origin(&origins, "::ffff:10.1.2.3", &headers), "https://hub.lab");
        assert_eq!(origin(&origins, "10.2.2.3", &headers), "http://inner:8080");
    }

    #[test]
    fn a_client_is_whom_the_trusted_proxies_name_and_nobody_else() {
        let block = AddressBlock { address: "10.1.0.0".parse().unwrap(), prefix_bits: 16 };
        let origins = Origins { trusted_proxies: vec![block], ..Origins::default() };
        for (peer, forwarded, client) in [
            ("10.2.0.1", &["192.0.2.1"][..], "10.2.0.1"),
            ("10.1.0.1", &[], "10.1.0.1"),
            ("10.1.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.1.0.1", &["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            ("10.1.0.1", &["198.51.100.9", "192.0.2.1, 10.1.0.2"], "192.0.2.1"),
            ("10.1.0.1", &["198.51.100.9, nonsense, 10.1.0.2"], "10.1.0.2"),
            ("::ffff:10.1.0.1", &["2001:db8::1"], "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            assert_eq!(
                origins.client(&headers, peer.parse().unwrap()),
                client.parse::<IpAddr>().unwrap(),
                "{peer} {forwarded:?}"
            );
        }
    }

    #[test]
    fn a_configured_host_stands_whatever_a_request_says() {
        let (scheme, host) = (Some("https".into()), Some("hub.lab".into()));
        let origins = Origins { scheme, host, trusted_proxies: Vec::new() };
        assert_eq!(origin(&origins, "127.0.0.1", &[("host", "evil")]), "https://hub.lab");
    }

    #[test]
    fn the_scheme_is_that_of_the_connection_unless_a_proxy_or_the_configuration_knows_better() {
        let proxy = AddressBlock { address: "10.1.2.3".parse().unwrap(), prefix_bits: 32 };
        let origins = |scheme: Option<&str>| Origins {
            scheme: scheme.map(Into::into),
            host: Some("hub.lab".into()),
            trusted_proxies: vec![proxy],
        };
        let from_http = [("x-forwarded-proto", "http")];
        let from_nonsense = [("x-forwarded-proto", "gopher")];
        for (scheme, peer, is_tls, headers, expected) in [
            (None, "10.9.9.9", true, &[][..], "https://hub.lab"),
            (None, "10.9.9.9", false, &[], "http://hub.lab"),
            (None, "10.9.9.9", true, &from_http, "https://hub.lab"),
            (None, "10.1.2.3", true, &from_http, "http://hub.lab"),
            (None, "10.1.2.3", true, &from_nonsense, "https://hub.lab"),
            (Some("http"), "10.9.9.9", true, &[], "http://hub.lab"),
            (Some("https"), "10.1.2.3", false, &from_http, "https://hub.lab"),
        ] {
            assert_eq!(
                origin_over(&origins(scheme), peer, is_tls, headers),
                expected,
                "{scheme:?} {peer} {is_tls}"
            );
        }
    }

    #[test]
    fn a_host_that_could_break_out_of_a_header_value_is_not_repeated() {
        let origins = Origins::default();
        assert_eq!(origin(&origins, "127.0.0.1", &[("host", "a\",service=\"b")]), "http://localhost");
        assert_eq!(origin(&origins, "127.0.0.1", &[("host", "[::1]:5000")]), "http://[::1]:5000");
    }
}
