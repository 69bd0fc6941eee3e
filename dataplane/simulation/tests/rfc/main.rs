//! What the RFCs ask of an IP forwarder, item by item: a packet in, and what leaves and is counted.
//!
//! A test bears the number of the item of `docs/rfc-conformance.md` that it holds; `scripts/rfc-report` finds it by that.
//! An item may have several tests, here or in other crates. The files are the sections of that list.

mod answers;
mod fragmentation;
mod icmpv4;
mod ipv4_header;
mod ipv4_options;
mod ipv6;
mod ipv6_to_us;
mod martians;
mod operation;
mod redirects;
mod routing_state;
mod time_to_live;
mod verdicts;
