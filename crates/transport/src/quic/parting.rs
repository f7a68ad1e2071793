//! Why a connection ended, in words that both ends can show.

use quinn::{ConnectionError, VarInt};
use std::fmt;

/// What one end says when it closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The kind of reason, for programs.
    pub why: Why,
    /// The reason, for people.
    pub words: String,
}

macro_rules! why {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// The kinds of reasons for which a connection is closed, with their codes on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Why {
            $($(#[$doc])* $name,)*
            /// A code of another release.
            Other(u64),
        }

        impl Why {
            const fn code(self) -> u64 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(code) => code,
                }
            }

            const fn from_code(code: u64) -> Self {
                match code {
                    $($code => Self::$name,)*
                    code => Self::Other(code),
                }
            }
        }
    };
}

why! {
    /// The peer leaves, for now.
    Leaving = 0,
    /// The run is over.
    Finished = 1,
    /// The coordinator was interrupted and will go on.
    Interrupted = 2,
    /// The silo has a connection already.
    ConnectedAlready = 3,
    /// The silo may not take part.
    Refused = 4,
    /// The certificate is not one of a silo.
    NotASilo = 5,
    /// The peer broke the rules of the protocol.
    Misconduct = 6,
    /// The peer connected and said nothing.
    SaidNothing = 8,
    /// The peer broke the rules before, and is out of this run.
    Barred = 9,
    /// The coordinator has another certificate than the one that was pinned.
    NotPinned = 10,
    /// The certificate is on the coordinator's deny list.
    Denied = 11,
}

impl Farewell {
    /// A farewell.
    pub fn new(why: Why, words: impl Into<String>) -> Self {
        Self {
            why,
            words: words.into(),
        }
    }

    pub(super) fn code(&self) -> VarInt {
        VarInt::from_u64(self.why.code()).unwrap_or(VarInt::MAX)
    }

    /// The words, as far as a packet has room for them.
    pub(super) fn bytes(&self) -> &[u8] {
        let mut end = self.words.len().min(1000);
        while !self.words.is_char_boundary(end) {
            end -= 1;
        }
        &self.words.as_bytes()[..end]
    }
}

/// How a connection ended, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Parting {
    /// This end closed it.
    #[error("closed here: {}", .0.words)]
    Here(Farewell),
    /// The other end closed it.
    #[error("the other end closed the connection: {}", shown(.0))]
    There(Farewell),
    /// No trust was found in the handshake.
    #[error("{}: {}", if *.here { "refused" } else { "refused by the other end" }, tls_words(*.alert, *.here))]
    Tls {
        /// Whether it was this end that refused.
        here: bool,
        /// The TLS alert (RFC 8446, section 6).
        alert: u8,
    },
    /// Nothing has come for too long.
    #[error("no answer: the host is down, the address is wrong, or a firewall drops UDP")]
    Silent,
    /// The other end was started anew and knows nothing of the connection.
    #[error("the other end was started anew")]
    Restarted,
    /// Something else.
    #[error("{0}")]
    Broken(String),
}

impl Parting {
    /// Why quinn ended a connection that this end may have closed with `said`.
    pub(super) fn of(error: &ConnectionError, said: Option<&Farewell>) -> Self {
        match error {
            ConnectionError::LocallyClosed => Self::Here(
                said.cloned()
                    .unwrap_or_else(|| Farewell::new(Why::Leaving, "no longer needed")),
            ),
            ConnectionError::ApplicationClosed(close) => Self::There(Farewell {
                why: Why::from_code(close.error_code.into_inner()),
                words: String::from_utf8_lossy(&close.reason).into_owned(),
            }),
            ConnectionError::TransportError(error) => {
                Self::transport(u64::from(error.code), true, &error.to_string())
            }
            ConnectionError::ConnectionClosed(close) => {
                Self::transport(u64::from(close.error_code), false, &close.to_string())
            }
            ConnectionError::TimedOut => Self::Silent,
            ConnectionError::Reset => Self::Restarted,
            error => Self::Broken(format!("connection broken: {error}")),
        }
    }

    fn transport(code: u64, here: bool, words: &str) -> Self {
        // RFC 9001, section 4.8: a TLS alert is a QUIC error of 0x0100 and more.
        match u8::try_from(code.wrapping_sub(0x0100)) {
            Ok(alert) => Self::Tls { here, alert },
            Err(_) => Self::Broken(format!("connection broken: {words}")),
        }
    }

    /// The kind of reason, if one of the ends gave one.
    pub const fn why(&self) -> Option<Why> {
        match self {
            Self::Here(farewell) | Self::There(farewell) => Some(farewell.why),
            _ => None,
        }
    }
}

/// What the other end said, without what could play tricks on a terminal.
fn shown(farewell: &Farewell) -> String {
    farewell
        .words
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// An alert in the words of a federation.
fn tls_words(alert: u8, here: bool) -> String {
    let whose = if here {
        "the other end's"
    } else {
        "this end's"
    };
    let words = match alert {
        42 | 43 => {
            "certificate is not one for this role: a silo needs a silo's, the coordinator the coordinator's"
        }
        45 => {
            "certificate has expired, or a clock is wrong: issue a new one with `siloscope keys add --replace`"
        }
        44 => "certificate was revoked",
        // A certificate by an authority that is not ours has a signature that ours did not make.
        48 | 51 => "certificate is not of this federation: another authority issued it",
        116 => "certificate is missing: both ends must show one",
        120 => {
            return format!(
                "the other end does not speak {}: run the same release on both ends",
                super::tls::alpn(protocol::PROTOCOL_VERSION)
            );
        }
        alert => return format!("the TLS handshake failed with {}", Alert(alert)),
    };
    format!("{whose} {words}")
}

/// The name of an alert that has no words of ours.
struct Alert(u8);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "alert {} ({:?})",
            self.0,
            rustls::AlertDescription::from(self.0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons_go_there_and_back() {
        for code in 0..12 {
            assert_eq!(Why::from_code(code).code(), code);
        }
        assert_eq!(Why::from_code(9), Why::Barred);
        assert_eq!(Why::from_code(77), Why::Other(77));
    }

    #[test]
    fn words_are_cut_between_characters_and_cleaned() {
        let farewell = Farewell::new(Why::Refused, "é".repeat(600));
        assert_eq!(farewell.bytes().len(), 1000);
        let tricky = Parting::There(Farewell::new(Why::Refused, "a\u{1b}[2Jb"));
        assert_eq!(
            tricky.to_string(),
            "the other end closed the connection: a\u{fffd}[2Jb"
        );
    }

    #[test]
    fn alerts_have_words_at_both_ends() {
        let tls = |here, alert| Parting::Tls { here, alert }.to_string();
        assert!(tls(true, 45).starts_with("refused: the other end's certificate has expired"));
        assert!(
            tls(false, 48)
                .starts_with("refused by the other end: this end's certificate is not of")
        );
        assert!(tls(true, 120).contains("siloscope/"));
        assert!(tls(true, 80).contains("InternalError"));
    }
}
