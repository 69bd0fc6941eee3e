//! VLAN tags: which of the networks that share a link a frame belongs to (IEEE 802.1Q clause 9).
//!
//! A tag is four bytes between the addresses and the type: a type of its own, and 16 bits of which twelve are the
//! network's number. Two tags are a provider's network around its customer's (IEEE 802.1ad). A tag with the number zero
//! names no network at all, it only carries a priority: here it is read as if it were not there.

use std::fmt::{self, Display};

use crate::ethernet::{EtherType, HEADER_LEN, MacAddr};

/// Length of a tag, in bytes.
pub const TAG_LEN: usize = 4;

/// Most tags that are read: a service tag and a customer tag.
pub const MAX_TAGS: usize = 2;

/// Where the tags of a frame begin: behind its two addresses.
pub const TAGS_AT: usize = 2 * size_of::<MacAddr>();

/// The number of a network, from 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// The least number.
    pub const MIN: u16 = 1;
    /// The greatest number: 4095 is reserved.
    pub const MAX: u16 = 4094;

    /// A network's number; `None` outside [`VlanId::MIN`] to [`VlanId::MAX`].
    pub const fn new(number: u16) -> Option<Self> {
        if number < Self::MIN || number > Self::MAX { None } else { Some(Self(number)) }
    }

    /// As a number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which kind of tag: the type it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagProtocol {
    /// A customer's, of type 0x8100.
    Dot1q,
    /// A provider's, of type 0x88a8.
    Dot1ad,
}

impl TagProtocol {
    /// The type that a tag of this kind begins with.
    pub const fn ether_type(self) -> EtherType {
        match self {
            Self::Dot1q => EtherType::VLAN,
            Self::Dot1ad => EtherType::SERVICE_VLAN,
        }
    }

    /// Its name in `ip(8)`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dot1q => "802.1Q",
            Self::Dot1ad => "802.1ad",
        }
    }

    const fn of(ether_type: EtherType) -> Option<Self> {
        match ether_type {
            EtherType::VLAN => Some(Self::Dot1q),
            EtherType::SERVICE_VLAN => Some(Self::Dot1ad),
            _ => None,
        }
    }
}

/// A tag that names a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// Which kind it is.
    pub protocol: TagProtocol,
    /// The network.
    pub id: VlanId,
}

impl Tag {
    /// As it stands on the wire, with the lowest priority.
    const fn to_bytes(self) -> [u8; TAG_LEN] {
        let [t0, t1] = self.protocol.ether_type().0.to_be_bytes();
        let [v0, v1] = self.id.0.to_be_bytes();
        [t0, t1, v0, v1]
    }
}

/// The tags of a frame: one, or one around another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags {
    /// The first on the wire.
    pub outer: Tag,
    /// The second.
    pub inner: Option<Tag>,
}

impl Tags {
    /// How long they are, in bytes.
    pub const fn wire_len(self) -> usize {
        match self.inner {
            None => TAG_LEN,
            Some(_) => 2 * TAG_LEN,
        }
    }

    /// As they stand on the wire between addresses and type: the first [`Tags::wire_len`] bytes of these.
    pub fn to_bytes(self) -> [u8; MAX_TAGS * TAG_LEN] {
        let mut bytes = [0; MAX_TAGS * TAG_LEN];
        bytes[..TAG_LEN].copy_from_slice(&self.outer.to_bytes());
        if let Some(inner) = self.inner {
            bytes[TAG_LEN..].copy_from_slice(&inner.to_bytes());
        }
        bytes
    }

    /// Reads the tags of `frame`, which may have none.
    ///
    /// # Errors
    ///
    /// [`TagError`].
    pub fn parse(frame: &[u8]) -> Result<Tagged, TagError> {
        let mut named = [None; MAX_TAGS];
        let (mut at, mut names) = (TAGS_AT, 0);
        for tags in 0.. {
            let ether_type = word(frame, at).ok_or(TagError::Truncated)?;
            let Some(protocol) = TagProtocol::of(EtherType(ether_type)) else { break };
            if tags == MAX_TAGS {
                return Err(TagError::TooMany);
            }
            let number = word(frame, at + 2).ok_or(TagError::Truncated)? & 0x0fff;
            if number != 0 {
                let id = VlanId::new(number).ok_or(TagError::Reserved)?;
                named[names] = Some(Tag { protocol, id });
                names += 1;
            }
            at += TAG_LEN;
        }
        let [outer, inner] = named;
        Ok(Tagged { tags: outer.map(|outer| Self { outer, inner }), wire_len: at - TAGS_AT })
    }
}

impl Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outer.id.fmt(f)?;
        self.inner.map_or(Ok(()), |inner| write!(f, ".{}", inner.id))
    }
}

/// What the tags of a frame say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tagged {
    /// Those that name a network; none, if all there are carry priorities only.
    pub tags: Option<Tags>,
    /// How long all of them are, in bytes.
    pub wire_len: usize,
}

/// Why tags say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The frame ends within them, or before the type behind them.
    #[error("the frame ends within its tags")]
    Truncated,
    /// There are more than [`MAX_TAGS`].
    #[error("there are more tags than a service tag and a customer tag")]
    TooMany,
    /// 4095 is no network's number.
    #[error("a tag has the reserved number 4095")]
    Reserved,
}

fn word(frame: &[u8], at: usize) -> Option<u16> {
    frame.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

const _: () = assert!(TAGS_AT + size_of::<EtherType>() == HEADER_LEN);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(tags: &[[u8; TAG_LEN]]) -> Vec<u8> {
        [&[2; TAGS_AT][..], tags.as_flattened(), &[0x08, 0x00]].concat()
    }

    fn tag(protocol: TagProtocol, number: u16) -> Tag {
        Tag { protocol, id: VlanId::new(number).unwrap() }
    }

    fn any_tag() -> impl Strategy<Value = Tag> {
        let protocol = prop_oneof![Just(TagProtocol::Dot1q), Just(TagProtocol::Dot1ad)];
        (protocol, VlanId::MIN..=VlanId::MAX).prop_map(|(protocol, number)| tag(protocol, number))
    }

    proptest! {
        #[test]
        fn tags_read_back_as_they_were_written(outer in any_tag(), inner in proptest::option::of(any_tag())) {
            let tags = Tags { outer, inner };
            let bytes = tags.to_bytes();
            let (written, rest) = bytes[..tags.wire_len()].as_chunks();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(Tags::parse(&frame(written)), Ok(Tagged { tags: Some(tags), wire_len: tags.wire_len() }));
        }

        #[test]
        fn any_bytes_are_read_without_panicking(frame in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(tagged) = Tags::parse(&frame) {
                prop_assert!(TAGS_AT + tagged.wire_len + 2 <= frame.len());
            }
        }
    }

    #[test]
    fn a_tag_that_only_carries_a_priority_is_read_as_if_it_were_not_there() {
        let priority = [0x81, 0x00, 0xa0, 0x00];
        assert_eq!(Tags::parse(&frame(&[])), Ok(Tagged { tags: None, wire_len: 0 }));
        assert_eq!(Tags::parse(&frame(&[priority])), Ok(Tagged { tags: None, wire_len: 4 }));
        let service = Tags { outer: tag(TagProtocol::Dot1ad, 7), inner: None };
        let around = frame(&[service.to_bytes()[..4].try_into().unwrap(), priority]);
        assert_eq!(Tags::parse(&around), Ok(Tagged { tags: Some(service), wire_len: 8 }));
    }

    #[test]
    fn tags_that_say_nothing_are_refused_for_their_reason() {
        let seven = [0x81, 0x00, 0x00, 7];
        assert_eq!(Tags::parse(&frame(&[seven; 3])), Err(TagError::TooMany));
        assert_eq!(Tags::parse(&frame(&[[0x81, 0x00, 0x0f, 0xff]])), Err(TagError::Reserved));
        let whole = frame(&[seven]);
        for len in 0..whole.len() {
            assert_eq!(Tags::parse(&whole[..len]), Err(TagError::Truncated), "{len}");
        }
    }
}
