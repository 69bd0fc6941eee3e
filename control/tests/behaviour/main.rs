//! How the control plane behaves, seen from its links and from its API.

mod discovery;
mod icmp;
mod neighbours;
mod nothing_trusted;
mod policy;
mod requests;
mod routes;
mod scene;
mod static_neighbours;
mod thread;
mod timers;
