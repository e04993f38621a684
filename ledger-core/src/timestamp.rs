//! When: an instant. Reading a clock, and calendars, are not here.

/// Microseconds since 1970-01-01T00:00:00Z. An argument everywhere: the core has no clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);
