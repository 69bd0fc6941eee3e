//! The captures kept in this folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use pcaps::{Capture, CaptureError, LinkType};

#[test]
fn the_captures_in_the_tree_are_exactly_what_the_program_makes() {
    let made = tempfile::tempdir().expect("a temporary directory");
    let status = Command::new(env!("CARGO_BIN_EXE_make-captures")).arg(made.path()).status().expect("it was built");
    assert!(status.success());
    let (kept, made) = (captures_in(Path::new(FOLDER)), captures_in(made.path()));
    assert!(kept.keys().eq(made.keys()), "kept {:?}, made {:?}", kept.keys(), made.keys());
    for (name, bytes) in &kept {
        assert!(*bytes == made[name], "{name} differs: run `cargo run -p pcaps --bin make-captures -- pcaps`");
    }
}

#[test]
fn the_readme_has_a_line_for_every_capture() {
    let readme = std::fs::read_to_string(Path::new(FOLDER).join("README.md")).expect("there is a README");
    for name in captures_in(Path::new(FOLDER)).keys() {
        assert!(readme.contains(&format!("| `{name}` |")), "no line for {name}");
    }
}

#[test]
fn every_capture_is_whole_and_of_ethernet_but_the_two_that_shall_not_be() {
    for name in captures_in(Path::new(FOLDER)).keys() {
        let mut capture = Capture::open(Path::new(FOLDER).join(name)).expect("its header is whole");
        let mut packets = 0;
        let end = loop {
            match capture.next_packet() {
                Ok(Some(_)) => packets += 1,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(packets > 0, "{name} is empty");
        let link_type = if name == "raw-ip.pcap" { LinkType::new(101) } else { LinkType::ETHERNET };
        assert!(capture.link_types().eq([link_type]), "{name}");
        match end {
            None => assert_ne!(name, "damaged.pcap"),
            Some(CaptureError::Damaged { offset, .. }) => {
                assert_eq!((&**name, packets, offset), ("damaged.pcap", 2, 183), "as its line in the README says");
            }
            Some(other) => panic!("{name}: {other}"),
        }
    }
}

/// The captures in a folder, by name.
fn captures_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).expect("the folder can be read");
    let files = files.map(|file| file.expect("the folder can be read").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .map(|path| {
            let name = path.file_name().expect("it has an extension").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("the file can be read"))
        })
        .collect()
}

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
