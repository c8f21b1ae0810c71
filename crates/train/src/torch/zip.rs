//! The members of a zip archive whose data are stored as they are, which is all that PyTorch writes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// An open archive: members by name with where their bytes lie.
pub(super) struct Archive {
    file: File,
    members: BTreeMap<String, (u64, u64)>,
}

/// The longest end of an archive: its record of 22 bytes, a comment, and zip64's locator before it.
const END: u64 = 22 + 65_535 + 20;

/// The largest directory that is read; a checkpoint's has some hundred bytes a tensor.
const DIRECTORY: u64 = 1 << 28;

impl Archive {
    /// Reads the directory.
    pub fn open(mut file: File) -> Result<Self, String> {
        let io = |error: std::io::Error| error.to_string();
        let length = file.metadata().map_err(io)?.len();
        let start = length.saturating_sub(END);
        let tail = read(&mut file, start, length - start)?;
        let cut = || "the archive has no directory at its end; it is cut short".to_owned();
        let end = (0..tail.len().saturating_sub(21))
            .rev()
            .find(|&at| tail[at..].starts_with(b"PK\x05\x06"))
            .ok_or_else(cut)?;
        let mut count = u64::from(u16_at(&tail, end + 10).ok_or_else(cut)?);
        let mut size = u64::from(u32_at(&tail, end + 12).ok_or_else(cut)?);
        let mut offset = u64::from(u32_at(&tail, end + 16).ok_or_else(cut)?);
        if let Some(locator) = end.checked_sub(20).filter(|&at| tail[at..].starts_with(b"PK\x06\x07")) {
            let record = read(&mut file, u64_at(&tail, locator + 8).ok_or_else(cut)?, 56)?;
            count = u64_at(&record, 32).ok_or_else(cut)?;
            size = u64_at(&record, 40).ok_or_else(cut)?;
            offset = u64_at(&record, 48).ok_or_else(cut)?;
        }
        if size > DIRECTORY {
            return Err(format!("the archive's directory has {size} bytes"));
        }
        let directory = read(&mut file, offset, size)?;
        let mut members = BTreeMap::new();
        let mut at = 0;
        for _ in 0..count {
            let (name, place, next) = member(&mut file, &directory, at)?;
            members.insert(name, place);
            at = next;
        }
        Ok(Self { file, members })
    }

    /// Names of the members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Bytes of a member.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.members.get(name).map(|place| place.1)
    }

    /// A member whole.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let &(offset, size) = self.members.get(name).ok_or_else(|| format!("there is no `{name}` in it"))?;
        read(&mut self.file, offset, size).map_err(|error| format!("`{name}`: {error}"))
    }
}

/// The entry of the directory at `at`: name, place of the data, and where the next entry begins.
fn member(file: &mut File, directory: &[u8], at: usize) -> Result<(String, (u64, u64), usize), String> {
    let broken = || "the archive's directory is broken".to_owned();
    let short = |offset| u16_at(directory, at + offset).map(usize::from).ok_or_else(broken);
    let word = |offset| u32_at(directory, at + offset).ok_or_else(broken);
    if !directory.get(at..).is_some_and(|entry| entry.starts_with(b"PK\x01\x02")) {
        return Err(broken());
    }
    let (name_length, extra_length, comment_length) = (short(28)?, short(30)?, short(32)?);
    let name_end = at + 46 + name_length;
    let name = directory.get(at + 46..name_end).ok_or_else(broken)?;
    let name = String::from_utf8_lossy(name).into_owned();
    if short(10)? != 0 {
        return Err(format!("`{name}` is compressed, which PyTorch does not do"));
    }
    // A field of all ones has its value in zip64's extra field (id 1), in this order.
    let extra = directory.get(name_end..name_end + extra_length).ok_or_else(broken)?;
    let mut wide = zip64(extra);
    let mut field = |value: u32| match value {
        u32::MAX => wide.next().ok_or_else(broken),
        value => Ok(u64::from(value)),
    };
    let (size, _compressed, header) = (field(word(24)?)?, field(word(20)?)?, field(word(42)?)?);
    let local = read(file, header, 30)?;
    if !local.starts_with(b"PK\x03\x04") {
        return Err(format!("`{name}` is not where the directory says"));
    }
    let skipped = [26, 28].into_iter().filter_map(|at| u16_at(&local, at)).map(u64::from).sum::<u64>();
    Ok((name, (header + 30 + skipped, size), name_end + extra_length + comment_length))
}

fn zip64(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut rest = extra;
    let mut values = Vec::new();
    while let (Some(id), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let Some(body) = rest.get(4..4 + usize::from(length)) else { break };
        if id == 1 {
            values = (0..body.len() / 8).filter_map(|i| u64_at(body, 8 * i)).collect();
        }
        rest = &rest[4 + usize::from(length)..];
    }
    values.into_iter()
}

fn read(file: &mut File, offset: u64, size: u64) -> Result<Vec<u8>, String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if offset.checked_add(size).is_none_or(|end| end > length) {
        return Err(format!("{size} bytes at {offset} are not all there; the file has {length}"));
    }
    let mut bytes = vec![0; size as usize];
    file.seek(SeekFrom::Start(offset))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}
