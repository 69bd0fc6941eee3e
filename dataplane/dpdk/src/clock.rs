//! The processor's own clock.

use crate::Eal;

/// The time-stamp counter: cheap enough to read every turn, and it means nothing across machines.
#[inline]
#[must_use]
pub fn cycles() -> u64 {
    // SAFETY: reads a register; it needs no EAL.
    unsafe { dpdk_sys::ferry_rdtsc() }
}

impl Eal {
    /// How many [`cycles`] make a second, as the EAL measured it when it started.
    #[must_use]
    pub fn cycles_per_second(&self) -> u64 {
        // SAFETY: reads a number that `rte_eal_init` has set.
        unsafe { dpdk_sys::rte_get_tsc_hz() }
    }
}
