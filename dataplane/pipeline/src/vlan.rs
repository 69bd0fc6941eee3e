//! Ports that share a device: their tags come off what comes in, and go on what leaves.
//!
//! A frame with tags is set aside when its burst is parted, and then forwarded as what it is without them: a frame that
//! came in through the port its tags name. So nothing else knows of tags, none can be left on a frame by mistake, and a
//! burst without tags costs one look at an empty queue. One with tags is parted a second time, once for each port that has
//! frames in it; to move the addresses over four or eight bytes is all that is done to a frame.

use arrayvec::ArrayVec;
use boundary::{DropReason, PortId, PortState, Tally, Vlan};
use packet::vlan::{TAGS_AT, TagError, Tags};

use crate::port::{BURST, Burst, Frame};

/// The ports without a device of their own, and frames on their way to them; there are none between turns.
#[derive(Debug)]
pub(crate) struct Vlans<F: Frame> {
    /// What each port is, by [`PortId`].
    ports: Box<[Option<Vlan>]>,
    /// The port that a device's tags name, in the order of both.
    named: Box<[(PortId, Tags, PortId)]>,
    /// Frames with their tags still on.
    tagged: Burst<F>,
    /// Frames without them, by [`PortId`].
    inward: Vec<Burst<F>>,
    /// Which ports have such frames, the first to have come last.
    waiting: ArrayVec<PortId, BURST>,
}

impl<F: Frame> Vlans<F> {
    /// Those among `ports`.
    pub(crate) fn among(ports: &[PortState]) -> Self {
        let ids = || (0..).map(PortId);
        let of = |(id, port): (PortId, &PortState)| port.vlan.map(|Vlan { parent, tags }| (parent, tags, id));
        let mut named: Box<[_]> = ids().zip(ports).filter_map(of).collect();
        named.sort_unstable();
        Self {
            ports: ports.iter().map(|port| port.vlan).collect(),
            named,
            tagged: Burst::new(),
            inward: ports.iter().map(|_port| Burst::new()).collect(),
            waiting: ArrayVec::new(),
        }
    }

    /// A frame with tags, to be told apart by [`Vlans::next_burst`]; no more of them than came in with one burst.
    pub(crate) fn set_aside(&mut self, frame: F) {
        self.tagged.push(frame);
    }

    /// Fills `burst`, which is empty, with frames that came in through `device` with tags and belong to the port returned;
    /// `None` when there are no more.
    #[inline]
    pub(crate) fn next_burst(&mut self, device: PortId, burst: &mut Burst<F>, tally: &mut Tally) -> Option<PortId> {
        if self.tagged.is_empty() && self.waiting.is_empty() {
            return None;
        }
        self.untag(device, tally);
        let port = self.waiting.pop()?;
        std::mem::swap(burst, &mut self.inward[port.index()]);
        // Of a device's own frames, with a priority for a tag, it has counted each already.
        if port != device {
            tally.came_in(port, burst.len(), burst.iter().map(|frame| frame.bytes().len()).sum());
        }
        Some(port)
    }

    fn untag(&mut self, device: PortId, tally: &mut Tally) {
        for mut frame in self.tagged.drain(..) {
            match untag(&self.named, device, &mut frame) {
                Ok(port) => {
                    let inward = &mut self.inward[port.index()];
                    if inward.is_empty() {
                        self.waiting.push(port);
                    }
                    inward.push(frame);
                }
                Err(reason) => tally.dropped(reason, 1),
            }
        }
    }

    /// What `port` is, if it has no device of its own.
    #[inline]
    pub(crate) fn get(&self, port: PortId) -> Option<Vlan> {
        self.ports[port.index()]
    }
}

/// Takes the tags off a frame that came in through `device`; returns the port they name.
fn untag<F: Frame>(named: &[(PortId, Tags, PortId)], device: PortId, frame: &mut F) -> Result<PortId, DropReason> {
    let tagged = Tags::parse(frame.bytes()).map_err(|error| match error {
        TagError::Truncated => DropReason::FrameTooShort,
        TagError::TooMany | TagError::Reserved => DropReason::UnknownVlan,
    })?;
    let port = match tagged.tags {
        // IEEE 802.1Q 6.9.1: a frame with a priority only belongs to the network of those without any tag.
        None => device,
        Some(tags) => {
            let found = named.binary_search_by_key(&(device, tags), |(device, tags, _port)| (*device, *tags));
            found.map(|place| named[place].2).map_err(|_place| DropReason::UnknownVlan)?
        }
    };
    frame.bytes_mut().copy_within(..TAGS_AT, tagged.wire_len);
    frame.cut_front(tagged.wire_len);
    Ok(port)
}

/// Puts tags on a frame; false, and it stays as it is, if its buffer has no room for them.
pub(crate) fn tag<F: Frame>(frame: &mut F, tags: Tags) -> bool {
    let len = tags.wire_len();
    if !frame.grow_front(len) {
        return false;
    }
    let bytes = frame.bytes_mut();
    bytes.copy_within(len..len + TAGS_AT, 0);
    bytes[TAGS_AT..TAGS_AT + len].copy_from_slice(&tags.to_bytes()[..len]);
    true
}

#[cfg(test)]
mod tests;
