//! Keys of the edge that are more than a switch or a number.

use super::document::Document;
use super::{AuditStream, ConfigError};
use crate::admission::AdmissionLimits;
use crate::origin::{AddressBlock, Origins, is_host};
use crate::outbound::Outbound;
use crate::wire::secret::Secret;

/// The shortest token for `/metrics`, in characters.
const METRICS_TOKEN_MIN: usize = 16;

/// Limits of namespaces and principals. Those of clients and of all are not configurable.
pub(super) fn admission(
    document: &mut Document,
    base: AdmissionLimits,
) -> Result<AdmissionLimits, ConfigError> {
    let mut limits = base;
    for (key, limit) in [
        ("LIMIT_REQUESTS_PER_NAMESPACE", &mut limits.requests.at_once_per_namespace),
        ("LIMIT_REQUESTS_PER_PRINCIPAL", &mut limits.requests.at_once_per_principal),
        ("LIMIT_UPLOADS_PER_NAMESPACE", &mut limits.uploads.at_once_per_namespace),
        ("LIMIT_UPLOADS_PER_PRINCIPAL", &mut limits.uploads.at_once_per_principal),
    ] {
        if let Some(most) = document.positive(key)? {
            *limit = usize::try_from(most).unwrap_or(usize::MAX);
        }
    }
    Ok(limits)
}

/// What the server may connect to.
pub(super) fn outbound(document: &mut Document) -> Result<Outbound, ConfigError> {
    const KEY: &str = "SSRF_ALLOWED_HOSTS";
    let entries = document.texts(KEY)?;
    let is_wrong = |entry: &&(u64, String)| !Outbound::is_entry(&entry.1);
    if let Some((line, wrong)) = entries.iter().find(is_wrong) {
        return Err(document.wrong(*line, KEY, "a host name, an address or a block", wrong));
    }
    Ok(Outbound::allowing(entries.iter().map(|(_, entry)| entry.as_str())).unwrap_or_default())
}

/// Where events go beside the log.
pub(super) fn audit_stream(document: &mut Document) -> Result<Option<AuditStream>, ConfigError> {
    const KEY: &str = "AUDIT_STREAM";
    match document.text(KEY)? {
        None => Ok(None),
        Some((_, target)) if target == "stdout" => Ok(Some(AuditStream::Stdout)),
        Some((_, target)) if target.starts_with('/') => Ok(Some(AuditStream::File(target.into()))),
        Some((line, other)) => {
            Err(document.wrong(line, KEY, "stdout, or the path of a file from / on", &other))
        }
    }
}

/// Sites as browsers name them: a scheme and a host.
pub(super) fn cors_origins(document: &mut Document) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "CORS_ORIGIN";
    let mut sites = Vec::new();
    for (line, site) in document.text_or_texts(KEY)? {
        let host = site.strip_prefix("https://").or_else(|| site.strip_prefix("http://"));
        if !host.is_some_and(is_host) {
            return Err(document.wrong(line, KEY, "sites such as https://console.lab", &site));
        }
        sites.push(site);
    }
    Ok(sites)
}

/// A token that could be guessed, or could not be sent, is refused. It is not repeated in the error.
pub(super) fn metrics_token(document: &mut Document) -> Result<Option<Secret>, ConfigError> {
    const KEY: &str = "METRICS_TOKEN";
    match document.text(KEY)? {
        Some((line, token))
            if token.len() < METRICS_TOKEN_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            let expected = format!("at least {METRICS_TOKEN_MIN} visible ASCII characters");
            Err(document.wrong(line, KEY, &expected, "something else"))
        }
        token => Ok(token.map(|(_, token)| Secret::new(token))),
    }
}

/// Accounts are the registry's own: another backend would leave everybody out.
pub(super) fn authentication(document: &mut Document) -> Result<(), ConfigError> {
    match document.text("AUTHENTICATION_TYPE")? {
        Some((line, other)) if other != "Database" => {
            Err(document.wrong(line, "AUTHENTICATION_TYPE", "Database", &other))
        }
        _ => Ok(()),
    }
}

/// How clients know the server, and who may say so for them.
pub(super) fn origins(document: &mut Document, tls_ends_in_front: bool) -> Result<Origins, ConfigError> {
    let preferred = match document.text("PREFERRED_URL_SCHEME")? {
        None => None,
        Some((_, scheme)) if scheme == "http" || scheme == "https" => Some(scheme),
        Some((line, other)) => {
            return Err(document.wrong(line, "PREFERRED_URL_SCHEME", "http or https", &other));
        }
    };
    let host = match document.text("SERVER_HOSTNAME")? {
        None => None,
        Some((_, host)) if is_host(&host) => Some(host),
        Some((line, other)) => {
            return Err(document.wrong(
                line,
                "SERVER_HOSTNAME",
                "a host name, with a port if need be",
                &other,
            ));
        }
    };
    let mut trusted_proxies = Vec::new();
    for (line, block) in document.texts("TRUSTED_PROXIES")? {
        let parsed: Option<AddressBlock> = AddressBlock::parse(&block);
        trusted_proxies.push(parsed.ok_or_else(|| {
            document.wrong(line, "TRUSTED_PROXIES", "an address or a block such as 10.0.0.0/8", &block)
        })?);
    }
    // The preferred scheme belongs to the configured host: alone it says nothing of how this client came.
    let scheme =
        preferred.filter(|_| host.is_some()).or_else(|| tls_ends_in_front.then(|| "https".to_owned()));
    Ok(Origins { scheme, host, trusted_proxies })
}
