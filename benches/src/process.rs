//! What a process has used, as Linux tells it.

use anyhow::{Context, anyhow};

/// High water of a process's resident memory in bytes, since it began or [`forget_peak`] was called.
pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM:")
}

/// From now on [`peak_memory`] tells the high water after this moment.
pub(crate) fn forget_peak(pid: u32) -> anyhow::Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the high water of memory cannot be reset")
}

fn status(pid: u32, name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    let kilobytes = kilobytes.ok_or_else(|| anyhow!("/proc/{pid}/status has no {name}"))?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}
