//! What there is to measure: tables, families, flows, sizes and where frames come from, and a way to choose among them.

use std::fmt;

use serde::Serialize;

/// Defines one axis: its values, and the word for each.
macro_rules! axis {
    ($(#[$about:meta])* $Axis:ident { $($(#[$what:meta])* $Value:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub(crate) enum $Axis {
            $($(#[$what])* #[serde(rename = $word)] $Value,)+
        }

        impl $Axis {
            pub(crate) const ALL: &[Self] = &[$(Self::$Value,)+];

            pub(crate) const fn word(self) -> &'static str {
                match self {
                    $(Self::$Value => $word,)+
                }
            }

            /// Those that `words` name, or all if they name none.
            fn chosen(words: &[&str]) -> Vec<Self> {
                let named: Vec<Self> = Self::ALL.iter().copied().filter(|value| words.contains(&value.word())).collect();
                if named.is_empty() { Self::ALL.to_vec() } else { named }
            }
        }
    };
}

axis! {
    /// What the destinations are looked up in.
    Routes {
        /// One route, the default one.
        One = "one-route",
        /// A table of the whole internet.
        Full = "full",
    }
}

axis! {
    /// Which packets there are.
    Family {
        Ipv4 = "ipv4",
        Ipv6 = "ipv6",
        /// One of either, by turns.
        Mixed = "mixed",
    }
}

axis! {
    /// Whom the packets go to.
    Flows {
        One = "1",
        /// Of 16,384 destinations, the n-th 1/n as often as the first.
        Zipf = "zipf",
        TenThousand = "10k",
        HundredThousand = "100k",
        Million = "1m",
    }
}

axis! {
    /// How long the frames are, with the check sequence of four bytes.
    Size {
        Least = "64",
        /// Seven of 64, four of 594 and one of 1518.
        Imix = "imix",
        Most = "1518",
    }
}

axis! {
    /// Where frames come from.
    Source {
        /// A port in this process that copies headers into buffers.
        Memory = "memory",
        /// `net_null`, whose zeros are no packets: what comes in is dropped.
        Null = "null",
        /// `net_pcap`, which repeats a capture without end.
        Pcap = "pcap",
    }
}

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    pub(crate) source: Source,
    pub(crate) routes: Routes,
    pub(crate) family: Family,
    pub(crate) flows: Flows,
    pub(crate) size: Size,
}

impl Cell {
    /// Whether it says something that no other does, and can be measured.
    fn is_useful(self) -> bool {
        match self.source {
            // Zeros are of no family, flow or table, and come in one size.
            Source::Null => self == Self { source: Source::Null, ..FIRST },
            // A capture is held in buffers, all of it twice.
            Source::Pcap => {
                !(matches!(self.flows, Flows::HundredThousand | Flows::Million) && self.size != Size::Least)
            }
            Source::Memory => true,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, routes, family, flows, size } = self;
        match source {
            Source::Null => f.write_str("null"),
            Source::Memory | Source::Pcap => {
                write!(f, "{} {} {} {} {}", source.word(), routes.word(), family.word(), flows.word(), size.word())
            }
        }
    }
}

/// The cells that `only` chooses, words with commas between them: each axis is narrowed to its words among them.
pub(crate) fn chosen(only: &str) -> Result<Vec<Cell>, String> {
    let words: Vec<&str> = only.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    let known = known_words();
    if let Some(unknown) = words.iter().find(|word| !known.contains(word)) {
        return Err(format!("`{unknown}` is nothing to choose by; there are {}", known.join(", ")));
    }
    let mut cells = Vec::new();
    for source in Source::chosen(&words) {
        for routes in Routes::chosen(&words) {
            for family in Family::chosen(&words) {
                for flows in Flows::chosen(&words) {
                    for size in Size::chosen(&words) {
                        cells.push(Cell { source, routes, family, flows, size });
                    }
                }
            }
        }
    }
    // `net_null` has one cell, whatever else was chosen.
    let null = cells.iter().any(|cell| cell.source == Source::Null);
    cells.retain(|cell| cell.source != Source::Null && cell.is_useful());
    cells.extend(null.then_some(Cell { source: Source::Null, ..FIRST }));
    if cells.is_empty() { Err(format!("nothing of `{only}` can be measured")) } else { Ok(cells) }
}

fn known_words() -> Vec<&'static str> {
    let mut words = Vec::new();
    words.extend(Source::ALL.iter().map(|value| value.word()));
    words.extend(Routes::ALL.iter().map(|value| value.word()));
    words.extend(Family::ALL.iter().map(|value| value.word()));
    words.extend(Flows::ALL.iter().map(|value| value.word()));
    words.extend(Size::ALL.iter().map(|value| value.word()));
    words
}

const FIRST: Cell =
    Cell { source: Source::Memory, routes: Routes::One, family: Family::Ipv4, flows: Flows::One, size: Size::Least };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_narrow_their_own_axes_and_leave_the_others_whole() {
        let cells = chosen("memory,full, 1m,zipf").unwrap();
        assert_eq!(cells.len(), 3 * 2 * 3, "families, flows and sizes");
        assert!(cells.iter().all(|cell| cell.source == Source::Memory && cell.routes == Routes::Full));
        assert_eq!(chosen("null").unwrap().len(), 1, "zeros are all alike");
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_with_those_that_do() {
        let refusal = chosen("memory,ipv5").unwrap_err();
        assert!(refusal.contains("`ipv5`") && refusal.contains("ipv6") && refusal.contains("zipf"), "{refusal}");
    }
}
