//! `ferry version`: who talks to whom.

use control_api::{Reply, Request, wire};

use crate::context::Context;
use crate::failure::Failure;

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let Reply::Version(ferryd) = context.ask(&Request::Version)? else { return Err(Failure::unexpected_answer()) };
    let ferry = env!("CARGO_PKG_VERSION");
    let json =
        serde_json::json!({ "ferry": ferry, "ferryd": ferryd.ferryd, "protocol": wire::VERSION, "pid": ferryd.pid });
    context.say(&json, |_paint| {
        format!("ferry {ferry}, ferryd {} (process {}), protocol {}\n", ferryd.ferryd, ferryd.pid, wire::VERSION)
    })
}
