use super::*;
use std::path::PathBuf;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Written by Flax 0.12.8: name, shape, first numbers and sum as NumPy tells them.
const WRITTEN: [(&str, &[usize], &[f32], f32); 6] = [
    ("params.w", &[2, 3], &[0.125_730_22, -0.132_104_86, 0.640_422_64, 0.104_900_114], 0.564_873_8),
    ("params.b", &[3], &[1.304_687_5, 0.945_312_5, -0.703_125], 1.546_875),
    ("params.h", &[4], &[-1.265_625, -0.623_046_9, 0.041_320_8, -2.324_218_8], -4.171_57),
    ("params.d", &[2], &[-0.218_791_66, -1.245_911], -1.464_702_6),
    ("params.scalar", &[], &[2.5], 2.5),
    ("params.big", &[10, 7], &[-0.732_267_4, -0.544_259, -0.316_300_15, 0.411_630_54], 9.961_185),
];

#[test]
fn arrays_of_flax_whole_and_in_pieces() {
    for file in ["flax_arrays.msgpack", "flax_chunked.msgpack"] {
        let mut file = FlaxFile::open(&data(file)).unwrap();
        assert!(WRITTEN.iter().all(|(name, ..)| file.names().any(|known| known == *name)));
        for (name, shape, first, sum) in WRITTEN {
            let tensor = file.read(name).unwrap();
            assert_eq!(tensor.shape, shape, "{name}");
            assert_eq!(&tensor.values[..first.len()], first, "{name}");
            let found: f32 = tensor.values.iter().sum();
            assert!((found - sum).abs() < 1e-5, "{name}: {found}, not {sum}");
        }
    }
}

#[test]
fn the_second_file_is_in_pieces() {
    let file = FlaxFile::open(&data("flax_chunked.msgpack")).unwrap();
    assert!(file.tensors["params.big"].pieces.len() > 1);
    assert!(file.names().all(|name| !name.contains("chunk")), "{:?}", file.names().collect::<Vec<_>>());
}

#[test]
fn a_truncated_or_damaged_file_is_refused() {
    let whole = std::fs::read(data("flax_arrays.msgpack")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.msgpack");
    for length in 1..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(FlaxFile::open(&path).is_err(), "{length} of {} bytes", whole.len());
    }
    // Any byte may be wrong: an error, or other numbers, but no panic and no allocation beyond the file.
    for index in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[index] ^= 0xff;
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(mut file) = FlaxFile::open(&path) {
            let names: Vec<String> = file.names().map(str::to_owned).collect();
            for name in names {
                let _ = file.read(&name);
            }
        }
    }
}
