//! Where packet buffers live: in huge pages if enough of them are free, in ordinary ones otherwise.
//!
//! A buffer in a huge page costs a fraction of the TLB misses, and its physical address is known, which a card without
//! an IOMMU needs. (Measured on one core with 16383 buffers, between two null devices: 150 million packets a second in
//! huge pages, 70 in ordinary ones.) A laptop, a container or a test has none reserved and works all the same. The
//! choice is made here, by reading what the kernel has free, and is told to the operator: a forwarder that silently runs
//! slower is a bug report.
//!
//! DPDK asks on which NUMA node a huge page is and fails if it may not: a container engine's filter of system calls permits
//! that to nobody without `CAP_SYS_NICE`. Then huge pages are none, too.

use std::fmt;
use std::fs;
use std::path::Path;

use dpdk_sys as sys;

use crate::EalError;

/// What the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemoryChoice {
    /// Huge pages if enough are free, ordinary pages otherwise.
    #[default]
    Automatic,
    /// Huge pages, or no start.
    HugePages,
    /// Ordinary pages, whatever is free.
    Ordinary,
}

/// What it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Huge pages, taken without a file system for them, so nothing is left behind.
    HugePages {
        /// Taken, in MiB.
        mib: u32,
        /// Free at the start, in MiB.
        free_mib: u64,
    },
    /// Ordinary pages.
    Ordinary {
        /// Taken, in MiB.
        mib: u32,
        /// Free in huge pages at the start, in MiB.
        free_mib: u64,
        /// Whether this process may ask where huge pages are, and so could use them.
        may_place: bool,
    },
}

impl Memory {
    /// Chooses, by what the kernel says is free and permits.
    pub(crate) fn choose(choice: MemoryChoice, wanted_mib: u32) -> Result<Self, EalError> {
        // SAFETY: asks the kernel for nothing but whether it answers.
        let may_place = unsafe { sys::ferry_may_place_memory() } != 0;
        Self::given(choice, wanted_mib, free_huge_pages_mib(Path::new(HUGE_PAGES)), may_place)
    }

    fn given(choice: MemoryChoice, mib: u32, free_mib: u64, may_place: bool) -> Result<Self, EalError> {
        let enough = free_mib >= u64::from(mib);
        match choice {
            MemoryChoice::HugePages if !enough => Err(EalError::TooFewHugePages { wanted_mib: mib, free_mib }),
            MemoryChoice::HugePages if !may_place => Err(EalError::HugePagesUnplaced),
            MemoryChoice::HugePages => Ok(Self::HugePages { mib, free_mib }),
            MemoryChoice::Automatic if enough && may_place => Ok(Self::HugePages { mib, free_mib }),
            MemoryChoice::Automatic | MemoryChoice::Ordinary => Ok(Self::Ordinary { mib, free_mib, may_place }),
        }
    }

    /// The EAL's arguments for it. Neither kind shares anything with other processes or leaves files behind.
    pub(crate) fn arguments(self) -> Vec<String> {
        match self {
            // One file descriptor per segment list: virtio_user hands them to its vhost, and can pass eight at most.
            Self::HugePages { mib, .. } => {
                vec!["--in-memory".into(), "--single-file-segments".into(), "-m".into(), mib.to_string()]
            }
            // `--in-memory` excludes `--no-huge`; `--no-shconf` is the part of it that matters here.
            Self::Ordinary { mib, .. } => {
                vec!["--no-huge".into(), "--no-shconf".into(), "-m".into(), mib.to_string()]
            }
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HugePages { mib, free_mib } => {
                write!(f, "{mib} MiB in huge pages, of {free_mib} MiB free")
            }
            Self::Ordinary { mib, free_mib, may_place } => {
                write!(f, "{mib} MiB in ordinary pages, slower than huge pages, of which {free_mib} MiB are free")?;
                if *may_place { Ok(()) } else { f.write_str(" and not permitted without CAP_SYS_NICE") }
            }
        }
    }
}

/// Sums up the free huge pages of every size, in MiB. What cannot be read is not free.
fn free_huge_pages_mib(sizes: &Path) -> u64 {
    let Ok(sizes) = fs::read_dir(sizes) else { return 0 };
    let free_kib = |size: fs::DirEntry| -> Option<u64> {
        let page_kib: u64 = size.file_name().to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let free: u64 = fs::read_to_string(size.path().join("free_hugepages")).ok()?.trim().parse().ok()?;
        Some(page_kib * free)
    };
    sizes.flatten().filter_map(free_kib).sum::<u64>() / 1024
}

const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_taken_when_enough_are_free_and_may_be_placed() {
        let huge = |free_mib| Memory::HugePages { mib: 256, free_mib };
        let ordinary = |free_mib, may_place| Memory::Ordinary { mib: 256, free_mib, may_place };
        #[rustfmt::skip]
        let rules = [
            (MemoryChoice::Automatic, 256, true,  huge(256)),
            (MemoryChoice::Automatic, 255, true,  ordinary(255, true)),
            (MemoryChoice::Automatic, 256, false, ordinary(256, false)),
            (MemoryChoice::HugePages, 300, true,  huge(300)),
            (MemoryChoice::Ordinary,  300, true,  ordinary(300, true)),
        ];
        for (choice, free_mib, may_place, memory) in rules {
            let given = Memory::given(choice, 256, free_mib, may_place).unwrap();
            assert_eq!(given, memory, "{choice:?} with {free_mib} MiB free");
        }
        for (free_mib, may_place, reason) in [(255, true, "255 MiB are free"), (256, false, "CAP_SYS_NICE")] {
            let refused = Memory::given(MemoryChoice::HugePages, 256, free_mib, may_place).unwrap_err().to_string();
            assert!(refused.contains(reason), "asked for outright: {refused}");
        }
    }

    #[test]
    fn free_pages_of_every_size_count() {
        let sizes = tempfile::tempdir().unwrap();
        for (size, free) in [("hugepages-2048kB", "3\n"), ("hugepages-1048576kB", "1\n"), ("unrelated", "9\n")] {
            let directory = sizes.path().join(size);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("free_hugepages"), free).unwrap();
        }
        assert_eq!(free_huge_pages_mib(sizes.path()), 6 + 1024);
        assert_eq!(free_huge_pages_mib(&sizes.path().join("absent")), 0);
    }
}
