//! What was heard of the daemon, counted.

/// Why a route is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Refused {
    /// It is in a table that none here is for.
    Table,
    /// It is for local, broadcast or multicast destinations, or for some sources only.
    Kind,
    /// Its destinations are not forwarded to: multicast, or link-local.
    Destination,
    /// It leads over an interface that is on no port.
    Interface,
    /// Its gateway is on the network of no port, or not of the one that it is said to be behind.
    Gateway,
    /// Its gateway is of the other family (RFC 8950).
    Family,
    /// Its gateway is its destination.
    GatewayItself,
    /// Its packets are to be wrapped into others: labels, tunnels, segments.
    Encapsulation,
    /// Its next hop was never told.
    NextHop,
}

impl Refused {
    /// Every reason once, in the order in which they are looked at.
    pub const ALL: [Self; 9] = [
        Self::Table,
        Self::Kind,
        Self::Destination,
        Self::Interface,
        Self::Gateway,
        Self::Family,
        Self::GatewayItself,
        Self::Encapsulation,
        Self::NextHop,
    ];

    /// Its name wherever it is counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "refused_table",
            Self::Kind => "refused_kind",
            Self::Destination => "refused_destination",
            Self::Interface => "refused_interface",
            Self::Gateway => "refused_gateway",
            Self::Family => "refused_family",
            Self::GatewayItself => "refused_gateway_itself",
            Self::Encapsulation => "refused_encapsulation",
            Self::NextHop => "refused_next_hop",
        }
    }
}

/// What was heard, and what came of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Routes told.
    pub(super) routes: u64,
    /// Routes withdrawn.
    pub(super) withdrawals: u64,
    /// Next hops and groups told.
    pub(super) next_hops: u64,
    /// Messages about something else.
    pub(super) others: u64,
    /// Networks that got a route.
    pub(super) added: u64,
    /// Networks whose route is another since.
    pub(super) changed: u64,
    /// Routes told as they were.
    pub(super) unchanged: u64,
    /// Networks whose route was taken away, on the daemon's word.
    pub(super) removed: u64,
    /// Networks whose route was taken away because the daemon had not told it again.
    pub(super) swept: u64,
    /// Networks that had their route from a file when ferryd started.
    pub(super) restored: u64,
    /// Files of routes that were made.
    pub(super) saves: u64,
    refused: [u64; Refused::ALL.len()],
}

impl Counts {
    pub(super) fn refuse(&mut self, reason: Refused) {
        self.refused[reason as usize] += 1;
    }

    /// Changes of what routes there are.
    pub(super) fn changes(&self) -> u64 {
        self.added + self.changed + self.removed + self.swept
    }

    /// Each with its name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self {
            routes,
            withdrawals,
            next_hops,
            others,
            added,
            changed,
            unchanged,
            removed,
            swept,
            restored,
            saves,
            refused,
        } = *self;
        let named = [
            ("routes", routes),
            ("withdrawals", withdrawals),
            ("next_hops", next_hops),
            ("others", others),
            ("added", added),
            ("changed", changed),
            ("unchanged", unchanged),
            ("removed", removed),
            ("swept", swept),
            ("restored", restored),
            ("saves", saves),
        ];
        named.into_iter().chain(Refused::ALL.map(Refused::name).into_iter().zip(refused))
    }
}
