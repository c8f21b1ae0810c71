//! The runtime of the page: ONNX Runtime Web of the npm registry, pinned, got by npm, and checked.

use flate2::read::GzDecoder;
use meanflow_files::{ClientError, Scratch, only_file, replace_shared, run};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The package.
const PACKAGE: &str = "onnxruntime-web@1.30.0";

/// Its files that a page needs, with their sha256.
const FILES: [(&str, &str); 2] = [
    ("ort.wasm.bundle.min.mjs", "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"),
    ("ort-wasm-simd-threaded.wasm", "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"),
];

/// Its licence, which stands beside the files and in the page. The package has no file of it.
pub const LICENCE: &str = include_str!("../licences/onnxruntime-web.txt");

/// ONNX Runtime Web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// The module that loads the other file.
    pub script: Vec<u8>,
    /// The runtime itself.
    pub wasm: Vec<u8>,
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// npm brought nothing.
    #[error("cannot get {PACKAGE}: {error}; npm is needed once, or put {} into {folder} yourself", names())]
    Client {
        /// What happened.
        #[source]
        error: ClientError,
        /// Where the files are looked for.
        folder: PathBuf,
    },
    /// Another file than the published one.
    #[error("{path} has sha256 {found}; the file of {PACKAGE} has {expected}")]
    Digest {
        /// The file.
        path: PathBuf,
        /// What it should have.
        expected: &'static str,
        /// What it has.
        found: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

fn names() -> String {
    FILES.map(|(name, _)| name).join(" and ")
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RuntimeError + '_ {
    |error| RuntimeError::Io { path: path.to_owned(), error }
}

impl Runtime {
    /// The runtime in `folder`, where it is fetched to if it is not there. `progress` is told what is being done.
    ///
    /// The package is downloaded as an archive and unpacked here; no code of it is run. Files that are there are never replaced.
    ///
    /// # Errors
    /// See [`RuntimeError`].
    pub fn open(folder: &Path, progress: impl FnOnce(&str)) -> Result<Self, RuntimeError> {
        if FILES.iter().any(|(name, _)| !folder.join(name).exists()) {
            progress(&format!("npm pack {PACKAGE} (33 MB, once)"));
            fetch(folder)?;
        }
        let [script, wasm] = FILES.map(|(name, sha256)| read(&folder.join(name), sha256));
        Ok(Self { script: script?, wasm: wasm? })
    }
}

fn fetch(folder: &Path) -> Result<(), RuntimeError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let scratch = Scratch::new(folder, "fetch").map_err(at(folder))?;
    let client = |error| RuntimeError::Client { error, folder: folder.to_owned() };
    run(scratch.path(), "npm", &["pack", PACKAGE, "--ignore-scripts"]).map_err(client)?;
    let archive = only_file(scratch.path(), ".tgz").map_err(|error| client(error.into()))?;
    let archive = scratch.path().join(archive);
    unpack(&archive, scratch.path()).map_err(at(&archive))?;
    for (name, sha256) in FILES {
        let (fetched, target) = (scratch.path().join(name), folder.join(name));
        read(&fetched, sha256)?;
        if !target.exists() {
            replace_shared(&target, |part| fs::rename(&fetched, part)).map_err(at(&target))?;
        }
    }
    let licence = folder.join("LICENSE-onnxruntime-web.txt");
    fs::write(&licence, LICENCE).map_err(at(&licence))
}

/// Takes the files out of the archive, and nothing else.
fn unpack(archive: &Path, to: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(archive)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if let Some((name, _)) = FILES.iter().find(|(name, _)| path == Path::new("package/dist").join(name)) {
            io::copy(&mut entry, &mut fs::File::create(to.join(name))?)?;
        }
    }
    Ok(())
}

fn read(path: &Path, expected: &'static str) -> Result<Vec<u8>, RuntimeError> {
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(at(path))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found == expected {
        return Ok(bytes);
    }
    Err(RuntimeError::Digest { path: path.to_owned(), expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (name, _) in FILES {
            fs::write(folder.path().join(name), "mine").unwrap();
        }
        let error = Runtime::open(folder.path(), |_| panic!("nothing is fetched")).unwrap_err().to_string();
        assert!(error.contains(FILES[0].0) && error.contains(FILES[0].1), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join(FILES[1].0)).unwrap(), "mine");
    }
}
