//! The task of a session.
