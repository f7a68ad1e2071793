//! One end of a QUIC connection as a [`Link`].
//!
//! Two tasks serve it: one writes what was queued, one cuts what arrives into frames. The link itself waits
//! for nothing, unless it is asked to ([`QuicLink::arrival`]).

use super::limits::FRAMES_AHEAD;
use super::{Farewell, Limits, Parting, Why};
use crate::{Link, LinkError};
use bytes::Bytes;
use protocol::{Frame, FrameReader};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use std::mem;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How long an end that closes waits for the other to have everything.
const FLUSH: Duration = Duration::from_secs(5);

/// How long an end that was told that nothing more comes waits to be told why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Packets' worth of bytes that are taken from QUIC at once.
const PIECES: usize = 32;

/// One end of a QUIC connection between the coordinator and a silo.
///
/// Dropped, it sends what was queued and then closes.
#[derive(Debug)]
pub struct QuicLink {
    outgoing: Option<mpsc::UnboundedSender<Frame>>,
    incoming: mpsc::Receiver<Frame>,
    shared: Arc<Shared>,
    /// The socket, if it is this link's own.
    endpoint: Option<Endpoint>,
}

/// What has gone over a link, headers of frames included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes taken by QUIC to be sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
    }
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    limits: Limits,
    /// Rung whenever there is something to look at.
    bell: Arc<Notify>,
    /// Bytes queued and not yet taken by QUIC.
    waiting: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    /// What the peer may still send unasked.
    allowance: Mutex<Allowance>,
    /// What this end closes with.
    farewell: OnceLock<Farewell>,
    /// How the connection ended.
    parting: OnceLock<Parting>,
}

#[derive(Debug)]
struct Allowance {
    frames: u32,
    bytes: u64,
}

impl Allowance {
    const fn of(limits: &Limits) -> Self {
        Self {
            frames: limits.unasked_frames,
            bytes: limits.unasked_bytes,
        }
    }
}

impl QuicLink {
    /// A link over the first stream of `connection`. Rings `bell` whenever a frame has arrived or the link
    /// has ended.
    pub(super) fn new(
        connection: Connection,
        (send, receive): (SendStream, RecvStream),
        limits: Limits,
        bell: Arc<Notify>,
    ) -> Self {
        let shared = Arc::new(Shared {
            connection,
            limits,
            bell,
            waiting: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            allowance: Mutex::new(Allowance::of(&limits)),
            farewell: OnceLock::new(),
            parting: OnceLock::new(),
        });
        // Bounded by whoever sends: see `has_room`.
        let (outgoing, queued) = mpsc::unbounded_channel();
        let (arrived, incoming) = mpsc::channel(FRAMES_AHEAD);
        tokio::spawn(write(Arc::clone(&shared), send, queued));
        tokio::spawn(read(Arc::clone(&shared), receive, arrived));
        Self {
            outgoing: Some(outgoing),
            incoming,
            shared,
            endpoint: None,
        }
    }

    /// The same link, which is all that `endpoint` is for.
    pub(super) fn with_endpoint(self, endpoint: Endpoint) -> Self {
        Self {
            endpoint: Some(endpoint),
            ..self
        }
    }

    /// Sends what is queued, closes, and waits until the other end has heard it, for a few seconds at most.
    pub async fn quiet(mut self) {
        self.outgoing = None;
        let quiet = async {
            let end = self.shared.connection.closed().await;
            // Whoever was told has nothing left to tell.
            let told = matches!(end, ConnectionError::ApplicationClosed(_));
            if let Some(endpoint) = self.endpoint.as_ref().filter(|_| !told) {
                endpoint.wait_idle().await;
            }
        };
        let _ = tokio::time::timeout(2 * FLUSH, quiet).await;
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// If the link is closed or broken, once every frame that was sent before has been received.
    pub async fn arrival(&mut self) -> Result<Frame, LinkError> {
        self.incoming.recv().await.ok_or(LinkError::Closed)
    }

    /// Whether another frame may be queued. The link takes one that has no room too, since it is whoever
    /// sends that must not run ahead: [`news`](Self::news) tells when there is room again.
    pub fn has_room(&self) -> bool {
        self.shared.waiting.load(Ordering::Relaxed) < self.shared.limits.waiting_bytes
    }

    /// Waits until there is something to look at: a frame that arrived, room to send, or the end. Links of
    /// one listener have their news together: see [`Listener::news`](super::Listener::news).
    pub async fn news(&self) {
        self.shared.bell.notified().await;
    }

    /// Lets the peer send as much again as it may send unasked: call it when it is asked for something.
    pub fn allow_more(&self) {
        let mut allowance = self
            .shared
            .allowance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *allowance = Allowance::of(&self.shared.limits);
    }

    /// Sends what is queued and then closes with these words.
    pub fn part(&mut self, farewell: Farewell) {
        let _ = self.shared.farewell.set(farewell);
        self.outgoing = None;
    }

    /// Closes at once with these words; what is queued is dropped.
    pub fn cut_off(&mut self, farewell: Farewell) {
        self.outgoing = None;
        self.shared.cut_off(farewell);
    }

    /// How the link ended; none while it holds.
    pub fn parting(&self) -> Option<&Parting> {
        self.shared.parting.get()
    }

    /// What has gone over it so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            sent: self.shared.sent.load(Ordering::Relaxed),
            received: self.shared.received.load(Ordering::Relaxed),
        }
    }

    /// Waits until the connection has ended, and says why.
    pub async fn ended(&self) -> Parting {
        let error = self.shared.connection.closed().await;
        let ours = Parting::of(&error, self.shared.farewell.get());
        self.shared.parting.get_or_init(|| ours).clone()
    }
}

impl Link for QuicLink {
    fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        let Some(outgoing) = self
            .outgoing
            .as_ref()
            .filter(|_| self.shared.parting.get().is_none())
        else {
            return Err(LinkError::Closed);
        };
        self.shared
            .waiting
            .fetch_add(frame.wire_len(), Ordering::Relaxed);
        outgoing.send(frame).map_err(|_| LinkError::Closed)
    }

    fn receive(&mut self) -> Result<Option<Frame>, LinkError> {
        match self.incoming.try_recv() {
            Ok(frame) => Ok(Some(frame)),
            // The reader takes note of the end when it has handed over the last frame.
            Err(mpsc::error::TryRecvError::Empty) if self.parting().is_none() => Ok(None),
            Err(mpsc::error::TryRecvError::Empty) => self
                .incoming
                .try_recv()
                .map(Some)
                .map_err(|_| LinkError::Closed),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(LinkError::Closed),
        }
    }

    fn close(&mut self) {
        self.part(Farewell::new(Why::Leaving, "no longer needed"));
    }
}

impl Shared {
    fn cut_off(&self, farewell: Farewell) {
        let farewell = self.farewell.get_or_init(|| farewell);
        self.connection.close(farewell.code(), farewell.bytes());
    }

    /// Takes note of how the connection ended, once it has.
    async fn end(&self, patience: Duration) {
        let closed = tokio::time::timeout(patience, self.connection.closed()).await;
        if closed.is_err() {
            self.cut_off(Farewell::new(Why::Leaving, "no longer needed"));
        }
        let error = self.connection.closed().await;
        let parting = Parting::of(&error, self.farewell.get());
        let _ = self.parting.set(parting);
        self.bell.notify_one();
    }

    /// Charges the peer for a frame that it was not asked for.
    fn charge(&self, frame: &Frame) -> Result<(), Farewell> {
        let bytes = frame.wire_len() as u64;
        self.received.fetch_add(bytes, Ordering::Relaxed);
        let mut allowance = self
            .allowance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = (
            allowance.frames.checked_sub(1),
            allowance.bytes.checked_sub(bytes),
        );
        if let (Some(frames), Some(bytes)) = left {
            *allowance = Allowance { frames, bytes };
            return Ok(());
        }
        let Limits {
            unasked_frames,
            unasked_bytes,
            ..
        } = self.limits;
        Err(Farewell::new(
            Why::Misconduct,
            format!(
                "flood: more than {unasked_frames} messages or {unasked_bytes} bytes that nobody asked for"
            ),
        ))
    }
}

/// Writes what is queued until the link is closed, and then closes the connection.
async fn write(
    shared: Arc<Shared>,
    mut stream: SendStream,
    mut queued: mpsc::UnboundedReceiver<Frame>,
) {
    while let Some(frame) = queued.recv().await {
        let bytes = frame.wire_len();
        // QUIC keeps the payload itself until the other end has it, not a copy.
        let header = Bytes::copy_from_slice(&frame.header());
        let mut parts = [header, frame.into_payload()];
        if stream.write_all_chunks(&mut parts).await.is_err() {
            break;
        }
        shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
        shared.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        shared.bell.notify_one();
    }
    let _ = stream.finish();
    // Once the other end has it all, or does not want it, or is gone.
    let _ = tokio::time::timeout(FLUSH, stream.stopped()).await;
    shared.cut_off(Farewell::new(Why::Leaving, "no longer needed"));
}

/// Cuts what arrives into frames until the connection ends or the peer breaks a rule.
async fn read(shared: Arc<Shared>, mut stream: RecvStream, arrived: mpsc::Sender<Frame>) {
    let patience = match frames(&shared, &mut stream, &arrived).await {
        Ok(()) => LAST_WORDS,
        Err(farewell) => {
            shared.cut_off(farewell);
            Duration::MAX
        }
    };
    shared.end(patience).await;
    // Only now does the driver learn that nothing more comes, so that it also learns why.
    drop(arrived);
}

/// Hands over frames until the stream ends; an error is the peer's fault.
async fn frames(
    shared: &Shared,
    stream: &mut RecvStream,
    arrived: &mpsc::Sender<Frame>,
) -> Result<(), Farewell> {
    let misconduct =
        |error: protocol::FrameError| Farewell::new(Why::Misconduct, error.to_string());
    let mut reader = FrameReader::new(shared.limits.frame_bytes);
    let mut pieces = [const { Bytes::new() }; PIECES];
    while let Ok(Some(filled)) = stream.read_chunks(&mut pieces).await {
        for piece in &mut pieces[..filled] {
            let piece = mem::take(piece);
            let mut bytes = &piece[..];
            while let Some(frame) = reader.read(&mut bytes).map_err(misconduct)? {
                shared.charge(&frame)?;
                if arrived.send(frame).await.is_err() {
                    return Ok(());
                }
                shared.bell.notify_one();
            }
        }
    }
    Ok(())
}
