//! TLS to servers whose certificates the system's roots vouch for.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{OutboundError, Target, failed};

/// What connections are secured with; the default trusts nobody.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust(Option<Arc<ClientConfig>>);

impl Trust {
    /// The roots that the system has now (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).
    pub(super) fn of_system() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for cause in found.errors {
            tracing::warn!(%cause, "some of the system's root certificates cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        Self::of(roots)
    }

    pub(super) fn of(roots: RootCertStore) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("invariant: the provider knows TLS 1.2 and 1.3");
        Self(Some(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    pub(super) async fn secure(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, OutboundError> {
        let config = self.0.as_ref().ok_or(OutboundError::NotAllowed)?;
        let name = ServerName::try_from(target.host.clone()).map_err(failed)?;
        TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(failed)
    }
}
