//! From when to when a certificate holds, read from its bytes for people to see.
//!
//! Whether a certificate is valid is decided by rustls in the handshake; this only shows two dates, which no
//! crate that we have reads out.

use std::fmt;

/// Two moments in UTC, as `2027-01-31 12:00:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: String,
    /// Not after.
    pub until: String,
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} UTC", self.from, self.until)
    }
}

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// The validity of an X.509 certificate in DER (RFC 5280, section 4.1); none if it is not laid out so.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut outer = Der(certificate);
        let mut certificate = Der(outer.expect(SEQUENCE)?);
        let mut body = Der(certificate.expect(SEQUENCE)?);
        if body.tag() == Some(EXPLICIT_VERSION) {
            body.next()?;
        }
        // Serial number, signature algorithm, issuer.
        for _ in 0..3 {
            body.next()?;
        }
        let mut validity = Der(body.expect(SEQUENCE)?);
        let mut moment = || {
            let (tag, value) = validity.next()?;
            moment(tag, std::str::from_utf8(value).ok()?)
        };
        Some(Self {
            from: moment()?,
            until: moment()?,
        })
    }
}

/// `YYMMDDhhmmssZ` (years 1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn moment(tag: u8, text: &str) -> Option<String> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let century = if year < "50" { "20" } else { "19" };
            (format!("{century}{year}"), rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| &rest[at..at + 2]);
    Some(format!("{year}-{month}-{day} {hour}:{minute}:{second}"))
}

/// Values of a DER encoding, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if bytes.len() > 4 {
                return None;
            }
            let length = bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (length, rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_both_forms() {
        let utc = moment(UTC_TIME, "270131120005Z");
        assert_eq!(utc.as_deref(), Some("2027-01-31 12:00:05"));
        let utc = moment(UTC_TIME, "500131120005Z");
        assert_eq!(utc.as_deref(), Some("1950-01-31 12:00:05"));
        let generalized = moment(GENERALIZED_TIME, "20510131120005Z");
        assert_eq!(generalized.as_deref(), Some("2051-01-31 12:00:05"));
        assert_eq!(moment(UTC_TIME, "27013112Z"), None);
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x02\x30\x00",
        ] {
            assert_eq!(Validity::of(bytes), None);
        }
    }
}
