//! Where packet buffers come from and go back to.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use dpdk_sys as sys;

use crate::eal::{Eal, c_string, last_error};
use crate::mbuf::Mbuf;

/// A pool of packet buffers, fixed in number.
///
/// It lives as long as the [`Eal`]; this is a handle on it, which keeps the EAL going. A pool is not freed before: its
/// buffers may wait in the transmit ring of any port, and to know when the last has left costs a count per packet. A
/// forwarder makes its pools when it starts, so there is nothing to gain.
#[derive(Debug, Clone)]
pub struct Mempool {
    raw: NonNull<sys::rte_mempool>,
    config: MempoolConfig,
    _eal: Eal,
}

// SAFETY: DPDK's mempools are made to be used by many threads at once, registered or not.
unsafe impl Send for Mempool {}
// SAFETY: as above.
unsafe impl Sync for Mempool {}

/// How many buffers of which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MempoolConfig {
    /// How many. Every receive descriptor holds one, every transmit descriptor may, every worker's bursts and cache do.
    pub buffers: u32,
    /// How long a frame fits one buffer, in bytes. Rounded up to whole KiB, the unit in which some cards count it; less than
    /// one, which is for ports without a card, stays what it is.
    pub frame_room: u16,
    /// How many free buffers a registered worker thread keeps for itself.
    pub cache: u32,
    /// The NUMA node whose memory they are in: that of the ports that receive into them. Any, if it does not matter.
    pub node: Option<u32>,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self { buffers: 16_383, frame_room: 2048, cache: 256, node: None }
    }
}

impl Mempool {
    /// Makes a pool.
    ///
    /// # Errors
    ///
    /// [`MempoolError`]: mostly, that the EAL was started with too little memory.
    pub fn new(eal: &Eal, wanted: MempoolConfig) -> Result<Self, MempoolError> {
        let config = MempoolConfig { frame_room: whole_kib(wanted.frame_room), ..wanted };
        let largest_cache = sys::RTE_MEMPOOL_CACHE_MAX_SIZE.min(config.buffers / 2);
        if config.cache > largest_cache {
            return Err(MempoolError::CacheTooLarge { wanted: config.cache, most: largest_cache });
        }
        let name = c_string(&format!("ferry_{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed)));
        // SAFETY: the EAL is initialised; the name is a C string, copied by DPDK.
        let raw = unsafe {
            sys::rte_pktmbuf_pool_create(
                name.as_ptr(),
                config.buffers,
                config.cache,
                0,
                config.frame_room + HEADROOM,
                config.node.and_then(|node| i32::try_from(node).ok()).unwrap_or(ANY_SOCKET),
            )
        };
        let raw = NonNull::new(raw).ok_or_else(|| MempoolError::NotMade { config, reason: last_error() })?;
        eal.remember(raw, config.buffers);
        Ok(Self { raw, config, _eal: eal.clone() })
    }

    /// How many buffers it has.
    #[must_use]
    pub fn buffers(&self) -> u32 {
        self.config.buffers
    }

    /// How many of them are free now. Exact when nobody is using the pool.
    #[must_use]
    pub fn available(&self) -> u32 {
        available(self.raw)
    }

    /// How long a frame fits one of its buffers, in bytes.
    #[must_use]
    pub fn frame_room(&self) -> usize {
        usize::from(self.config.frame_room)
    }

    /// A new frame that holds `bytes`; `None` when no buffer is free, or `bytes` do not fit one.
    #[inline]
    #[must_use]
    pub fn originate(&self, bytes: &[u8]) -> Option<Mbuf> {
        if bytes.len() > self.frame_room() {
            return None;
        }
        // SAFETY: the pool lives as long as the EAL, which `self` holds.
        let raw = NonNull::new(unsafe { sys::ferry_mbuf_alloc(self.raw.as_ptr()) })?;
        // SAFETY: a fresh buffer is ours alone, of one segment, empty.
        let mut frame = unsafe { Mbuf::from_raw(raw) };
        frame.fill(bytes);
        Some(frame)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.raw.as_ptr()
    }
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// DPDK did not make it.
    #[error(
        "no pool of {} buffers for frames of {} bytes{}: {reason}; give the EAL more memory, or the pool fewer buffers",
        config.buffers, config.frame_room, config.node.map(|node| format!(" on NUMA node {node}")).unwrap_or_default()
    )]
    NotMade {
        /// What was wanted.
        config: MempoolConfig,
        /// DPDK's reason.
        reason: String,
    },
    /// Caches may not hold the whole pool, or one worker could starve another.
    #[error("a cache of {wanted} buffers per worker is too large, it may be {most} at most")]
    CacheTooLarge {
        /// The configured cache.
        wanted: u32,
        /// The largest DPDK, or a pool of this size, allows.
        most: u32,
    },
}

/// How many buffers of `pool` are home.
pub(crate) fn available(pool: NonNull<sys::rte_mempool>) -> u32 {
    // SAFETY: pools live as long as the EAL, and who calls this holds it.
    unsafe { sys::rte_mempool_avail_count(pool.as_ptr()) }
}

fn whole_kib(bytes: u16) -> u16 {
    const MOST: u16 = u16::MAX / 1024 * 1024 - 1024;
    if bytes < 1024 { bytes } else { bytes.min(MOST).next_multiple_of(1024) }
}

static NEXT_NAME: AtomicU32 = AtomicU32::new(0);

/// Room before a frame, for headers to grow into; part of every buffer.
#[expect(clippy::cast_possible_truncation, reason = "128 in every build of DPDK there is")]
const HEADROOM: u16 = sys::RTE_PKTMBUF_HEADROOM as u16;

const ANY_SOCKET: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_room_of_a_kib_and_more_is_whole_kib_and_leaves_room_for_the_headroom() {
        for (wanted, room) in
            [(0, 0), (128, 128), (1024, 1024), (1526, 2048), (2048, 2048), (9026, 9216), (u16::MAX, 63 * 1024 - 1024)]
        {
            assert_eq!(whole_kib(wanted), room, "{wanted}");
            assert!(room.checked_add(HEADROOM).is_some(), "{wanted}");
        }
    }
}
