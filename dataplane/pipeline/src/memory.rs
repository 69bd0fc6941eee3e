//! A port in memory: for tests, and for replaying captures.

use std::collections::VecDeque;

use crate::port::{Burst, Frame, Port};

/// A frame of plain memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryFrame(pub Vec<u8>);

impl Frame for MemoryFrame {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn cut_front(&mut self, len: usize) {
        self.0.drain(..len);
    }

    fn grow_front(&mut self, len: usize) -> bool {
        self.0.splice(..0, std::iter::repeat_n(0, len));
        true
    }
}

/// A port whose wire is two queues.
///
/// It allocates as its queues grow, and whenever something is originated: it is meant for where that does not matter.
#[derive(Debug)]
pub struct MemoryPort {
    /// Frames that will be received, oldest first.
    pub arriving: VecDeque<MemoryFrame>,
    /// Frames that were sent, oldest first.
    pub sent: VecDeque<MemoryFrame>,
    /// How many frames it holds in [`MemoryPort::sent`] before it has no room for more.
    pub room: usize,
}

impl Default for MemoryPort {
    fn default() -> Self {
        Self { arriving: VecDeque::new(), sent: VecDeque::new(), room: usize::MAX }
    }
}

impl Port for MemoryPort {
    type Frame = MemoryFrame;

    fn receive(&mut self, _nth: usize, burst: &mut Burst<MemoryFrame>) {
        let count = self.arriving.len().min(burst.remaining_capacity());
        burst.extend(self.arriving.drain(..count));
    }

    fn transmit(&mut self, burst: &mut Burst<MemoryFrame>) {
        let count = self.room.saturating_sub(self.sent.len()).min(burst.len());
        self.sent.extend(burst.drain(..count));
    }

    fn originate(&mut self, bytes: &[u8]) -> Option<MemoryFrame> {
        Some(MemoryFrame(bytes.to_vec()))
    }
}
