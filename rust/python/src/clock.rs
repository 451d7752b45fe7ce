//! The clocks a check looks at.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, some milliseconds late.
#[cfg(target_os = "linux")]
pub(crate) fn about_now_ms() -> u64 {
    read(rustix::time::ClockId::RealtimeCoarse)
}

/// Milliseconds since the epoch.
#[cfg(not(target_os = "linux"))]
pub(crate) use now_ms as about_now_ms;

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Milliseconds of a clock that does not go back. Some milliseconds late, because every check reads it and
/// the exact clock takes as long as all else an exposure costs.
#[cfg(target_os = "linux")]
pub(crate) fn steady_ms() -> u64 {
    read(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(target_os = "linux")]
fn read(clock: rustix::time::ClockId) -> u64 {
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000
}

/// Milliseconds since the epoch. A Fastly Compute component is a picture of memory taken when it was built: the
/// steady clock begins anew with every sandbox, and what was kept of it would lie in the future.
#[cfg(target_os = "wasi")]
pub(crate) use now_ms as steady_ms;

/// Milliseconds of a clock that does not go back.
#[cfg(not(any(target_os = "linux", target_os = "wasi")))]
pub(crate) fn steady_ms() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
}
