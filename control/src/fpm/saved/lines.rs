//! The lines of a file of routes: whether they are as they were written, and what they say.

use std::net::IpAddr;

use control_api::Speaker;
use packet::ethernet::MacAddr;

use crate::fpm::{Leads, RouteSaid};

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// It begins with something else.
    #[error("it does not begin with `{HEADER}`: it is no file of routes, or one of another version")]
    NotRoutes,
    /// It ends before its last line.
    #[error("it ends without a line `end`: it was cut off")]
    CutOff,
    /// It is not what was written.
    #[error("its checksum is {found:08x} and should be {wanted:08x}: it is damaged, or somebody has edited it")]
    Checksum {
        /// Of the lines that are there.
        found: u32,
        /// What the last line says.
        wanted: u32,
    },
    /// A line says nothing that can be understood.
    #[error("line {line} cannot be understood: `{text}`")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
}

/// What a line says.
#[derive(Debug)]
pub(super) enum Line<'a> {
    Route(SavedRoute<'a>),
    Neighbour { address: IpAddr, port: &'a str, mac: MacAddr },
}

#[derive(Debug)]
pub(super) struct SavedRoute<'a> {
    pub(super) fib: u16,
    /// All but where it leads.
    pub(super) said: RouteSaid,
    pub(super) ways: Vec<SavedWay<'a>>,
}

#[derive(Debug)]
pub(super) enum SavedWay<'a> {
    Port { gateway: Option<IpAddr>, port: &'a str, weight: u32 },
    Blackhole,
    Unreachable,
    Prohibited,
}

/// All lines between the first and the last, if the file is as it was written.
pub(super) fn sound_lines(file: &str) -> Result<impl Iterator<Item = Line<'_>>, SavedError> {
    let body = file.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(SavedError::NotRoutes)?;
    let whole = file.strip_suffix('\n').ok_or(SavedError::CutOff)?;
    let (_, end) = whole.rsplit_once('\n').ok_or(SavedError::CutOff)?;
    let wanted = end.strip_prefix("end checksum ").and_then(|wanted| u32::from_str_radix(wanted, 16).ok());
    let wanted = wanted.ok_or(SavedError::CutOff)?;
    let before_end = whole.len() - end.len();
    let found = crc32fast::hash(&file.as_bytes()[..before_end]);
    if found != wanted {
        return Err(SavedError::Checksum { found, wanted });
    }
    let body = &body[..before_end - (file.len() - body.len())];
    // Read twice, the second time to use it: all lines of a million routes, understood, would take more than the file.
    for (number, text) in body.lines().enumerate() {
        if read_line(text).is_none() {
            // The first line was the header.
            return Err(SavedError::Line { line: number + 2, text: text.to_owned() });
        }
    }
    Ok(body.lines().filter_map(read_line))
}

fn read_line(line: &str) -> Option<Line<'_>> {
    let mut words = line.split(' ');
    match words.next()? {
        "route" => read_route(words).map(Line::Route),
        "neighbour" => {
            let (address, port) = (words.next()?.parse().ok()?, words.next()?);
            let mac = words.next()?.parse().ok()?;
            words.next().is_none().then_some(Line::Neighbour { address, port, mac })
        }
        _ => None,
    }
}

fn read_route<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<SavedRoute<'a>> {
    let fib = words.next()?.parse().ok()?;
    let to = words.next()?.parse().ok()?;
    let speaker = Speaker::named(words.next()?)?;
    // Where it leads is beside it: a port has a name here, and no number of the kernel's.
    let mut said = RouteSaid { table: 0, to, speaker, leads: Leads::Among(Vec::new()), mtu: None, source: None };
    let mut ways = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "via" => {
                let gateway = Some(words.next()?.parse().ok()?);
                ways.push(SavedWay::Port { gateway, port: words.next()?, weight: words.next()?.parse().ok()? });
            }
            "dev" => {
                let port = words.next()?;
                ways.push(SavedWay::Port { gateway: None, port, weight: words.next()?.parse().ok()? });
            }
            "blackhole" => ways.push(SavedWay::Blackhole),
            "unreachable" => ways.push(SavedWay::Unreachable),
            "prohibit" => ways.push(SavedWay::Prohibited),
            "mtu" => said.mtu = Some(words.next()?.parse().ok()?),
            "from" => said.source = Some(words.next()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(SavedRoute { fib, said, ways })
}

/// The first line.
pub(super) const HEADER: &str = "ferry fpm routes 1";
