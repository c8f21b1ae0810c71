//! Published sets of files and the packages that ship them.

/// A published set of files.
#[derive(Debug)]
pub struct Published {
    /// The package that ships the files.
    pub package: Package,
    /// Files, with the sha256 of what is in them unpacked, and folders, with that of all their files.
    pub files: &'static [(&'static str, &'static str)],
}

/// A package of an ordinary client.
#[derive(Debug)]
pub enum Package {
    /// A Debian package, got by `apt-get` and unpacked by `dpkg`; an installed one is used as it is.
    Debian {
        /// The package's name.
        name: &'static str,
        /// Where its files lie, from `/`.
        folder: &'static str,
    },
    /// An npm package, got by `npm` and unpacked by `tar`. No code of it is run.
    Npm {
        /// Name and version.
        spec: &'static str,
        /// Where its files lie in the archive.
        folder: &'static str,
    },
}
