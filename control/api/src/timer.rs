//! Queues of timers on routes, and their names.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// The name of a queue: at most 32 of a to z, 0 to 9, `-` and `_`, and the first of them a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(String);

/// Why text is not the name of a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no name of a queue; one is at most {MAX_LEN} of a-z, 0-9, `-` and `_`, a letter first")]
pub struct QueueNameError {
    /// What stood there.
    given: String,
}

impl FromStr for QueueName {
    type Err = QueueNameError;

    fn from_str(given: &str) -> Result<Self, QueueNameError> {
        let may_follow = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let is_name = given.len() <= MAX_LEN
            && given.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
            && given.bytes().all(may_follow);
        if is_name { Ok(Self(given.to_owned())) } else { Err(QueueNameError { given: given.to_owned() }) }
    }
}

impl Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for QueueName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for QueueName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

/// A queue of timers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerQueue {
    /// Its name.
    pub queue: QueueName,
    /// How long its timers run.
    pub period_seconds: u64,
    /// How many timers are on it.
    pub timers: usize,
}

const MAX_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_says_nothing_to_a_shell() {
        for name in ["a", "pmtu", "ten-minutes_2", &"a".repeat(32)] {
            assert_eq!(name.parse::<QueueName>().unwrap().to_string(), name);
        }
        for text in ["", "2", "-a", "_a", "A", "a b", "a\n", "ä", "a;b", &"a".repeat(33)] {
            let error = text.parse::<QueueName>().unwrap_err();
            assert!(error.to_string().contains("at most 32"), "{error}");
        }
    }

    #[test]
    fn a_queue_is_shown_by_its_name() {
        let queue = TimerQueue { queue: "pmtu".parse().unwrap(), period_seconds: 600, timers: 3 };
        let json = r#"{"queue":"pmtu","period_seconds":600,"timers":3}"#;
        assert_eq!(serde_json::to_string(&queue).unwrap(), json);
        assert_eq!(serde_json::from_str::<TimerQueue>(json).unwrap(), queue);
        assert!(serde_json::from_str::<TimerQueue>(&json.replace("pmtu", "p m")).is_err());
    }
}
