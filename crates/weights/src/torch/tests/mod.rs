mod bombs;
mod legacy;

use super::*;
use crate::pickle::Value;
use std::path::PathBuf;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Written by PyTorch 2.15: `x = arange(24).reshape(4, 6)` in several views and types.
#[test]
fn views_and_types_of_pytorch() {
    let mut file = TorchFile::open(&data("torch_views.pth")).unwrap();
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    assert_eq!(names, ["b", "d", "e", "h", "n", "p", "s", "shared", "t", "z"]);
    let all: Vec<f32> = (0..24u8).map(f32::from).collect();
    let mut is = |name: &str, shape: &[usize], values: &[f32]| {
        let tensor = file.read(name).unwrap();
        assert_eq!((&tensor.shape[..], &tensor.values[..]), (shape, values), "{name}");
    };
    for name in ["b", "d", "h", "p"] {
        is(name, &[4, 6], &all);
    }
    let transposed: Vec<f32> = (0..24).map(|i| all[i % 4 * 6 + i / 4]).collect();
    is("t", &[6, 4], &transposed);
    is("s", &[2, 3], &[6., 8., 10., 12., 14., 16.]);
    is("shared", &[6], &all[12..18]);
    is("z", &[], &[2.5]);
    is("e", &[0, 3], &[]);
    // A count of steps.
    assert!(file.read("n").unwrap_err().to_string().contains("torch.LongStorage, which holds no weights"));
}

#[test]
fn dictionaries_in_dictionaries_become_paths() {
    let file = TorchFile::open(&data("torch_dit.pth")).unwrap();
    let names: Vec<&str> = file.names().collect();
    assert!(names.contains(&"model.blocks.0.attn.qkv.weight") && names.contains(&"ema.pos_embed"));
    assert!(names.iter().all(|name| name.starts_with("model.") || name.starts_with("ema.")), "{names:?}");
}

fn changed(change: impl Fn(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    let mut bytes = std::fs::read(data("torch_views.pth")).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Reads everything; the first problem in words.
fn problem(path: &Path) -> Option<String> {
    let mut file = match TorchFile::open(path) {
        Ok(file) => file,
        Err(problem) => return Some(problem.to_string()),
    };
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    names.iter().find_map(|name| file.read(name).err().map(|reason| format!("{name}: {reason}")))
}

#[test]
fn a_truncated_file_is_refused() {
    let whole = std::fs::read(data("torch_views.pth")).unwrap().len();
    for length in (0..whole).step_by(37).chain([whole - 1]) {
        let (_folder, path) = changed(|bytes| bytes.truncate(length));
        let said = problem(&path).unwrap_or_else(|| panic!("{length} of {whole} bytes are enough"));
        assert!(said.contains("cut short") || said.contains("not all there"), "{length}: {said}");
    }
}

/// The count in the pickle says 24 numbers; the member of the archive is made to hold fewer.
#[test]
fn a_short_storage_is_an_error_and_not_zeros() {
    let (_folder, path) = changed(|bytes| {
        let name = b"views/data/3";
        let entry = bytes.windows(name.len()).rposition(|window| window == name).unwrap();
        // In the directory's entry, the sizes stand 46 − 20 and 46 − 24 bytes before the name.
        for at in [entry - 26, entry - 22] {
            let size = u32::from_le_bytes(*bytes[at..].first_chunk().unwrap());
            assert_eq!(size, 192);
            bytes[at..at + 4].copy_from_slice(&184u32.to_le_bytes());
        }
    });
    let said = problem(&path).unwrap();
    assert!(said.contains("data/3") && said.contains("184") && said.contains("24 numbers"), "{said}");
}

/// No change of a byte makes it panic, loop or fill the memory.
#[test]
fn broken_files_are_refused_or_read() {
    let whole = std::fs::read(data("torch_views.pth")).unwrap().len();
    for at in 0..whole {
        for value in [0x00, 0xff, b'(', b'R'] {
            if (at + usize::from(value)) % 29 == 0 {
                let (_folder, path) = changed(|bytes| bytes[at] = value);
                let _ = problem(&path);
            }
        }
    }
}

#[test]
fn pickles_that_are_none_are_refused() {
    let read = |bytes: &[u8]| pickle::read(&mut &bytes[..], &mut (bytes.len() as u64));
    for bytes in [
        &b""[..],
        b".",
        b"\x80\x02",
        b"\x80\x02}q",
        b"t.",
        b"(t",
        b"R",
        b"\x80\x02cos\nsystem\n",
        b"X\xff\xff\xff\xffabc.",
        b"i",
    ] {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
    // A call of something unknown does nothing and is nothing.
    let harmless = read(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").unwrap();
    assert_eq!(harmless.values[harmless.root], Value::Opaque);
}
