//! How the control plane behaves, seen from its links and from its API.

mod discovery;
mod discovery_fuzzed;
mod fpm;
mod icmp;
mod neighbours;
mod nothing_trusted;
mod own_addresses;
mod policy;
mod proxies;
mod queues;
mod reload;
mod requests;
mod routers;
mod routes;
mod saved;
mod scene;
mod static_neighbours;
mod taps;
mod thread;
mod timers;
