//! CIFAR-10 and CIFAR-100: folders, archives, and files that are wrong.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use meanflow_data::{
    Cifar10Config, Cifar100Config, Cursor, DataConfig, DataError, EdmConfig, Half, Level, Loader,
    LoaderConfig,
};

/// Images of one value for each colour: image i is (i, 2i, 255 − i), its labels are i mod 10, or i mod 20 and
/// i mod 100.
fn records(images: std::ops::Range<usize>, labels: usize) -> Vec<u8> {
    let image = |i: usize| {
        let labels = if labels == 1 { vec![(i % 10) as u8] } else { vec![(i % 20) as u8, (i % 100) as u8] };
        let colours = [i as u8, (2 * i) as u8, 255 - i as u8];
        labels.into_iter().chain(colours.into_iter().flat_map(|colour| [colour; 1024]))
    };
    images.flat_map(image).collect()
}

/// The five training files with 20 images each, and a test file with 7.
fn cifar10_files() -> Vec<(String, Vec<u8>)> {
    let train =
        (0..5).map(|file| (format!("data_batch_{}.bin", file + 1), records(20 * file..20 * (file + 1), 1)));
    train.chain([("test_batch.bin".to_owned(), records(100..107, 1))]).collect()
}

fn put(folder: &Path, files: &[(String, Vec<u8>)]) {
    fs::create_dir_all(folder).expect("a writable folder");
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("a writable folder");
    }
}

fn archive(path: &Path, inside: &str, files: &[(String, Vec<u8>)]) {
    let gzip = GzEncoder::new(fs::File::create(path).expect("a writable folder"), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{inside}/{name}"), &content[..]).expect("a writable file");
    }
    archive.into_inner().and_then(GzEncoder::finish).expect("a writable file");
}

#[test]
fn a_folder_and_the_archive_are_the_same_set() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let folder = here.path().join("cifar-10-batches-bin");
    put(&folder, &cifar10_files());
    let packed = here.path().join("cifar-10-binary.tar.gz");
    archive(&packed, "cifar-10-batches-bin", &cifar10_files());
    let open = |path: &Path, split| {
        DataConfig::new(Cifar10Config { split, ..Cifar10Config::new(path) }).open().expect("whole files")
    };
    // The folder with the files, the folder with that folder, the archive.
    let sets = [&folder, &here.path().to_path_buf(), &packed].map(|path| open(path, Half::Train));
    for set in &sets {
        assert_eq!((set.len(), set.shape(), set.classes()), (100, [3, 32, 32], Some(10)));
        assert_eq!(set.digest(), sets[0].digest());
        let mut image = vec![0.0; 3072];
        set.read(43, &mut image).expect("in memory");
        for (plane, byte) in image.chunks_exact(1024).zip([43f32, 86.0, 212.0]) {
            assert!(plane.iter().all(|&x| x == byte / 127.5 - 1.0));
        }
        assert_eq!(set.label(43), Some(3));
    }
    let plain = Cifar10Config { labels: false, ..Cifar10Config::new(&folder) };
    let plain = DataConfig::new(plain).open().expect("whole files");
    assert_eq!((plain.len(), plain.classes(), plain.label(43)), (100, None, None));
    assert_eq!(plain.digest(), sets[0].digest(), "the same files");
    assert_eq!(open(&packed, Half::Test).len(), 7);
    let described = DataConfig::new(Cifar10Config::new(&folder)).describe().expect("valid settings");
    assert_eq!(described.items, Some(100));
    let described = DataConfig::new(Cifar10Config::new("none")).describe().expect("valid settings");
    assert_eq!(described.items, Some(50_000));
}

#[test]
fn cifar100_has_two_labels() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let files = [("train.bin".to_owned(), records(0..60, 2)), ("test.bin".to_owned(), records(60..70, 2))];
    put(here.path(), &files);
    let open = |labels| {
        DataConfig::new(Cifar100Config { labels, ..Cifar100Config::new(here.path()) })
            .open()
            .expect("whole files")
    };
    let (fine, coarse) = (open(Level::Fine), open(Level::Coarse));
    assert_eq!((fine.len(), fine.classes(), fine.label(55)), (60, Some(100), Some(55)));
    assert_eq!((coarse.classes(), coarse.label(55)), (Some(20), Some(15)));
    let off = open(Level::Off);
    assert_eq!((off.len(), off.classes(), off.label(55)), (60, None, None));
    let mut image = vec![0.0; 3072];
    fine.read(55, &mut image).expect("in memory");
    assert_eq!(image[0], 55.0 / 127.5 - 1.0);
}

#[test]
fn files_that_are_wrong_are_named() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let open = || DataConfig::new(Cifar10Config::new(here.path())).open();
    let error = || open().err().expect("a file that is wrong").to_string();
    assert!(error().starts_with("no data_batch_1.bin, "), "{}", error());
    put(here.path(), &cifar10_files());
    fs::write(here.path().join("data_batch_3.bin"), &records(0..20, 1)[..50_000]).expect("a writable folder");
    assert!(
        matches!(open().err(), Some(DataError::CifarLength { path, found: 50_000, record: 3073 }) if path.ends_with("data_batch_3.bin"))
    );
    let mut labels = records(0..20, 1);
    labels[3073 * 4] = 10;
    fs::write(here.path().join("data_batch_3.bin"), labels).expect("a writable folder");
    assert!(
        error().ends_with("data_batch_3.bin: label 10 of item 4 is not among 10 classes (0 to 9)"),
        "{}",
        error()
    );
    fs::remove_file(here.path().join("data_batch_3.bin")).expect("it was there");
    assert!(error().contains("data_batch_3.bin"), "{}", error());

    let broken = here.path().join("broken.tar.gz");
    archive(&broken, "cifar-10-batches-bin", &cifar10_files()[..2]);
    let error =
        DataConfig::new(Cifar10Config::new(&broken)).open().err().expect("an archive without all files");
    assert!(error.to_string().starts_with("no data_batch_3.bin in "), "{error}");
    let whole = fs::read(&broken).expect("a file");
    fs::write(&broken, &whole[..whole.len() / 2]).expect("a writable folder");
    let error = DataConfig::new(Cifar10Config::new(&broken)).open().err().expect("half an archive");
    assert!(
        matches!(&error, DataError::CifarArchive { path, .. } if path.ends_with("broken.tar.gz")),
        "{error}"
    );
    fs::write(&broken, "x").expect("a writable folder");
    let error = DataConfig::new(Cifar10Config::new(&broken)).open().err().expect("no archive").to_string();
    assert!(
        error.contains("broken.tar.gz is not a folder with the files of CIFAR, and cannot be read"),
        "{error}"
    );
}

/// One epoch through the reader with mirroring and augmentation: whatever the number of threads, the same bits,
/// and labels that say what was done.
#[test]
fn an_epoch_is_the_same_on_any_number_of_threads() {
    let here = tempfile::tempdir().expect("a temporary folder");
    put(here.path(), &cifar10_files());
    let config = DataConfig::new(Cifar10Config {
        flip: true,
        augment: Some(EdmConfig { p: 0.5, ..EdmConfig::default() }),
        ..Cifar10Config::new(here.path())
    });
    let data = config.open().expect("whole files");
    let settings =
        LoaderConfig { batch: 32, seed: 3, flip: config.flip(), augment: config.augment(), prefetch: 0 };
    let epoch = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut loader = Loader::new(data.clone(), settings, Cursor::default()).expect("valid settings");
            (0..4).map(|_| loader.next_batch().expect("in memory")).collect::<Vec<_>>()
        })
    };
    let batches = epoch(1);
    assert_eq!(batches, epoch(5));
    let done: Vec<f32> =
        batches.iter().flat_map(|batch| batch.augment.clone().expect("augmentation")).collect();
    assert_eq!(done.len(), 128 * 6);
    let share = done.chunks(6).filter(|done| done[1] != 0.0).count();
    assert!((32..96).contains(&share), "{share} of 128 scaled at p = 0.5");
    // Resumed in the middle of the epoch.
    let mut resumed = Loader::new(data, settings, Cursor { epoch: 0, position: 64 }).expect("valid settings");
    assert_eq!(resumed.next_batch().expect("in memory"), batches[2]);
}

/// A small archive may say, or unpack to, any number of bytes.
#[test]
fn members_that_are_too_large_are_not_unpacked() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let path = here.path().join("x.tar.gz");
    let pack = |name: &str, said: u64, zeros: u64| {
        let file = fs::File::create(&path).expect("a writable folder");
        let mut gzip = GzEncoder::new(file, Compression::fast());
        let mut header = tar::Header::new_gnu();
        header.set_path(name).expect("a short name");
        header.set_size(said);
        header.set_cksum();
        gzip.write_all(header.as_bytes()).expect("a writable file");
        std::io::copy(&mut std::io::repeat(0).take(zeros), &mut gzip).expect("a writable file");
        gzip.finish().expect("a writable file");
        let opened = DataConfig::new(Cifar10Config::new(&path)).open();
        opened.err().expect("no whole archive").to_string()
    };
    let error = pack("a/data_batch_1.bin", 1 << 40, 1 << 20);
    assert!(
        error.contains("x.tar.gz")
            && error.contains("data_batch_1.bin has 1099511627776 bytes; 201326592 are the most"),
        "{error}"
    );
    let error = pack("a/data_batch_1.bin", 30_730_000, 3073);
    assert!(error.contains("data_batch_1.bin has 3073 of 30730000 bytes"), "{error}");
    // Passing over a member that is not wanted comes to an end, too.
    let error = pack("a/other", 1 << 40, 300 << 20);
    assert!(error.contains("x.tar.gz"), "{error}");
}
