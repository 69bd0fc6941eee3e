//! When a port says that there is a router: a machine that is told when it is due and when somebody asked.
//!
//! Advertisements go to everybody, at intervals that look random, the first three sooner (RFC 4861 section 6.2.4). Who
//! asks gets one within half a second, but nobody gets more than one in three seconds (section 6.2.6): a flood of questions
//! is answered as one.

use std::time::Duration;

use crate::config::AdvertisementSettings;
use crate::time::Timestamp;

/// The advertisements of one port.
#[derive(Debug)]
pub(crate) struct Advertiser {
    pub(crate) settings: AdvertisementSettings,
    due: Timestamp,
    last: Option<Timestamp>,
    sent: u32,
    /// Where the numbers come from that look random; the same for the same station.
    seed: u64,
}

impl Advertiser {
    pub(crate) fn new(settings: AdvertisementSettings, seed: u64, now: Timestamp) -> Self {
        let mut new = Self { settings, due: now, last: None, sent: 0, seed };
        new.due = now + new.draw(Duration::ZERO, LONGEST_WAIT_OF_WHO_ASKS);
        new
    }

    /// When the next one is to be sent.
    pub(crate) const fn due_at(&self) -> Timestamp {
        self.due
    }

    /// One is being sent.
    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.last = Some(now);
        self.sent = self.sent.saturating_add(1);
        let interval = self.draw(self.settings.min_interval, self.settings.max_interval);
        self.due = now + if self.sent < FIRST_FEW { interval.min(BETWEEN_THE_FIRST_FEW) } else { interval };
    }

    /// One could not be sent yet.
    pub(crate) fn put_off(&mut self, now: Timestamp) {
        self.due = now + Duration::from_secs(1);
    }

    /// Somebody asks; whether that changed when the next one is due.
    pub(crate) fn asked(&mut self, now: Timestamp) -> bool {
        let soonest = self.last.map_or(now, |last| last + LEAST_BETWEEN_TWO);
        let due = (now + self.draw(Duration::ZERO, LONGEST_WAIT_OF_WHO_ASKS)).max(soonest);
        let is_sooner = due < self.due;
        self.due = self.due.min(due);
        is_sooner
    }

    /// A time between these two.
    fn draw(&mut self, least: Duration, most: Duration) -> Duration {
        // The step of a linear congruential generator; its high bits are the ones that look random.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = u32::try_from(self.seed >> 54).unwrap_or(0);
        least + most.saturating_sub(least) * drawn / 1024
    }
}

/// RFC 4861 section 10.
const FIRST_FEW: u32 = 3;
const BETWEEN_THE_FIRST_FEW: Duration = Duration::from_secs(16);
const LEAST_BETWEEN_TWO: Duration = Duration::from_secs(3);
const LONGEST_WAIT_OF_WHO_ASKS: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn advertiser() -> Advertiser {
        Advertiser::new(AdvertisementSettings::default(), 7, Timestamp::ZERO)
    }

    #[test]
    fn the_first_three_are_at_most_sixteen_seconds_apart_and_the_others_as_far_as_is_said() {
        let mut one = advertiser();
        assert!(one.due_at() <= Timestamp::ZERO + Duration::from_millis(500));
        for number in 1..100 {
            let now = one.due_at();
            one.sent(now);
            let wait = one.due_at().since(now).as_secs();
            let right = if number < 3 { 0..=16 } else { 200..=600 };
            assert!(right.contains(&wait), "{number}: {wait}");
        }
    }

    #[test]
    fn who_asks_is_answered_within_half_a_second_and_a_flood_once_in_three_seconds() {
        let mut one = advertiser();
        (0..3).for_each(|_first| one.sent(one.due_at()));
        let quiet = one.due_at().since(Timestamp::ZERO) / 2;
        let now = Timestamp::ZERO + quiet;
        assert!(one.asked(now) && one.due_at().since(now) <= Duration::from_millis(500));
        one.sent(one.due_at());
        let last = one.due_at();
        let sent_at = one.last.unwrap();
        assert!(one.asked(sent_at) && one.due_at() < last);
        assert_eq!(one.due_at().since(sent_at), Duration::from_secs(3));
        assert!(!one.asked(sent_at), "asked again: the same one answers both");
    }
}
