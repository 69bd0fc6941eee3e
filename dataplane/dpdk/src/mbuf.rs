//! A packet buffer we own.

use std::fmt;
use std::ptr::NonNull;
use std::slice;

use dpdk_sys as sys;
use pipeline::Frame;

/// A packet buffer we own; dropping it returns it to its mempool.
///
/// Invariants, established by [`RxQueue::receive`](crate::RxQueue::receive) and
/// [`Mempool::originate`](crate::Mempool::originate) and kept by every method:
///
/// - the pointer came from DPDK, and nobody else holds it;
/// - its memory stays mapped as long as it exists: the EAL does not end while a buffer is out (see [`crate::Eal`]);
/// - its *first segment* has `data_len` bytes at `buf_addr + data_off`, within the buffer and initialised.
///
/// Frames are one segment: scattered receive is never enabled, and [`Port::start`](crate::Port::start) sees to it that
/// a frame of the port's MTU fits one buffer. Should a driver chain segments all the same, for a frame that is longer, then
/// the frame is its first segment, and [`Frame::truncate`] lets go of the others.
#[repr(transparent)]
pub struct Mbuf(NonNull<sys::rte_mbuf>);

// SAFETY: an mbuf is plain memory with a single owner; mempools accept what any thread gives back.
unsafe impl Send for Mbuf {}

impl Mbuf {
    /// Takes ownership of `raw`, to which the type's invariants must apply.
    pub(crate) unsafe fn from_raw(raw: NonNull<sys::rte_mbuf>) -> Self {
        Self(raw)
    }

    /// Makes the frame a copy of `bytes`; the caller has checked that the buffer has room for them.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        // SAFETY: the caller checked the room, and a buffer that is new has `data_off` at its headroom's end.
        // The buffer is ours alone, so it does not overlap `bytes`.
        unsafe { self.data().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.set_length(bytes.len());
    }

    /// Where the frame starts.
    #[inline]
    fn data(&self) -> *mut u8 {
        // SAFETY: the invariants make it a live mbuf, of which this is the field `buf_addr`.
        let buffer = unsafe { self.field::<*mut u8>(sys::FERRY_MBUF_BUF_ADDR).read() };
        buffer.wrapping_add(usize::from(self.offset()))
    }

    /// How far into its buffer the frame starts.
    #[inline]
    fn offset(&self) -> u16 {
        // SAFETY: as in `data`, `data_off`.
        unsafe { self.field::<u16>(sys::FERRY_MBUF_DATA_OFF).read() }
    }

    /// Lets the frame start elsewhere, within its buffer; its length is for the caller to set.
    fn set_offset(&mut self, offset: u16) {
        // SAFETY: as in `data`; the mbuf is ours alone, and `&mut`.
        unsafe { self.field::<u16>(sys::FERRY_MBUF_DATA_OFF).write(offset) };
    }

    /// How long its first segment is, which is all of it.
    #[inline]
    fn length(&self) -> usize {
        // SAFETY: as in `data`, `data_len`.
        usize::from(unsafe { self.field::<u16>(sys::FERRY_MBUF_DATA_LEN).read() })
    }

    /// How long all its segments are together.
    #[inline]
    fn chain_length(&self) -> u32 {
        // SAFETY: as in `data`, `pkt_len`.
        unsafe { self.field::<u32>(sys::FERRY_MBUF_PKT_LEN).read() }
    }

    /// Gives all segments but the first back to their pools.
    #[cold]
    fn let_go_of_others(&mut self) {
        let next = self.field::<*mut sys::rte_mbuf>(sys::FERRY_MBUF_NEXT);
        // SAFETY: as in `data`, `next`, which is null at the end of a chain; the mbuf is ours alone, and `&mut`.
        let others = unsafe { next.replace(std::ptr::null_mut()) };
        // SAFETY: as above, `nb_segs`.
        unsafe { self.field::<u16>(sys::FERRY_MBUF_NB_SEGS).write(1) };
        let first = u32::try_from(self.length()).expect("read from 16 bits");
        // SAFETY: as above, `pkt_len`.
        unsafe { self.field::<u32>(sys::FERRY_MBUF_PKT_LEN).write(first) };
        if !others.is_null() {
            // SAFETY: the rest of a chain whose beginning is ours is ours, too, and nothing refers to it any more.
            unsafe { sys::ferry_mbuf_free(others) }
        }
    }

    /// Sets the length of the first segment and of the whole, which are kept apart for chains.
    fn set_length(&mut self, len: usize) {
        let first = u16::try_from(len).expect("a buffer's room is counted in 16 bits");
        let whole = self.chain_length();
        let others = whole.saturating_sub(u32::try_from(self.length()).expect("read from 16 bits"));
        // SAFETY: as in `data`; the mbuf is ours alone, and `&mut`.
        unsafe { self.field::<u16>(sys::FERRY_MBUF_DATA_LEN).write(first) };
        // SAFETY: as above.
        unsafe { self.field::<u32>(sys::FERRY_MBUF_PKT_LEN).write(u32::from(first) + others) };
    }

    /// The one place that knows fields are at offsets.
    #[inline]
    fn field<T>(&self, offset_bytes: u32) -> *mut T {
        self.0.as_ptr().cast::<u8>().wrapping_add(offset_bytes as usize).cast()
    }
}

impl Frame for Mbuf {
    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: `data_len` initialised bytes lie there; the slice borrows `self`, so it cannot outlive the buffer.
        unsafe { slice::from_raw_parts(self.data(), self.length()) }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes it the only slice.
        unsafe { slice::from_raw_parts_mut(self.data(), self.length()) }
    }

    #[inline]
    fn whole_len(&self) -> usize {
        self.chain_length() as usize
    }

    #[inline]
    fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 has SSE, and a prefetch changes nothing that a program can see.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(self.data().cast());
        }
    }

    #[inline]
    fn truncate(&mut self, len: usize) {
        if len < self.length() {
            self.set_length(len);
        }
        if self.chain_length() as usize > self.length() {
            self.let_go_of_others();
        }
    }

    fn cut_front(&mut self, len: usize) {
        let left = self.length().checked_sub(len).expect("a frame has the bytes that are taken off it");
        let first = self.offset() + u16::try_from(len).expect("less than a buffer's length, which has 16 bits");
        self.set_offset(first);
        self.set_length(left);
    }

    fn grow_front(&mut self, len: usize) -> bool {
        let room = u16::try_from(len).ok().and_then(|len| self.offset().checked_sub(len));
        let (Some(first), Some(grown)) = (room, u16::try_from(self.length() + len).ok()) else { return false };
        self.set_offset(first);
        self.set_length(usize::from(grown));
        true
    }
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: ours alone, and not used after this; its pool exists as long as any of its buffers is out.
        unsafe { sys::ferry_mbuf_free(self.0.as_ptr()) }
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mbuf").field(&self.bytes()).finish()
    }
}
