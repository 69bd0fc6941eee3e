//! Any changes in any batches: the compiled table answers as the golden one.
#![no_main]

#[path = "../../tests/scene/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| script::play(bytes));
