//! monitors.
