//! Another configuration for a ferryd that runs: what it changes.

use serde::{Deserialize, Serialize};

/// What a configuration says otherwise than the one that ferryd runs by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChanges {
    /// The file, as ferryd reads it.
    pub file: String,
    /// Whether ferryd runs by it now.
    pub applied: bool,
    /// What can change, or has changed, while ferryd runs.
    pub changes: Vec<ConfigChange>,
    /// What cannot: with any of these, nothing changes before ferryd starts anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<ConfigChange>,
}

/// One thing that a configuration says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// What it is, in the file's words: `route`, `address`, `port left`.
    pub what: String,
    /// What was said; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What is said; absent if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}
