//! A silo made by hand.

use crate::common::Place;
use primitives::{Digest, SiloId};
use protocol::{Compression, Join, MessageReader, PROTOCOL_VERSION, ToCoordinator, ToSilo, encode};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use transport::Link;
use transport::quic::{Limits, Peer, QuicLink, dial};

/// What a silo of ours sends to join.
pub(crate) fn join(silo: u32, plan: Digest) -> Join {
    Join {
        version: PROTOCOL_VERSION,
        silo: SiloId(silo),
        plan,
    }
}

/// A silo made by hand, that may send what it likes.
pub(crate) struct Wire {
    pub(crate) runtime: Arc<Runtime>,
    /// Dropped, it ends the thread on which the link's tasks run.
    _running: oneshot::Sender<()>,
    pub(crate) link: QuicLink,
    reader: MessageReader<ToSilo>,
    pub(crate) plan: Digest,
    silo: SiloId,
}

impl Wire {
    pub(crate) fn connect(place: &Place, silo: u32) -> Self {
        let silo = SiloId(silo);
        let text = fs::read_to_string(place.path("here.json")).unwrap();
        let there: serde_json::Value = serde_json::from_str(&text).unwrap();
        let address = there["addresses"][0].as_str().unwrap().parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let runtime = Arc::new(runtime);
        let (running, ended) = oneshot::channel();
        let background = Arc::clone(&runtime);
        std::thread::spawn(move || background.block_on(ended));
        let limits = Limits::for_vectors(1 << 20, Duration::from_secs(20));
        let keys = place.credentials(Peer::Silo(silo));
        let link = runtime
            .block_on(dial(address, &keys, None, limits))
            .unwrap();
        Self {
            runtime,
            _running: running,
            link,
            reader: MessageReader::new(1 << 20),
            plan: place.plan(),
            silo,
        }
    }

    pub(crate) fn say(&mut self, message: ToCoordinator) {
        for frame in encode(message, Compression::None).unwrap() {
            // A link that has been cut off says nothing more.
            let _ = self.link.send(frame);
        }
    }

    pub(crate) fn send(&mut self, payload: Vec<u8>) {
        self.link
            .send(protocol::Frame::try_new(payload).unwrap())
            .unwrap();
    }

    pub(crate) fn update(&mut self, delta: Vec<f32>) {
        let update = protocol::SiloUpdate {
            round: primitives::Round(1),
            silo: self.silo,
            delta: delta.into(),
            weight: 1.0,
            releases: Vec::new(),
            metrics: protocol::UpdateMetrics::Withheld,
            clip_norm: None,
        };
        self.say(ToCoordinator::Update(update));
    }

    /// Waits for the first task.
    pub(crate) fn task(&mut self) -> protocol::Task {
        loop {
            let frame = self.runtime.block_on(self.link.arrival()).unwrap();
            if let Some(ToSilo::Train(task)) = self.reader.read(&frame).unwrap() {
                return task;
            }
        }
    }

    /// What the coordinator says when it closes.
    pub(crate) fn ended(&mut self) -> String {
        self.runtime.block_on(self.link.ended()).to_string()
    }

    pub(crate) fn ended_after_hello(mut self) -> String {
        self.say(ToCoordinator::Join(join(self.silo.0, self.plan)));
        self.ended()
    }
}
