//! What a message in the words of `route(4)` is about.

use std::net::IpAddr;

use control_api::{ApiError, ErrorKind, Family, Network, RouteFlags, RouteMessage};
use lpm::{Address, Prefix};

/// The priority that it names.
pub(super) fn priority_in(message: &RouteMessage) -> Result<Option<u8>, ApiError> {
    match message.priority {
        Some(priority) if !(1..=RouteMessage::LAST_PRIORITY).contains(&priority) => {
            Err(ApiError::new(ErrorKind::Invalid, format!("{priority} is no priority"))
                .with_hint(format!("give one from 1 to {}", RouteMessage::LAST_PRIORITY)))
        }
        given => Ok(given),
    }
}

/// The network that a message is about: bits beyond its mask do not count, and a host has no mask.
pub(crate) fn destination(message: &RouteMessage) -> Result<Network, ApiError> {
    let is_host = message.flags.is_some_and(|flags| flags.contains(RouteFlags::HOST));
    let network = match (message.dst, message.netmask) {
        (dst, None) => Some(Network::host(dst)),
        (dst, Some(_ignored)) if is_host => Some(Network::host(dst)),
        (IpAddr::V4(dst), Some(IpAddr::V4(mask))) => len_of(mask).map(|len| Prefix::containing(dst, len).into()),
        (IpAddr::V6(dst), Some(IpAddr::V6(mask))) => len_of(mask).map(|len| Prefix::containing(dst, len).into()),
        (dst, Some(mask)) => {
            let message = format!("{dst} is {}, its mask {mask} is {}", Family::of(dst), Family::of(mask));
            return Err(ApiError::new(ErrorKind::FamilyMismatch, message));
        }
    };
    network.ok_or_else(|| {
        let mask = message.netmask.map(|mask| mask.to_string()).unwrap_or_default();
        ApiError::new(ErrorKind::Invalid, format!("the mask {mask} has a hole"))
            .with_hint("give one whose ones all come first")
    })
}

/// How many bits a mask keeps; nothing if they do not all come first.
fn len_of<A: Address>(mask: A) -> Option<u8> {
    let bits = mask.to_number() << (128 - u32::from(A::BITS));
    let len = bits.leading_ones();
    let is_without_holes = len == 128 || bits << len == 0;
    is_without_holes.then_some(len).and_then(|len| u8::try_from(len).ok())
}
