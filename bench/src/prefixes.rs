//! Files of prefixes, one a line, of both families.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lpm::{Prefix, PrefixError};

/// The prefixes of a file, each once.
#[derive(Debug, Default)]
pub struct Prefixes {
    /// Those of IPv4.
    pub v4: BTreeSet<Prefix<Ipv4Addr>>,
    /// Those of IPv6.
    pub v6: BTreeSet<Prefix<Ipv6Addr>>,
}

impl Prefixes {
    /// Reads plain or gzipped text.
    ///
    /// # Errors
    ///
    /// In words: what could not be read, and where.
    pub fn read(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let mut bytes = Vec::new();
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
        let mut text = String::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).map_err(failed)?;
        } else {
            text = String::from_utf8(bytes).map_err(|_| format!("{} is not text", path.display()))?;
        }
        let mut prefixes = Self::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_number, line)| !line.trim().is_empty()) {
            let known: Result<bool, PrefixError> = match line.contains(':') {
                true => line.trim().parse().map(|prefix| prefixes.v6.insert(prefix)),
                false => line.trim().parse().map(|prefix| prefixes.v4.insert(prefix)),
            };
            known.map_err(|error| format!("{}:{number}: {error}", path.display()))?;
        }
        Ok(prefixes)
    }
}
