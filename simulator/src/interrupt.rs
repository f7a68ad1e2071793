//! Ctrl-C: asked once, a run ends after its round; asked twice, at once. Either way nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Whether somebody wants the run to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Asked>);

#[derive(Debug, Default)]
struct Asked {
    yes: AtomicBool,
    bell: Notify,
}

impl Interrupt {
    /// Whether the run should stop at the next moment that suits it.
    pub fn is_asked_for(&self) -> bool {
        self.0.yes.load(Ordering::Relaxed)
    }

    /// Waits until it is.
    pub async fn asked(&self) {
        let bell = self.0.bell.notified();
        if !self.is_asked_for() {
            bell.await;
        }
    }

    /// Asks for it; says whether it was asked for before.
    pub fn ask(&self) -> bool {
        let before = self.0.yes.swap(true, Ordering::Relaxed);
        self.0.bell.notify_waiters();
        before
    }

    /// Asks for it when stdin ends: whoever started this process holds the other end, and lets it go to stop the
    /// process, or because it is gone itself.
    pub fn tether(&self) {
        let interrupt = self.clone();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            interrupt.ask();
        });
    }

    /// Listens for Ctrl-C for as long as the runtime lives.
    pub async fn listen(self) {
        while tokio::signal::ctrl_c().await.is_ok() {
            if self.ask() {
                std::process::exit(i32::from(crate::exit::Exit::Interrupted.code()));
            }
            crate::progress::tell("stopping after this round; press Ctrl-C again to stop at once");
        }
    }
}
