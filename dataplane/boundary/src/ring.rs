//! A bounded ring of frames between two threads, with all its memory allocated up front.
//!
//! Frames are copied in and handed out by reference. Copying is what makes punts harmless: however many frames wait for
//! the control thread, none of them holds one of the buffers that packets are received into. Sending and receiving each
//! cost one copy and two operations of a lock-free queue; neither waits or allocates.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

/// Both ends of a ring for `slots` frames of at most `frame_len` bytes, each with a `Tag`.
///
/// # Panics
///
/// When `slots` is zero.
pub fn ring<Tag: Copy>(slots: usize, frame_len: usize) -> (Sender<Tag>, Receiver<Tag>) {
    let shared = Arc::new(Shared { full: ArrayQueue::new(slots), free: ArrayQueue::new(slots) });
    for _slot in 0..slots {
        let is_full = shared.free.push(Vec::with_capacity(frame_len));
        debug_assert!(is_full.is_ok(), "there are as many places as slots");
    }
    (Sender { shared: Arc::clone(&shared), frame_len }, Receiver { shared })
}

#[derive(Debug)]
struct Shared<Tag> {
    full: ArrayQueue<(Tag, Vec<u8>)>,
    free: ArrayQueue<Vec<u8>>,
}

/// The end that frames go in. It has one owner, so that frames arrive in the order they were sent.
#[derive(Debug)]
pub struct Sender<Tag> {
    shared: Arc<Shared<Tag>>,
    frame_len: usize,
}

impl<Tag: Copy> Sender<Tag> {
    /// Copies `frame` into the ring.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no free slot, or the frame is longer than a slot.
    pub fn send(&mut self, tag: Tag, frame: &[u8]) -> Result<(), Full> {
        if frame.len() > self.frame_len {
            return Err(Full);
        }
        let mut slot = self.shared.free.pop().ok_or(Full)?;
        slot.clear();
        slot.extend_from_slice(frame);
        self.shared.full.push((tag, slot)).map_err(|_more_frames_than_slots| Full)
    }
}

/// The end that frames come out of.
#[derive(Debug)]
pub struct Receiver<Tag> {
    shared: Arc<Shared<Tag>>,
}

impl<Tag: Copy> Receiver<Tag> {
    /// Hands the oldest frame to `take`; `None` when there is none.
    pub fn receive<R>(&mut self, take: impl FnOnce(Tag, &[u8]) -> R) -> Option<R> {
        let (tag, slot) = self.shared.full.pop()?;
        let taken = take(tag, &slot);
        let returned = self.shared.free.push(slot);
        debug_assert!(returned.is_ok(), "there are as many places as slots");
        Some(taken)
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.shared.full.is_empty()
    }
}

/// There was no slot for the frame; it stays with the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_in_the_order_they_went_in() {
        let (mut sender, mut receiver) = ring(2, 4);
        for round in 0..5_u8 {
            sender.send('a', &[round]).unwrap();
            sender.send('b', &[round, round]).unwrap();
            assert_eq!(receiver.receive(|tag, frame| (tag, frame.to_vec())), Some(('a', vec![round])));
            assert_eq!(receiver.receive(|tag, frame| (tag, frame.to_vec())), Some(('b', vec![round, round])));
            assert_eq!(receiver.receive(|_, _| ()), None);
        }
    }

    #[test]
    fn a_full_ring_says_so_and_has_room_again_once_one_is_taken() {
        let (mut sender, mut receiver) = ring(1, 4);
        sender.send((), &[1]).unwrap();
        assert_eq!(sender.send((), &[2]), Err(Full));
        receiver.receive(|(), frame| assert_eq!(frame, [1])).unwrap();
        sender.send((), &[3]).unwrap();
    }

    #[test]
    fn a_frame_longer_than_a_slot_is_refused() {
        let (mut sender, receiver) = ring(1, 4);
        assert_eq!(sender.send((), &[0; 5]), Err(Full));
        assert!(receiver.is_empty());
        sender.send((), &[0; 4]).unwrap();
    }

    #[test]
    fn two_threads_pass_every_frame_in_order() {
        const FRAMES: u32 = 20_000;
        let (mut sender, mut receiver) = ring(8, 4);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for frame in 0..FRAMES {
                    while sender.send((), &frame.to_be_bytes()).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
            for expected in 0..FRAMES {
                while receiver.receive(|(), frame| assert_eq!(frame, expected.to_be_bytes())).is_none() {
                    std::thread::yield_now();
                }
            }
        });
    }
}
