//! Frames at a whole router: `cargo +nightly fuzz run router`.

#![no_main]

#[path = "../../tests/fuzz/script.rs"]
#[allow(dead_code, reason = "the seeds are for the tests")]
mod script;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| script::play(bytes));
