//! `ferry version`: who talks to whom; where nobody answers a person reads at least who asks.

use control_api::{Reply, Request, wire};

use crate::context::{self, Context};
use crate::failure::Failure;

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let ferry = env!("CARGO_PKG_VERSION");
    let ferryd = match context.ask(&Request::Version) {
        Ok(Reply::Version(ferryd)) => ferryd,
        Ok(_other) => return Err(Failure::unexpected_answer()),
        Err(failure) => {
            if !context.json() {
                context::print(&format!("ferry {ferry}, protocol {}\n", wire::VERSION))?;
            }
            return Err(failure);
        }
    };
    let json =
        serde_json::json!({ "ferry": ferry, "ferryd": ferryd.ferryd, "protocol": wire::VERSION, "pid": ferryd.pid });
    context.say(&json, |_paint| {
        format!("ferry {ferry}, ferryd {} (process {}), protocol {}\n", ferryd.ferryd, ferryd.pid, wire::VERSION)
    })
}
