//! ferry.
fn main() {}
