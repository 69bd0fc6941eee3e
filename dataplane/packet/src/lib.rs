//! Views over the bytes of a packet, and builders of the packets a router originates.
//!
//! A view is made by `parse`, which checks what its protocol says must hold; after that nothing about it can fail. A
//! parser reads any bytes at all without panicking, and changes none of them. Builders append to a buffer the caller
//! owns, so that a slow path can reuse one.
//!
//! Numbers are in host order, lengths in bytes, addresses are the standard library's.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod extension;
pub mod flow;
pub mod fragment;
pub mod fragment_v6;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod ndp;
pub mod options;
pub mod tcp;
pub mod vlan;
