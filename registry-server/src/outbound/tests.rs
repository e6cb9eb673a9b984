//! Facts about what goes out, and where it does not go.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn allowing(entries: &[&str]) -> Outbound {
    Outbound::allowing(entries.iter().copied()).unwrap()
}

fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

#[test]
fn a_url_is_http_or_https_with_a_host_and_no_credential() {
    for (url, shown) in [
        ("http://Hook.Lab./a?token=secret", "http://hook.lab/a"),
        ("https://hook.lab:8443", "https://hook.lab:8443/"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("https://10.0.0.1:443", "https://10.0.0.1/"),
        ("http://hook.lab?token=secret", "http://hook.lab/"),
    ] {
        assert_eq!(target(url).shown(), shown);
    }
    let long = format!("http://a/{}", "x".repeat(URL_MAX_BYTES));
    for url in [
        "",
        "hook.lab",
        "/a",
        "ftp://a/",
        "file:///etc/passwd",
        "http://",
        "http:///a",
        "http://a b/",
        "http://u:p@a/",
        "http://u@a/",
        &long,
    ] {
        assert!(matches!(Target::parse(url), Err(OutboundError::Invalid(_))), "{url}");
    }
}

#[test]
fn entries_are_names_addresses_and_blocks() {
    assert!(Outbound::allowing(["hook.lab", "10.0.0.0/8", "::1", "a_b.lab."]).is_some());
    for wrong in ["", "http://hook.lab", "10.0.0.0/33", "*.lab", "a b"] {
        assert!(Outbound::allowing([wrong]).is_none(), "{wrong}");
    }
}

#[test]
fn a_wide_block_means_the_internet_and_a_narrow_one_what_it_says() {
    let everything = allowing(&["0.0.0.0/0", "::/0"]);
    let (wide, narrow) = (allowing(&["8.0.0.0/6"]), allowing(&["10.0.0.0/8", "127.0.0.1", "fd00::/8"]));
    for (address, by_everything, by_wide, by_narrow) in [
        ("9.9.9.9", true, true, false),
        ("10.1.2.3", false, false, true),
        ("127.0.0.1", false, false, true),
        ("127.0.0.2", false, false, false),
        ("::ffff:127.0.0.1", false, false, true),
        ("::ffff:10.1.2.3", false, false, true),
        ("::ffff:9.9.9.9", true, true, false),
        ("169.254.169.254", false, false, false),
        ("100.64.0.1", false, false, false),
        ("172.31.0.1", false, false, false),
        ("192.168.0.1", false, false, false),
        ("0.0.0.0", false, false, false),
        ("255.255.255.255", false, false, false),
        ("224.0.0.1", false, false, false),
        ("::", false, false, false),
        ("::1", false, false, false),
        ("::127.0.0.1", false, false, false),
        ("64:ff9b::7f00:1", false, false, false),
        ("2002:7f00:1::", false, false, false),
        ("fd00::1", false, false, true),
        ("fe80::1", false, false, false),
        ("ff02::1", false, false, false),
        ("2606:4700::1", true, false, false),
    ] {
        let address: IpAddr = address.parse().unwrap();
        let found = [&everything, &wide, &narrow].map(|outbound| outbound.allows(address));
        assert_eq!(found, [by_everything, by_wide, by_narrow], "{address}");
    }
}

#[tokio::test]
async fn nothing_is_allowed_that_is_not_named() {
    let (nothing, loopback) = (Outbound::default(), allowing(&["127.0.0.0/8", "0.0.0.0/0"]));
    // The forms of 127.0.0.1 and 0.0.0.0 that resolvers know are checked as what they are resolved to.
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "9.9.9.9",
    ] {
        let target = target(&format!("http://{host}/"));
        assert_eq!(nothing.resolve(&target).await, Err(OutboundError::NotAllowed), "{host}");
    }
    for (host, is_allowed) in [
        ("127.0.0.1", true),
        ("2130706433", true),
        ("[::ffff:127.0.0.1]", true),
        ("localhost", false),
        ("a.localhost", false),
        ("kubernetes.default.svc", false),
        ("[::1]", false),
        ("0", false),
        ("10.0.0.1", false),
        ("no-such-host.invalid", false),
    ] {
        let resolved = loopback.resolve(&target(&format!("http://{host}/"))).await;
        assert_eq!(resolved.is_ok(), is_allowed, "{host} {resolved:?}");
    }
    assert!(allowing(&["LocalHost"]).resolve(&target("http://localhost./")).await.is_ok(), "by its name");
}

/// One who answers a single request with `answer` and gives what was sent.
async fn answering(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=1", socket.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"{\"a\":1}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, served)
}

#[tokio::test]
async fn what_is_sent_is_one_post_and_a_redirect_is_not_followed() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 99999999\r\n\r\n";
    for (answer, status) in [("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200), (redirect, 302)] {
        let (url, served) = answering(answer).await;
        let sent = allowing(&["127.0.0.1"]).post_json(&target(&url), Bytes::from_static(b"{\"a\":1}")).await;
        assert_eq!(sent.unwrap().as_u16(), status);
        let request = served.await.unwrap();
        assert!(request.starts_with("POST /hook?token=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("content-type: application/json\r\n"), "{request}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_or_has_no_end_is_a_failure() {
    let endless = Box::leak(format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(1 << 20)).into_boxed_str());
    for answer in ["nonsense\r\n\r\n", "", endless] {
        let (url, served) = answering(answer).await;
        let sent = allowing(&["127.0.0.1"]).post_json(&target(&url), Bytes::from_static(b"{\"a\":1}")).await;
        assert!(matches!(sent, Err(OutboundError::Failed(_))), "{sent:?}");
        let _ = served.await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn over_tls_the_certificate_has_to_be_trusted_and_the_hosts_own() {
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::{RootCertStore, ServerConfig};
    use tokio_rustls::TlsAcceptor;

    for (name, is_trusted, is_sent) in
        [("localhost", true, true), ("localhost", false, false), ("other.lab", true, false)]
    {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        if is_trusted {
            roots.add(cert.der().clone()).unwrap();
        }
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = key.serialize_der().try_into().unwrap();
        let acceptor =
            TlsAcceptor::from(Arc::new(config.with_single_cert(vec![cert.der().clone()], key).unwrap()));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", socket.local_addr().unwrap().port());
        let served = tokio::spawn(async move {
            let (stream, _) = socket.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read_buf(&mut Vec::new()).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        });
        let outbound = Outbound { allowed: vec![Allowed::Host("localhost".into())], trust: Trust::of(roots) };
        let sent = outbound.post_json(&target(&url), Bytes::from_static(b"{}")).await;
        assert_eq!(sent.is_ok(), is_sent, "{name} {is_trusted} {sent:?}");
        served.await.unwrap();
    }
}

proptest! {
    #[test]
    fn any_url_is_read_or_refused(url in "(https?://)?[a-z0-9.:@\\[\\]/?#%\u{e9} -]{0,40}") {
        if let Ok(target) = Target::parse(&url) {
            prop_assert!(!target.host.is_empty() && !target.authority().contains('@'));
            prop_assert!(!target.shown().contains('?'));
        }
    }
}
