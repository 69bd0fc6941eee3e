//! The flags of a route, by the names and numbers of `route(4)`.
//!
//! Which of them a person may give a route, and which may be changed later, is said by [`RouteFlags::SETTABLE`] and
//! [`RouteFlags::CHANGEABLE`]; all others follow from what the route is. What is given beyond those is passed over, as the
//! kernels do. That a table is locked is no flag of a route, so nobody can even say it in a request.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

bitflags::bitflags! {
    /// What a route is, and what becomes of packets by it; numbers are those of `RTF_*` in FreeBSD.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct RouteFlags: u32 {
        /// It is in the table. Set when it is added, gone when it is deleted, and nobody else's to set.
        const UP = 0x1;
        /// Packets go to its gateway, not to the destination itself.
        const GATEWAY = 0x2;
        /// It is to one host.
        const HOST = 0x4;
        /// Packets by it are dropped, and their senders told.
        const REJECT = 0x8;
        /// A redirect, or the discovery of a path's MTU, made it.
        const DYNAMIC = 0x10;
        /// A redirect changed it.
        const MODIFIED = 0x20;
        /// In an answer: it was done. No route has it.
        const DONE = 0x40;
        /// It is a template for routes to the hosts in it.
        const CLONING = 0x100;
        /// Somebody outside is to find what it leads to.
        const XRESOLVE = 0x200;
        /// It holds a link-layer address.
        const LLINFO = 0x400;
        /// A person added it.
        const STATIC = 0x800;
        /// Packets by it are dropped in silence.
        const BLACKHOLE = 0x1000;
        /// A protocol's own.
        const PROTO2 = 0x4000;
        /// A protocol's own.
        const PROTO1 = 0x8000;
        /// Obsolete: taken, and without any effect.
        const PRCLONING = 0x1_0000;
        /// It was made from a template.
        const WASCLONED = 0x2_0000;
        /// A protocol's own.
        const PROTO3 = 0x4_0000;
        /// Its MTU was given, and does not follow its port's.
        const FIXEDMTU = 0x8_0000;
        /// Routing protocols keep their hands off it.
        const PINNED = 0x10_0000;
        /// Its destination is an address of ours.
        const LOCAL = 0x20_0000;
        /// Its destination is a broadcast address.
        const BROADCAST = 0x40_0000;
        /// Its destinations are groups.
        const MULTICAST = 0x80_0000;
        /// It is one of several to the same network. The number is ours: that of OpenBSD is [`RouteFlags::PROTO3`] here.
        const MPATH = 0x0200_0000;
        /// Reserved.
        const STICKY = 0x1000_0000;
    }
}

impl RouteFlags {
    /// Those a person may give a route that is added; the rest of what is given is passed over.
    pub const SETTABLE: Self = Self::CHANGEABLE.union(Self::HOST).union(Self::CLONING).union(Self::PINNED);

    /// Those a change of a route may change (`RTF_FMASK`); all others stay as they are.
    ///
    /// [`RouteFlags::XRESOLVE`] is one of them so that whoever resolves a route can say that it is done.
    pub const CHANGEABLE: Self = Self::PROTO1
        .union(Self::PROTO2)
        .union(Self::PROTO3)
        .union(Self::BLACKHOLE)
        .union(Self::REJECT)
        .union(Self::STATIC)
        .union(Self::XRESOLVE);

    /// The letters that `route(8)` and `netstat -r` print for them, always in the same order.
    pub fn letters(self) -> String {
        LETTERS.iter().filter(|(flag, _letter)| self.contains(*flag)).map(|(_flag, letter)| letter).collect()
    }

    /// The flag with this name, in small letters.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().iter_names().find(|(known, _flag)| known.to_ascii_lowercase() == name).map(|(_known, flag)| flag)
    }
}

const LETTERS: [(RouteFlags, char); 18] = [
    (RouteFlags::UP, 'U'),
    (RouteFlags::GATEWAY, 'G'),
    (RouteFlags::HOST, 'H'),
    (RouteFlags::REJECT, 'R'),
    (RouteFlags::DYNAMIC, 'D'),
    (RouteFlags::MODIFIED, 'M'),
    (RouteFlags::CLONING, 'C'),
    (RouteFlags::WASCLONED, 'c'),
    (RouteFlags::LLINFO, 'L'),
    (RouteFlags::STATIC, 'S'),
    (RouteFlags::BLACKHOLE, 'B'),
    (RouteFlags::PROTO1, '1'),
    (RouteFlags::PROTO2, '2'),
    (RouteFlags::PROTO3, '3'),
    (RouteFlags::PINNED, 'p'),
    (RouteFlags::LOCAL, 'l'),
    (RouteFlags::BROADCAST, 'b'),
    (RouteFlags::MULTICAST, 'm'),
];

impl Serialize for RouteFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter_names().map(|(name, _flag)| name.to_ascii_lowercase()))
    }
}

impl<'de> Deserialize<'de> for RouteFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let flag = |name: &String| {
            Self::named(name).ok_or_else(|| D::Error::custom(format!("`{name}` is no flag of a route")))
        };
        names.iter().map(flag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds S3.00
    #[test]
    fn fl_12_flags_have_the_numbers_of_the_kernel_and_letters_in_one_order() {
        #[rustfmt::skip]
        let numbers = [
            (RouteFlags::UP, 0x1), (RouteFlags::GATEWAY, 0x2), (RouteFlags::HOST, 0x4), (RouteFlags::REJECT, 0x8),
            (RouteFlags::DYNAMIC, 0x10), (RouteFlags::MODIFIED, 0x20), (RouteFlags::DONE, 0x40),
            (RouteFlags::CLONING, 0x100), (RouteFlags::XRESOLVE, 0x200), (RouteFlags::LLINFO, 0x400),
            (RouteFlags::STATIC, 0x800), (RouteFlags::BLACKHOLE, 0x1000), (RouteFlags::PROTO2, 0x4000),
            (RouteFlags::PROTO1, 0x8000), (RouteFlags::PRCLONING, 0x10000), (RouteFlags::WASCLONED, 0x20000),
            (RouteFlags::PROTO3, 0x40000), (RouteFlags::FIXEDMTU, 0x80000), (RouteFlags::PINNED, 0x100000),
            (RouteFlags::LOCAL, 0x200000), (RouteFlags::BROADCAST, 0x400000), (RouteFlags::MULTICAST, 0x800000),
            (RouteFlags::MPATH, 0x0200_0000), (RouteFlags::STICKY, 0x1000_0000),
        ];
        for (flag, number) in numbers {
            assert_eq!(flag.bits(), number, "{flag:?}");
        }
        assert_eq!(numbers.len(), RouteFlags::all().iter().count(), "every flag has its row");
        assert_eq!(RouteFlags::all().letters(), "UGHRDMCcLSB123plbm");
        assert_eq!(RouteFlags::from_bits(0x4000_0000), None, "that a table is locked is no flag of a route");
    }

    #[test]
    fn flags_are_written_by_name_and_an_unknown_name_is_refused() {
        let flags = RouteFlags::UP | RouteFlags::PROTO1;
        assert_eq!(serde_json::to_string(&flags).unwrap(), r#"["up","proto1"]"#);
        assert_eq!(serde_json::from_str::<RouteFlags>(r#"["up","proto1"]"#).unwrap(), flags);
        for unknown in [r#"["rnh_locked"]"#, r#"["UP"]"#, r#"[""]"#, "1073741824"] {
            assert!(serde_json::from_str::<RouteFlags>(unknown).is_err(), "{unknown}");
        }
    }
}
