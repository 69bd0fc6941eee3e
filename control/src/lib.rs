//! (a room to be furnished)

pub mod config;
