//! Folders of pictures: classes, colours, sizes, and the one that is broken among many.

use std::fs;
use std::path::Path;

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use meanflow_data::{
    Background, DataConfig, DataError, ImageFolderConfig, contact_sheet, inspect, read_rows,
};

fn save(picture: impl Into<DynamicImage>, path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
    picture.into().save(path).expect("a writable folder");
}

fn flat(width: u32, height: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(colour))
}

fn config(folder: &Path) -> ImageFolderConfig {
    ImageFolderConfig::new(folder)
}

fn message(config: ImageFolderConfig) -> String {
    DataConfig::new(config).open().err().expect("something wrong").to_string()
}

#[test]
fn folders_are_classes_in_the_order_of_their_names() {
    let here = tempfile::tempdir().expect("a temporary folder");
    save(flat(8, 8, [10, 20, 30]), &here.path().join("cat/2.png"));
    save(flat(8, 8, [40, 50, 60]), &here.path().join("cat/1.PNG"));
    save(GrayImage::from_pixel(8, 8, Luma([70])), &here.path().join("bird/x.png"));
    fs::write(here.path().join("cat/notes.txt"), "not a picture").expect("a writable folder");
    fs::write(here.path().join("cat/old.webp"), "not read").expect("a writable folder");
    fs::write(here.path().join("readme"), "not a class").expect("a writable folder");
    let data = DataConfig::new(config(here.path())).open().expect("a folder of pictures");
    assert_eq!((data.len(), data.shape(), data.classes()), (3, [3, 8, 8], Some(2)));
    assert_eq!([0, 1, 2].map(|index| data.label(index)), [Some(0), Some(1), Some(1)]);
    let rows = read_rows(&*data, 0..3).expect("whole files");
    let colours: Vec<f32> = rows.chunks(64).map(|plane| (127.5 * plane[0] + 127.5).round()).collect();
    assert_eq!(colours, [70.0, 70.0, 70.0, 40.0, 50.0, 60.0, 10.0, 20.0, 30.0]);
    let described = DataConfig::new(config(here.path())).describe().expect("valid settings");
    assert_eq!((described.shape, described.classes, described.items), ([3, 8, 8], Some(2), Some(3)));

    let all = DataConfig::new(ImageFolderConfig { labels: false, ..config(here.path()) }).open();
    assert_eq!(all.expect("a folder of pictures").classes(), None);
    let found = inspect(&*data).expect("whole files");
    assert_eq!(found.class_counts, Some(vec![1, 2]));
    let endings = [".txt", ".webp", "readme"].map(|ending| (ending.to_owned(), 1));
    assert_eq!(found.passed_over, endings.into());
    let sheet = here.path().join("sheet.png");
    contact_sheet(&*data, &sheet).expect("a writable folder");
    assert!(sheet.is_file());
}

#[test]
fn transparent_pixels_show_the_background() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let picture = RgbaImage::from_fn(2, 2, |x, _| Rgba([200, 100, 0, if x == 0 { 0 } else { 128 }]));
    save(picture, &here.path().join("a/x.png"));
    let first = |background| {
        let data = DataConfig::new(ImageFolderConfig { background, ..config(here.path()) });
        let rows = read_rows(&*data.open().expect("a folder of pictures"), [0]).expect("a whole file");
        rows.iter().map(|x| (127.5 * x + 127.5).round() as u8).collect::<Vec<_>>()
    };
    // (200·128 + 255·127)/255 = 227, and so on.
    assert_eq!(first(Background::White), [255, 227, 255, 227, 255, 177, 255, 177, 255, 127, 255, 127]);
    assert_eq!(first(Background::Black), [0, 100, 0, 100, 0, 50, 0, 50, 0, 0, 0, 0]);
}

#[test]
fn mixed_sizes_need_a_size() {
    let here = tempfile::tempdir().expect("a temporary folder");
    save(flat(8, 8, [0; 3]), &here.path().join("a/1.png"));
    save(flat(20, 9, [255; 3]), &here.path().join("a/2.jpg"));
    let error = message(config(here.path()));
    assert!(
        error.contains("2.jpg is of 9×20, while ")
            && error.ends_with("1.png is of 8×8; `size` would make them alike"),
        "{error}"
    );
    let data = DataConfig::new(ImageFolderConfig { size: Some(4), ..config(here.path()) });
    let data = data.open().expect("a folder of pictures");
    let rows = read_rows(&*data, 0..2).expect("whole files");
    assert!(rows[..48].iter().all(|&x| x == -1.0) && rows[48..].iter().all(|&x| x > 0.98));
}

#[test]
fn a_broken_picture_among_many_is_named() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let mut png = std::io::Cursor::new(Vec::new());
    flat(4, 4, [9; 3]).write_to(&mut png, image::ImageFormat::Png).expect("in memory");
    fs::create_dir_all(here.path().join("a")).expect("a writable folder");
    for number in 0..10_000 {
        let mut bytes = png.get_ref().clone();
        if number == 7_654 {
            // Inside the compressed pixels: the header still tells the size.
            let at = bytes.len() - 20;
            bytes[at] ^= 0xff;
        }
        fs::write(here.path().join(format!("a/{number:05}.png")), bytes).expect("a writable folder");
    }
    let data = DataConfig::new(config(here.path())).open().expect("headers are whole");
    let error = inspect(&*data).expect_err("one picture is broken");
    assert!(matches!(&error, DataError::Picture { path, .. } if path.ends_with("a/07654.png")), "{error}");
    let error = read_rows(&*data, 0..10_000).expect_err("one picture is broken").to_string();
    assert!(error.contains("a/07654.png: "), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn folders_that_are_no_dataset_say_why() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let error = message(config(here.path()));
    assert!(error.ends_with("no folder of a class in it; without classes, say `labels = false`"), "{error}");
    fs::create_dir(here.path().join("empty")).expect("a writable folder");
    let error = message(config(here.path()));
    assert!(error.ends_with("empty: a class without a PNG or JPEG file"), "{error}");
    let error = message(ImageFolderConfig { labels: false, ..config(here.path()) });
    assert!(error.ends_with("no PNG or JPEG file in it"), "{error}");
    save(flat(4, 4, [0; 3]), &here.path().join("empty/1.png"));
    let error = message(ImageFolderConfig { classes: Some(3), ..config(here.path()) });
    assert!(error.ends_with("1 folders of classes, where classes = 3"), "{error}");

    let described = |config: ImageFolderConfig| match DataConfig::new(config).describe() {
        Err(DataError::Unknowable { key, .. }) => Some(key),
        _ => None,
    };
    assert_eq!(described(config(Path::new("none"))), Some("size"));
    assert_eq!(described(ImageFolderConfig { size: Some(8), ..config(Path::new("none")) }), Some("classes"));
}

#[test]
fn pictures_beside_classes_are_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    save(flat(4, 4, [0; 3]), &here.path().join("a/1.png"));
    save(flat(4, 4, [0; 3]), &here.path().join("7.JPG"));
    let error = message(config(here.path()));
    assert!(
        error.ends_with(
            "7.JPG: a picture beside the folders of classes; move it into one, or say `labels = false`"
        ),
        "{error}"
    );
    let all = DataConfig::new(ImageFolderConfig { labels: false, ..config(here.path()) }).open();
    assert_eq!(all.expect("a folder of pictures").len(), 2);
}

#[cfg(unix)]
#[test]
fn no_folder_is_read_twice() {
    use std::os::unix::fs::symlink;
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    save(flat(4, 4, [0; 3]), &elsewhere.path().join("1.png"));
    let here = tempfile::tempdir().expect("a temporary folder");
    save(flat(4, 4, [0; 3]), &here.path().join("a/1.png"));
    symlink(elsewhere.path(), here.path().join("b")).expect("a writable folder");
    let both = DataConfig::new(config(here.path())).open().expect("a link is a folder like others");
    assert_eq!((both.len(), both.classes()), (2, Some(2)));
    for (link, to) in [("a/self", "."), ("a/up", ".."), ("c", "b")] {
        let link = here.path().join(link);
        symlink(to, &link).expect("a writable folder");
        for labels in [true, false] {
            let error = message(ImageFolderConfig { labels, ..config(here.path()) });
            assert!(error.starts_with(&format!("{}: a link to ", link.display())), "{error}");
            assert!(error.ends_with(", which is in the set already"), "{error}");
        }
        fs::remove_file(&link).expect("it is there");
    }
}

/// A JPEG that is cut short has a whole header; without a check it would be trained on, half of it grey.
#[test]
fn pictures_that_are_cut_short_are_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    for name in ["1.png", "1.jpg"] {
        let path = here.path().join("a").join(name);
        save(RgbImage::from_fn(32, 32, |x, y| Rgb([(x * y) as u8, (x * 8) as u8, 9])), &path);
        let whole = fs::read(&path).expect("just written");
        fs::write(&path, &whole[..whole.len() * 2 / 3]).expect("a writable folder");
        let data = DataConfig::new(config(here.path())).open().expect("headers are whole");
        let error = inspect(&*data).expect_err("half a picture");
        assert!(matches!(&error, DataError::Picture { path, .. } if path.ends_with(name)), "{error}");
        fs::remove_file(&path).expect("it is there");
    }
}

/// Pictures that say that they are large: refused by their headers.
#[test]
fn pictures_that_are_too_large_are_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let path = here.path().join("a/1.png");
    save(GrayImage::new(5000, 1), &path);
    let error = message(config(here.path()));
    let expected =
        format!("{}: 1×5000 pixels; `size` makes pictures of more than 4096×4096 smaller", path.display());
    assert_eq!(error, expected);
    let described = DataConfig::new(config(here.path())).describe().expect_err("a large picture");
    assert_eq!(described.to_string(), expected);
    let sized = |size| DataConfig::new(ImageFolderConfig { size: Some(size), ..config(here.path()) }).open();
    assert!(read_rows(&*sized(8).expect("a strip"), [0]).is_ok());
    save(GrayImage::new(60_000, 1), &path);
    let error = read_rows(&*sized(64).expect("a strip"), [0]).expect_err("a strip").to_string();
    assert!(error.ends_with("1.png: 1×60000 pixels are too long a strip to be scaled to 64×64"), "{error}");
}

/// A pipe with the name of a picture; opening it would wait for ever.
#[cfg(unix)]
#[test]
fn pipes_are_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(here.path().join("a")).expect("a writable folder");
    let pipe = here.path().join("a/1.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let expected = format!("cannot read {}: it is a pipe or a device, not a file", pipe.display());
    for size in [None, Some(8)] {
        assert_eq!(message(ImageFolderConfig { size, ..config(here.path()) }), expected);
    }
    for config in [
        DataConfig::new(meanflow_data::PointsConfig::new(&pipe)),
        DataConfig::new(meanflow_data::SilhouetteConfig::new(&pipe)),
        DataConfig::new(meanflow_data::IdxConfig::new(&pipe)),
        DataConfig::new(meanflow_data::Cifar10Config::new(&pipe)),
        DataConfig::new(meanflow_data::Hdf5Config::new(&pipe)),
    ] {
        let error = config.open().err().expect("a pipe").to_string();
        assert!(error.contains("it is a pipe or a device, not a file"), "{}: {error}", config.name());
    }
}
