//! What a packet's bytes begin with, by the numbers and names of <https://www.tcpdump.org/linktypes.html>.

use std::fmt;

use pcap_file::DataLink;

/// The kind of link a packet was captured on.
///
/// Shown as the list names it and by number, `LINUX_SLL (113)`; one that the list does not have, by number alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(u32);

impl LinkType {
    /// Ethernet, without its frame check sequence.
    pub const ETHERNET: Self = Self(1);

    /// The link type of this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, DataLink::from(self.0)) {
            // As the BSDs number it in their own files; the list has it as 101.
            (12 | 14, _) => write!(f, "RAW ({})", self.0),
            (number, DataLink::Unknown(_)) => write!(f, "link type {number}"),
            (number, known) => write!(f, "{known:?} ({number})"),
        }
    }
}

impl fmt::Debug for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_type_is_refused_by_the_name_people_know_it_by() {
        let names = [
            (0, "NULL (0)"),
            (1, "ETHERNET (1)"),
            (12, "RAW (12)"),
            (101, "RAW (101)"),
            (105, "IEEE802_11 (105)"),
            (113, "LINUX_SLL (113)"),
            (127, "IEEE802_11_RADIOTAP (127)"),
            (228, "IPV4 (228)"),
            (4242, "link type 4242"),
        ];
        for (number, name) in names {
            assert_eq!(LinkType::new(number).to_string(), name);
        }
    }
}
