//! Writes the files of `corpus` that programs write: `cargo run -p meanflow-fuzz --example corpus`.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fs,
    io::Write,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use meanflow_data::{Conversion, DataConfig, Floats, PointsConfig, convert, write_floats_with};
use meanflow_weights::{HostTensor, StoredTensor, StoredType, write_safetensors, write_torch};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let put = |name: &str, bytes: &[u8]| -> Result {
        let path = corpus.join(name);
        fs::create_dir_all(path.parent().expect("a folder"))?;
        Ok(fs::write(path, bytes)?)
    };
    put("idx/images", &[&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5][..], &counting(60)].concat())?;
    put("idx/labels.gz", &gzip(&[0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1])?)?;
    let image = |label: u8| [vec![label % 20, label], counting(3072)].concat();
    put("cifar/train.bin", &[image(7), image(99)].concat())?;
    put("cifar/test.bin", &image(3))?;
    put("cifar-archive/x.tar.gz", &gzip(&archive(&image(3))?)?)?;
    pictures(&corpus)?;
    put("points/plain.csv", b"x,y\n0.5,-1\n1e-3,2.25\n# a comment\n-4,+7\n")?;
    put("points/blanks.txt", b"1 2\n3 4.5\n\n-6 7\n")?;

    let npy = |descr: &str, fortran: &str, shape: &str, size: usize| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        let header = format!("{header:<117}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &counting(size)].concat()
    };
    let arrays = [
        ("f4", npy("<f4", "False", "(4, 3)", 48)),
        ("f8", npy(">f8", "True", "(2, 3, 2)", 96)),
        ("f2", npy("<f2", "False", "(5,)", 10)),
        ("u1", npy("|u1", "False", "(2, 3, 4, 3)", 72)),
    ];
    for (name, bytes) in &arrays {
        put(&format!("npy/{name}.npy"), bytes)?;
    }
    for (name, method) in [("stored", CompressionMethod::Stored), ("deflated", CompressionMethod::Deflated)] {
        let mut file = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in &arrays {
            file.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method))?;
            file.write_all(bytes)?;
        }
        put(&format!("npz/{name}.npz"), file.finish()?.get_ref())?;
    }
    let numbers = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let mut file = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, shape, values) in
        [("mu", "(2,)", numbers(&[0.5, -1.0])), ("sigma", "(2, 2)", numbers(&[1.0, 0.1, 0.1, 2.0]))]
    {
        let header = npy("<f8", "False", shape, 0);
        file.start_file(format!("{name}.npy"), SimpleFileOptions::default())?;
        file.write_all(&[header, values].concat())?;
    }
    put("statistics/x.npz", file.finish()?.get_ref())?;
    weights(&corpus)?;
    put("torch-legacy/x.pth", &legacy())?;
    hdf5(&corpus)
}

/// Bytes that go up, with a step that hides no period of two or three.
fn counting(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 7) as u8).collect()
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    file.write_all(bytes)?;
    Ok(file.finish()?)
}

fn archive(test: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [("cifar-100-binary/readme", &b"text"[..]), ("cifar-100-binary/test.bin", test)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes)?;
    }
    Ok(archive.into_inner()?)
}

fn pictures(corpus: &Path) -> Result {
    let value = |x: u32, y: u32| (x * 9 + y * 13) as u8;
    let rgb: DynamicImage =
        ImageBuffer::from_fn(20, 12, |x, y| Rgb([value(x, y), value(y, x), value(x, x)])).into();
    let all: [(&str, DynamicImage); 5] = [
        ("png/rgb.png", rgb.clone()),
        ("png/grey.png", ImageBuffer::from_fn(9, 9, |x, y| Luma([value(x, y)])).into()),
        ("png/clear.png", ImageBuffer::from_fn(8, 8, |x, y| LumaA([value(x, y), value(y, x)])).into()),
        (
            "png/deep.png",
            ImageBuffer::from_fn(8, 8, |x, y| Rgba([x * 99, y * 99, 7, 60_000].map(|v| v as u16))).into(),
        ),
        ("jpeg/rgb.jpg", rgb),
    ];
    for (name, picture) in all {
        let path = corpus.join(name);
        fs::create_dir_all(path.parent().expect("a folder"))?;
        picture.save(path)?;
    }
    let grey: DynamicImage = ImageBuffer::from_fn(17, 10, |x, y| Luma([value(x, y)])).into();
    grey.save(corpus.join("jpeg/grey.jpg"))?;
    for name in ["real", "nearest", "step-00000040-ema-0.99-nfe-1", "step-00000040-ema-0.99-nfe-2"] {
        grey.save(corpus.join(format!("run/samples/{name}.png")))?;
    }
    Ok(())
}

fn weights(corpus: &Path) -> Result {
    for folder in ["torch", "safetensors"] {
        fs::create_dir_all(corpus.join(folder))?;
    }
    let tensor = |shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|i| i as f32 - 0.5).collect();
        HostTensor { shape: shape.to_vec(), values }
    };
    let tensors: BTreeMap<String, HostTensor> =
        [("blocks.0.weight".to_owned(), tensor(&[2, 3])), ("bias".to_owned(), tensor(&[4]))].into();
    write_torch(&corpus.join("torch/written.pth"), &tensors)?;
    let bytes = counting(24);
    let stored = |dtype, shape: &[usize]| StoredTensor { dtype, shape: shape.to_vec(), bytes: &bytes[..] };
    let views = [
        ("a", stored(StoredType::F32, &[2, 3])),
        ("b", stored(StoredType::F64, &[3])),
        ("c", stored(StoredType::BF16, &[12])),
        ("d", stored(StoredType::I64, &[3, 1])),
    ];
    let texts = HashMap::from([("step".to_owned(), "7".to_owned())]);
    write_safetensors(&corpus.join("safetensors/checksum.safetensors"), &views.into(), texts)?;
    let header = br#"{"w":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}"#;
    let plain = [&(header.len() as u64).to_le_bytes()[..], header, &counting(8)].concat();
    Ok(fs::write(corpus.join("safetensors/plain.safetensors"), plain)?)
}

/// As PyTorch 1.5 writes `{"w": a tensor of shape [2, 3]}`.
fn legacy() -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    bytes.extend(b"\x80\x02M\xe9\x03.\x80\x02}q\x00.");
    bytes.extend(b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00wq\x02");
    bytes.extend(
        b"ctorch._utils\n_rebuild_tensor_v2\nq\x03((X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05",
    );
    bytes.extend(b"X\x01\x00\x00\x007q\x06X\x03\x00\x00\x00cpuq\x07K\x06NtQ");
    bytes.extend([b'K', 0, b'K', 2, b'K', 3, 0x86, b'K', 3, b'K', 1, 0x86, 0x89]);
    bytes.extend(b"h\x00)Rtq\x08Rq\x09s.\x80\x02]q\x00X\x01\x00\x00\x007q\x01a.");
    bytes.extend(6u64.to_le_bytes());
    (0..6).for_each(|x| bytes.extend((x as f32).to_le_bytes()));
    bytes
}

/// A data set as `data convert` writes it, and statistics.
fn hdf5(corpus: &Path) -> Result {
    let folder = corpus.join("hdf5");
    let _ = fs::remove_dir_all(&folder);
    let points = PointsConfig { held_out: 0.0, ..PointsConfig::new(corpus.join("points/plain.csv")) };
    let settings = Conversion { chunk_rows: 2, gzip: 6, ..Conversion::default() };
    convert(&*DataConfig::new(points).open()?, &folder, settings, &mut |_| ())?;
    let mean = Floats { shape: vec![2], values: vec![0.5, -1.0] };
    let covariance = Floats { shape: vec![2, 2], values: vec![1.0, 0.1, 0.1, 2.0] };
    let texts = [("space", "pixels".to_owned())];
    let path = corpus.join("hdf5-statistics/x.h5");
    fs::create_dir_all(path.parent().expect("a folder"))?;
    Ok(write_floats_with(&path, &[("mu", &mean), ("sigma", &covariance)], &texts)?)
}
