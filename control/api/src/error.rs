//! Why a request was refused, in words for a person and in a word for a program.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// A request that was refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What went wrong, for a program to decide by.
    pub kind: ErrorKind,
    /// What was wanted and what was found.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The same for a person, where words alone do not show it: the lines of a file, and what is wrong in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, picture: None }
    }

    /// The same with a hint: a sentence that begins with a verb.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with how a person sees it.
    #[must_use]
    pub fn with_picture(self, picture: impl Into<String>) -> Self {
        Self { picture: Some(picture.into()), ..self }
    }
}

/// Defines the kinds with their name and exit code beside each other.
macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $Kind:ident = $name:literal, exit $code:literal;)+) => {
        /// What went wrong. Its name stands in the JSON, its number is the exit code of the tool.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[doc = $about])+ #[serde(rename = $name)] $Kind,)+
            /// A kind that a newer ferryd knows and this program does not.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$Kind,)+ Self::Unknown];

            /// Its name in JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Kind => $name,)+
                    Self::Unknown => "unknown",
                }
            }

            /// What a tool exits with. 0 is success, and 2 is left to a command line that cannot be read.
            pub const fn exit_code(self) -> u8 {
                match self {
                    $(Self::$Kind => $code,)+
                    Self::Unknown => 1,
                }
            }
        }
    };
}

kinds! {
    /// A defect of ferryd itself.
    Internal = "internal", exit 1;
    /// The request itself makes no sense, whatever the state.
    Invalid = "invalid", exit 3;
    /// A destination and a gateway of different families.
    FamilyMismatch = "family_mismatch", exit 3;
    /// A command, or a verb, that nobody here knows.
    NotSupported = "not_supported", exit 3;
    /// A request, or the answer to it, is longer than a line may be.
    TooLarge = "too_large", exit 3;
    /// As many of one thing as there may be are there.
    TooMany = "too_many", exit 3;
    /// The other side speaks another version of the protocol.
    UnsupportedVersion = "unsupported_version", exit 3;
    /// What is to be added is there.
    Exists = "exists", exit 4;
    /// What is asked for is not there.
    NotFound = "not_found", exit 5;
    /// There could be a table of this number, and there is none.
    NoSuchTable = "no_such_table", exit 5;
    /// The gateway is on no port's network.
    UnreachableGateway = "unreachable_gateway", exit 6;
    /// The gateway is the destination itself.
    GatewayItself = "gateway_itself", exit 6;
    /// The gateway would be reached by the very route that goes by it.
    GatewayLoop = "gateway_loop", exit 6;
    /// The gateway cannot be one, or the route has none that it could be put in place of.
    HostUnreachable = "host_unreachable", exit 6;
    /// No port has this name.
    UnknownPort = "unknown_port", exit 7;
    /// It is there and may not be changed: a pinned route, as those of ports' addresses are.
    NotAllowed = "not_allowed", exit 8;
    /// It changes only when ferryd starts anew.
    RestartNeeded = "restart_needed", exit 8;
    /// ferryd has as many clients, or as much work, as it takes, or somebody has locked the route.
    Busy = "busy", exit 9;
    /// ferryd did not answer in time.
    Timeout = "timeout", exit 9;
    /// ferryd is stopping, or stopped while it was asked.
    ShuttingDown = "shutting_down", exit 10;
    /// Nobody listens on the socket.
    NotRunning = "not_running", exit 10;
    /// This user may not use the socket, or may only look.
    PermissionDenied = "permission_denied", exit 11;
}

impl ErrorKind {
    /// What a routing socket would say, for the kinds that a request for a route meets.
    pub const fn errno(self) -> Option<&'static str> {
        match self {
            Self::Invalid | Self::FamilyMismatch => Some("EINVAL"),
            Self::NotSupported => Some("EOPNOTSUPP"),
            Self::UnsupportedVersion => Some("EPROTONOSUPPORT"),
            Self::TooMany => Some("E2BIG"),
            Self::Exists => Some("EEXIST"),
            Self::NotFound => Some("ESRCH"),
            Self::NoSuchTable => Some("EAFNOSUPPORT"),
            Self::UnreachableGateway => Some("ENETUNREACH"),
            Self::HostUnreachable => Some("EHOSTUNREACH"),
            Self::UnknownPort => Some("ENXIO"),
            Self::GatewayItself => Some("EADDRNOTAVAIL"),
            Self::NotAllowed | Self::GatewayLoop => Some("EADDRINUSE"),
            Self::Busy => Some("EBUSY"),
            Self::PermissionDenied => Some("EACCES"),
            Self::Internal
            | Self::TooLarge
            | Self::Timeout
            | Self::ShuttingDown
            | Self::NotRunning
            | Self::RestartNeeded
            | Self::Unknown => None,
        }
    }
}

impl Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_carries_a_word_for_programs_and_a_sentence_for_people() {
        let error = ApiError::new(ErrorKind::Exists, "there is a route to 10.0.0.0/8")
            .with_hint("use `route replace` to change it");
        let json =
            r#"{"kind":"exists","message":"there is a route to 10.0.0.0/8","hint":"use `route replace` to change it"}"#;
        assert_eq!(serde_json::to_string(&error).unwrap(), json);
        assert_eq!(serde_json::from_str::<ApiError>(json).unwrap(), error);
    }

    #[test]
    fn every_kind_has_the_name_it_is_serialised_as_and_fails_a_shell_script() {
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert!(![0, 2].contains(&kind.exit_code()));
        }
    }

    #[test]
    fn a_kind_of_tomorrow_is_read_as_unknown() {
        let error: ApiError = serde_json::from_str(r#"{"kind":"on_fire","message":"help"}"#).unwrap();
        assert_eq!(error.kind, ErrorKind::Unknown);
    }
}
