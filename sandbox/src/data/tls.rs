//! The certificate authority of a data plane, and the one certificate its servers share.

use super::error::DataError;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// PEM texts: what clients trust, and what servers show.
pub(crate) struct Authority {
    pub(crate) ca: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// A new authority with a server certificate for 127.0.0.1 and localhost. Its own key is thrown away.
    pub(crate) fn new() -> Result<Self, DataError> {
        Self::make().map_err(|error| DataError::Local {
            during: "making the sandbox's certificates".to_owned(),
            reason: error.to_string(),
        })
    }

    fn make() -> Result<Self, rcgen::Error> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, "orchestrate sandbox CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.not_before = date_time_ymd(2020, 1, 1);
        ca.not_after = date_time_ymd(2090, 1, 1);
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate()?;
        let mut server =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        server.distinguished_name.push(DnType::CommonName, "orchestrate sandbox server");
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // The cluster bus asks for a client certificate whatever tls-auth-clients says.
        server.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        server.not_before = date_time_ymd(2020, 1, 1);
        server.not_after = date_time_ymd(2090, 1, 1);
        let certificate = server.signed_by(&key, &issuer)?.pem();
        Ok(Self { ca: ca_pem, certificate, key: key.serialize_pem() })
    }
}
