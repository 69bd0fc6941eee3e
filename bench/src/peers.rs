//! DPDK's own tables: `rte_fib` and `rte_lpm`, and the same for IPv6.

#![expect(unsafe_code, reason = "calls into DPDK, through `peers.c`")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ptr::NonNull;

use lpm::{NextHopId, Prefix};

use crate::routes::Route;

/// Proof that the EAL has started.
#[derive(Debug, Clone, Copy)]
pub struct Dpdk(());

impl Dpdk {
    /// Starts the EAL, once per process, with large pages if enough of them are free; says if not.
    ///
    /// # Errors
    ///
    /// In words: what DPDK refuses.
    pub fn start() -> Result<Self, String> {
        let pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
        let free: usize = std::fs::read_to_string(pages).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let mut arguments = vec!["bench", "--no-pci", "--no-telemetry", "--log-level=3", "-l", "0"];
        arguments.push("--force-max-simd-bitwidth=512");
        if free < PAGES_WANTED {
            eprintln!(
                "note: {free} free large pages, DPDK's tables want {PAGES_WANTED}: they get small ones, and are slower; \
                 `echo {PAGES_WANTED} > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages` gives them theirs"
            );
            arguments.extend(["--no-shconf", "--no-huge", "-m", "6144"]);
        } else {
            arguments.push("--in-memory");
        }
        let arguments: Vec<CString> =
            arguments.into_iter().map(|text| CString::new(text).expect("no argument has a zero in it")).collect();
        let mut pointers: Vec<*const c_char> = arguments.iter().map(|text| text.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).expect("a handful");
        // SAFETY: `count` strings, which live to the end of this function; the EAL copies what it keeps.
        match unsafe { peer_start(count, pointers.as_mut_ptr()) } {
            0 => Ok(Self(())),
            error => Err(format!("DPDK does not start: {}", std::io::Error::from_raw_os_error(-error))),
        }
    }

    /// Bytes in use in DPDK's heaps.
    pub fn heap_bytes(self) -> usize {
        // SAFETY: the EAL has started.
        unsafe { peer_heap_bytes() }.try_into().unwrap_or(usize::MAX)
    }
}

/// The kinds of tables there are, each with what it takes to call it.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `rte_fib` DIR24_8, with next hops of 2 or 4 bytes.
    Fib {
        /// Of a next hop.
        bytes: c_int,
    },
    /// `rte_fib6` with next hops of 4 bytes.
    Fib6,
    /// `rte_lpm`.
    Lpm,
    /// `rte_lpm6`.
    Lpm6,
}

/// A table of DPDK's.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    kind: Kind,
    table: NonNull<c_void>,
    wide: [u64; LARGEST_BURST],
    words: [u32; LARGEST_BURST],
    signed: [i32; LARGEST_BURST],
}

impl Table {
    /// An empty table for `routes` routes, with `groups` groups of second-level entries.
    ///
    /// # Errors
    ///
    /// In words: what DPDK refuses.
    pub fn new(_started: Dpdk, name: &'static str, kind: Kind, routes: usize, groups: u32) -> Result<Self, String> {
        let routes = u32::try_from(routes).map_err(|_| "too many routes for DPDK".to_owned())?;
        let table = match kind {
            // SAFETY: the EAL has started, here and in the other arms.
            Kind::Fib { bytes } => unsafe { peer_fib_new(bytes, routes, groups) },
            // SAFETY: as above.
            Kind::Fib6 => unsafe { peer_fib6_new(routes, groups) },
            // SAFETY: as above.
            Kind::Lpm => unsafe { peer_lpm_new(routes, groups) },
            // SAFETY: as above.
            Kind::Lpm6 => unsafe { peer_lpm6_new(routes, groups) },
        };
        let table = NonNull::new(table).ok_or_else(|| format!("{name} gets no memory: see the note on large pages"))?;
        let vectors = match kind {
            // SAFETY: a live table of this kind.
            Kind::Fib { .. } => unsafe { peer_fib_use_avx512(table.as_ptr()) },
            // SAFETY: as above.
            Kind::Fib6 => unsafe { peer_fib6_use_avx512(table.as_ptr()) },
            Kind::Lpm | Kind::Lpm6 => 1,
        };
        if vectors == 0 {
            eprintln!("note: {name} without AVX-512: its default lookup is measured");
        }
        let (wide, words, signed) = ([0; LARGEST_BURST], [0; LARGEST_BURST], [0; LARGEST_BURST]);
        Ok(Self { name, kind, table, wide, words, signed })
    }

    /// Adds a route; zero is success.
    pub fn add4(&mut self, prefix: Prefix<Ipv4Addr>, hop: u32) -> c_int {
        let ip = u32::from(prefix.address());
        match self.kind {
            // SAFETY: a live table of this kind.
            Kind::Fib { .. } => unsafe { peer_fib_add(self.table.as_ptr(), ip, prefix.len(), u64::from(hop)) },
            // SAFETY: as above.
            Kind::Lpm => unsafe { peer_lpm_add(self.table.as_ptr(), ip, prefix.len(), hop) },
            Kind::Fib6 | Kind::Lpm6 => unreachable!("an IPv4 route for an IPv6 table"),
        }
    }

    /// Deletes a route of an `rte_fib`.
    pub fn delete4(&mut self, prefix: Prefix<Ipv4Addr>) -> c_int {
        assert!(matches!(self.kind, Kind::Fib { .. }));
        // SAFETY: a live table of this kind.
        unsafe { peer_fib_delete(self.table.as_ptr(), prefix.address().into(), prefix.len()) }
    }

    /// Adds a route; zero is success.
    pub fn add6(&mut self, prefix: Prefix<Ipv6Addr>, hop: u32) -> c_int {
        let ip = prefix.address().octets();
        match self.kind {
            // SAFETY: a live table of this kind, and sixteen bytes.
            Kind::Fib6 => unsafe { peer_fib6_add(self.table.as_ptr(), ip.as_ptr(), prefix.len(), u64::from(hop)) },
            // SAFETY: as above.
            Kind::Lpm6 => unsafe { peer_lpm6_add(self.table.as_ptr(), ip.as_ptr(), prefix.len(), hop) },
            Kind::Fib { .. } | Kind::Lpm => unreachable!("an IPv6 route for an IPv4 table"),
        }
    }

    /// Adds all routes; says how many were refused.
    pub fn fill4(&mut self, routes: &[Route<Ipv4Addr>]) -> usize {
        routes.iter().filter(|route| self.add4(route.prefix, route.word()) != 0).count()
    }

    /// Adds all routes; says how many were refused.
    pub fn fill6(&mut self, routes: &[Route<Ipv6Addr>]) -> usize {
        routes.iter().filter(|route| self.add6(route.prefix, route.word()) != 0).count()
    }

    /// Looks up a burst of IPv4 addresses, given as numbers; the answers stay inside.
    #[inline]
    pub fn lookup4(&mut self, numbers: &[u32]) {
        let n = count(numbers.len());
        match self.kind {
            // SAFETY: a live table of this kind, `n` addresses, and room for as many answers.
            Kind::Fib { .. } => unsafe {
                peer_fib_lookup(self.table.as_ptr(), numbers.as_ptr(), self.wide.as_mut_ptr(), n);
            },
            // SAFETY: as above.
            Kind::Lpm => unsafe {
                peer_lpm_lookup(self.table.as_ptr(), numbers.as_ptr(), self.words.as_mut_ptr(), n);
            },
            Kind::Fib6 | Kind::Lpm6 => unreachable!("IPv4 addresses for an IPv6 table"),
        }
    }

    /// The same of IPv6 addresses, in network order.
    #[inline]
    pub fn lookup6(&mut self, addresses: &[[u8; 16]]) {
        let n = count(addresses.len());
        match self.kind {
            // SAFETY: a live table of this kind, `n` addresses, and room for as many answers.
            Kind::Fib6 => unsafe {
                peer_fib6_lookup(self.table.as_ptr(), addresses.as_ptr().cast(), self.wide.as_mut_ptr(), n);
            },
            // SAFETY: as above.
            Kind::Lpm6 => unsafe {
                peer_lpm6_lookup(self.table.as_ptr(), addresses.as_ptr().cast(), self.signed.as_mut_ptr(), n);
            },
            Kind::Fib { .. } | Kind::Lpm => unreachable!("IPv6 addresses for an IPv4 table"),
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The first `n` answers of the last lookup, as next hops.
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they went in as words")]
    pub fn answers(&self, n: usize, next_hops: &mut [Option<NextHopId>]) {
        let hop = |word: u32| word.checked_sub(1).map(NextHopId::new);
        let places = next_hops[..n].iter_mut();
        match self.kind {
            Kind::Fib { .. } | Kind::Fib6 => places.zip(&self.wide).for_each(|(next, wide)| *next = hop(*wide as u32)),
            Kind::Lpm => places.zip(&self.words).for_each(|(next, word)| *next = hop(*word)),
            Kind::Lpm6 => places.zip(&self.signed).for_each(|(next, word)| *next = hop((*word).max(0) as u32)),
        }
    }

    /// The answers of the last lookup, as words.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they went in as words")]
    pub fn take_answers(&self, n: usize, words: &mut Vec<u32>) {
        match self.kind {
            Kind::Fib { .. } | Kind::Fib6 => words.extend(self.wide[..n].iter().map(|hop| *hop as u32)),
            Kind::Lpm => words.extend(&self.words[..n]),
            Kind::Lpm6 => words.extend(self.signed[..n].iter().map(|hop| (*hop).max(0) as u32)),
        }
    }
}

fn count(n: usize) -> u32 {
    assert!(n <= LARGEST_BURST);
    u32::try_from(n).expect("a burst")
}

impl Drop for Table {
    fn drop(&mut self) {
        match self.kind {
            // SAFETY: a live table of this kind, and the last use of it.
            Kind::Fib { .. } => unsafe { peer_fib_free(self.table.as_ptr()) },
            // SAFETY: as above.
            Kind::Fib6 => unsafe { peer_fib6_free(self.table.as_ptr()) },
            // SAFETY: as above.
            Kind::Lpm => unsafe { peer_lpm_free(self.table.as_ptr()) },
            // SAFETY: as above.
            Kind::Lpm6 => unsafe { peer_lpm6_free(self.table.as_ptr()) },
        }
    }
}

/// Most addresses in a burst.
pub const LARGEST_BURST: usize = 256;

/// Large pages that all of the report's tables take at most at one time.
const PAGES_WANTED: usize = 1200;

#[link(name = "lpm_report_peers", kind = "static")]
#[link(name = "rte_fib")]
#[link(name = "rte_lpm")]
#[link(name = "rte_eal")]
unsafe extern "C" {
    fn peer_start(argc: c_int, argv: *mut *const c_char) -> c_int;
    fn peer_heap_bytes() -> u64;
    fn peer_fib_new(bytes: c_int, routes: u32, groups: u32) -> *mut c_void;
    fn peer_fib_use_avx512(fib: *mut c_void) -> c_int;
    fn peer_fib_add(fib: *mut c_void, ip: u32, len: u8, hop: u64) -> c_int;
    fn peer_fib_delete(fib: *mut c_void, ip: u32, len: u8) -> c_int;
    fn peer_fib_free(fib: *mut c_void);
    fn peer_fib_lookup(fib: *mut c_void, ips: *const u32, hops: *mut u64, n: u32);
    fn peer_fib6_new(routes: u32, groups: u32) -> *mut c_void;
    fn peer_fib6_use_avx512(fib: *mut c_void) -> c_int;
    fn peer_fib6_add(fib: *mut c_void, ip: *const u8, len: u8, hop: u64) -> c_int;
    fn peer_fib6_free(fib: *mut c_void);
    fn peer_fib6_lookup(fib: *mut c_void, ips: *const u8, hops: *mut u64, n: u32);
    fn peer_lpm_new(routes: u32, groups: u32) -> *mut c_void;
    fn peer_lpm_add(lpm: *mut c_void, ip: u32, len: u8, hop: u32) -> c_int;
    fn peer_lpm_free(lpm: *mut c_void);
    fn peer_lpm_lookup(lpm: *mut c_void, ips: *const u32, hops: *mut u32, n: u32);
    fn peer_lpm6_new(routes: u32, groups: u32) -> *mut c_void;
    fn peer_lpm6_add(lpm: *mut c_void, ip: *const u8, len: u8, hop: u32) -> c_int;
    fn peer_lpm6_free(lpm: *mut c_void);
    fn peer_lpm6_lookup(lpm: *mut c_void, ips: *const u8, hops: *mut i32, n: u32);
}
