//! What the pipeline asks of a port, and of the frames that come through it.
//!
//! The pipeline is the same code over DPDK's buffers, over frames in memory and in a replayed capture; these two traits
//! are all it knows of where a frame comes from and where it goes.

use arrayvec::ArrayVec;

/// Most frames a worker takes from a port in one turn.
pub const BURST: usize = 64;

/// A burst of frames, each owned: what is dropped with it goes back to where frames come from.
pub type Burst<F> = ArrayVec<F, BURST>;

/// A frame we own: contiguous bytes, Ethernet header first, without the frame check sequence.
pub trait Frame {
    /// Its bytes.
    fn bytes(&self) -> &[u8];

    /// Its bytes, to be rewritten in place.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// How long the frame was when it came in. Its bytes are the beginning of it: all, unless it did not fit its buffer.
    #[inline]
    fn whole_len(&self) -> usize {
        self.bytes().len()
    }

    /// Asks the caches for its first bytes, which are wanted soon.
    #[inline]
    fn prefetch(&self) {}

    /// Cuts the frame to its first `len` bytes, and to those it has; a `len` beyond its end changes nothing.
    fn truncate(&mut self, len: usize);

    /// Takes the first `len` bytes away; it has as many.
    fn cut_front(&mut self, len: usize);

    /// Makes room for `len` bytes before the first, whatever they are; false, and nothing changes, if there is none.
    fn grow_front(&mut self, len: usize) -> bool;
}

/// One port, as one worker sees it: the receive queues that it polls, and a transmit queue of its own.
///
/// Nothing here waits, allocates or fails: a port that has gone away receives nothing and has no room.
pub trait Port {
    /// What it carries.
    type Frame: Frame;

    /// The numbers of the receive queues that this worker polls; they may be others in another turn. In memory it is one.
    #[inline]
    fn queues(&self) -> &[u16] {
        &[0]
    }

    /// Adds the frames that have arrived in the `nth` of these queues to `burst`, at most as many as it has room for.
    fn receive(&mut self, nth: usize, burst: &mut Burst<Self::Frame>);

    /// Sends from the front of `burst`, in order. What the port had no room for stays in `burst`, still ours.
    fn transmit(&mut self, burst: &mut Burst<Self::Frame>);

    /// A new frame that holds `bytes`, for what the router itself sends; `None` when no buffer is free or it is too
    /// small for them.
    fn originate(&mut self, bytes: &[u8]) -> Option<Self::Frame>;
}
