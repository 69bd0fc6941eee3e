//! Requests: what they change, what they are refused for, and that a refused one changes nothing.
