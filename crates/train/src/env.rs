//! What a run ran on: `env.json`.

use crate::config::{Comparison, Variant};
use meanflow_data::Dataset;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// What only the binary knows.
#[derive(Clone, Debug)]
pub struct Host {
    /// Device, in words.
    pub device: String,
    /// Features the binary was built with.
    pub features: Vec<String>,
    /// Threads of the CPU backend.
    pub threads: usize,
    /// sha256 of the `Cargo.lock` the binary was built from.
    pub lock_sha256: String,
    /// Command line.
    pub command: Vec<String>,
}

/// The record of a start, as `docs/run-folder.md` describes it.
pub fn record(host: &Host, comparison: &Comparison, variant: &Variant, data: &dyn Dataset) -> Value {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    let diff = git(&["diff", "HEAD"]);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "git": git(&["rev-parse", "HEAD"]),
        "dirty": diff.as_ref().map(|diff| !diff.is_empty()),
        "diff": diff,
        "lock_sha256": host.lock_sha256,
        "features": host.features,
        "device": host.device,
        "threads": host.threads,
        "cpu": cpu(),
        "os": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "data": {"name": data.name(), "items": data.len(), "sha256": data.digest()},
        "command": host.command,
        "set": comparison.overrides,
        "config_file": comparison.file,
        "config_text": comparison.text,
        "started": utc_now(),
        "seed": variant.seed,
    })
}

/// The processor's name where the system tells it.
pub fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split(':').nth(1)?.trim().to_owned())
}

/// sha256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The present time as `2026-11-22T22:30:00Z`.
fn utc_now() -> String {
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(secs / 86_400);
    let (hour, minute, second) = (secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970-01-01 as a date of the Gregorian calendar.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(59), (1970, 3, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_779), (2026, 11, 22));
    }
}
