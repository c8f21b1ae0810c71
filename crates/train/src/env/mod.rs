//! What a run ran on: `env.json`, with an entry for each start.

mod changes;

use crate::{
    Kinds, TrainError,
    config::{Comparison, Difference, Variant},
    folder::{read_if_present, write_atomic},
};
use changes::Changes;
use meanflow_data::Dataset;
use meanflow_score::date::utc;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// Its name in a run folder.
const FILE: &str = "env.json";

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

/// The starts that a run folder knows of, the first one first. Older versions recorded the first start alone.
///
/// # Errors
/// [`TrainError::Read`]. A file that is no record is as none.
pub fn starts(run: &Path) -> Result<Vec<Value>, TrainError> {
    let Some(bytes) = read_if_present(&run.join(FILE))? else { return Ok(Vec::new()) };
    Ok(match serde_json::from_slice(&bytes) {
        Ok(Value::Object(mut record)) => match record.remove("starts") {
            Some(Value::Array(starts)) => starts,
            _ => vec![Value::Object(record)],
        },
        _ => Vec::new(),
    })
}

/// Keeps a record that cannot be read beside the one that the next start writes, and says where.
///
/// # Errors
/// [`TrainError::Read`], [`TrainError::Write`].
pub fn set_aside_unreadable(run: &Path) -> Result<Option<PathBuf>, TrainError> {
    let file = run.join(FILE);
    if read_if_present(&file)?.is_none() || !starts(run)?.is_empty() {
        return Ok(None);
    }
    let aside = run.join(format!("{FILE}.damaged"));
    std::fs::rename(&file, &aside).map_err(TrainError::write(&file))?;
    Ok(Some(aside))
}

/// What a start begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The network's initial weights.
    Scratch,
    /// The checkpoint of this step.
    Checkpoint(u64),
}

/// Adds a start, at which `changed` keys differ from before, to `env.json`, as `docs/run-folder.md` describes it.
///
/// # Errors
/// [`TrainError::Read`] of the old record or the initial weights, [`TrainError::Write`].
pub fn add_start<K: Kinds>(
    run: &Path,
    host: &Host,
    comparison: &Comparison<K>,
    variant: &Variant<K>,
    data: &dyn Dataset,
    from: From,
    changed: &[Difference],
) -> Result<(), TrainError> {
    let mut all = match from {
        // What is in the folder is of another run.
        From::Scratch => Vec::new(),
        From::Checkpoint(_) => starts(run)?,
    };
    let mut record = start(run, host, comparison, variant, data, from)?;
    if !changed.is_empty() {
        let values = |change: &Difference| (change.key.clone(), json!([change.before, change.after]));
        record["changed"] = changed.iter().map(values).collect::<serde_json::Map<_, _>>().into();
    }
    all.push(record);
    write_atomic(&run.join(FILE), format!("{:#}\n", json!({"starts": all})).as_bytes())
}

fn start<K: Kinds>(
    run: &Path,
    host: &Host,
    comparison: &Comparison<K>,
    variant: &Variant<K>,
    data: &dyn Dataset,
    from: From,
) -> Result<Value, TrainError> {
    let changes = Changes::now();
    let mut record = json!({
        "started": utc(SystemTime::now()),
        "version": env!("CARGO_PKG_VERSION"),
        "binary": binary(),
        "git": commit(),
        "dirty": changes.as_ref().map(|changes| !changes.is_empty()),
        "diff": changes.map(|changes| changes.keep(run)).transpose()?,
        "lock_sha256": host.lock_sha256,
        "features": host.features,
        "device": host.device,
        "threads": host.threads,
        "cpu": cpu(),
        "os": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "data": {"name": data.name(), "items": data.len(), "sha256": data.digest()},
        "command": host.command,
        "set": comparison.overrides,
        "config_file": comparison.file.to_string_lossy(),
        "config_text": comparison.text,
        "seed": variant.seed,
    });
    match from {
        From::Checkpoint(step) => record["step"] = step.into(),
        From::Scratch => {
            if let Some(file) = crate::start::file(&variant.init, run)? {
                record["init"] = json!({"path": file.to_string_lossy(), "sha256": sha256_of_file(&file)?});
            }
        }
    }
    Ok(record)
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// The program, read once a process: its sha256 tells it from any other build.
fn binary() -> &'static Value {
    static BINARY: OnceLock<Value> = OnceLock::new();
    BINARY.get_or_init(|| {
        let Ok(path) = std::env::current_exe() else { return Value::Null };
        // Another build may lie in its place by now; here Linux has the one that runs.
        let running = Path::new("/proc/self/exe");
        let file = if running.exists() { running } else { &path };
        let metadata = file.metadata().ok();
        json!({
            "path": path.to_string_lossy(),
            "bytes": metadata.as_ref().map(std::fs::Metadata::len),
            "modified": metadata.and_then(|metadata| metadata.modified().ok()).map(utc),
            "sha256": sha256_of_file(file).ok(),
        })
    })
}

/// The processor's name where the system tells it.
pub fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split(':').nth(1)?.trim().to_owned())
}

/// The model of the first NVIDIA GPU where the driver tells it.
pub fn nvidia_gpu() -> Option<String> {
    let mut gpus: Vec<_> =
        std::fs::read_dir("/proc/driver/nvidia/gpus").ok()?.flatten().map(|gpu| gpu.path()).collect();
    gpus.sort();
    let text = std::fs::read_to_string(gpus.first()?.join("information")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Model:"))?;
    Some(line["Model:".len()..].trim().to_owned())
}

/// Whether there is an NVIDIA GPU with a driver.
///
/// # Errors
/// What is missing, in words.
pub fn nvidia_ready() -> Result<(), String> {
    let standard = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/nvidia/lib64"];
    let given = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders = standard.into_iter().chain(given.split(':'));
    let driver = folders.any(|folder| {
        ["libcuda.so.1", "libcuda.so"].iter().any(|name| Path::new(folder).join(name).exists())
    });
    let gpu = ["/dev/nvidia0", "/dev/nvidiactl"].iter().any(|file| Path::new(file).exists());
    let found = |there| if there { "found" } else { "not found" };
    if driver && gpu {
        return Ok(());
    }
    Err(format!(
        "there is no NVIDIA GPU here (driver library {}, device file {}); use --device cpu",
        found(driver),
        found(gpu)
    ))
}

/// The most memory that this process has held since it began, in bytes, where the system tells it.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

/// sha256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// sha256 of a file in hexadecimal.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String, TrainError> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(TrainError::read(path))?;
    std::io::copy(&mut file, &mut hash).map_err(TrainError::read(path))?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_older_versions_are_the_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let found = |text: &str| {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            starts(folder.path()).unwrap()
        };
        assert_eq!(starts(folder.path()).unwrap(), Vec::<Value>::new());
        assert_eq!(found(r#"{"seed": 3, "device": "cpu"}"#), [json!({"seed": 3, "device": "cpu"})]);
        assert_eq!(
            found(r#"{"starts": [{"seed": 3}, {"seed": 4}]}"#),
            [json!({"seed": 3}), json!({"seed": 4})]
        );
        assert_eq!(found("torn"), Vec::<Value>::new());
    }
}
