//! What happens to a packet: receive, classify, look up, rewrite, transmit.

mod port;

pub use port::{BURST, Burst, Frame, Port};
