//! How many tables of routes there are, which is said at the start.

/// Which tables there are.
///
/// Numbers from the count on are nobody's. Below it every table is there if somebody said how many; if nobody did, there
/// are those that ports and routes of the configuration name, and the main one, 0, in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fibs {
    count: u16,
    are_all_there: bool,
}

impl Fibs {
    /// As many as there can be.
    pub const MOST: u16 = u16::MAX;

    /// So many, and at least one.
    ///
    /// # Errors
    ///
    /// When it is more than [`Fibs::MOST`].
    pub fn new(count: u32) -> Result<Self, TooManyFibs> {
        let count = u16::try_from(count).map_err(|_too_many| TooManyFibs { count })?;
        Ok(Self { count: count.max(1), are_all_there: true })
    }

    /// How many there can be.
    pub const fn count(self) -> u16 {
        self.count
    }

    /// How many there are from the start, if somebody has said so.
    pub(crate) fn named(self) -> Option<u16> {
        self.are_all_there.then_some(self.count)
    }

    /// Whether there can be a table of this number.
    pub const fn has(self, fib: u16) -> bool {
        fib < self.count
    }
}

/// Those that are named.
impl Default for Fibs {
    fn default() -> Self {
        Self { count: Self::MOST, are_all_there: false }
    }
}

/// More tables than there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} tables are more than there can be: the limit is {}", Fibs::MOST)]
pub struct TooManyFibs {
    count: u32,
}
