//! One line each way: the envelope around requests and answers.
//!
//! A line is one JSON object and ends with a newline; within JSON, newlines are escaped, so a reader needs no more than
//! to look for one. The version stands first: it is read before what it says how to read, so that a request from
//! another year is refused for that and not for a field.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ApiError, ErrorKind};
use crate::reply::Reply;
use crate::request::Request;

/// The version of the protocol; it changes when an old client would misread a new answer.
pub const VERSION: u32 = 1;

/// The longest request, in bytes, its newline included.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;

/// Writes `request` as a line, newline included.
pub fn request_line(request: &Request) -> String {
    line(&Envelope { version: VERSION, request })
}

/// Writes an answer as a line, newline included.
pub fn answer_line(answer: &Result<Reply, ApiError>) -> String {
    line(&Answer { version: VERSION, ok: answer.as_ref().ok(), error: answer.as_ref().err() })
}

/// Reads a request from a line.
///
/// # Errors
///
/// The [`ApiError`] to answer with.
pub fn read_request(line: &[u8]) -> Result<Request, ApiError> {
    let not_json = |error| {
        ApiError::new(ErrorKind::Invalid, format!("the line is not a request: {error}"))
            .with_hint(format!("write one like {}", request_line(&Request::Stats).trim_end()))
    };
    let envelope: Envelope<&RawValue> = serde_json::from_slice(line).map_err(not_json)?;
    if envelope.version != VERSION {
        return Err(other_version("the request", envelope.version));
    }
    serde_json::from_str(envelope.request.get())
        .map_err(|error| ApiError::new(ErrorKind::Invalid, format!("the request makes no sense: {error}")))
}

/// Reads an answer from a line.
///
/// # Errors
///
/// When ferryd refused, or when the line is no answer at all.
pub fn read_answer(line: &str) -> Result<Reply, ApiError> {
    let not_an_answer = |error| ApiError::new(ErrorKind::Internal, format!("ferryd's answer makes no sense: {error}"));
    let answer: Answer<Box<RawValue>, ApiError> = serde_json::from_str(line).map_err(not_an_answer)?;
    if let Some(error) = answer.error {
        return Err(error);
    }
    if answer.version != VERSION {
        return Err(other_version("the answer", answer.version));
    }
    match answer.ok {
        Some(reply) => serde_json::from_str(reply.get()).map_err(not_an_answer),
        None => Err(ApiError::new(ErrorKind::Internal, "ferryd's answer has neither `ok` nor `error`")),
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    request: T,
}

#[derive(Serialize, Deserialize)]
struct Answer<T, E> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<E>,
}

fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("the types here are maps with text for keys, and none fails");
    line.push('\n');
    line
}

fn other_version(what: &str, found: u32) -> ApiError {
    ApiError::new(
        ErrorKind::UnsupportedVersion,
        format!("{what} is of version {found}, and version {VERSION} is spoken here"),
    )
    .with_hint("use the `ferry` that came with this ferryd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_its_answers_survive_the_wire() {
        let line = request_line(&Request::Drops);
        assert_eq!(line, "{\"version\":1,\"request\":{\"command\":\"drops\"}}\n");
        assert_eq!(read_request(line.as_bytes()), Ok(Request::Drops));

        assert_eq!(answer_line(&Ok(Reply::Done)), "{\"version\":1,\"ok\":\"done\"}\n");
        for answer in [Ok(Reply::Done), Ok(Reply::Routes(Vec::new())), Err(ApiError::new(ErrorKind::Exists, "it\nis"))]
        {
            let line = answer_line(&answer);
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read_answer(&line), answer);
        }
    }

    #[test]
    fn a_line_that_is_no_request_is_refused_for_its_reason() {
        #[rustfmt::skip]
        let refused = [
            ("",                                                      ErrorKind::Invalid),
            ("GET / HTTP/1.1",                                        ErrorKind::Invalid),
            (r#"{"version":1}"#,                                      ErrorKind::Invalid),
            (r#"{"version":1,"request":{"command":"reboot"}}"#,       ErrorKind::Invalid),
            (r#"{"version":1,"request":{"command":"route_del","to":"10.0.0.1/8"}}"#, ErrorKind::Invalid),
            (r#"{"version":2,"request":{"command":"of tomorrow"}}"#,  ErrorKind::UnsupportedVersion),
        ];
        for (line, kind) in refused {
            assert_eq!(read_request(line.as_bytes()).unwrap_err().kind, kind, "{line}");
        }
        assert_eq!(read_request(b"\xff\xfe\n").unwrap_err().kind, ErrorKind::Invalid);
        let deep = "[".repeat(100_000);
        assert_eq!(read_request(deep.as_bytes()).unwrap_err().kind, ErrorKind::Invalid);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_either_side_panic(line: Vec<u8>, text in r#"[\[\]{}":,a-z0-9\\]{0,60}"#) {
            let _garbage = read_request(&line);
            let _nearly = read_request(format!(r#"{{"version":1,"request":{{"command":{text}"#).as_bytes());
            let _answer = read_answer(&format!(r#"{{"version":1,"ok":{text}"#));
        }
    }

    #[test]
    fn a_command_that_is_unknown_is_named_with_those_that_are() {
        let error = read_request(br#"{"version":1,"request":{"command":"reboot"}}"#).unwrap_err();
        assert!(error.message.contains("unknown variant `reboot`, expected one of `route_add`"), "{}", error.message);
    }
}
