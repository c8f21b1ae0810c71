//! The header of a `.npy` file: a Python dictionary as text.

use super::Element;
use crate::FileError;
use std::io::Read;

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub element: Element,
    pub big_endian: bool,
    /// Whether the first axis runs fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

/// Bytes of a header; NumPy itself reads 10,000.
const LENGTH: usize = 1 << 16;

/// The product of the other axes of an array that has no values.
const EMPTY: usize = 1 << 24;

impl Header {
    /// Reads a header, and says how many bytes it takes.
    pub fn read(bytes: &mut impl Read) -> Result<(Self, u64), FileError> {
        let none = |_| FileError::broken("it is no array of NumPy, or cut short in its header");
        let mut start = [0; 8];
        bytes.read_exact(&mut start).map_err(none)?;
        let width = match &start {
            b"\x93NUMPY\x01\x00" => 2,
            b"\x93NUMPY\x02\x00" | b"\x93NUMPY\x03\x00" => 4,
            _ => return Err(FileError::broken("it is no array of NumPy")),
        };
        let mut length = [0; 4];
        bytes.read_exact(&mut length[..width]).map_err(none)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LENGTH {
            return Err(FileError::too_large(format!("its header has {length} bytes")));
        }
        let mut text = vec![0; length];
        bytes.read_exact(&mut text).map_err(none)?;
        let header = Self::parse(&String::from_utf8_lossy(&text))?;
        Ok((header, (8 + width + length) as u64))
    }

    fn parse(text: &str) -> Result<Self, FileError> {
        let entry = |key: &str| {
            let at = ["'", "\""].iter().find_map(|quote| {
                let key = format!("{quote}{key}{quote}:");
                text.find(&key).map(|at| at + key.len())
            });
            at.map(|at| text[at..].trim_start())
                .ok_or_else(|| FileError::broken(format!("its header has no `{key}`")))
        };
        let (element, big_endian) = element(entry("descr")?)?;
        let order = entry("fortran_order")?;
        let fortran = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err(FileError::broken("its header does not say in which order the values are")),
        };
        let sizes = entry("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let (sizes, _) = sizes.ok_or_else(|| FileError::broken("its header has no shape"))?;
        let size = |size: &str| {
            // NumPy under Python 2 wrote `3L`.
            let size = size.trim_end_matches('L');
            size.parse::<usize>().map_err(|_| FileError::broken(format!("its shape has the size `{size}`")))
        };
        let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
        Ok(Self { element, big_endian, fortran, shape: sizes.map(size).collect::<Result<_, _>>()? })
    }

    /// Bytes of the values, which must be `found`.
    pub fn check(&self, found: u64) -> Result<usize, FileError> {
        let Self { shape, element, .. } = self;
        let beyond = || FileError::too_large(format!("its shape {shape:?} is more than any memory holds"));
        let sizes = shape.iter().filter(|&&size| size > 0);
        let product = sizes.copied().try_fold(1usize, usize::checked_mul).ok_or_else(beyond)?;
        let bytes = product.checked_mul(element.size()).filter(|&bytes| isize::try_from(bytes).is_ok());
        let bytes = bytes.ok_or_else(beyond)?;
        let bytes = if shape.contains(&0) { 0 } else { bytes };
        // What has no values can still make a reader count to the end of its axes.
        if bytes == 0 && product > EMPTY {
            return Err(beyond());
        }
        if bytes as u64 != found {
            return Err(FileError::broken(format!(
                "its shape {shape:?} needs {bytes} bytes of values, and it has {found}"
            )));
        }
        Ok(bytes)
    }
}

/// The type that a `descr` begins with, and whether it is big-endian.
fn element(descr: &str) -> Result<(Element, bool), FileError> {
    let name = ['\'', '"'].iter().find_map(|&quote| descr.strip_prefix(quote)?.split_once(quote));
    let Some((name, _)) = name else {
        return Err(FileError::unsupported("its values are records, which are not read"));
    };
    let kind = name.trim_start_matches(['<', '>', '=', '|']);
    let element = match kind {
        "u1" => Element::U8,
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        _ if kind.starts_with('O') => {
            return Err(FileError::unsupported(
                "its values are objects of Python, which are not read because unpickling them runs code",
            ));
        }
        _ => {
            return Err(FileError::unsupported(format!(
                "its values (`{name}`) are neither 8-bit unsigned integers nor f32 nor f64 nor half precision"
            )));
        }
    };
    Ok((element, name.starts_with('>')))
}
