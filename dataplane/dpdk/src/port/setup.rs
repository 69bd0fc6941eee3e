//! The steps to a started port.
//!
//! What can be known to fail is checked before the device is touched; what a driver refuses is an error with the step in it and
//! what DPDK said; what it does in another way is a remark.

use std::ffi::c_int;

use dpdk_sys as sys;

use super::trouble::{Direction, PortError, Remark};
use super::{DEFAULT_MTU, PortConfig};
use crate::eal::{self, error_text};
use crate::log;
use crate::mempool::Mempool;
use crate::rss::{self, Rss, RssKey};

/// Everything that can be known to fail beforehand.
pub(super) fn check(
    name: &str,
    config: &PortConfig,
    info: &sys::rte_eth_dev_info,
    pool: &Mempool,
) -> Result<(), PortError> {
    for (direction, wanted, available) in [
        (Direction::Receive, config.rx_queues, info.max_rx_queues),
        (Direction::Transmit, config.tx_queues, info.max_tx_queues),
    ] {
        if wanted == 0 {
            return Err(PortError::NoQueue { name: name.to_owned(), direction });
        }
        if wanted > available {
            return Err(PortError::TooFewQueues { name: name.to_owned(), direction, available, wanted });
        }
    }
    check_mtu(name, config, info, pool)
}

pub(super) fn check_mtu(
    name: &str,
    config: &PortConfig,
    info: &sys::rte_eth_dev_info,
    pool: &Mempool,
) -> Result<(), PortError> {
    let (least, most) = (info.min_mtu, info.max_mtu);
    if !(least..=most).contains(&config.mtu) {
        return Err(PortError::Mtu { name: name.to_owned(), wanted: config.mtu, least, most });
    }
    let needed = usize::from(config.longest_frame());
    let room = pool.frame_room();
    if needed > room {
        return Err(PortError::BuffersTooSmall { name: name.to_owned(), mtu: config.mtu, needed, room });
    }
    Ok(())
}

/// The steps to a started port.
pub(super) struct Setup<'a> {
    pub(super) id: u16,
    pub(super) name: &'a str,
    pub(super) config: &'a PortConfig,
    pub(super) info: &'a sys::rte_eth_dev_info,
    pub(super) pool: &'a Mempool,
}

impl Setup<'_> {
    /// No offload is asked for. Several receive queues want flows spread over them by hash.
    pub(super) fn configure(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let mut conf = sys::rte_eth_conf::default();
        conf.rxmode.mtu = u32::from(self.config.mtu);
        let queues = self.config.rx_queues;
        let flows = self.flows();
        // DPDK copies the key while it configures.
        let mut key = self.wanted_key();
        if queues > 1 && flows != 0 {
            conf.rxmode.mq_mode = sys::RTE_ETH_MQ_RX_RSS;
            conf.rx_adv_conf.rss_conf = hashing(flows, key.as_mut());
        } else if queues > 1 {
            remarks.push(Remark::NoReceiveSideScaling { queues });
        }
        self.step("be configured", || {
            // SAFETY: the port exists and is not started, and is ours to start; DPDK copies the configuration.
            unsafe { sys::rte_eth_dev_configure(self.id, queues, self.config.tx_queues, &raw const conf) }
        })
    }

    /// What the device can hash of what we would have hashed.
    fn flows(&self) -> u64 {
        sys::FERRY_RSS_FLOWS & self.info.flow_type_rss_offloads
    }

    /// The key to hash with, if not the driver's own.
    fn wanted_key(&self) -> Option<Vec<u8>> {
        let len = usize::from(self.info.hash_key_size);
        (self.config.rss_key == RssKey::Symmetric).then(|| rss::symmetric_key(if len > 0 { len } else { USUAL_KEY }))
    }

    /// Fills the table from hashes to queues, and reads back what the device then has.
    pub(super) fn rss(&self, remarks: &mut Vec<Remark>) -> Result<Option<Rss>, PortError> {
        if self.config.rx_queues < 2 || self.flows() == 0 {
            return Ok(None);
        }
        let len = self.info.reta_size;
        let mut table = Vec::new();
        let mut even = rss::even_table(len, self.config.rx_queues);
        if len > 0
            && self.step_if_supported("spread hashes evenly over its queues", || {
                // SAFETY: the port is started; a table of the length the device has told, every entry in it.
                unsafe { sys::rte_eth_dev_rss_reta_update(self.id, even.as_mut_ptr(), len) }
            })?
        {
            let mut found = rss::empty_table(len);
            // SAFETY: as above, as room for the answer.
            let asked = unsafe { sys::rte_eth_dev_rss_reta_query(self.id, found.as_mut_ptr(), len) };
            table = if asked == 0 { rss::entries(&found, len) } else { Vec::new() };
        }
        let mut hashed = self.hashing_now();
        // Some drivers take no key while they are configured, and one afterwards.
        if let Some(mut wanted) = self.wanted_key()
            && hashed.1 != wanted
        {
            let mut conf = hashing(self.flows(), Some(&mut wanted));
            // SAFETY: the port is started; the key lives as long as the call.
            let _asked_again_below = unsafe { sys::rte_eth_dev_rss_hash_update(self.id, &raw mut conf) };
            hashed = self.hashing_now();
            if hashed.1 != wanted {
                remarks.push(Remark::NoSymmetricKey);
            }
        }
        let (flows, key) = hashed;
        Ok(Some(Rss { hashed: rss::hashed(flows), key, table }))
    }

    /// What the device hashes, and with which key; the key is empty if it does not tell.
    fn hashing_now(&self) -> (u64, Vec<u8>) {
        let len = usize::from(self.info.hash_key_size);
        let mut key = vec![0; if len > 0 { len } else { USUAL_KEY }];
        let mut conf = hashing(0, Some(&mut key));
        // SAFETY: the port is started; room for a key of the length the device has told.
        let asked = unsafe { sys::rte_eth_dev_rss_hash_conf_get(self.id, &raw mut conf) };
        match asked {
            0 => (conf.rss_hf, key),
            _not_told => (self.flows(), Vec::new()),
        }
    }

    pub(super) fn queues(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let (rx_wanted, tx_wanted) = (self.config.rx_descriptors, self.config.tx_descriptors);
        let (mut rx, mut tx) = (rx_wanted, tx_wanted);
        self.step("take a number of descriptors", || {
            // SAFETY: the port exists; two numbers to read and write.
            unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.id, &raw mut rx, &raw mut tx) }
        })?;
        for (direction, wanted, given) in [(Direction::Receive, rx_wanted, rx), (Direction::Transmit, tx_wanted, tx)] {
            if given != wanted {
                remarks.push(Remark::Descriptors { direction, wanted, given });
            }
        }
        // SAFETY: the port exists.
        let socket = unsafe { sys::rte_eth_dev_socket_id(self.id) }.cast_unsigned();
        for queue in 0..self.config.rx_queues {
            self.step(&format!("set up receive queue {queue}"), || {
                // SAFETY: the port is configured with that many queues; null stands for the driver's defaults; the pool
                // lives as long as the EAL, so longer than the port.
                unsafe { sys::rte_eth_rx_queue_setup(self.id, queue, rx, socket, std::ptr::null(), self.pool.as_ptr()) }
            })?;
        }
        for queue in 0..self.config.tx_queues {
            let conf = self.transmit_conf(tx);
            self.step(&format!("set up transmit queue {queue}"), || {
                // SAFETY: as above; the driver copies what it keeps of the configuration.
                unsafe { sys::rte_eth_tx_queue_setup(self.id, queue, tx, socket, &raw const conf) }
            })?;
        }
        Ok(())
    }

    /// The driver's defaults, but for what [`free_threshold`] says.
    fn transmit_conf(&self, descriptors: u16) -> sys::rte_eth_txconf {
        let mut conf = self.info.default_txconf;
        // SAFETY: the driver's name is a constant in the driver.
        let driver = unsafe { eal::string(self.info.driver_name) };
        if let Some(threshold) = free_threshold(&driver, descriptors) {
            conf.tx_free_thresh = threshold;
        }
        conf
    }

    /// Cards have taken the MTU from the configuration. Devices with a kernel interface below want to be told.
    pub(super) fn mtu(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let wanted = self.config.mtu;
        let supported = self.step_if_supported(&format!("take an MTU of {wanted}"), || {
            // SAFETY: the port exists, and is ours to start.
            unsafe { sys::rte_eth_dev_set_mtu(self.id, wanted) }
        })?;
        if !supported && wanted != DEFAULT_MTU {
            remarks.push(Remark::NoMtu { wanted });
        }
        Ok(())
    }

    pub(super) fn promiscuous(&self, remarks: &mut Vec<Remark>) -> Result<(), PortError> {
        let wanted = self.config.promiscuous;
        let step = if wanted { "become promiscuous" } else { "receive its own frames only" };
        let supported = self.step_if_supported(step, || {
            if wanted {
                // SAFETY: the port is started.
                unsafe { sys::rte_eth_promiscuous_enable(self.id) }
            } else {
                // SAFETY: the port is started.
                unsafe { sys::rte_eth_promiscuous_disable(self.id) }
            }
        })?;
        if wanted && !supported {
            remarks.push(Remark::NotPromiscuous);
        }
        Ok(())
    }

    /// A router hears what is sent to groups: solicitations for its addresses, and what other routers say. A device that has
    /// no filter for them has none to open.
    pub(super) fn groups(&self, remarks: &mut Vec<Remark>) {
        let step = "hear all groups";
        // SAFETY: the port is started.
        let opened = self.step_if_supported(step, || unsafe { sys::rte_eth_allmulticast_enable(self.id) });
        if opened.is_err() {
            remarks.push(Remark::DeafToGroups);
        }
    }

    pub(super) fn step(&self, step: &str, call: impl FnOnce() -> c_int) -> Result<(), PortError> {
        let (result, log) = log::during(call);
        if result >= 0 {
            log::keep(log);
            return Ok(());
        }
        Err(PortError::Refused { name: self.name.to_owned(), step: step.to_owned(), reason: error_text(-result), log })
    }

    /// As [`step`](Self::step); false if the device says it cannot do that at all.
    fn step_if_supported(&self, step: &str, call: impl FnOnce() -> c_int) -> Result<bool, PortError> {
        let mut supported = true;
        self.step(step, || match call() {
            NOT_SUPPORTED => {
                supported = false;
                0
            }
            result => result,
        })?;
        Ok(supported)
    }
}

/// What is to be hashed, and with which key, or which room for one; the driver's own without.
fn hashing(flows: u64, key: Option<&mut Vec<u8>>) -> sys::rte_eth_rss_conf {
    let mut conf = sys::rte_eth_rss_conf { rss_hf: flows, ..sys::rte_eth_rss_conf::default() };
    if let Some(key) = key {
        conf.rss_key = key.as_mut_ptr();
        conf.rss_key_len = u8::try_from(key.len()).expect("a device tells the length of its key in a byte");
    }
    conf
}

/// How many descriptors are free at the most when a driver begins to free what was sent, if its own choice will not do.
///
/// virtio's waits until nearly all are used and then frees a whole ring: of 1024, once in a thousand packets, fifty
/// microseconds in which nothing else is done. It is told to begin with [`FREED_AT_ONCE`].
fn free_threshold(driver: &str, descriptors: u16) -> Option<u16> {
    let threshold = descriptors.checked_sub(FREED_AT_ONCE)?;
    (driver.starts_with("net_virtio") && threshold >= FREED_AT_ONCE).then_some(threshold)
}

/// Enough that looking for them costs little for each.
const FREED_AT_ONCE: u16 = 64;

/// How long the keys of cards are that do not tell, in bytes.
const USUAL_KEY: usize = 40;

/// `-ENOTSUP`.
const NOT_SUPPORTED: c_int = -95;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_virtio_has_sent_is_freed_burst_by_burst_and_other_drivers_know_best() {
        assert_eq!(free_threshold("net_virtio_user", 1024), Some(960));
        assert_eq!(free_threshold("net_virtio", 256), Some(192));
        assert_eq!(free_threshold("net_virtio", 64), None, "a ring that short is soon full");
        assert_eq!(free_threshold("net_e1000_em", 1024), None);
    }
}
