//! Who issues the certificates of a federation.

use super::{FederationId, KeyError, Peer};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::time::Duration;
use time::OffsetDateTime;

/// A clock that is behind by this much still takes a new certificate.
const CLOCK_SKEW: Duration = Duration::from_hours(1);

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl Term {
    /// From now on for `days`, with an hour's grace for clocks that are behind.
    pub fn days_from_now(days: u32) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            from: now - CLOCK_SKEW,
            until: now + Duration::from_hours(24) * days,
        }
    }

    /// The year that ended a day ago: what an expired certificate has.
    pub fn last_year() -> Self {
        let yesterday = OffsetDateTime::now_utc() - Duration::from_hours(24);
        Self {
            from: yesterday - Duration::from_hours(24) * 365,
            until: yesterday,
        }
    }
}

/// A certificate and its private key, as PEM.
pub struct IssuedKeys {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// The certificate authority of one federation.
pub struct Authority {
    federation: FederationId,
    key: KeyPair,
    certificate: Option<Certificate>,
}

impl Authority {
    /// A new federation's authority, with a new key (ECDSA over P-256).
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn create(term: Term) -> Result<Self, KeyError> {
        let key = KeyPair::generate().map_err(KeyError::issue)?;
        let mut authority = Self::with_key(key);
        let certificate = authority
            .own_params(term)?
            .self_signed(&authority.key)
            .map_err(KeyError::issue)?;
        authority.certificate = Some(certificate);
        Ok(authority)
    }

    /// The authority that has this private key (PEM), to issue more certificates.
    ///
    /// # Errors
    /// If it is no private key.
    pub fn from_key(pem: &str) -> Result<Self, KeyError> {
        Ok(Self::with_key(
            KeyPair::from_pem(pem).map_err(KeyError::issue)?,
        ))
    }

    fn with_key(key: KeyPair) -> Self {
        Self {
            federation: FederationId::of(key.public_key_raw()),
            key,
            certificate: None,
        }
    }

    /// The federation.
    pub const fn federation(&self) -> &FederationId {
        &self.federation
    }

    /// The authority's own certificate and key, if it was made just now.
    pub fn keys(&self) -> Option<IssuedKeys> {
        Some(IssuedKeys {
            certificate: self.certificate.as_ref()?.pem(),
            key: self.key.serialize_pem(),
        })
    }

    /// A key pair for `peer`: the coordinator's certificate is good for a server alone, a silo's for a
    /// client alone.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn issue(&self, peer: Peer, term: Term) -> Result<IssuedKeys, KeyError> {
        let key = KeyPair::generate().map_err(KeyError::issue)?;
        let mut params = params(peer, &self.federation, term)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match peer {
            Peer::Silo(_) => ExtendedKeyUsagePurpose::ClientAuth,
            Peer::Coordinator | Peer::Authority => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(self.own_params(term)?, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(KeyError::issue)?;
        Ok(IssuedKeys {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    fn own_params(&self, term: Term) -> Result<CertificateParams, KeyError> {
        let mut params = params(Peer::Authority, &self.federation, term)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(params)
    }
}

fn params(
    peer: Peer,
    federation: &FederationId,
    term: Term,
) -> Result<CertificateParams, KeyError> {
    let name = peer.dns_name(federation);
    let mut params = CertificateParams::new([name.clone()]).map_err(KeyError::issue)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = term.from;
    params.not_after = term.until;
    Ok(params)
}
