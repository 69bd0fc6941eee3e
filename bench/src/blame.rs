//! Whose packets were lost: the device's under test, or those of the machine that took somebody's core.
//!
//! A device that does not run for longer than its ring lasts loses packets whatever it is, and so does every other in its
//! place. Such a trial says nothing about the device. It shows by three things together: somebody was kept from a core,
//! nothing came out for a while, and that while was long enough for a ring to fill. A trial without loss is never doubted:
//! who carried a load in spite of it all has carried it.

use std::time::Duration;

/// What is known of a trial that lost packets, or in which fewer were offered than were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// How long a ring lasts at the trial's rate when nobody takes from it.
    pub ring: Duration,
    /// The longest time in which nothing came out, of the stream that was silent least.
    pub silence: Duration,
    /// How long in all the device's worker was kept from its core; nothing if that is not known.
    pub device_away: Option<Duration>,
    /// The longest time for which the generator was kept from its own.
    pub generator_away: Duration,
}

impl Circumstances {
    /// Whether the machine can have been it: somebody was away, and nothing came out, for half of what a ring lasts or longer.
    #[must_use]
    pub fn blame_the_machine(&self) -> bool {
        let away = self.device_away.unwrap_or_default().max(self.generator_away);
        away.min(self.silence) >= self.ring / 2
    }
}

/// How long `descriptors` last at `rate` packets a second in each of `ways`.
#[must_use]
pub fn ring_lasts(descriptors: u16, rate: f64, ways: u32) -> Duration {
    let rate_of_each = (rate / f64::from(ways.max(1))).max(1.0);
    Duration::from_secs_f64(f64::from(descriptors) / rate_of_each)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A load of which a ring holds a millisecond.
    fn trial() -> Circumstances {
        Circumstances { ring: MS, silence: Duration::ZERO, device_away: None, generator_away: Duration::ZERO }
    }

    #[test]
    fn a_ring_lasts_as_long_as_packets_take_to_fill_it() {
        assert_eq!(ring_lasts(1024, 2.048e6, 2), MS);
        assert_eq!(ring_lasts(1024, 1.024e6, 1), MS);
        assert_eq!(ring_lasts(1024, 0.0, 2), Duration::from_secs(1024), "and it does not divide by nothing");
    }

    #[test]
    fn a_silence_while_somebody_was_away_is_the_machines() {
        assert!(Circumstances { silence: MS, device_away: Some(MS), ..trial() }.blame_the_machine());
        assert!(Circumstances { silence: MS, generator_away: MS, ..trial() }.blame_the_machine());
    }

    #[test]
    fn loss_without_a_silence_is_the_devices_however_long_somebody_was_away() {
        // Many short absences that no ring overflows by, and a device that is too slow.
        assert!(!Circumstances { silence: MS / 10, device_away: Some(MS * 50), ..trial() }.blame_the_machine());
    }

    #[test]
    fn a_silence_of_a_device_that_had_its_core_is_its_own() {
        let silent = Circumstances { silence: MS * 5, device_away: Some(MS / 10), ..trial() };
        assert!(!silent.blame_the_machine());
        assert!(!Circumstances { device_away: None, ..silent }.blame_the_machine(), "or whose absence nobody knows of");
    }
}
