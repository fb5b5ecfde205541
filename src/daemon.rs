//! Puts the path together and runs it.
