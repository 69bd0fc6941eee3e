//! How long a device loses packets after it was offered too much (RFC 2544 section 26.5).
//!
//! The load goes from 110 % of what the device carries to 50 %, without a pause. Recovery ends with the last packet it loses
//! after that, whose place in the stream says when it was due: that needs no clock but the pace.

use std::time::Duration;

/// The time from the beginning of a stage to the last packet lost in it.
///
/// `stage_start` is the number of its first packet, `rate` its packets a second in this stream, and `last_lost` the highest
/// number that did not come out.
#[must_use]
pub fn recovery(stage_start: u64, rate: f64, last_lost: Option<u64>) -> Duration {
    match last_lost {
        Some(last) if last >= stage_start => {
            #[expect(clippy::cast_precision_loss, reason = "packets of a trial are far below 2^52")]
            let packets = (last - stage_start + 1) as f64;
            Duration::from_secs_f64(packets / rate)
        }
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::Sequence;

    /// A device that carries `capacity` packets a second from a queue of `room`, and once that was full takes nothing until
    /// it has not been offered too much for `sulk`.
    struct Model {
        capacity: f64,
        room: f64,
        sulk: f64,
        queue: f64,
        at: f64,
        was_full: bool,
        refuses_until: f64,
    }

    impl Model {
        fn takes(&mut self, now: f64, rate: f64) -> bool {
            self.queue = (self.queue - (now - self.at) * self.capacity).max(0.0);
            self.at = now;
            let is_full = self.queue + 1.0 > self.room;
            self.was_full |= is_full;
            if self.was_full && rate > self.capacity {
                self.refuses_until = now + self.sulk;
            }
            if is_full || now < self.refuses_until {
                return false;
            }
            self.queue += 1.0;
            true
        }
    }

    /// 110 % of the capacity for a second and half of it for another; what was measured, and when the last loss really was.
    fn measured(sulk: f64) -> (Duration, f64) {
        let (capacity, overload) = (100_000.0, 1.0);
        let mut model = Model { capacity, room: 512.0, sulk, queue: 0.0, at: 0.0, was_full: false, refuses_until: 0.0 };
        let mut sequence = Sequence::default();
        let (mut number, mut stage_start, mut now, mut last_loss) = (0, None, 0.0, 0.0_f64);
        while now < overload + 1.0 {
            let rate = if now < overload { capacity * 1.1 } else { capacity * 0.5 };
            if now >= overload {
                stage_start.get_or_insert(number);
            }
            if model.takes(now, rate) {
                sequence.note(number, |_number| 0);
            } else {
                last_loss = last_loss.max(now - overload);
            }
            number += 1;
            now += 1.0 / rate;
        }
        (recovery(stage_start.unwrap(), capacity * 0.5, sequence.last_gap()), last_loss)
    }

    #[test]
    fn rfc_177_a_queue_that_only_drops_what_it_has_no_room_for_recovers_at_once() {
        let (recovery, last_loss) = measured(0.0);
        assert!(last_loss <= 0.0 && recovery < Duration::from_millis(1), "{recovery:?}");
    }

    #[test]
    fn rfc_177_recovery_is_the_time_from_the_lower_rate_to_the_last_loss() {
        for sulk in [0.003, 0.05, 0.4] {
            let (recovery, last_loss) = measured(sulk);
            assert!((recovery.as_secs_f64() - last_loss).abs() < 0.001, "{recovery:?} for {last_loss}");
            assert!(last_loss > sulk / 2.0, "the model does sulk: {last_loss}");
        }
    }

    #[test]
    fn losses_before_the_rate_fell_do_not_count() {
        assert_eq!(recovery(100, 1000.0, Some(99)), Duration::ZERO);
        assert_eq!(recovery(100, 1000.0, None), Duration::ZERO);
        assert_eq!(recovery(100, 1000.0, Some(149)), Duration::from_millis(50));
    }
}
