//! The data plane over the network: real Redis and Valkey servers, single or in cluster mode.

mod canary;
mod chunk;
mod error;
mod link;
mod read;
mod reply;
mod store;
mod stream;
mod topology;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::sync::Arc;

use async_trait::async_trait;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::canary::Canary;
use super::plane::{DataPlane, Store, Target};
use crate::engine::Failure;

/// Real servers.
pub struct Wire {
    ca_pem: Option<Vec<u8>>,
    connector: OnceCell<TlsConnector>,
}

impl Wire {
    /// Servers' certificates are trusted if the system's roots, or one of the certificates in `ca_pem`, vouch for them.
    #[must_use]
    pub fn new(ca_pem: Option<Vec<u8>>) -> Self {
        Self { ca_pem, connector: OnceCell::new() }
    }

    /// Reads the system's roots when first asked, since many runs need no TLS to Redis.
    fn connector(&self) -> Result<TlsConnector, Failure> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector.clone());
        }
        let connector = self.build()?;
        Ok(self.connector.get_or_init(|| connector).clone())
    }

    fn build(&self) -> Result<TlsConnector, Failure> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        for certificate in
            CertificateDer::pem_slice_iter(self.ca_pem.as_deref().unwrap_or_default())
        {
            certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()))
                .map_err(|error| {
                    Failure::fatal("the CA file is not a list of certificates in PEM")
                        .because(error)
                })?;
        }
        if roots.is_empty() {
            return Err(Failure::fatal(
                "no root certificates are known, so nothing can be trusted",
            )
            .mend(
                "install the system's CA certificates (package ca-certificates), or give a CA file",
            ));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::fatal("TLS is not usable").because(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

#[async_trait(?Send)]
impl DataPlane for Wire {
    async fn open(&self, target: &Target) -> Result<Box<dyn Store>, Failure> {
        let tls = if target.tls { Some(self.connector()?) } else { None };
        Ok(Box::new(store::WireStore::open(target.clone(), tls).await?))
    }

    fn canary(&self, target: &Target, key: &str) -> Result<Box<dyn Canary>, Failure> {
        let tls = if target.tls { Some(self.connector()?) } else { None };
        let (target, key) = (target.clone(), key.to_owned());
        Ok(Box::new(canary::WireCanary { target, tls, key, link: None }))
    }

    async fn answers(&self, host: &str, port: u16) -> Result<(), Failure> {
        link::reach(host, port).await.map(|_| ())
    }
}
