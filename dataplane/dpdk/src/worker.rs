//! Threads that DPDK knows.

use std::marker::PhantomData;

use crate::eal::{Eal, EalError, last_error};

/// Proof that this thread is registered with DPDK; dropping it ends the registration.
///
/// A registered thread has its own cache in every [`Mempool`](crate::Mempool), so that taking and giving back a buffer
/// touches no memory another core uses. An unregistered one works as well, only slower. Pin the thread first: DPDK notes
/// its affinity when it registers.
///
/// It belongs to its thread (neither `Send` nor `Sync`), and it holds the EAL, which therefore cannot end while a
/// registered thread is at work in a cache.
#[derive(Debug)]
pub struct WorkerThread {
    _eal: Eal,
    _of_this_thread: PhantomData<*const ()>,
}

impl Eal {
    /// Registers the calling thread.
    ///
    /// # Errors
    ///
    /// It is registered already, or DPDK knows as many threads as it can.
    pub fn register_worker_thread(&self) -> Result<WorkerThread, EalError> {
        // SAFETY: reads a variable of this thread.
        if unsafe { dpdk_sys::ferry_thread_has_lcore() } != 0 {
            return Err(EalError::ThreadRegisteredTwice);
        }
        // SAFETY: the EAL is initialised, and this thread is none of its own: those have an lcore.
        match unsafe { dpdk_sys::rte_thread_register() } {
            0 => Ok(WorkerThread { _eal: self.clone(), _of_this_thread: PhantomData }),
            _ => Err(EalError::TooManyThreads { most: dpdk_sys::RTE_MAX_LCORE, reason: last_error() }),
        }
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        // SAFETY: this thread registered, as `self` proves, and `self` has not left it.
        unsafe { dpdk_sys::rte_thread_unregister() }
    }
}
