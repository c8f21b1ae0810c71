//! One array over several HDF5 files, read row by row from blocks in memory.

use std::ops::Range;
use std::sync::Arc;

use crate::block_cache::BlockCache;
use crate::error::DataError;
use crate::hdf5::{Array, Numbers, Values};
use crate::images::value;

/// Unpacked blocks of an array that are kept in memory, in bytes.
const MEMORY: usize = 128 << 20;
/// Rows are read together up to this size where the file does not say which are packed together.
const BLOCK: usize = 1 << 20;

/// Rows of an array, over all its parts.
pub(crate) struct Rows {
    parts: Vec<Array>,
    blocks: Vec<Block>,
    window: usize,
    cache: BlockCache<Values>,
    /// Whether values of single precision must be those of pixels.
    pixels: bool,
}

/// Rows that are read together.
struct Block {
    part: usize,
    /// Rows within the part.
    rows: Range<usize>,
    /// Rows of the set.
    indices: Range<usize>,
}

impl Rows {
    /// Checks that the parts go together; there is at least one.
    pub fn new(parts: Vec<Array>) -> Result<Self, DataError> {
        let first = &parts[0];
        let row_bytes = first.shape[1..].iter().product::<usize>() * bytes(first.kind);
        let mut blocks = Vec::new();
        let mut start = 0;
        for (number, part) in parts.iter().enumerate() {
            if part.kind != first.kind || part.shape[1..] != first.shape[1..] {
                return Err(part.problem(format!(
                    "rows are {:?} of shape {:?}, those of {} are {:?} of shape {:?}",
                    part.kind,
                    &part.shape[1..],
                    first.path.display(),
                    first.kind,
                    &first.shape[1..]
                )));
            }
            let packed = part.chunk_rows.unwrap_or(1).max(1);
            // Many small chunks are read together: finding a chunk costs something too.
            let together = packed * (BLOCK / (packed * row_bytes)).max(1);
            for from in (0..part.shape[0]).step_by(together) {
                let rows = from..(from + together).min(part.shape[0]);
                let indices = start + rows.start..start + rows.end;
                blocks.push(Block { part: number, rows, indices });
            }
            start += part.shape[0];
        }
        let largest = blocks.iter().map(|block| block.rows.len()).max().unwrap_or(1);
        let window = (MEMORY / (largest * row_bytes)).max(1);
        // One more, for a batch that ends in one window and goes on in the next.
        Ok(Self { parts, blocks, window, cache: BlockCache::new(window + 1), pixels: false })
    }

    /// The same rows, whose values of single precision must be those of pixels.
    pub fn of_pixels(self) -> Self {
        Self { pixels: true, ..self }
    }

    pub fn len(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.indices.end)
    }

    pub fn kind(&self) -> Numbers {
        self.parts[0].kind
    }

    /// Shape of a row.
    pub fn shape(&self) -> &[usize] {
        &self.parts[0].shape[1..]
    }

    /// Number of rows in each of the files.
    pub fn of_files(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().map(|part| part.shape[0])
    }

    /// An error about the array, in the first of its files.
    pub fn problem(&self, problem: String) -> DataError {
        self.parts[0].problem(problem)
    }

    /// An error about a row.
    pub fn problem_of(&self, index: usize, problem: &str) -> DataError {
        let number = self.blocks.partition_point(|block| block.indices.end <= index);
        let Block { part, rows, indices } = &self.blocks[number];
        self.parts[*part].problem(format!("row {} {problem}", rows.start + index - indices.start))
    }

    /// Rows that are read together, and how many such blocks are kept.
    pub fn blocks(&self) -> (Vec<Range<usize>>, usize) {
        (self.blocks.iter().map(|block| block.indices.clone()).collect(), self.window)
    }

    /// Writes a row: bytes as x/127.5 − 1, single precision as it is.
    pub fn read(&self, index: usize, row: &mut [f32]) -> Result<(), DataError> {
        let number = self.blocks.partition_point(|block| block.indices.end <= index);
        let Block { part, rows, indices } = &self.blocks[number];
        let values: Arc<Values> =
            self.cache.get(number, || self.parts[*part].read(rows.clone(), self.pixels))?;
        let at = (index - indices.start) * row.len();
        let here = at..at + row.len();
        match &*values {
            Values::U8(values) => {
                row.iter_mut().zip(&values[here]).for_each(|(to, &byte)| *to = value(byte));
            }
            Values::F32(values) => row.copy_from_slice(&values[here]),
        }
        Ok(())
    }
}

fn bytes(kind: Numbers) -> usize {
    if kind == Numbers::U8 { 1 } else { 4 }
}
