//! Uncommitted changes: kept in a file of their own, and not more of them than anybody reads.

use super::sha256;
use crate::{TrainError, folder::write_atomic};
use serde_json::{Value, json};
use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

/// Bytes of a diff that are kept at most.
const MOST: u64 = 1 << 20;

/// Changes of the repository around the current folder since its last commit; `None` outside a repository.
pub(super) struct Changes {
    bytes: Vec<u8>,
    cut: bool,
}

impl Changes {
    /// Asks git.
    pub(super) fn now() -> Option<Self> {
        let mut git = Command::new("git");
        git.args(["diff", "--no-color", "--no-ext-diff", "HEAD"]);
        Self::of(git)
    }

    fn of(mut command: Command) -> Option<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut bytes = Vec::new();
        let read = child.stdout.take()?.take(MOST + 1).read_to_end(&mut bytes);
        let cut = bytes.len() as u64 > MOST;
        if cut {
            bytes.truncate(MOST as usize);
            // Nobody reads the rest; the process may have ended by itself.
            let _ = child.kill();
        }
        let ended = child.wait().ok()?;
        (read.is_ok() && (cut || ended.success())).then_some(Self { bytes, cut })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes them into the folder and returns what `env.json` says of them; null if there are none.
    pub(super) fn keep(&self, folder: &Path) -> Result<Value, TrainError> {
        if self.is_empty() {
            return Ok(Value::Null);
        }
        let digest = sha256(&self.bytes);
        // The same changes at the next start are the same file.
        let name = format!("diff-{}.patch", &digest[..12]);
        if !folder.join(&name).is_file() {
            write_atomic(&folder.join(&name), &self.bytes)?;
        }
        Ok(json!({"file": name, "bytes": self.bytes.len(), "sha256": digest, "cut": self.cut}))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn printed(script: &str) -> Option<Changes> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        Changes::of(shell)
    }

    #[test]
    fn changes_are_kept_beside_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |script: &str| printed(script).unwrap().keep(folder.path()).unwrap();
        assert_eq!(kept("true"), Value::Null);
        let small = kept("echo '+a line'");
        assert_eq!((small["bytes"].as_u64(), small["cut"].as_bool()), (Some(8), Some(false)));
        let path = folder.path().join(small["file"].as_str().unwrap());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "+a line\n");
        let endless = kept("yes");
        assert_eq!((endless["bytes"].as_u64(), endless["cut"].as_bool()), (Some(MOST), Some(true)));
        assert_eq!(kept("yes"), endless);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(printed("exit 1").is_none());
    }
}
