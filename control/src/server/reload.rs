//! A configuration that ferryd is to run by from now on: read and checked here, and decided by the control thread.

use std::path::Path;

use control_api::{ApiError, ConfigChanges, ErrorKind, Reply, Request};
use crossbeam::channel::Sender;
use tokio::sync::oneshot;

use super::{Asked, stopping};
use crate::asker::Asker;
use crate::config::{Config, ConfigError, Mistake};

/// Lets the control thread run by the file from now on, as ferryd itself wants it; returns when it does.
///
/// # Errors
///
/// Why it does not; then nothing has changed.
pub fn reload(control: &Sender<Asked>, file: &Path) -> Result<ConfigChanges, ApiError> {
    let asker = Asker { config: Some(read(file)?), ..Asker::ferryd() };
    let request = Request::ConfigReload { file: Some(file.display().to_string()), dry_run: false };
    let (reply, answer) = oneshot::channel();
    control.send(Asked { request, asker, reply }).map_err(|_gone| stopping())?;
    match answer.blocking_recv() {
        Ok(answer) => match answer? {
            Reply::Config(changes) => Ok(changes),
            _another => Err(ApiError::new(ErrorKind::Internal, "the control thread answered another question")),
        },
        Err(_dropped) => Err(stopping()),
    }
}

/// The configuration in a file.
pub(super) fn read(file: &Path) -> Result<Box<Config>, ApiError> {
    Config::load(file).map(Box::new).map_err(|error| refused(&error))
}

/// To a program each mistake in words, to a person in its line.
fn refused(error: &ConfigError) -> ApiError {
    let place = |mistake: &Mistake| format!("; line {}, column {}: {mistake}", mistake.line(), mistake.column());
    let mistakes: String = error.all().iter().map(place).collect();
    ApiError::new(ErrorKind::Invalid, format!("{error}{mistakes}")).with_picture(error.report(false))
}
