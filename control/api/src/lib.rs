//! (a room to be furnished)
