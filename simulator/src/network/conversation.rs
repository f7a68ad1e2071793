//! One end of a link, in messages instead of frames.
//!
//! Messages wait as what they are and become frames one by one as the link has room, so that what is kept beside
//! a model is a frame or two.

use protocol::{CodecError, Compression, Frames, Message, MessageReader, encode};
use std::collections::VecDeque;
use transport::quic::{Farewell, QuicLink, Why};
use transport::{Link, LinkError};

/// Messages that may wait for a peer; one that lets more pile up does not read.
const MOST_WAITING: usize = 16;

/// What an end of a link hears (`In`) and says.
pub struct Conversation<In> {
    link: QuicLink,
    reader: MessageReader<In>,
    waiting: VecDeque<Frames>,
    compression: Compression,
}

/// Why nothing more is heard.
#[derive(Debug)]
pub enum Silence {
    /// The link has ended.
    Lost,
    /// What came is no message.
    Garbled(CodecError),
}

impl<In: Message> Conversation<In> {
    /// A conversation about models of `parameters` parameters.
    pub fn new(link: QuicLink, parameters: u64, compression: Compression) -> Self {
        Self {
            link,
            reader: MessageReader::new(parameters),
            waiting: VecDeque::new(),
            compression,
        }
    }

    /// The link.
    pub const fn link(&self) -> &QuicLink {
        &self.link
    }

    /// Says `message`, as soon as the link has room. A link that has ended says nothing: that it has is heard.
    ///
    /// # Errors
    /// If the message cannot be written.
    pub fn say<Out: Message>(&mut self, message: Out) -> Result<(), CodecError> {
        if self.waiting.len() == MOST_WAITING {
            let words = format!("{MOST_WAITING} messages wait to be read");
            self.cut_off(Farewell::new(Why::Misconduct, words));
            return Ok(());
        }
        self.waiting.push_back(encode(message, self.compression)?);
        self.pump();
        Ok(())
    }

    /// Hands frames to the link for as long as it has room.
    pub fn pump(&mut self) {
        while let Some(frames) = self.waiting.front_mut().filter(|_| self.link.has_room()) {
            match frames.next() {
                None => drop(self.waiting.pop_front()),
                Some(frame) => {
                    if self.link.send(frame).is_err() {
                        self.waiting.clear();
                    }
                }
            }
        }
    }

    /// Whether everything that was said is with the link.
    pub fn is_said(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next message, if one has arrived.
    ///
    /// # Errors
    /// If nothing more will come.
    pub fn hear(&mut self) -> Result<Option<In>, Silence> {
        loop {
            match self.link.receive() {
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => {
                    if let Some(message) = self.reader.read(&frame).map_err(Silence::Garbled)? {
                        return Ok(Some(message));
                    }
                }
                Err(LinkError::Closed | LinkError::Frame(_)) => return Err(Silence::Lost),
            }
        }
    }

    /// Lets what is with the link arrive, and closes it with these words.
    pub fn part(&mut self, farewell: Farewell) {
        self.pump();
        self.link.part(farewell);
    }

    /// Waits until the other end has heard everything, for a few seconds at most.
    pub async fn quiet(self) {
        self.link.quiet().await;
    }

    /// Closes the link at once with these words.
    pub fn cut_off(&mut self, farewell: Farewell) {
        self.waiting.clear();
        self.link.cut_off(farewell);
    }
}
