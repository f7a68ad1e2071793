//! What one end of a federation's connections shows, and what it trusts.

use super::{FederationId, Peer, Validity};
use primitives::Digest;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;

/// One peer's certificate and private key, with the authority of its federation.
pub struct Credentials {
    peer: Peer,
    federation: FederationId,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// Keys that cannot be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key or certificate cannot be made.
    #[error("cannot issue a certificate: {0}")]
    Issue(String),
    /// A text holds no certificate or key.
    #[error("it holds no {expected} in PEM form ({why})")]
    Pem {
        /// What it should hold.
        expected: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A certificate that does not say who holds it.
    #[error(
        "its certificate names {found:?}, no member of a federation: make keys with `siloscope keys init`"
    )]
    Name {
        /// The names it has.
        found: Vec<String>,
    },
    /// Certificate, key and authority do not go together.
    #[error("certificate, key and authority do not go together: {0}")]
    Mismatch(String),
}

impl KeyError {
    pub(super) fn issue(error: impl fmt::Display) -> Self {
        Self::Issue(error.to_string())
    }

    pub(super) fn mismatch(error: impl fmt::Display) -> Self {
        Self::Mismatch(error.to_string())
    }
}

impl Credentials {
    /// Credentials out of PEM texts.
    ///
    /// # Errors
    /// If a text is not what it should be, or the certificate names no member of a federation.
    pub fn from_pem(authority: &str, certificate: &str, key: &str) -> Result<Self, KeyError> {
        let authority = certificate_of(authority)?;
        let certificate = certificate_of(certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| KeyError::Pem {
            expected: "private key",
            why: error.to_string(),
        })?;
        let (peer, federation) = holder(&certificate)?;
        Ok(Self {
            peer,
            federation,
            authority,
            certificate,
            key,
        })
    }

    /// Whose they are.
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// In which federation.
    pub const fn federation(&self) -> &FederationId {
        &self.federation
    }

    /// SHA-256 of the certificate: what a silo may pin its coordinator to.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// From when to when the certificate holds.
    pub fn validity(&self) -> Option<Validity> {
        Validity::of(&self.certificate)
    }

    pub(super) const fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is nobody's to see.
        f.debug_struct("Credentials")
            .field("peer", &self.peer)
            .field("federation", &self.federation)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

fn certificate_of(pem: &str) -> Result<CertificateDer<'static>, KeyError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| KeyError::Pem {
        expected: "certificate",
        why: error.to_string(),
    })
}

/// Who holds a certificate. Whether it is to be believed is for the handshake to say.
pub(super) fn holder(certificate: &CertificateDer<'_>) -> Result<(Peer, FederationId), KeyError> {
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(KeyError::mismatch)?;
    let names: Vec<&str> = parsed.valid_dns_names().collect();
    match names[..] {
        [name] => Peer::parse(name),
        _ => None,
    }
    .ok_or_else(|| KeyError::Name {
        found: names.into_iter().map(str::to_owned).collect(),
    })
}
