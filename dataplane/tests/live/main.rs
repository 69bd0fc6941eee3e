//! ferryd as a process: between hosts in namespaces, and over captures.

mod between_hosts;
mod containers;
mod daemons;
mod ferryd;
mod lab;
mod lengths;
mod links;
mod multipath;
mod neighbours;
mod over_captures;
mod queues;
mod taps;
mod trouble;
mod vlans;
