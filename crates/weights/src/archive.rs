//! Members of a zip archive.

use crate::FileError;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};
use zip::{CompressionMethod, ZipArchive, result::ZipError};

/// An open archive.
pub(crate) struct Archive {
    members: ZipArchive<BufReader<File>>,
    /// Bytes of the file.
    length: u64,
}

/// What the archive says of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// Bytes.
    pub size: u64,
    /// Where they begin in the file, if they lie there as they are.
    pub stored_at: Option<u64>,
}

impl Archive {
    /// Reads the directory.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = meanflow_files::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { members: ZipArchive::new(BufReader::new(file)).map_err(of_directory)?, length })
    }

    /// Names of the members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.file_names()
    }

    /// Size and place of a member, which is compared with the file; `None` if there is none of this name.
    pub fn member(&mut self, name: &str) -> Result<Option<Member>, FileError> {
        let file = match self.members.by_name(name) {
            Err(ZipError::FileNotFound) => return Ok(None),
            other => other.map_err(|error| of_member(name, error))?,
        };
        let (size, begin) = (file.size(), file.data_start());
        if begin.checked_add(file.compressed_size()).is_none_or(|end| end > self.length) {
            let (size, length) = (file.compressed_size(), self.length);
            return Err(FileError::broken(format!(
                "`{name}`: {size} bytes at {begin} are not all there; the file has {length}"
            )));
        }
        let stored = file.compression() == CompressionMethod::Stored && file.compressed_size() == size;
        Ok(Some(Member { size, stored_at: stored.then_some(begin) }))
    }

    /// Hands the bytes of a member to `read`; a wrong checksum is an error of reading at their end.
    pub fn stream<T>(&mut self, name: &str, read: impl FnOnce(&mut dyn Read) -> T) -> Result<T, FileError> {
        let mut file = self.members.by_name(name).map_err(|error| of_member(name, error))?;
        Ok(read(&mut file))
    }

    /// A member whole, if it has at most `most` bytes. Its checksum is compared.
    pub fn read(&mut self, name: &str, most: u64) -> Result<Vec<u8>, FileError> {
        let member = self.member(name)?.ok_or_else(|| FileError::Missing(name.to_owned()))?;
        if member.size > most {
            return Err(FileError::too_large(format!(
                "`{name}` has {} bytes; {most} are the most that is read of it",
                member.size
            )));
        }
        let file = self.members.by_name(name).map_err(|error| of_member(name, error))?;
        // What a compressed member says of its size is believed when the bytes are there.
        let mut bytes = Vec::with_capacity(if member.stored_at.is_some() { member.size as usize } else { 0 });
        file.take(member.size + 1).read_to_end(&mut bytes).map_err(|error| of_bytes(name, error))?;
        if bytes.len() as u64 != member.size {
            return Err(FileError::broken(format!(
                "`{name}` has other than the {} bytes that the archive says",
                member.size
            )));
        }
        Ok(bytes)
    }
}

fn of_directory(error: ZipError) -> FileError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => FileError::Io(error),
        other => {
            FileError::broken(format!("the archive has no whole directory; it may be cut short ({other})"))
        }
    }
}

fn of_member(name: &str, error: ZipError) -> FileError {
    match error {
        ZipError::UnsupportedArchive(reason) => FileError::unsupported(format!("`{name}`: {reason}")),
        ZipError::Io(error) => of_bytes(name, error),
        other => FileError::broken(format!("`{name}`: {other}")),
    }
}

/// The library tells a wrong checksum, and what is wrong with compressed data, as errors of reading.
fn of_bytes(name: &str, error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::Other => FileError::broken(format!("`{name}` is damaged: {error}")),
        _ => FileError::Io(error),
    }
}
