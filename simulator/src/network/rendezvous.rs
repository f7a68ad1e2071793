//! The file in which a server says where it is: for clusters, where hosts are unknown before the job starts.

use crate::exit::{Exit, Failure};
use crate::folder;
use primitives::Digest;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

/// The layout of the file.
const VERSION: u32 = 1;

/// Where a server is, and which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendezvous {
    /// The layout of this file.
    version: u32,
    /// Where it may be reached, to be tried in this order: `host:port` or `address:port`.
    pub addresses: Vec<String>,
    /// SHA-256 of its certificate.
    pub fingerprint: Digest,
    /// The plan that it runs.
    pub plan: Digest,
}

impl Rendezvous {
    /// A server at `addresses`.
    pub const fn new(addresses: Vec<String>, fingerprint: Digest, plan: Digest) -> Self {
        Self {
            version: VERSION,
            addresses,
            fingerprint,
            plan,
        }
    }

    /// Writes the file whole.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(Failure::run)?;
        text.push(b'\n');
        Ok(folder::write_whole(path, &text)?)
    }

    /// Reads the file; none if it is not there yet.
    ///
    /// # Errors
    /// If it is no such file.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::run(format!(
                    "cannot read {}: {error}",
                    path.display()
                )));
            }
        };
        let wrong = |what: String| {
            let message = format!(
                "{} is not a rendezvous file of this siloscope ({what}): name the file that `siloscope serve \
                 --rendezvous` writes",
                path.display()
            );
            Failure::new(Exit::Usage, message)
        };
        let found: Self =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if found.version != VERSION {
            return Err(wrong(format!("version {}", found.version)));
        }
        Ok(Some(found))
    }
}

/// Where a server that listens on `bound` can be reached: there, or, if it listens on every address, at the
/// address that this host uses towards others, and by the host's name.
pub fn reachable(bound: SocketAddr) -> Vec<String> {
    if !bound.ip().is_unspecified() {
        return vec![bound.to_string()];
    }
    let port = bound.port();
    let mut addresses = Vec::new();
    addresses.extend(own_address(bound).map(|ip| SocketAddr::new(ip, port).to_string()));
    if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        addresses.push(format!("{}:{port}", name.trim()));
    }
    addresses
}

/// The address from which packets to elsewhere would leave. Nothing is sent: the addresses are those that
/// documentation uses (RFC 5737, RFC 3849).
fn own_address(bound: SocketAddr) -> Option<IpAddr> {
    let (from, to): (IpAddr, IpAddr) = if bound.is_ipv4() {
        (
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
        )
    } else {
        (
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        )
    };
    let socket = UdpSocket::bind((from, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_absent_is_awaited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shared/rendezvous.json");
        assert_eq!(Rendezvous::read(&path).unwrap(), None);
        let there = Rendezvous::new(
            vec!["127.0.0.1:4433".to_owned()],
            Digest::of(b"certificate"),
            Digest::of(b"plan"),
        );
        there.write(&path).unwrap();
        assert_eq!(Rendezvous::read(&path).unwrap(), Some(there));
        std::fs::write(&path, "{\"version\": 1}").unwrap();
        assert_eq!(Rendezvous::read(&path).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_server_on_one_address_is_reached_there() {
        let bound: SocketAddr = "127.0.0.2:99".parse().unwrap();
        assert_eq!(reachable(bound), ["127.0.0.2:99"]);
    }
}
