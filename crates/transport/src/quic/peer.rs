//! Who holds a certificate, as its DNS name says it.

use primitives::{Digest, SiloId};
use std::fmt;

/// The last label of every name: no public authority vouches for it.
const ZONE: &str = "siloscope";

/// A federation, by its authority's public key: the first 16 hexadecimal digits of its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FederationId(String);

/// Whose certificate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Who issues all others.
    Authority,
    /// The server.
    Coordinator,
    /// One silo.
    Silo(SiloId),
}

impl FederationId {
    /// The federation of an authority with this public key.
    pub(super) fn of(public_key: &[u8]) -> Self {
        Self(Digest::of(public_key).to_string()[..16].to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == 16 && text.chars().all(hexadecimal)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for FederationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Peer {
    /// The DNS name in this peer's certificate.
    pub fn dns_name(self, federation: &FederationId) -> String {
        format!("{}.{federation}.{ZONE}", self.label())
    }

    /// Whom a DNS name means.
    pub fn parse(name: &str) -> Option<(Self, FederationId)> {
        let (label, rest) = name.split_once('.')?;
        let federation = FederationId::parse(rest.strip_suffix(ZONE)?.strip_suffix('.')?)?;
        Some((Self::from_label(label)?, federation))
    }

    /// The name of this peer's key folder: `coordinator`, `silo-3`.
    pub fn label(self) -> String {
        match self {
            Self::Authority => "authority".to_owned(),
            Self::Coordinator => "coordinator".to_owned(),
            Self::Silo(SiloId(number)) => format!("silo-{number}"),
        }
    }

    /// Whom a label means.
    pub fn from_label(label: &str) -> Option<Self> {
        match label {
            "authority" => Some(Self::Authority),
            "coordinator" => Some(Self::Coordinator),
            _ => {
                let number: u32 = label.strip_prefix("silo-")?.parse().ok()?;
                let peer = Self::Silo(SiloId(number));
                // One name a silo: "silo-007" is nobody.
                (peer.label() == label).then_some(peer)
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority => f.write_str("the authority"),
            Self::Coordinator => f.write_str("the coordinator"),
            Self::Silo(silo) => silo.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_peer_of_one_federation() {
        let federation = FederationId::of(b"key");
        for peer in [
            Peer::Authority,
            Peer::Coordinator,
            Peer::Silo(SiloId(0)),
            Peer::Silo(SiloId(u32::MAX)),
        ] {
            let name = peer.dns_name(&federation);
            assert_eq!(
                Peer::parse(&name),
                Some((peer, federation.clone())),
                "{name}"
            );
        }
        for name in [
            "silo-3.siloscope",
            "silo-03.0123456789abcdef.siloscope",
            "silo-+3.0123456789abcdef.siloscope",
            "silo-3.0123456789ABCDEF.siloscope",
            "silo-3.0123456789abcdef.siloscope.example.org",
            "silo-4294967296.0123456789abcdef.siloscope",
            "silo-3.0123456789abcdefsiloscope",
        ] {
            assert_eq!(Peer::parse(name), None, "{name}");
        }
    }
}
