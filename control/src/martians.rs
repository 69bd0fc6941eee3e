//! Packets that say by their addresses that somebody on a link is mistaken, or lies: who to look for.
//!
//! Workers drop and count them, and show a few (RFC 1812 section 5.3.7 wants them logged, with who sent them).

use boundary::punt::Sample;
use packet::ethernet::{Header, MacAddr};

use crate::control::Control;
use crate::packets::Packet;

/// What there is to know of one.
#[derive(Debug, PartialEq, Eq)]
struct Martian<'c> {
    port: &'c str,
    station: MacAddr,
    source: String,
    destination: String,
}

impl Control {
    /// Logs a frame that a worker dropped, of which this is the beginning.
    pub(crate) fn log_martian(&self, sample: Sample, frame: &[u8]) {
        if let Some(Martian { port, station, source, destination }) = self.martian(sample, frame) {
            let reason = sample.reason.name();
            tracing::warn!(port, %station, source, destination, "dropped as {reason}: {}", sample.reason.explanation());
        }
    }

    fn martian(&self, sample: Sample, frame: &[u8]) -> Option<Martian<'_>> {
        let (header, payload) = Header::parse(frame)?;
        let (source, destination) = Packet::addresses_of(payload)?;
        Some(Martian {
            port: &self.ports.get(sample.port)?.name,
            station: header.source,
            source: source.to_string(),
            destination: destination.to_string(),
        })
    }
}
