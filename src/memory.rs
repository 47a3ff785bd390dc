//! What memory the machine has left.

/// Bytes that this machine could still give, or this process still take (`ulimit -v`), where it
/// says so.
pub fn available() -> Option<f64> {
    let free = number("/proc/meminfo", "MemAvailable:").map(|kilobytes| 1024.0 * kilobytes);
    match (free, below_limit()) {
        (Some(free), Some(below)) => Some(free.min(below)),
        (free, below) => free.or(below),
    }
}

/// What the limit of the address space leaves, where there is one.
fn below_limit() -> Option<f64> {
    let limit = number("/proc/self/limits", "Max address space")?;
    let taken = 1024.0 * number("/proc/self/status", "VmSize:")?;
    Some((limit - taken).max(0.0))
}

/// The first number of the line of `file` that begins with `name`.
fn number(file: &str, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
