//! An MLflow server, spoken to by its REST interface (`/api/2.0/mlflow`).
//!
//! Source: MLflow, "REST API", <https://mlflow.org/docs/latest/rest-api.html>.

use crate::exit::{Exit, Failure};
use serde::Deserialize;
use serde_json::Value;

/// A server that takes longer to answer has stopped answering.
const PATIENCE_SECONDS: u64 = 60;

/// Why a server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MlflowError {
    /// No server there, or none that speaks HTTP.
    #[error(
        "cannot reach an MLflow server at {url}: {why}; start one with `mlflow server`, or give the address of \
         yours with --url"
    )]
    Unreachable {
        /// The address that was given.
        url: String,
        /// What the system or the connection says.
        why: String,
    },
    /// A server that is not MLflow's.
    #[error(
        "{url} does not answer like MLflow (status {status} at {path}): give the address that `mlflow server` \
         prints, without a path behind it"
    )]
    NotMlflow {
        /// The address that was given.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        path: String,
    },
    /// It understood and refused.
    #[error("MLflow at {url} refused {path} (status {status}, {code}): {message}")]
    Refused {
        /// The address that was given.
        url: String,
        /// What was asked for.
        path: String,
        /// The HTTP status.
        status: u16,
        /// MLflow's name for the error.
        code: String,
        /// What it says.
        message: String,
    },
}

impl MlflowError {
    /// Whether it says that what was asked for is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "RESOURCE_DOES_NOT_EXIST")
    }
}

impl From<MlflowError> for Failure {
    fn from(error: MlflowError) -> Self {
        Self::run(error)
    }
}

/// A server.
#[derive(Debug)]
pub struct Client {
    url: String,
}

/// How MLflow words an error.
#[derive(Deserialize)]
struct Refusal {
    error_code: String,
    #[serde(default)]
    message: String,
}

impl Client {
    /// The server at an address such as `http://127.0.0.1:5000`.
    ///
    /// # Errors
    /// If it is no address of plain HTTP.
    pub fn new(url: &str) -> Result<Self, Failure> {
        let host = url.strip_prefix("http://");
        if url.starts_with("https://") {
            let message = format!(
                "--url {url}: siloscope speaks plain http:// to MLflow: run the server on this machine, or reach it \
                 through a tunnel, e.g. ssh -L 5000:localhost:5000 HOST and --url http://127.0.0.1:5000"
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            let message = format!(
                "--url {url}: it is no address: write it as http://HOST:PORT, e.g. http://127.0.0.1:5000"
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks for something by name.
    ///
    /// # Errors
    /// If the server is not there, is not MLflow's, or refuses.
    pub fn get(&self, path: &str, key: &str, value: &str) -> Result<Value, MlflowError> {
        let path = format!("/api/2.0/mlflow/{path}");
        let asked = format!("{}{path}?{key}={}", self.url, percent_encoded(value));
        self.answer(minreq::get(asked), &path)
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, MlflowError> {
        let path = format!("/api/2.0/mlflow/{path}");
        let request = minreq::post(format!("{}{path}", self.url))
            .with_header("Content-Type", "application/json")
            .with_body(body.to_string());
        self.answer(request, &path)
    }

    fn answer(&self, request: minreq::Request, path: &str) -> Result<Value, MlflowError> {
        let response = request
            .with_timeout(PATIENCE_SECONDS)
            .with_follow_redirects(false)
            .send()
            .map_err(|error| MlflowError::Unreachable {
                url: self.url.clone(),
                why: error.to_string(),
            })?;
        let status = response.status_code;
        let other = || MlflowError::NotMlflow {
            url: self.url.clone(),
            status,
            path: path.to_owned(),
        };
        if (200..300).contains(&status) {
            return serde_json::from_slice(response.as_bytes()).map_err(|_| other());
        }
        let refusal: Refusal = serde_json::from_slice(response.as_bytes()).map_err(|_| other())?;
        Err(MlflowError::Refused {
            url: self.url.clone(),
            path: path.to_owned(),
            status,
            code: refusal.error_code,
            message: refusal.message,
        })
    }
}

/// A value for the query of an address (RFC 3986, section 2).
fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_keep_every_letter() {
        assert_eq!(percent_encoded("a-b_c.~9"), "a-b_c.~9");
        assert_eq!(percent_encoded("a b&c=ä/"), "a%20b%26c%3D%C3%A4%2F");
    }

    #[test]
    fn addresses_are_of_plain_http() {
        for url in ["http://127.0.0.1:5000", "http://mlflow.example.org/"] {
            assert!(!Client::new(url).unwrap().url.ends_with('/'));
        }
        for (url, words) in [
            ("https://host", "plain http://"),
            ("host:5000", "http://HOST:PORT"),
            ("http://", "http://HOST:PORT"),
            ("http:///path", "http://HOST:PORT"),
            ("", "http://HOST:PORT"),
        ] {
            let failure = Client::new(url).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(words), "{failure}");
        }
    }
}
