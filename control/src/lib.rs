//! (a room to be furnished)

pub mod config;
pub mod server;
