//! HDF5: files that h5py wrote, files written here, latents, the order of an epoch, and files that are wrong.
//!
//! `tests/data/h5py_fixtures.py` made the fixtures; its formulas are repeated here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_data::{
    Blocks, CheckerboardConfig, Cifar10Config, Conversion, Cursor, DataConfig, DataError, Dataset, Encoding,
    FashionMnistConfig, Hdf5Config, Loader, LoaderConfig, View, convert, inspect, order, read_rows,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn open(config: Hdf5Config) -> Arc<dyn Dataset> {
    DataConfig::new(config).open().expect("a whole file")
}

fn message(config: Hdf5Config) -> String {
    DataConfig::new(config).open().err().expect("something wrong").to_string()
}

fn row(data: &dyn Dataset, index: usize) -> Vec<f32> {
    read_rows(data, [index]).expect("a whole file")
}

fn pixel([i, c, y, x]: [usize; 4]) -> f32 {
    ((37 * i + 11 * c + 5 * y + 3 * x) % 256) as f32 / 127.5 - 1.0
}

fn latent([i, c, y, x]: [usize; 4]) -> f32 {
    i as f32 + c as f32 / 8.0 + y as f32 / 64.0 + x as f32 / 512.0
}

/// A row by a formula of [row, channel, y, x].
fn expected(index: usize, [channels, height, width]: [usize; 3], value: fn([usize; 4]) -> f32) -> Vec<f32> {
    let pixel = |at: usize| value([index, at / (height * width), at / width % height, at % width]);
    (0..channels * height * width).map(pixel).collect()
}

#[test]
fn reads_gzipped_bytes_of_h5py() {
    let config = Hdf5Config::new(fixture("pixels_gzip.h5"));
    let described = DataConfig::new(config.clone()).describe().expect("a whole file");
    let data = open(config);
    assert_eq!((data.len(), data.shape(), data.classes()), (70, [3, 4, 4], Some(10)));
    assert_eq!((described.items, described.shape, described.classes), (Some(70), [3, 4, 4], Some(10)));
    for index in [0, 15, 16, 69] {
        assert_eq!(row(&*data, index), expected(index, [3, 4, 4], pixel));
        assert_eq!(data.label(index), Some(index % 10));
    }
    let mut mirrored = vec![0.0; 48];
    data.read_view(7, View { seed: 0, epoch: 0, mirrored: true }, &mut mirrored).expect("a whole file");
    mirrored.chunks_exact_mut(4).for_each(<[f32]>::reverse);
    assert_eq!(mirrored, row(&*data, 7));
}

#[test]
fn reads_channels_last() {
    let data = open(Hdf5Config::new(fixture("channels_last.h5")));
    assert_eq!((data.len(), data.shape(), data.classes()), (5, [3, 4, 6], Some(5)));
    for index in 0..5 {
        assert_eq!(row(&*data, index), expected(index, [3, 4, 6], pixel));
    }
}

#[test]
fn reads_the_newest_format() {
    let data = open(Hdf5Config { scale: Some(2.0), ..Hdf5Config::new(fixture("latents_newest.h5")) });
    assert_eq!((data.len(), data.shape(), data.classes()), (20, [4, 4, 4], None));
    for index in [0, 3, 4, 19] {
        let doubled: Vec<f32> = expected(index, [4, 4, 4], latent).iter().map(|x| 2.0 * x).collect();
        assert_eq!(row(&*data, index), doubled);
    }
}

/// Rows i of the fixture have the standard deviation (i mod 3)/4: rows 0, 3, 6 … are their means.
#[test]
fn draws_latents_from_big_endian_moments() {
    let data = open(Hdf5Config { flip: true, ..Hdf5Config::new(fixture("moments_big_endian.h5")) });
    assert_eq!((data.len(), data.shape(), data.classes()), (50, [4, 4, 4], Some(10)));
    let view = |index: usize, epoch: u64, mirrored: bool| {
        let mut sample = vec![0.0; 64];
        data.read_view(index, View { seed: 9, epoch, mirrored }, &mut sample).expect("a whole file");
        sample
    };
    let scaled = |x: f32| x * 0.18215;
    let means: Vec<f32> = expected(3, [4, 4, 4], latent).into_iter().map(scaled).collect();
    assert_eq!(view(3, 0, false), means);
    let mirrored: Vec<f32> =
        expected(3, [4, 4, 4], |at| latent(at) + 100.0).into_iter().map(scaled).collect();
    assert_eq!(view(3, 0, true), mirrored);

    // Anew each epoch, the same again in the same one, and spread as the file says.
    assert_eq!(view(4, 1, false), view(4, 1, false));
    assert_ne!(view(4, 1, false), view(4, 2, false));
    assert_eq!(row(&*data, 4), row(&*data, 4));
    for (index, std) in [(4, 0.25), (5, 0.5)] {
        let means = expected(index, [4, 4, 4], latent);
        let noise: Vec<f32> = (0..200)
            .flat_map(|epoch| {
                let sample = view(index, epoch, false);
                sample.into_iter().zip(means.clone()).map(|(x, mean)| x / 0.18215 - mean).collect::<Vec<_>>()
            })
            .collect();
        let count = noise.len() as f32;
        let mean = noise.iter().sum::<f32>() / count;
        let variance = noise.iter().map(|x| x * x).sum::<f32>() / count;
        // Four standard errors of 12,800 draws.
        assert!(mean.abs() < 0.036 * std, "{mean}");
        assert!((variance.sqrt() / std - 1.0).abs() < 0.025, "{variance}");
    }
}

fn conversion(chunk_rows: usize, shard_bytes: usize, shuffle: Option<u64>) -> Conversion {
    Conversion { chunk_rows, shard_bytes, shuffle, ..Conversion::default() }
}

fn converted(data: &dyn Dataset, folder: &Path, settings: Conversion) -> Vec<PathBuf> {
    let mut done = 0;
    let files = convert(data, folder, settings, &mut |rows| done += rows).expect("a writable folder");
    assert_eq!(done, data.len());
    files
}

/// Set `MEANFLOW_H5PY` to a folder to keep the files for `h5py_fixtures.py check`.
#[test]
fn h5py_can_read_what_is_written() {
    let data = open(Hdf5Config::new(fixture("moments_big_endian.h5")));
    let here = tempfile::tempdir().expect("a temporary folder");
    let folder = std::env::var_os("MEANFLOW_H5PY").map_or(here.path().to_path_buf(), PathBuf::from);
    // A row is 2·8·4·4 numbers of 4 bytes: 24 rows a file.
    let files = converted(&*data, &folder, conversion(8, 24 * 1024, None));
    let names: Vec<_> =
        files.iter().map(|path| path.file_name().expect("a file").to_string_lossy()).collect();
    assert_eq!(names, ["hdf5-00000-of-00003.h5", "hdf5-00001-of-00003.h5", "hdf5-00002-of-00003.h5"]);
    let again = open(Hdf5Config { flip: true, ..Hdf5Config::new(&folder) });
    assert_eq!((again.len(), again.classes(), again.digest()), (50, Some(10), data.digest()));
    for index in 0..50 {
        for mirrored in [false, true] {
            let view = View { seed: 1, epoch: 5, mirrored };
            let read = |data: &dyn Dataset| {
                let mut sample = vec![0.0; 64];
                data.read_view(index, view, &mut sample).expect("a whole file");
                sample
            };
            assert_eq!(read(&*again), read(&*data));
        }
    }
}

#[test]
fn every_source_survives_the_way_to_hdf5_and_back() {
    let cifar = tempfile::tempdir().expect("a temporary folder");
    let record =
        |i: u32| (0..3073).map(move |at| if at == 0 { (i % 10) as u8 } else { (i * 31 + at * 7) as u8 });
    for name in
        ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"]
    {
        fs::write(cifar.path().join(name), (0..30).flat_map(record).collect::<Vec<u8>>())
            .expect("a writable folder");
    }
    let sources = [
        DataConfig::new(Cifar10Config::new(cifar.path())),
        DataConfig::new(Hdf5Config::new(fixture("channels_last.h5"))),
        DataConfig::new(CheckerboardConfig { points: 300, ..Default::default() }),
        DataConfig::new(FashionMnistConfig { held_out: 0.9, ..Default::default() }),
    ];
    for source in sources {
        let data = source.open().expect("whole files");
        let here = tempfile::tempdir().expect("a temporary folder");
        converted(&*data, here.path(), conversion(32, 100_000, None));
        let again = open(Hdf5Config::new(here.path()));
        assert_eq!((again.len(), again.shape(), again.classes()), (data.len(), data.shape(), data.classes()));
        let all = 0..data.len();
        assert_eq!(
            read_rows(&*again, all.clone()).expect("whole"),
            read_rows(&*data, all.clone()).expect("whole")
        );
        assert!(all.clone().all(|index| again.label(index) == data.label(index)), "{}", data.name());

        // In another order it is the same set.
        let here = tempfile::tempdir().expect("a temporary folder");
        converted(&*data, here.path(), conversion(32, 100_000, Some(1)));
        let mixed = open(Hdf5Config::new(here.path()));
        let sorted = |data: &dyn Dataset| {
            let mut rows: Vec<Vec<u32>> = (0..data.len())
                .map(|index| row(data, index).into_iter().map(f32::to_bits).collect())
                .collect();
            rows.sort();
            rows
        };
        assert_eq!(sorted(&*mixed), sorted(&*data));
        assert_ne!(row(&*mixed, 0), row(&*data, 0));
        assert_eq!(
            inspect(&*mixed).expect("whole files").class_counts,
            inspect(&*data).expect("whole files").class_counts
        );
    }
}

#[test]
fn files_are_not_mixed_with_older_ones_or_left_out() {
    let data = open(Hdf5Config::new(fixture("pixels_gzip.h5")));
    let here = tempfile::tempdir().expect("a temporary folder");
    let files = converted(&*data, here.path(), conversion(16, 32 * 48, None));
    assert_eq!(files.len(), 3);
    let error =
        convert(&*data, here.path(), Conversion::default(), &mut |_| ()).expect_err("files are there");
    assert!(
        matches!(&error, DataError::NotEmpty { found, .. } if found == "hdf5-00000-of-00003.h5"),
        "{error}"
    );
    fs::remove_file(&files[1]).expect("it was there");
    let error = message(Hdf5Config::new(here.path()));
    assert!(error.ends_with("38 of 70 rows: files of the set are missing"), "{error}");
    assert_eq!(fs::read_dir(here.path()).expect("a folder").count(), 2, "nothing else is left behind");
}

/// A dataset of 1000 samples in blocks of 10, of which 4 are in memory.
struct InBlocks;

impl Dataset for InBlocks {
    fn name(&self) -> &str {
        "blocks"
    }

    fn len(&self) -> usize {
        1000
    }

    fn shape(&self) -> [usize; 3] {
        [1, 1, 1]
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        sample[0] = index as f32;
        Ok(())
    }

    fn blocks(&self) -> Option<Blocks> {
        Some(Blocks { ranges: (0..100).map(|block| 10 * block..10 * (block + 1)).collect(), window: 4 })
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }

    fn digest(&self) -> String {
        String::new()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}

#[test]
fn an_epoch_takes_each_block_once_and_mixes_what_is_in_memory() {
    let order = order::of_epoch(&InBlocks, 3, 0);
    assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..1000).collect());
    let windows: Vec<BTreeSet<usize>> =
        order.chunks(40).map(|window| window.iter().map(|index| index / 10).collect()).collect();
    // 25 windows of 4 whole blocks each.
    assert!(windows.iter().all(|blocks| blocks.len() == 4));
    // Blocks that follow each other in the file do not follow each other in the epoch, and rows of different
    // blocks alternate.
    let neighbours =
        windows.iter().filter(|blocks| blocks.last().expect("4") - blocks.first().expect("4") < 4);
    assert!(neighbours.count() < 2);
    let changes = order.windows(2).filter(|pair| pair[0] / 10 != pair[1] / 10).count();
    assert!((650..850).contains(&changes), "{changes} changes of block, 750 expected");
    assert_eq!(order, order::of_epoch(&InBlocks, 3, 0));
    assert_ne!(order, order::of_epoch(&InBlocks, 3, 1));
    assert_ne!(order, order::of_epoch(&InBlocks, 4, 0));
}

#[test]
fn an_epoch_of_latents_resumes_anywhere() {
    let data =
        open(Hdf5Config { flip: true, held_out: 0.2, ..Hdf5Config::new(fixture("moments_big_endian.h5")) });
    assert_eq!(data.len(), 40);
    let blocks = data.blocks().expect("it is on disk").ranges;
    assert_eq!(blocks.iter().map(|block| block.len()).sum::<usize>(), 40);
    let config = LoaderConfig { batch: 7, seed: 2, flip: true, augment: None, prefetch: 2 };
    let loader = |cursor| Loader::new(data.clone(), config, cursor).expect("valid settings");
    let mut whole = loader(Cursor::default());
    for _ in 0..9 {
        let batch = whole.next_batch().expect("a whole file");
        assert_eq!(batch.labels.as_ref().map(Vec::len), Some(7));
        let next = loader(whole.cursor()).next_batch().expect("a whole file");
        let mut after = loader(whole.cursor());
        assert_eq!(after.next_batch().expect("a whole file"), next);
    }
}

fn latents(config: Hdf5Config) -> Hdf5Config {
    Hdf5Config { path: fixture("latents_newest.h5"), ..config }
}

#[test]
fn arrays_that_are_wrong_are_named() {
    let newest =
        |images: &str| latents(Hdf5Config { images: Some(images.to_owned()), ..Hdf5Config::new("") });
    for (config, expected) in [
        (newest("doubles"), "latents_newest.h5: array `doubles`: values of type f64 cannot be used"),
        (
            newest("words"),
            "latents_newest.h5: array `words`: values must be bytes (pixels) or single precision (pixels, latents, moments), not Integer",
        ),
        (
            newest("flat"),
            "latents_newest.h5: array `flat`: rows of shape [64], not [channels, height, width]",
        ),
        (
            Hdf5Config { shape: Some([4, 8, 8]), ..newest("latents") },
            "array `latents`: samples of shape [4, 4, 4], where shape = [4, 8, 8]",
        ),
        (
            Hdf5Config { items: Some(21), ..newest("latents") },
            "array `latents`: 20 samples, where items = 21",
        ),
        (
            Hdf5Config { flip: true, ..newest("latents") },
            "array `latents`: latents cannot be mirrored (flip = true) without the array `latents_flip` of the mirrored images",
        ),
        (
            Hdf5Config { labels: "classes".to_owned(), ..newest("latents") },
            "latents_newest.h5: label -3 of item 3 is not among 3 classes (0 to 2)",
        ),
        (
            Hdf5Config { labels: "flat".to_owned(), ..newest("latents") },
            "array `flat`: labels must be integers of shape [rows], not F32 of shape [20, 64]",
        ),
        (
            Hdf5Config { encoding: Encoding::Moments, ..Hdf5Config::new(fixture("pixels_gzip.h5")) },
            "array `images`: latents must be single precision, not U8",
        ),
        (
            Hdf5Config { classes: Some(9), ..Hdf5Config::new(fixture("pixels_gzip.h5")) },
            "pixels_gzip.h5: label 9 of item 9 is not among 9 classes (0 to 8)",
        ),
        (
            Hdf5Config { augment: Some(Default::default()), ..newest("latents") },
            "array `latents`: only pixels can be warped (augment)",
        ),
    ] {
        let error = message(config);
        assert!(error.ends_with(expected), "{error}\n{expected}");
    }
    let error = message(newest("absent"));
    assert!(error.contains("latents_newest.h5: array `absent`: "), "{error}");
    let listed = "`classes`, `doubles`, `flat`, `latents`, `words`";
    assert!(
        error.ends_with(&format!("; the file holds {listed}; `images` names the one to take")),
        "{error}"
    );
    let error = message(latents(Hdf5Config { labels: "absent".to_owned(), ..Hdf5Config::new("") }));
    assert!(error.ends_with("`labels` names the one to take, or is \"off\" to take none"), "{error}");
}

/// A file of `count` samples of 1×2×2 bytes with these labels, in chunks of 10, and an attribute `classes`.
fn labelled(path: &Path, count: usize, labels: Option<&[i64]>, classes: Option<i64>) {
    let mut builder = hdf5_pure::FileBuilder::new();
    let images = builder.create_dataset("images").with_u8_data(&vec![7; 4 * count]);
    images.with_shape(&[count as u64, 1, 2, 2]).with_chunks(&[10, 1, 2, 2]).with_deflate(1);
    if let Some(labels) = labels {
        builder.create_dataset("labels").with_i64_data(labels);
    }
    if let Some(classes) = classes {
        builder.set_attr("classes", hdf5_pure::AttrValue::I64(classes));
    }
    builder.write(path).expect("a writable folder");
}

#[test]
fn each_file_of_a_folder_has_its_own_labels() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let (a, b) = (here.path().join("a.h5"), here.path().join("b.h5"));
    labelled(&a, 50, Some(&[0; 55]), None);
    labelled(&b, 50, Some(&[0; 45]), None);
    let error = message(Hdf5Config::new(here.path()));
    assert!(error.ends_with("a.h5: array `labels`: 55 labels for 50 samples"), "{error}");
    for (bare, other) in [(&a, &b), (&b, &a)] {
        labelled(bare, 50, None, None);
        labelled(other, 50, Some(&[0; 50]), None);
        let error = message(Hdf5Config::new(here.path()));
        assert!(error.starts_with(&format!("{}: array `labels`: ", bare.display())), "{error}");
        let without = Hdf5Config { labels: "off".to_owned(), ..Hdf5Config::new(here.path()) };
        assert_eq!(open(without).classes(), None);
    }
}

#[test]
fn wild_numbers_of_classes_are_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.h5");
    let mut labels = [0; 30];
    for label in [30, 3_000_000_000, 1_000_000_000_000_000, i64::MAX] {
        labels[3] = label;
        labelled(&file, 30, Some(&labels), None);
        let error = message(Hdf5Config::new(&file));
        let expected = format!(
            "x.h5: array `labels`: row 3 holds the label {label}, which makes more classes than there are samples (30); `classes` says how many there are"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
    labels[3] = 30;
    labelled(&file, 30, Some(&labels), None);
    let given = open(Hdf5Config { classes: Some(1000), ..Hdf5Config::new(&file) });
    assert_eq!((given.classes(), given.label(3)), (Some(1000), Some(30)));
    for stated in [-3, 0, 1 << 40] {
        labelled(&file, 30, Some(&[0; 30]), Some(stated));
        let error = message(Hdf5Config::new(&file));
        assert!(
            error.contains(&format!("the file's attribute `classes` is {stated}, not from 1 to ")),
            "{error}"
        );
        assert_eq!(open(Hdf5Config { classes: Some(1), ..Hdf5Config::new(&file) }).classes(), Some(1));
    }
    let mut builder = hdf5_pure::FileBuilder::new();
    builder.create_dataset("images").with_u8_data(&[7; 8]).with_shape(&[2, 1, 2, 2]);
    builder.create_dataset("labels").with_u64_data(&[0, u64::MAX]);
    builder.write(&file).expect("a writable folder");
    let error = message(Hdf5Config::new(&file));
    assert!(error.ends_with("row 1 holds the label 18446744073709551615"), "{error}");
}

#[test]
fn rows_that_were_never_written_are_refused() {
    for (array, expected) in [
        ("endless", "it declares 1000000000 rows, which a file of "),
        ("packed", "it declares 1000000000 rows, which a file of "),
        ("chunked", "it declares 100 rows, but holds data for 0"),
        ("whole", "it declares 100 rows, but holds data for 0"),
        ("half", "it declares 100 rows, but holds data for 50"),
    ] {
        let images = Some(array.to_owned());
        let error = message(Hdf5Config { images, ..Hdf5Config::new(fixture("unwritten.h5")) });
        assert!(error.contains(&format!("unwritten.h5: array `{array}`: {expected}")), "{error}");
    }
}

#[test]
fn the_chunk_that_is_damaged_is_named() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.h5");
    labelled(&file, 100, None, None);
    let mut bytes = fs::read(&file).expect("it was written");
    // Ten equal chunks of packed bytes; the header of zlib at this level begins each.
    let chunks: Vec<usize> =
        bytes.windows(2).enumerate().filter(|(_, two)| *two == [0x78, 0x01]).map(|(at, _)| at).collect();
    assert_eq!(chunks.len(), 10);
    bytes[chunks[6]..chunks[6] + 8].fill(0xa5);
    fs::write(&file, bytes).expect("a writable folder");
    let error = message(Hdf5Config::new(&file));
    assert!(error.contains("x.h5: array `images`: rows 60 to 69 cannot be read: "), "{error}");
}

#[test]
fn a_folder_without_files_is_named() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let error = message(Hdf5Config::new(here.path()));
    assert_eq!(error, format!("no *.h5 or *.hdf5 file in {}", here.path().display()));
}

#[test]
fn values_that_are_not_finite_are_named_by_row() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.h5");
    let mut values = vec![0.5f32; 30 * 4];
    values[4 * 17 + 2] = f32::NAN;
    let mut builder = hdf5_pure::FileBuilder::new();
    builder.create_dataset("latents").with_f32_data(&values).with_shape(&[30, 1, 2, 2]);
    builder.write(&file).expect("a writable folder");
    let error = message(Hdf5Config::new(&file));
    assert!(error.ends_with("x.h5: array `latents`: row 17 holds the value NaN"), "{error}");
}

#[test]
fn deviations_below_zero_are_named_by_row() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.h5");
    let mut values = vec![0.5f32; 30 * 8 * 4];
    values[32 * 21 + 30] = -3.0;
    let mut builder = hdf5_pure::FileBuilder::new();
    builder.create_dataset("moments").with_f32_data(&values).with_shape(&[30, 8, 2, 2]);
    builder.write(&file).expect("a writable folder");
    let data = open(Hdf5Config::new(&file));
    row(&*data, 20);
    let error = read_rows(&*data, [21]).expect_err("a negative deviation").to_string();
    let expected = "x.h5: array `moments`: row 21 holds the standard deviation -3; moments are";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn pixels_of_another_range_are_named_by_row() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.h5");
    let mut values = vec![-1.01f32; 30 * 4];
    values[4 * 11 + 1] = 255.0;
    let mut builder = hdf5_pure::FileBuilder::new();
    builder.create_dataset("images").with_f32_data(&values).with_shape(&[30, 1, 2, 2]);
    builder.write(&file).expect("a writable folder");
    let error = message(Hdf5Config::new(&file));
    assert!(error.contains("x.h5: array `images`: row 11 holds the value 255; pixels"), "{error}");
    let latents = Hdf5Config { encoding: Encoding::Latents, ..Hdf5Config::new(&file) };
    DataConfig::new(latents).open().expect("latents may be anywhere");
}

#[test]
fn channels_come_first_in_single_precision() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.h5");
    let config = |name: &str, shape: [usize; 3]| {
        let mut builder = hdf5_pure::FileBuilder::new();
        let array =
            builder.create_dataset(name).with_f32_data(&vec![0.5; 2 * shape.iter().product::<usize>()]);
        array.with_shape(&[2, shape[0] as u64, shape[1] as u64, shape[2] as u64]);
        builder.write(&file).expect("a writable folder");
        Hdf5Config::new(&file)
    };
    for (name, shape) in
        [("images", [8, 8, 3]), ("images", [8, 6, 1]), ("latents", [16, 16, 4]), ("moments", [16, 16, 8])]
    {
        let error = message(config(name, shape));
        let expected =
            format!("x.h5: array `{name}`: rows of shape {shape:?} seem to have their channels last; ");
        assert!(error.contains(&expected), "{error}");
    }
    for (name, shape) in
        [("images", [3, 4, 4]), ("images", [2, 1, 1]), ("latents", [128, 4, 4]), ("latents", [4, 8, 8])]
    {
        assert_eq!(open(config(name, shape)).shape(), shape);
    }
    let meant = Hdf5Config { shape: Some([8, 8, 3]), ..config("images", [8, 8, 3]) };
    assert_eq!(open(meant).shape(), [8, 8, 3]);
}

/// Cut anywhere, the file is refused when it is opened or when the missing rows are read; never zeros.
#[test]
fn truncated_files_are_refused() {
    let whole = fs::read(fixture("moments_big_endian.h5")).expect("a fixture");
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("cut.h5");
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1000, whole.len() - 1] {
        fs::write(&file, &whole[..length]).expect("a writable folder");
        let error = match DataConfig::new(Hdf5Config::new(&file)).open() {
            Err(error) => error,
            Ok(data) => read_rows(&*data, 0..data.len()).expect_err("rows are missing"),
        };
        assert!(error.to_string().contains("cut.h5"), "{error}");
    }
    // A damaged chunk is noticed too.
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xa5);
    fs::write(&file, damaged).expect("a writable folder");
    let error = message(Hdf5Config::new(&file));
    assert!(error.contains("cut.h5"), "{error}");
}

/// Four bytes of the index say that a chunk has 4 GiB, which were taken before they were missed.
#[test]
fn a_chunk_that_is_larger_than_its_file_is_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let path = here.path().join("x.h5");
    let mut bytes = fs::read(fixture("moments_big_endian.h5")).expect("a fixture");
    assert_eq!(bytes[1592..1596], 0xc6u32.to_le_bytes(), "the size of the chunk of rows 24 to 31");
    bytes[1592..1596].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&path, bytes).expect("a writable folder");
    let expected = format!(
        "{}: array `moments`: its chunk at row 24 would have 4294967295 bytes, in a file of 13352",
        path.display()
    );
    assert_eq!(message(Hdf5Config::new(&path)), expected);
}
