//! What a process has used, as Linux tells it: memory and time on the processors.

use anyhow::{Context, anyhow};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// High water of a process's resident memory in bytes, since it began or [`forget_peak`] was called.
pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM:")
}

/// A process's resident memory now, in bytes.
pub(crate) fn memory(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS:")
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

/// Time that all threads of this process have spent on processors.
pub(crate) fn own_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_of_this_process() {
        let pid = std::process::id();
        let now = memory(pid).unwrap();
        assert!(now > 0 && peak_memory(pid).unwrap() >= now);
        let before = own_cpu_time();
        let mut turns = 0_u64;
        while own_cpu_time() < before + Duration::from_millis(5) {
            turns += 1;
        }
        assert!(turns > 0);
    }
}
