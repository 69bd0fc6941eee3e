//! What the options say of the packets to send.

use std::net::IpAddr;
use std::path::PathBuf;

use bench::flows::{Families, Flows};
use bench::isolation::permit;
use bench::plan::{Plan, Stations};
use bench::prefixes::Prefixes;
use clap::{Args, ValueEnum};

/// Which packets.
#[derive(Debug, Clone, Args)]
#[group(id = "packets")]
pub(crate) struct Options {
    /// How many flows.
    #[arg(long, default_value_t = 256)]
    flows: u32,
    /// Their families.
    #[arg(long, value_enum, default_value_t = Family::Ipv4)]
    family: Family,
    /// A flow into each route of a file of prefixes, one a line, as many as --flows says.
    #[arg(long, value_name = "FILE", conflicts_with = "capture")]
    to_routes: Option<PathBuf>,
    /// The flows of a capture, in its own order.
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Lets packets have addresses outside 198.18.0.0/15 and 2001:2::/48: for who can reach nobody but the device under test.
    #[arg(long)]
    any_address: bool,
}

/// Families by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Family {
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both by turns.
    Both,
}

/// The packets of both sides.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// From the left; the right answers.
    flows: [Flows; 2],
    /// Of frames, without the frame check sequence.
    lengths: Vec<usize>,
}

impl Traffic {
    /// Makes them in frames of `sizes`, if they may be sent.
    pub(crate) fn new(options: &Options, sizes: &str) -> Result<Self, String> {
        let families = match options.family {
            Family::Ipv4 => Families::Ipv4,
            Family::Ipv6 => Families::Ipv6,
            Family::Both => Families::Both,
        };
        let there = match (&options.to_routes, &options.capture) {
            (Some(path), _) => {
                let most = usize::try_from(options.flows).unwrap_or(usize::MAX);
                let flows = Flows::into_routes(&Prefixes::read(path)?, families, most);
                if flows.flows.is_empty() {
                    return Err(format!("{} has no route of this family", path.display()));
                }
                flows
            }
            (None, Some(path)) => Flows::of_capture(path)?,
            (None, None) => Flows::pattern(options.flows, families),
        };
        for address in there.addresses() {
            permit(address, options.any_address).map_err(|error| error.to_string())?;
        }
        let lengths = lengths(sizes)?;
        Ok(Self { flows: [there.clone(), there.reversed()], lengths })
    }

    /// What is sent from a side.
    pub(crate) fn plan(&self, from: usize, stations: Stations) -> Result<Plan, String> {
        let Flows { flows, order } = &self.flows[from];
        Plan::new(flows, order.clone(), &self.lengths, stations).map_err(|error| error.to_string())
    }

    /// Where what is sent from a side goes, in words.
    pub(crate) fn destinations(&self, from: usize) -> String {
        let destinations: Vec<IpAddr> = self.flows[from].flows.iter().map(|flow| flow.destination).take(2).collect();
        match &destinations[..] {
            [only] => only.to_string(),
            [first, ..] => format!("{first} and others"),
            [] => "nothing".to_owned(),
        }
    }

    /// The longest frame, without the frame check sequence.
    pub(crate) fn longest_frame(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// Bits on the wire for an average packet: the frame, its check sequence, preamble and gap.
    #[expect(clippy::cast_precision_loss, reason = "a few lengths of a few thousand")]
    pub(crate) fn wire_bits(&self) -> f64 {
        let sum: usize = self.lengths.iter().map(|len| len + FRAME_CHECK + 20).sum();
        sum as f64 * 8.0 / self.lengths.len() as f64
    }
}

/// Reads lengths of frames, by commas, into lengths without the frame check sequence.
fn lengths(sizes: &str) -> Result<Vec<usize>, String> {
    if sizes == "imix" {
        return Ok([64, 570, 64, 570, 64, 1518, 64, 570, 64, 570, 64, 64].map(|size| size - FRAME_CHECK).into());
    }
    let length = |size: &str| {
        let size: usize = size.trim().parse().map_err(|_| {
            format!("`{size}` is no length of a frame; lengths are numbers such as 64, or `imix` for a mix")
        })?;
        size.checked_sub(FRAME_CHECK).ok_or_else(|| format!("a frame of {size} bytes is all check sequence"))
    };
    sizes.split(',').map(length).collect()
}

const FRAME_CHECK: usize = 4;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        traffic: Options,
    }

    fn traffic(arguments: &[&str]) -> Result<Traffic, String> {
        let arguments = ["test"].iter().chain(arguments);
        Traffic::new(&Command::try_parse_from(arguments).map_err(|error| error.to_string())?.traffic, "64")
    }

    #[test]
    fn rfc_178_routes_of_somebody_are_loaded_only_if_a_person_says_so() {
        let mut routes = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut routes, b"192.0.2.0/24\n").unwrap();
        let path = routes.path().to_str().unwrap();
        let refused = traffic(&["--to-routes", path]).unwrap_err();
        assert!(refused.contains("192.0.2.") && refused.contains("--any-address"), "{refused}");
        assert!(traffic(&["--to-routes", path, "--any-address"]).is_ok());
        assert!(traffic(&[]).is_ok(), "and nothing needs to be said for the networks set aside");
    }

    #[test]
    fn the_mix_has_twelve_packets_of_three_lengths() {
        let mix = lengths("imix").unwrap();
        let count = |len: usize| mix.iter().filter(|other| **other == len).count();
        assert_eq!((count(60), count(566), count(1514), mix.len()), (7, 4, 1, 12));
        assert_eq!(lengths("64, 1518").unwrap(), [60, 1514]);
        assert!(lengths("big").unwrap_err().contains("`big`"));
        assert!(lengths("3").is_err());
    }
}
