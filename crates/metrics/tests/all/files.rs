//! Files that samples and statistics come in.

use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use meanflow_metrics::{Images, Input, Origin, Pictures, Quantise, Statistics, StatisticsNames};
use ndarray::{Array1, Array2, Array3, Array4, array};
use ndarray_npy::{NpzWriter, write_npy};
use std::{fs, path::Path, sync::Arc};

fn refused(path: &Path, words: &[&str]) {
    let text = Input::open(path).expect_err("bad input").to_string();
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

fn rows(source: &Input) -> &Array2<f32> {
    match source {
        Input::Rows(rows) => rows,
        other => panic!("no rows: {other:?}"),
    }
}

fn images(source: &Input) -> &Images {
    match source {
        Input::Images(images) => images,
        other => panic!("no pictures: {other:?}"),
    }
}

#[test]
fn statistics_survive_a_round_trip_under_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let origin = Origin { space: Some("inception:ab".into()), n: Some(500), ..Origin::default() };
    let covariance = array![[2.0, 0.3], [0.3, 1.0 / 3.0]];
    let statistics = Statistics { mean: vec![0.1, -2.0], covariance, origin: Some(origin) };
    let without = Statistics { origin: None, ..statistics.clone() };
    assert_eq!(without.digest(), statistics.digest());
    for names in [StatisticsNames::Plain, StatisticsNames::Reference] {
        for statistics in [&statistics, &without] {
            statistics.write(&path, names).unwrap();
            assert_eq!(&Statistics::read(&path).unwrap(), statistics);
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let pixels = Origin { space: Some("pixels".into()), ..Origin::default() };
    let other = Statistics { origin: Some(pixels), ..statistics.clone() };
    let error = statistics.distance(&other).unwrap_err().to_string();
    assert!(error.contains("inception:ab") && error.contains("pixels"), "{error}");
    statistics.distance(&without).unwrap();
    // As pytorch-fid writes them: f64 or f32, beside other arrays.
    let mut file = NpzWriter::new(fs::File::create(&path).unwrap());
    file.add_array("mu", &array![1.0f32, 2.0]).unwrap();
    file.add_array("sigma", &array![[1.0f64, 0.0], [0.0, 1.0]]).unwrap();
    file.add_array("arr_0", &Array4::<u8>::zeros((1, 4, 4, 3))).unwrap();
    file.finish().unwrap();
    let read = Input::open(&path).unwrap();
    assert!(matches!(&read, Input::Statistics(read) if read.mean == [1.0, 2.0]), "{read:?}");
    assert!(
        (Statistics::read(&path).unwrap().distance(&statistics).unwrap().mean_term - 16.81).abs() < 1e-12
    );
}

#[test]
fn statistics_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let write = |mean: &[f64], covariance: Array2<f64>| {
        let mut file = NpzWriter::new(fs::File::create(&path).unwrap());
        file.add_array("mu", &Array1::from(mean.to_vec())).unwrap();
        file.add_array("sigma", &covariance).unwrap();
        file.finish().unwrap();
    };
    write(&[0.0, 0.0], Array2::eye(3));
    refused(&path, &["x.npz", "sigma", "[3, 3]", "2 values"]);
    write(&[0.0, f64::NAN], Array2::eye(2));
    refused(&path, &["mu", "NaN at 1"]);
    write(&[0.0, 0.0], array![[1.0, f64::INFINITY], [0.0, 1.0]]);
    refused(&path, &["sigma", "inf at row 0, column 1"]);
    write(&[0.0, 0.0], array![[1.0, 0.5], [0.4, 1.0]]);
    refused(&path, &["sigma", "not symmetric"]);
    write(&[0.0, 0.0], array![[1.0, 0.0], [0.0, -1.0]]);
    refused(&path, &["sigma", "variance -1"]);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    refused(&path, &["x.npz", "archive"]);
    let mut file = NpzWriter::new(fs::File::create(&path).unwrap());
    file.add_array("a", &array![1.0]).unwrap();
    file.add_array("b", &array![1.0]).unwrap();
    file.finish().unwrap();
    refused(&path, &["a, b", "arr_0"]);
    for (there, missing) in [("mu", "sigma"), ("ref_sigma", "ref_mu")] {
        let mut file = NpzWriter::new(fs::File::create(&path).unwrap());
        file.add_array(there, &array![1.0]).unwrap();
        file.finish().unwrap();
        refused(&path, &[&format!("{missing}: is missing"), there]);
    }
    NpzWriter::new(fs::File::create(&path).unwrap()).finish().unwrap();
    refused(&path, &["holds no array"]);
}

#[test]
fn double_precision_that_f32_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let spread = Array2::from_shape_fn((50, 3), |(i, j)| ((i * 37 + j * 11) % 29) as f64 / 9.0);
    let mut far = spread.clone();
    far.column_mut(1).mapv_inplace(|x| x + 1e8);
    write_npy(&path, &far).unwrap();
    refused(&path, &["x.npy", "column 1", "f32 changes by", "the same offset"]);
    far.column_mut(1).mapv_inplace(|x| x - 1e8 + 100.0);
    write_npy(&path, &far).unwrap();
    assert_eq!(rows(&Input::open(&path).unwrap()), &far.mapv(|x| x as f32));
    far[[7, 2]] = -1e40;
    write_npy(&path, &far).unwrap();
    refused(&path, &["-1e40 at row 7, column 2", "f32 cannot hold"]);
    // What is not finite is refused where it is scored, and constant columns have nothing to lose.
    far[[7, 2]] = f64::INFINITY;
    write_npy(&path, &far).unwrap();
    assert_eq!(rows(&Input::open(&path).unwrap())[[7, 2]], f32::INFINITY);
    for empty in [(0, 3), (3, 0)] {
        write_npy(&path, &Array2::<f64>::zeros(empty)).unwrap();
        assert_eq!(rows(&Input::open(&path).unwrap()).dim(), empty);
    }
    write_npy(&path, &Array2::from_elem((9, 2), 0.1)).unwrap();
    assert_eq!(rows(&Input::open(&path).unwrap())[[8, 1]], 0.1);
}

#[test]
fn half_precision_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    // 1, −2, the largest, the least above zero, 1/3 as near as it gets, 0.
    let bits: [u16; 6] = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0x0000];
    let values = [1.0, -2.0, 65504.0, 2f32.powi(-24), 0.333_251_95, 0.0];
    for (order, kind) in [("<", "<u2"), (">", ">u2")] {
        write_npy(&path, &Array2::from_shape_vec((2, 3), bits.to_vec()).unwrap()).unwrap();
        let mut file = fs::read(&path).unwrap();
        let at = file.windows(3).position(|some| some == b"<u2").unwrap();
        file[at..at + 3].copy_from_slice(kind.replace('u', "f").as_bytes());
        if order == ">" {
            let data = file.len() - 12;
            file[data..].chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        fs::write(&path, &file).unwrap();
        assert_eq!(rows(&Input::open(&path).unwrap()).iter().copied().collect::<Vec<_>>(), values, "{kind}");
        fs::write(&path, &file[..file.len() - 1]).unwrap();
        refused(&path, &["x.npy"]);
    }
}

#[test]
fn pictures_of_floats_from_zero_on_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let mut pictures = Array3::from_shape_fn((2, 2, 2), |(n, y, x)| (n + y + x) as f32 / 3.0);
    write_npy(&path, &pictures).unwrap();
    let note = Input::open(&path).unwrap().note().unwrap();
    assert!(note.contains("no value is below 0") && note.contains("[−1, 1]"), "{note}");
    pictures[[0, 0, 0]] = -0.1;
    write_npy(&path, &pictures).unwrap();
    assert_eq!(Input::open(&path).unwrap().note(), None);
    write_npy(&path, &Array3::<u8>::zeros((2, 2, 2))).unwrap();
    assert_eq!(Input::open(&path).unwrap().note(), None);
}

#[test]
fn arrays_are_rows_or_pictures_by_their_axes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let features = Array2::from_shape_fn((3, 4), |(i, j)| (i * 4 + j) as f64);
    write_npy(&path, &features).unwrap();
    assert_eq!(rows(&Input::open(&path).unwrap()), &features.mapv(|x| x as f32));
    // Column-major, as NumPy writes a transposed array.
    write_npy(&path, &features.t()).unwrap();
    assert_eq!(rows(&Input::open(&path).unwrap()), &features.t().mapv(|x| x as f32));

    let channels_last =
        Array4::from_shape_fn((2, 3, 5, 3), |(n, y, x, c)| (n * 100 + y * 20 + x * 3 + c) as u8);
    write_npy(&path, &channels_last).unwrap();
    let last = Input::open(&path).unwrap();
    write_npy(&path, &channels_last.view().permuted_axes([0, 3, 1, 2]).as_standard_layout()).unwrap();
    let first = Input::open(&path).unwrap();
    assert_eq!((images(&last).shape(), images(&last).len()), ([3, 3, 5], 2));
    let quantised = images(&last).quantised(&[1], Quantise::Round).unwrap();
    assert_eq!(quantised[..3], [100, 103, 106]);
    assert_eq!(quantised[15], 101);
    assert_eq!(first.digest().unwrap(), last.digest().unwrap());
    // The same pictures as floats in [−1, 1].
    let floats = channels_last.mapv(|byte| f32::from(byte) / 127.5 - 1.0);
    write_npy(&path, &floats).unwrap();
    let source = Input::open(&path).unwrap();
    assert_eq!(source.digest().unwrap(), last.digest().unwrap());
    assert_eq!(images(&source).quantised(&[1], Quantise::Round).unwrap(), quantised);
    write_npy(&path, &Array3::<u8>::zeros((7, 2, 2))).unwrap();
    assert_eq!(images(&Input::open(&path).unwrap()).shape(), [1, 2, 2]);
}

#[test]
fn arrays_that_are_neither_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, &Array4::<u8>::zeros((1, 2, 4, 4))).unwrap();
    refused(&path, &["x.npy", "[1, 2, 4, 4]"]);
    write_npy(&path, &Array1::<f32>::zeros(4)).unwrap();
    refused(&path, &["[4]"]);
    write_npy(&path, &Array2::<i64>::zeros((2, 2))).unwrap();
    refused(&path, &["neither 8-bit unsigned integers nor f32 nor f64"]);
    write_npy(&path, &Array3::<f32>::from_elem((1, 2, 2), 200.0)).unwrap();
    refused(&path, &["200", "[−1, 1]"]);
    write_npy(&path, &Array2::<f32>::zeros((100, 4))).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..900]).unwrap();
    refused(&path, &["x.npy"]);
    // A header that promises more than any memory holds.
    let mut huge = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 2048), }";
    huge.extend(format!("{header:<117}\n").bytes());
    fs::write(&path, huge).unwrap();
    refused(&path, &["x.npy"]);
    fs::write(&path, b"plain text").unwrap();
    refused(&path, &["x.npy"]);
    refused(&folder.path().join("nothing.npy"), &["cannot read", "nothing.npy"]);
    fs::write(folder.path().join("x.csv"), "1,2").unwrap();
    refused(&folder.path().join("x.csv"), &["neither a folder nor"]);
}

#[test]
fn folders_hold_pictures_of_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    refused(path, &["no .png"]);
    fs::create_dir(path.join("b")).unwrap();
    GrayImage::from_fn(4, 3, |x, y| Luma([(y * 4 + x) as u8])).save(path.join("b/0.png")).unwrap();
    GrayImage::from_pixel(4, 3, Luma([255])).save(path.join("a.PNG")).unwrap();
    let grey = Input::open(path).unwrap();
    assert_eq!((images(&grey).shape(), images(&grey).len()), ([1, 3, 4], 2));
    let pixels = images(&grey).rows(&[0, 1]).unwrap();
    assert!(pixels.row(0).iter().all(|&x| x == 1.0));
    assert_eq!(pixels[[1, 5]], 5.0 / 127.5 - 1.0);

    // One colour picture makes three channels of all; a grey one has them equal.
    RgbImage::from_pixel(4, 3, Rgb([1, 2, 3])).save(path.join("c.png")).unwrap();
    let colour = Input::open(path).unwrap();
    assert_eq!(images(&colour).shape(), [3, 3, 4]);
    let bytes = images(&colour).quantised(&[1, 2], Quantise::Round).unwrap();
    assert_eq!((bytes[5], bytes[12 + 5], bytes[24 + 5]), (5, 5, 5));
    assert_eq!((bytes[36], bytes[48], bytes[60]), (1, 2, 3));
    assert_ne!(colour.digest().unwrap(), grey.digest().unwrap());

    RgbaImage::from_pixel(4, 3, Rgba([1, 2, 3, 255])).save(path.join("c.png")).unwrap();
    assert_eq!(images(&Input::open(path).unwrap()).quantised(&[2], Quantise::Round).unwrap()[..12], [1; 12]);
    RgbaImage::from_pixel(4, 3, Rgba([1, 2, 3, 254])).save(path.join("c.png")).unwrap();
    let error = images(&Input::open(path).unwrap()).rows(&[2]).unwrap_err().to_string();
    assert!(error.contains("c.png") && error.contains("transparent"), "{error}");
    let whole = fs::read(path.join("a.PNG")).unwrap();
    fs::write(path.join("c.png"), &whole[..whole.len() - 20]).unwrap();
    assert!(images(&Input::open(path).unwrap()).rows(&[2]).is_err());
    GrayImage::new(5, 3).save(path.join("c.png")).unwrap();
    refused(path, &["c.png", "3×5", "3×4"]);
    fs::write(path.join("c.png"), b"no picture").unwrap();
    refused(path, &["c.png"]);
}

#[test]
fn bytes_come_from_floats_by_the_rule_asked_for() {
    let values = [-1.5, -1.0, -0.995, 0.0, 0.99, 1.0, 2.0];
    assert_eq!(values.map(|x| Quantise::Round.byte(x)), [0, 0, 1, 128, 254, 255, 255]);
    assert_eq!(values.map(|x| Quantise::Truncate.byte(x)), [0, 0, 0, 127, 253, 255, 255]);
    for byte in 0..=255u8 {
        assert_eq!(Quantise::Round.byte(f32::from(byte) / 127.5 - 1.0), byte);
    }
}

struct Bright(usize);

impl Pictures for Bright {
    fn read(&self, indices: &[usize]) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(far) = indices.iter().find(|&&index| index >= self.0) {
            return Err(format!("x.h5: no picture {far}").into());
        }
        Ok(indices.iter().flat_map(|&index| vec![index as f32 / 127.5 - 1.0; 6]).collect())
    }
}

#[test]
fn pictures_elsewhere_are_pictures() {
    let elsewhere = Images::elsewhere(Arc::new(Bright(9)), 10, [1, 2, 3]);
    let bytes = Images::bytes((0..9u8).flat_map(|index| [index; 6]).collect(), [1, 2, 3]);
    assert_eq!((elsewhere.len(), elsewhere.shape()), (10, [1, 2, 3]));
    let chosen = [7, 0, 3];
    assert_eq!(elsewhere.rows(&chosen).unwrap(), bytes.rows(&chosen).unwrap());
    let quantised = |images: &Images| images.quantised(&chosen, Quantise::Round).unwrap();
    assert_eq!(quantised(&elsewhere), quantised(&bytes));
    let nine = Images::elsewhere(Arc::new(Bright(9)), 9, [1, 2, 3]);
    assert_eq!(nine.digest().unwrap(), bytes.digest().unwrap());
    assert_eq!(elsewhere.digest().unwrap_err().to_string(), "x.h5: no picture 9");
}

/// Links that go round in a circle, or lead to a folder that is there already, give no picture twice.
#[cfg(unix)]
#[test]
fn links_give_no_picture_twice() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("b")).unwrap();
    for name in ["1.png", "2.png", "b/3.png"] {
        GrayImage::new(4, 4).save(path.join(name)).unwrap();
    }
    symlink(".", path.join("self")).unwrap();
    symlink("..", path.join("b/up")).unwrap();
    symlink("b", path.join("a")).unwrap();
    assert_eq!(Input::open(path).unwrap().len(), Some(3));
    // A link to somewhere else is a folder like others.
    let elsewhere = tempfile::tempdir().unwrap();
    GrayImage::new(4, 4).save(elsewhere.path().join("4.png")).unwrap();
    symlink(elsewhere.path(), path.join("c")).unwrap();
    assert_eq!(Input::open(path).unwrap().len(), Some(4));
}

/// Opening a pipe would wait for ever; a large picture is known by its header, one that is cut short when it is read.
#[cfg(unix)]
#[test]
fn pipes_large_pictures_and_halves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.png", "x.npy", "x.npz"] {
        let pipe = folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let path = if name == "x.png" { folder.path() } else { &pipe };
        refused(path, &[name, "it is a pipe or a device, not a file"]);
        fs::remove_file(&pipe).unwrap();
    }
    let path = folder.path().join("x.jpg");
    GrayImage::new(5000, 8).save(&path).unwrap();
    refused(folder.path(), &["x.jpg", "is 8×5000; 4096×4096 is the most"]);
    RgbImage::from_fn(32, 32, |x, y| Rgb([(x * y) as u8, 8, 9])).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let input = Input::open(folder.path()).unwrap();
    let error = images(&input).rows(&[0]).unwrap_err().to_string();
    assert!(error.contains("x.jpg: the picture: it is cut short"), "{error}");
}
