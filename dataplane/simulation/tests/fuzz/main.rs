//! Nothing trusted: whatever comes in, the router stands, and every frame is accounted for.
//!
//! A fuzzer plays the same scripts (`fuzz/fuzz_targets/router.rs`); what it found worth keeping is played here without it.

mod script;

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use script::{play, seeds};

#[test]
fn every_script_of_the_corpus_plays_to_its_end() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/router");
    let scripts: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(scripts.len() >= 5);
    for script in scripts {
        println!("{}", script.display());
        play(&fs::read(&script).unwrap());
    }
}

/// A frame that makes sense, with some of its bytes changed and its end cut off or lengthened; its checksums are wrong then,
/// but for one in two whose IPv4 header's is mended, so that what is behind it is reached.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let mutated = (proptest::sample::select(seeds()), changes, -40..40_isize, any::<bool>());
    let mutated = mutated.prop_map(|(mut frame, changes, longer, mend)| {
        for (place, byte) in changes {
            let place = place.index(frame.len());
            frame[place] = byte;
        }
        let len = frame.len().saturating_add_signed(longer.min(0)).saturating_add_signed(longer.max(0));
        frame.resize(len, 0xaa);
        if mend {
            script::mend(&mut frame);
        }
        frame
    });
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..200),
        6 => mutated,
        2 => proptest::sample::select(seeds()),
    ]
}

proptest! {
    #[test]
    fn any_frames_are_accounted_for_and_what_leaves_is_whole_and_fits(
        frames in proptest::collection::vec((any::<u8>(), any_frame()), 0..80),
    ) {
        let script: Vec<u8> = frames.iter().flat_map(|(control, frame)| script::record(*control, frame)).collect();
        play(&script);
    }

    #[test]
    fn any_script_at_all_plays_to_its_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        play(&bytes);
    }
}
