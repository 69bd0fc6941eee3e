//! The API server: it takes requests from clients to the control thread, and answers back.

use control_api::{ApiError, Reply, Request};
use tokio::sync::oneshot;

/// A client's request on its way to the control thread, and where its answer goes.
///
/// The client may be gone by the time there is an answer; sending it then fails, and that is nothing to worry about.
#[derive(Debug)]
pub struct Asked {
    /// What it asks.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Reply, ApiError>>,
}
