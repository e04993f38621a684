//! The machine that a run was made on: without it, no figure means anything.

use crate::scratch;
use crate::statistics::{Spread, nanos};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Durable writes that are timed to tell what the disk is like.
const PROBES: usize = 200;
const PROBE_BYTES: usize = 8 << 10;

/// What is told of the machine and of the program.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Machine {
    date: String,
    commit: String,
    processor: String,
    cores: usize,
    memory: String,
    kernel: String,
    disk: String,
    /// Microseconds for a small durable write.
    durable_write: Spread,
    sqlite: String,
    rustc: String,
}

impl Machine {
    /// Looks around, and times a few durable writes.
    pub(crate) fn look() -> anyhow::Result<Machine> {
        Ok(Machine {
            date: time::OffsetDateTime::now_utc().date().to_string(),
            commit: commit(),
            processor: field("/proc/cpuinfo", "model name")?,
            cores: std::thread::available_parallelism()?.get(),
            memory: field("/proc/meminfo", "MemTotal")?,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().into(),
            disk: disk()?,
            durable_write: durable_write()?,
            sqlite: rusqlite::version().into(),
            rustc: said_by("rustc", &["--version"]),
        })
    }

    /// As a table of a page.
    pub(crate) fn markdown(&self) -> String {
        let Machine { date, commit, processor, cores, memory, kernel, disk, durable_write, sqlite, rustc } = self;
        let Spread { min, median, max } = durable_write;
        format!(
            "| | |\n| --- | --- |\n| date | {date} |\n| commit | {commit} |\n| processor | {processor}, {cores} cores |\n\
             | memory | {memory} |\n| kernel | {kernel} |\n| disk | {disk} |\n\
             | a durable write of {PROBE_BYTES} bytes | {min} / {median} / {max} µs |\n| SQLite | {sqlite} |\n| compiler | {rustc} |\n"
        )
    }
}

/// What is written behind a name in a file of Linux.
fn field(file: &str, name: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    Ok(found.with_context(|| format!("{file} has no {name}"))?.trim().into())
}

fn commit() -> String {
    let short = said_by("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = said_by("git", &["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_empty() || changed.lines().all(|line| line.ends_with("RESULTS.md")) {
        short
    } else {
        format!("{short} with changes")
    }
}

/// The first of what a program prints; nothing when it cannot be run.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The device and file system under the scratch folder: the mount with the longest path that leads there.
fn disk() -> anyhow::Result<String> {
    let folder = scratch::folder("")?.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let under = mounts.filter(|(_, place, _)| folder.starts_with(Path::new(place)));
    let mount = under.max_by_key(|(_, place, _)| place.len());
    let (device, _, system) = mount.context("the scratch folder is on no disk")?;
    Ok(format!("{device}, {system}"))
}

fn durable_write() -> anyhow::Result<Spread> {
    let path = scratch::folder("")?.join("probe");
    let mut file = File::create(&path)?;
    let block = [7_u8; PROBE_BYTES];
    file.write_all(&block)?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        file.seek(SeekFrom::Start(0))?;
        let begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(nanos(begun.elapsed()) / 1_000);
    }
    fs::remove_file(&path)?;
    Spread::of(times).context("writes were timed")
}
