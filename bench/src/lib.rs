//! What several of the programs here share: what they send, where they may send it, and what became of it.
//!
//! Nothing here but [`peers`] touches a device or a clock, so it is tested without either. The programs' own folders do the
//! rest.
//!
//! | module | what it is |
//! |---|---|
//! | [`isolation`] | where a load may go: RFC 2544's networks, and never out of the default route's interface |
//! | [`stamp`] | what a test packet carries to be known again: its stream, trial, number and time |
//! | [`prefixes`] | files of routes |
//! | [`routes`] | a full table, from such a file or made up |
//! | [`noise`] | numbers without a pattern, and addresses to look up |
//! | [`peers`] | DPDK's own tables |
//! | [`flows`] | who talks to whom: by a pattern, towards routes, or as in a capture |
//! | [`plan`] | the packets of a stream, made before the load, cheap to write during it |
//! | [`pace`] | how many packets are due, and what is not made up for |
//! | [`sequence`] | what became of numbered packets: lost, twice, out of order |
//! | [`mlrsearch`] | the highest loads that lose no more than allowed |
//! | [`blame`] | whether what was lost is the device's, or the machine's that took somebody's core |
//! | [`difference`] | whether something loses packets where the machine does so all the time |
//! | [`quantile`] | the middle of what was measured, or another part of it |
//! | [`figures`] | what has to be met, and whether it is |
//! | [`recovery`] | how long a device loses packets after too many |
//! | [`host`] | a host that looks for its router and answers who looks for it |

pub mod blame;
pub mod difference;
pub mod figures;
pub mod flows;
pub mod host;
pub mod isolation;
pub mod mlrsearch;
pub mod noise;
pub mod pace;
pub mod peers;
pub mod plan;
pub mod prefixes;
pub mod quantile;
pub mod recovery;
pub mod routes;
pub mod sequence;
pub mod stamp;
