//! What people say of neighbours while ferry runs, in the words of `ip neigh`.
//!
//! Who is said to be somewhere stays there until somebody says otherwise; who is deleted may be found again.

use std::net::IpAddr;

use control_api::{ApiError, ErrorKind};
use packet::ethernet::MacAddr;

use super::Key;
use crate::control::{Control, Turn};
use crate::packets::is_link_local;

impl Control {
    /// Says which station a neighbour is, if nobody has said it before.
    pub(crate) fn add_neighbour(&mut self, address: IpAddr, dev: &str, mac: MacAddr) -> Result<(), ApiError> {
        let key = self.possible_neighbour(address, dev, mac)?;
        if self.neighbours.is_permanent(key) {
            return Err(ApiError::new(ErrorKind::Exists, format!("there is a static neighbour {address} on `{dev}`"))
                .with_hint("use `neigh replace` to change it"));
        }
        self.set_permanent(key.1, address, mac);
        Ok(())
    }

    /// Says which station a neighbour is, whatever was known of it.
    pub(crate) fn replace_neighbour(&mut self, address: IpAddr, dev: &str, mac: MacAddr) -> Result<(), ApiError> {
        let key = self.possible_neighbour(address, dev, mac)?;
        self.set_permanent(key.1, address, mac);
        Ok(())
    }

    /// Forgets a neighbour, however it is known.
    pub(crate) fn delete_neighbour(&mut self, address: IpAddr, dev: &str) -> Result<(), ApiError> {
        let key = (address, self.ports.named(dev)?);
        if self.is_broadcast(key) {
            let message = format!("the neighbour {address} on `{dev}` follows from `directed_broadcast`");
            return Err(ApiError::new(ErrorKind::NotAllowed, message)
                .with_hint("take that out of the configuration, and `config reload`"));
        }
        if !self.forget_neighbour(key) {
            return Err(ApiError::new(ErrorKind::NotFound, format!("there is no neighbour {address} on `{dev}`"))
                .with_hint("see `neigh show` for those there are"));
        }
        Ok(())
    }

    /// Forgets the neighbours that were learnt, and those a person has set if that is said; returns how many.
    pub(crate) fn flush_neighbours(&mut self, dev: Option<&str>, permanent: bool) -> Result<usize, ApiError> {
        let only = dev.map(|name| self.ports.named(name)).transpose()?;
        let all = self.neighbours.iter().map(|(key, _)| key);
        let chosen: Vec<_> = all
            .filter(|key| only.is_none_or(|only| only == key.1))
            .filter(|key| permanent || !self.neighbours.is_permanent(*key))
            .filter(|key| !self.is_broadcast(*key))
            .collect();
        for key in &chosen {
            self.forget_neighbour(*key);
        }
        Ok(chosen.len())
    }

    /// Whether it is all stations of a link: nobody has set it but the port's own `directed_broadcast`.
    fn is_broadcast(&self, key: Key) -> bool {
        self.neighbours.station(key) == Some(MacAddr::BROADCAST)
    }

    /// Lets the packets go that waited for a neighbour which a person has set since.
    pub(crate) fn send_released(&mut self, turn: &mut Turn<'_>) {
        for ((_, port), mac, waiting) in self.neighbours.take_released() {
            self.leave(port, mac, &waiting.packet, waiting.origin, turn);
        }
    }

    pub(crate) fn forget_neighbour(&mut self, key: Key) -> bool {
        let Some(waited) = self.neighbours.remove(key) else { return false };
        self.counts.neighbour_lost += waited;
        self.routes.neighbour_lost(key.0, key.1);
        true
    }

    fn possible_neighbour(&self, address: IpAddr, dev: &str, mac: MacAddr) -> Result<Key, ApiError> {
        let invalid = |message| ApiError::new(ErrorKind::Invalid, message);
        let port = self.ports.named(dev)?;
        if mac.is_multicast() || mac == MacAddr::ZERO {
            return Err(invalid(format!("{mac} is the address of no station"))
                .with_hint("the first byte of a station's address is even"));
        }
        if self.ports.own(address) || self.ports.port(port).has(address) {
            return Err(invalid(format!("{address} is an own address, not a neighbour's")));
        }
        let is_routed_here = !is_link_local(address) && self.can_be_neighbour(address, port);
        if !self.ports.port(port).can_have_neighbour(address) && !is_routed_here {
            return Err(ApiError::new(
                ErrorKind::UnreachableGateway,
                format!("{address} is not on the network of port `{dev}`"),
            )
            .with_hint("see `port show` for the networks there are"));
        }
        Ok((address, port))
    }
}
