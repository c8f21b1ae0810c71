//! An array that stays on the disk.

use super::{Element, Header, Values};
use crate::FileError;
use std::{
    fmt,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// An array whose values lie in a file row after row, a row being all that has one index of the first axis. It is read in parts, from
/// several threads if need be.
pub struct StoredArray {
    file: Mutex<File>,
    /// Where the values begin.
    begin: u64,
    header: Header,
}

impl fmt::Debug for StoredArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredArray").field("header", &self.header).finish_non_exhaustive()
    }
}

impl StoredArray {
    /// The array in `length` bytes from `at` on; `None` in Fortran order.
    pub(super) fn open(path: &Path, at: u64, length: u64) -> Result<Option<Self>, FileError> {
        let mut reader = BufReader::new(meanflow_files::open(path)?);
        reader.seek(SeekFrom::Start(at))?;
        let (header, size) = Header::read(&mut (&mut reader).take(length))?;
        header.check(length.saturating_sub(size))?;
        let rows = !header.fortran || header.shape.len() < 2;
        let file = Mutex::new(reader.into_inner());
        Ok(rows.then_some(Self { file, begin: at + size, header }))
    }

    /// Sizes of its axes.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// Type of its values in the file.
    pub fn element(&self) -> Element {
        self.header.element
    }

    /// `count` rows from `first` on, row-major.
    ///
    /// # Errors
    /// Errors of reading, of a file that has become shorter too.
    ///
    /// # Panics
    /// If there are not so many rows.
    pub fn rows(&self, first: usize, count: usize) -> Result<Values, FileError> {
        let Header { element, big_endian, shape, .. } = &self.header;
        let (all, row) = shape.split_first().map_or((1, 1), |(all, row)| (*all, row.iter().product()));
        assert!(first.checked_add(count).is_some_and(|end| end <= all), "{count} rows from {first} of {all}");
        let row = row * element.size();
        let mut bytes = vec![0; count * row];
        {
            // A thread that panicked while it read leaves nothing behind: each reading begins with its place.
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(self.begin + (first * row) as u64))?;
            file.read_exact(&mut bytes)?;
        }
        Ok(element.values(bytes, *big_endian))
    }
}
