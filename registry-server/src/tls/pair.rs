//! Reading a certificate chain and its key, and telling what is wrong with them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use registry_core::Clock;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};

/// The chain in PEM, the server's own certificate first.
const CERT: &str = "ssl.cert";
/// The key of the first certificate, in PEM and without a passphrase.
const KEY: &str = "ssl.key";

/// Why a pair cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct PairError {
    file: PathBuf,
    problem: String,
}

/// What stands in the two files.
#[derive(PartialEq, Eq)]
pub(super) struct PairText {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// Whether one of the files, or something that cannot be looked at, has one of the names.
pub(super) fn is_any_there(directory: &Path) -> bool {
    [CERT, KEY].iter().any(|name| match std::fs::symlink_metadata(directory.join(name)) {
        Ok(_) => true,
        Err(cause) => cause.kind() != ErrorKind::NotFound,
    })
}

impl PairText {
    pub(super) fn read(directory: &Path) -> Result<Self, PairError> {
        Ok(Self { cert: read(directory, CERT, KEY)?, key: read(directory, KEY, CERT)? })
    }

    /// HTTP/2 and HTTP/1.1 over TLS 1.2 and 1.3 with this pair, and tickets by which clients resume.
    pub(super) fn server_config(
        &self,
        directory: &Path,
        clock: &Clock,
    ) -> Result<Arc<ServerConfig>, PairError> {
        let wrong = |name, problem: String| PairError { file: directory.join(name), problem };
        let chain = chain(&self.cert).map_err(|problem| wrong(CERT, problem))?;
        let key = key(&self.key).map_err(|problem| wrong(KEY, problem))?;
        let first = chain[0].clone();
        ParsedCertificate::try_from(&first)
            .map_err(|error| wrong(CERT, format!("the first certificate cannot be read: {error}")))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("invariant: the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| wrong(KEY, unusable(&error)))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer =
            Ticketer::new().map_err(|error| wrong(KEY, format!("no tickets can be made: {error}")))?;
        if let Some(problem) = untimely(&first, clock) {
            tracing::warn!("{}: {problem}", directory.join(CERT).display());
        }
        Ok(Arc::new(config))
    }
}

fn read(directory: &Path, name: &str, other: &str) -> Result<Vec<u8>, PairError> {
    let file = directory.join(name);
    std::fs::read(&file).map_err(|cause| {
        let problem = match cause.kind() {
            ErrorKind::NotFound => format!("not found; HTTPS needs it and {other}"),
            _ => cause.to_string(),
        };
        PairError { file, problem }
    })
}

/// The certificates of a chain, at least one.
fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("holds no certificate in PEM".to_owned()),
        chain => chain.map_err(|cause| not_pem(&cause)),
    }
}

fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(text).map_err(|cause| match cause {
        pem::Error::NoItemsFound if is_encrypted(text) => {
            "needs a passphrase; a key without one is expected".to_owned()
        }
        pem::Error::NoItemsFound => "holds no private key in PEM".to_owned(),
        cause => not_pem(&cause),
    })
}

fn is_encrypted(text: &[u8]) -> bool {
    let marker = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    text.windows(marker.len()).any(|window| window == marker)
}

/// The reason in words that quote nothing from the file, which may hold a key.
fn not_pem(cause: &pem::Error) -> String {
    match cause {
        pem::Error::MissingSectionEnd { .. } => "breaks off before an END line".to_owned(),
        _ => "is not valid PEM".to_owned(),
    }
}

fn unusable(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(_) => format!("is not the key of the first certificate in {CERT}"),
        other => format!("cannot be used: {other}"),
    }
}

/// In what way a certificate is not valid at this time. An end-entity's validity is what verification looks at first, so
/// that it needs no trust anchors to get there.
fn untimely(certificate: &CertificateDer<'_>, clock: &Clock) -> Option<String> {
    let now = UnixTime::since_unix_epoch(Duration::from_millis(clock.now_ms()));
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let verified =
        verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], now, &[]).err()?;
    match verified {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            Some(format!("the certificate expired at {}", time(not_after)))
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            Some(format!("the certificate is not valid before {}", time(not_before)))
        }
        _ => None,
    }
}

fn time(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |at| at.to_string())
}
