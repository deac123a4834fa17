//! JSON exactly as V8 reads and prints it.
