//! Point sets from text files.

use meanflow_data::{DataConfig, DataError, PointsConfig, read_rows};

use crate::idx::put;

/// The points of a file with this content, unscaled and all of them, with their labels.
fn read(content: &[u8], classes: Option<usize>) -> Result<(Vec<f32>, Vec<usize>), DataError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = put(&folder, "points.csv", content);
    let config = PointsConfig { classes, scale: false, held_out: 0.0, ..PointsConfig::new(path) };
    let dataset = DataConfig::new(config).open()?;
    let labels = (0..dataset.len()).filter_map(|i| dataset.label(i)).collect();
    Ok((read_rows(&*dataset, 0..dataset.len())?, labels))
}

#[test]
fn separators_comments_and_names() {
    let expected = vec![1.0, -2.0, 3.5, 4000.0];
    for content in [
        "1,-2\n3.5,4e3\n",
        "x,y\r\n1, -2\r\n3.5 ,4e3",
        "# made by hand\n\n  1 -2\n\t3.5\t4e3\n\n# end",
        "\u{feff}a;b\n1;-2\n3.5;4e3",
    ] {
        assert_eq!(read(content.as_bytes(), None).expect("two points").0, expected, "{content:?}");
    }
    assert_eq!(read(b"x y mode\n1 -2 0\n3.5 4e3 2\n", Some(3)).expect("two points"), (expected, vec![0, 2]));
}

#[test]
fn bad_lines_are_named() {
    let cases: [(&[u8], Option<usize>, &str); 12] = [
        (b"1,2\n3,nan\n", None, "points.csv, line 2: nan is not finite"),
        (b"1,2\n\n-inf,3\n", None, "points.csv, line 3: -inf is not finite"),
        (b"1,2\n1e39,3\n", None, "points.csv, line 2: 1e39 is not finite"),
        (b"x,y\n1,two\n", None, "points.csv, line 2: \"two\" is not a number"),
        (b"1,2\nx,y\n", None, "points.csv, line 2: \"x\" is not a number"),
        (b"1,2\n3\n", None, "points.csv, line 2: 2 columns expected, 1 found"),
        (b"1,2,0\n", None, "points.csv, line 1: 2 columns expected, 3 found"),
        (b"1,2\n", Some(2), "points.csv, line 1: 3 columns expected, 2 found"),
        (b"1 2 2\n", Some(2), "points.csv, line 1: \"2\" is not a class (0 to 1)"),
        (b"1 2 -1\n", Some(2), "points.csv, line 1: \"-1\" is not a class (0 to 1)"),
        (b"1,2\n\xff,3\n", None, "points.csv, line 2: not UTF-8 text"),
        (b"# nothing\n", None, "points.csv: no points"),
    ];
    for (content, classes, expected) in cases {
        let error = read(content, classes).expect_err("a bad line").to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn scaling_gives_mean_zero_and_unit_variance_with_one_factor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A 6×2 rectangle far from the origin: variances 9 and 1, average 5.
    let path = put(&folder, "points.csv", b"1000,10\n1006,10\n1000,12\n1006,12\n");
    let config = PointsConfig { held_out: 0.0, ..PointsConfig::new(path) };
    let dataset = DataConfig::new(config).open().expect("four points");
    let (x, y) = ((9f32 / 5.0).sqrt(), (1f32 / 5.0).sqrt());
    let found = read_rows(&*dataset, 0..4).expect("in memory");
    for (found, expected) in found.iter().zip([-x, -y, x, -y, -x, y, x, y]) {
        assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
    }
    let same = put(&folder, "same.csv", b"0.1,0.3\n0.1,0.3\n0.1,0.3\n");
    let error = DataConfig::new(PointsConfig::new(same)).open().err().expect("no spread").to_string();
    assert!(error.ends_with("all points are the same, so they cannot be scaled to unit variance"), "{error}");
}

#[test]
fn a_tenth_is_set_aside_unless_told_otherwise() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let content: String = (0..100).map(|i| format!("{i} {}\n", i * i)).collect();
    let dataset = DataConfig::new(PointsConfig::new(put(&folder, "points.txt", content.as_bytes())))
        .open()
        .expect("points");
    assert_eq!(dataset.len(), 90);
    let aside = dataset.held_out(2_000, 0).expect("in memory").expect("ten were set aside");
    assert_eq!(aside.len(), 20);
}
