//! MNIST-type sets: the built-in one, folders, padding, what is set aside, looking at them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use meanflow_data::{
    DataConfig, DataError, FashionMnistConfig, IdxConfig, KINDS, MnistConfig, Part, Presence, contact_sheet,
    inspect, labels_in_turn, list, read_rows,
};

use crate::idx::{gzip, images, labels, put};

fn fashion(config: FashionMnistConfig) -> DataConfig {
    DataConfig::new(config)
}

#[test]
fn the_built_in_set_is_the_published_one() {
    let dataset = fashion(FashionMnistConfig::default()).open().expect("built in");
    let found = inspect(&*dataset).expect("in memory");
    assert_eq!((found.items, found.shape, found.class_counts), (10_000, [1, 28, 28], Some(vec![1_000; 10])));
    // Mean and standard deviation of the bytes, computed from the published files by other means.
    let [channel] = &found.channels[..] else { panic!("grey images have one channel") };
    assert_eq!((channel.minimum, channel.maximum), (-1.0, 1.0));
    assert!((channel.mean - (MEAN / 127.5 - 1.0)).abs() < 1e-6, "{channel:?}");
    assert!((channel.std - STD / 127.5).abs() < 1e-6, "{channel:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist-10k");
    let config = FashionMnistConfig { path: Some(folder), split: Part::Test, ..Default::default() };
    assert_eq!(fashion(config).open().expect("in the repository").digest(), found.digest);
}

const MEAN: f64 = 73.146_566_581_632_65;
const STD: f64 = 89.873_259_078_097_2;

#[test]
fn folders_may_hold_either_half_raw_or_gzipped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = |split| {
        let config = MnistConfig { split, ..MnistConfig::new(folder.path()) };
        (
            DataConfig::new(config.clone()).describe().expect("valid settings").items,
            DataConfig::new(config).open(),
        )
    };
    let (items, error) = open(Part::Auto);
    let error = error.err().expect("an empty folder").to_string();
    assert_eq!(items, None);
    assert!(
        error.starts_with("no train-images-idx3-ubyte or t10k-images-idx3-ubyte (raw or .gz) in "),
        "{error}"
    );

    put(&folder, "t10k-images-idx3-ubyte.gz", &gzip(&images(2, 28, 28)));
    let error = open(Part::Auto).1.err().expect("no labels").to_string();
    assert!(error.starts_with("no t10k-labels-idx1-ubyte (raw or .gz) in "), "{error}");
    put(&folder, "t10k-labels-idx1-ubyte", &labels(&[3, 9]));
    let (items, dataset) = open(Part::Auto);
    let dataset = dataset.expect("a whole test half");
    assert_eq!((items, dataset.len(), dataset.classes(), dataset.label(1)), (Some(2), 2, Some(10), Some(9)));
    assert_eq!(open(Part::Train).0, Some(60_000));
    assert!(matches!(open(Part::Train).1.err(), Some(DataError::Absent { .. })));

    put(&folder, "train-images.idx3-ubyte", &images(3, 28, 28));
    put(&folder, "train-labels.idx1-ubyte", &labels(&[0, 1, 2]));
    assert_eq!(open(Part::Auto).1.expect("a whole training half").len(), 3);
    assert_eq!(open(Part::Test).1.expect("a whole test half").len(), 2);
}

#[test]
fn images_of_another_size_are_refused_where_the_size_is_known() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    put(&folder, "train-images-idx3-ubyte", &images(2, 28, 27));
    put(&folder, "train-labels-idx1-ubyte", &labels(&[0, 1]));
    let config = FashionMnistConfig { path: Some(folder.path().to_path_buf()), ..Default::default() };
    let error = fashion(config).open().err().expect("27 columns");
    assert!(matches!(error, DataError::ImageSize { expected: [28, 28], found: [28, 27], .. }), "{error}");
}

#[test]
fn padding_centres_the_image_on_black() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = IdxConfig::new(put(&folder, "images", &images(2, 2, 1)));
    config.size = Some(4);
    let dataset = DataConfig::new(config.clone()).open().expect("a whole file");
    let mut sample = [9.0; 16];
    dataset.read(1, &mut sample).expect("in memory");
    let mut expected = [-1.0; 16];
    // Rows 1 and 2 of 4; of three free columns, one is left of the image.
    (expected[5], expected[9]) = (2.0 / 127.5 - 1.0, 3.0 / 127.5 - 1.0);
    assert_eq!((dataset.shape(), sample), ([1, 4, 4], expected));
    config.size = Some(1);
    let error = DataConfig::new(config).describe().expect_err("images of 2×1 in 1×1");
    assert!(matches!(error, DataError::Setting { key: "size", .. }), "{error}");
}

#[test]
fn what_is_set_aside_is_not_trained_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = IdxConfig::new(put(&folder, "images", &images(20, 1, 1)));
    config.held_out = 0.25;
    let config = DataConfig::new(config);
    let dataset = config.open().expect("a whole file");
    assert_eq!((dataset.len(), config.describe().expect("valid settings").items), (15, Some(15)));
    let key = |values: Vec<f32>| -> Vec<i32> {
        values.iter().map(|x| ((x + 1.0) * 127.5).round() as i32).collect()
    };
    let kept = key(read_rows(&*dataset, 0..15).expect("in memory"));
    let aside = key(dataset.held_out(100, 0).expect("in memory").expect("five were set aside"));
    assert!(kept.is_sorted());
    assert_eq!(kept.iter().chain(&aside).copied().collect::<BTreeSet<_>>(), (0..20).collect());
    assert_eq!((kept.len(), aside.len()), (15, 5));
    let two = key(dataset.held_out(2, 0).expect("in memory").expect("five were set aside"));
    assert_eq!(two, aside[..2]);
    // The same samples as a set of their own, from which nothing is set aside again.
    let test = dataset.set_aside().expect("five were set aside");
    let all = key(read_rows(&*test, 0..test.len()).expect("in memory"));
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), aside.iter().copied().collect());
    assert!(test.set_aside().is_none() && test.held_out(5, 0).expect("in memory").is_none());
    assert_eq!(key(read_rows(&*config.open().expect("a whole file"), 0..15).expect("in memory")), kept);
    assert_eq!(
        fashion(FashionMnistConfig::default()).open().expect("built in").held_out(5, 0).expect("in memory"),
        None
    );
}

#[test]
fn labels_go_in_turn() {
    let dataset = fashion(FashionMnistConfig::default()).open().expect("built in");
    let indices = labels_in_turn(&*dataset, 25);
    let found: Vec<_> = indices.iter().map(|&i| dataset.label(i)).collect();
    assert_eq!(found, (0..25).map(|i| Some(i % 10)).collect::<Vec<_>>());
    assert_eq!(indices.iter().collect::<BTreeSet<_>>().len(), 25);
}

#[test]
fn contact_sheets_are_whole_pngs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sheet.png");
    let dataset = fashion(FashionMnistConfig::default()).open().expect("built in");
    contact_sheet(&*dataset, &path).expect("a writable folder");
    let sheet = image::open(&path).expect("a PNG");
    assert_eq!((sheet.width(), sheet.height()), (10 * 57 - 1, 10 * 57 - 1));
    let files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files, [path]);
    let error = contact_sheet(&*dataset, &folder.path().join("none/sheet.png")).expect_err("no such folder");
    assert!(matches!(error, DataError::Write { .. }), "{error}");
}

#[test]
fn the_list_says_what_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let presence = |name| {
        list(KINDS, folder.path()).into_iter().find(|kind| kind.name == name).expect("a listed kind").presence
    };
    assert_eq!(presence("fashion-mnist"), Presence::Fetchable { partly_built_in: true });
    assert_eq!(presence("mnist"), Presence::Fetchable { partly_built_in: false });
    assert_eq!(presence("idx"), Presence::YourFile);
    assert_eq!(presence("swiss-roll"), Presence::BuiltIn);
    let mnist = folder.path().join("mnist");
    fs::create_dir(&mnist).expect("a writable folder");
    for name in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        assert_eq!(presence("mnist"), Presence::Fetchable { partly_built_in: false });
        fs::write(mnist.join(name), []).expect("a writable folder");
    }
    assert_eq!(presence("mnist"), Presence::Here(mnist));
}
