//! One line each way: the envelope around requests and answers.
//!
//! A line is one JSON object and ends with a newline; within JSON, newlines are escaped, so a reader needs no more than
//! to look for one. The version stands first: it is read before what it says how to read, so that a request from
//! another year is refused for that and not for a field. Whoever gives his requests a number, `seq`, finds it in the
//! answers, and in the events that follow from them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ApiError, ErrorKind};
use crate::reply::Reply;
use crate::request::Request;
use crate::text::is_default;

/// The version of the protocol; it changes when an old client would misread a new answer.
pub const VERSION: u32 = 1;

/// The longest request, in bytes, its newline included.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;

/// Writes `request` as a line, newline included.
pub fn request_line(request: &Request) -> String {
    line(&Envelope { version: VERSION, seq: 0, request })
}

/// Writes an answer as a line, newline included.
pub fn answer_line(answer: &Result<Reply, ApiError>) -> String {
    numbered_answer_line(0, answer)
}

/// The same with the number of the request it answers; 0 if that had none.
pub fn numbered_answer_line(seq: u32, answer: &Result<Reply, ApiError>) -> String {
    line(&Answer { version: VERSION, seq, ok: answer.as_ref().ok(), error: answer.as_ref().err() })
}

/// Reads a request from a line.
///
/// # Errors
///
/// The [`ApiError`] to answer with.
pub fn read_request(line: &[u8]) -> Result<Request, ApiError> {
    read_numbered_request(line).map(|(_seq, request)| request).map_err(|(_seq, refused)| refused)
}

/// The same with the number that the asker gave it, which its answer bears too; 0 if he gave none.
///
/// # Errors
///
/// The [`ApiError`] to answer with, and the number as far as it could be read.
pub fn read_numbered_request(line: &[u8]) -> Result<(u32, Request), (u32, ApiError)> {
    let envelope = read_envelope(line).map_err(|refused| (0, refused))?;
    let seq = envelope.seq;
    if envelope.version != VERSION {
        return Err((seq, other_version("the request", envelope.version)));
    }
    match serde_json::from_str(envelope.request.get()) {
        Ok(request) => Ok((seq, request)),
        Err(error) => Err((seq, senseless(envelope.request, &error))),
    }
}

fn read_envelope(line: &[u8]) -> Result<Envelope<&RawValue>, ApiError> {
    let not_json = |error| {
        ApiError::new(ErrorKind::Invalid, format!("the line is not a request: {error}"))
            .with_hint(format!("write one like {}", request_line(&Request::Stats).trim_end()))
    };
    serde_json::from_slice(line).map_err(not_json)
}

/// What is no request: a word that nobody here knows, in the place of the command or the verb, or anything else.
fn senseless(request: &RawValue, error: &serde_json::Error) -> ApiError {
    let what = error.to_string();
    let asks = serde_json::from_str::<Asks<'_>>(request.get()).unwrap_or_default();
    let is_unknown = |word: &str| what.starts_with(&format!("unknown variant `{word}`"));
    let kind = match [asks.command, asks.verb].into_iter().flatten().any(|word| is_unknown(&word)) {
        true => ErrorKind::NotSupported,
        false => ErrorKind::Invalid,
    };
    ApiError::new(kind, format!("the request makes no sense: {what}"))
}

/// The words that say what to do.
#[derive(Default, Deserialize)]
struct Asks<'line> {
    #[serde(borrow)]
    command: Option<Cow<'line, str>>,
    #[serde(borrow)]
    verb: Option<Cow<'line, str>>,
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
    #[serde(default, skip_serializing_if = "is_default")]
    seq: u32,
    request: T,
}

#[derive(Serialize, Deserialize)]
struct Answer<T, E> {
    version: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    seq: u32,
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
            (r#"{"version":1,"request":{"command":"reboot"}}"#,       ErrorKind::NotSupported),
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

    // holds X37
    #[test]
    fn ms_12_a_message_of_another_version_length_or_type_is_refused_for_that() {
        let get = r#"{"version":1,"seq":7,"request":{"command":"route_message","verb":"get","dst":"10.0.0.1"}}"#;
        assert_eq!(read_numbered_request(get.as_bytes()).map(|(seq, _get)| seq), Ok(7));
        #[rustfmt::skip]
        let wrong = [
            (get.replace("\"version\":1", "\"version\":4"),  7, ErrorKind::UnsupportedVersion, "EPROTONOSUPPORT"),
            (get[..get.len() - 9].to_owned(),              0, ErrorKind::Invalid,            "EINVAL"),
            (format!("{get}{get}"),                        0, ErrorKind::Invalid,            "EINVAL"),
            (get.replace("\"get\"", "\"type 99\""),        7, ErrorKind::NotSupported,       "EOPNOTSUPP"),
            (get.replace("10.0.0.1", "type 99"),           7, ErrorKind::Invalid,            "EINVAL"),
        ];
        for (line, seq, kind, errno) in wrong {
            let (answers, refused) = read_numbered_request(line.as_bytes()).unwrap_err();
            assert_eq!((answers, refused.kind, refused.kind.errno()), (seq, kind, Some(errno)), "{line}");
        }
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
