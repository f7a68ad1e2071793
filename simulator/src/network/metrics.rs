//! What an operator may watch: a page in Prometheus' text format. Nothing on it is about a single person.

use crate::events::RoundFigures;
use crate::exit::Failure;
use report::model::Epsilon;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport::quic::Traffic;

/// A request that is longer, or takes longer, is none of Prometheus'.
const REQUEST: (usize, Duration) = (4096, Duration::from_secs(5));

/// The figures as they stand.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Figures>>);

/// What is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// The last finished round.
    pub round: u32,
    /// Rounds of the run.
    pub rounds: u32,
    /// Silos that have a connection.
    pub silos: usize,
    /// Bytes over all links so far.
    pub traffic: Traffic,
    /// ε of the worst-off subject.
    pub epsilon: Option<Epsilon>,
}

impl Metrics {
    /// Changes the figures.
    pub fn update(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes note of a round that is on disk.
    pub fn recorded(&self, figures: &RoundFigures) {
        self.update(|shown| {
            shown.round = figures.round;
            shown.epsilon = Some(figures.epsilon_subject);
        });
    }

    fn page(&self) -> String {
        let figures = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let epsilon = figures.epsilon.map_or(f64::NAN, Epsilon::get);
        let epsilon = if epsilon.is_infinite() {
            "+Inf".to_owned()
        } else {
            epsilon.to_string()
        };
        let mut page = String::new();
        for (name, kind, help, value) in [
            (
                "round",
                "gauge",
                "Last finished round.",
                figures.round.to_string(),
            ),
            (
                "rounds",
                "gauge",
                "Rounds of the run.",
                figures.rounds.to_string(),
            ),
            (
                "silos_connected",
                "gauge",
                "Silos that have a connection.",
                figures.silos.to_string(),
            ),
            (
                "sent_bytes_total",
                "counter",
                "Bytes sent to silos.",
                figures.traffic.sent.to_string(),
            ),
            (
                "received_bytes_total",
                "counter",
                "Bytes received from silos.",
                figures.traffic.received.to_string(),
            ),
            (
                "epsilon_subject",
                "gauge",
                "Epsilon of the worst-off subject so far.",
                epsilon,
            ),
        ] {
            let _ = write!(
                page,
                "# HELP siloscope_{name} {help}\n# TYPE siloscope_{name} {kind}\nsiloscope_{name} {value}\n"
            );
        }
        page
    }

    /// Answers on `address` for as long as the process lives; gives the address with its port.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn listen(&self, address: SocketAddr) -> Result<SocketAddr, Failure> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::run(format!("cannot listen on TCP {address}: {error}")))?;
        let bound = listener.local_addr().map_err(Failure::run)?;
        let metrics = self.clone();
        tokio::spawn(async move {
            // One after the other: whoever asks slowly makes others wait, and nothing else.
            while let Ok((stream, _)) = listener.accept().await {
                let _ = tokio::time::timeout(REQUEST.1, metrics.answer(stream)).await;
            }
        });
        Ok(bound)
    }

    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut part = [0; 512];
            let read = stream.read(&mut part).await?;
            if read == 0 || request.len() + read > REQUEST.0 {
                return Ok(());
            }
            request.extend_from_slice(&part[..read]);
        }
        let (status, page) = if request.starts_with(b"GET /metrics ") {
            ("200 OK", self.page())
        } else {
            ("404 Not Found", "the figures are at /metrics\n".to_owned())
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: \
             close\r\n\r\n",
            page.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(page.as_bytes()).await?;
        stream.shutdown().await
    }
}
