//! Settings: checked without the data, with the key and the value in the error.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use meanflow_data::{
    CheckerboardConfig, Cifar10Config, Cifar100Config, DataConfig, DataError, Description,
    EightGaussiansConfig, EmojiConfig, FashionMnistConfig, Hdf5Config, IdxConfig, ImageFolderConfig, KINDS,
    Level, MnistConfig, Part, PointsConfig, SilhouetteConfig, SwissRollConfig, TwoMoonsConfig,
    TwoSpiralsConfig,
};

fn every_kind() -> [DataConfig; 15] {
    [
        DataConfig::new(FashionMnistConfig::default()),
        DataConfig::new(MnistConfig::new("none")),
        DataConfig::new(IdxConfig { size: Some(32), ..IdxConfig::new("none") }),
        DataConfig::new(Cifar10Config::new("none")),
        DataConfig::new(Cifar100Config::new("none")),
        DataConfig::new(ImageFolderConfig {
            size: Some(64),
            classes: Some(3),
            ..ImageFolderConfig::new("none")
        }),
        DataConfig::new(EmojiConfig::new("none")),
        DataConfig::new(Hdf5Config { shape: Some([4, 32, 32]), ..Hdf5Config::new("none") }),
        DataConfig::new(EightGaussiansConfig::default()),
        DataConfig::new(CheckerboardConfig::default()),
        DataConfig::new(TwoMoonsConfig::default()),
        DataConfig::new(TwoSpiralsConfig::default()),
        DataConfig::new(SwissRollConfig::default()),
        DataConfig::new(PointsConfig::new("none")),
        DataConfig::new(SilhouetteConfig::new("none")),
    ]
}

#[test]
fn the_registry_names_every_kind() {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(every_kind().map(|config| config.name())[..], names[..]);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(KINDS.iter().all(|kind| !kind.description.is_empty() && !kind.description.contains('\n')));
}

#[test]
fn no_kind_needs_its_data_to_be_described_and_a_missing_file_is_named() {
    for config in every_kind() {
        let described = config.describe().expect("valid settings");
        match config.open() {
            Ok(dataset) => {
                let found = Description {
                    shape: dataset.shape(),
                    classes: dataset.classes(),
                    items: Some(dataset.len()),
                };
                assert_eq!((described, dataset.name()), (found, config.name()));
                assert!(config.missing().is_none(), "{config:?}");
            }
            Err(error) => {
                assert!(matches!(error, DataError::Absent { .. }), "{error}");
                let text = error.to_string();
                let remedy = match config.name() {
                    name @ ("mnist" | "emoji") => {
                        format!("; `meanflow data fetch {name}` gets it into datasets/{name}")
                    }
                    _ => "; see docs/data.md".to_owned(),
                };
                assert!(text.starts_with("cannot read none") && text.ends_with(&remedy), "{text}");
                assert_eq!(config.missing().expect("nothing is there").to_string(), text);
            }
        }
    }
}

#[test]
fn what_only_the_file_can_tell_asks_for_the_file_or_the_key() {
    let key = |config: IdxConfig| match DataConfig::new(config).describe() {
        Err(DataError::Unknowable { key, .. }) => Some(key),
        _ => None,
    };
    assert_eq!(key(IdxConfig::new("none")), Some("size"));
    let labelled =
        IdxConfig { size: Some(28), labels: Some(PathBuf::from("none")), ..IdxConfig::new("none") };
    assert_eq!(key(labelled.clone()), Some("classes"));
    let told = DataConfig::new(IdxConfig { classes: Some(47), ..labelled })
        .describe()
        .expect("size and classes are given");
    assert_eq!(told, Description { shape: [1, 28, 28], classes: Some(47), items: None });
}

#[test]
fn settings_out_of_range_are_named() {
    let cases = [
        (DataConfig::new(CheckerboardConfig { points: 0, ..Default::default() }), "points"),
        (DataConfig::new(EightGaussiansConfig { std: -0.1, ..Default::default() }), "std"),
        (DataConfig::new(TwoMoonsConfig { noise: f64::NAN, ..Default::default() }), "noise"),
        (DataConfig::new(TwoSpiralsConfig { noise: f64::INFINITY, ..Default::default() }), "noise"),
        (DataConfig::new(SwissRollConfig { points: usize::MAX, ..Default::default() }), "points"),
        (DataConfig::new(FashionMnistConfig { size: Some(20), ..Default::default() }), "size"),
        (DataConfig::new(FashionMnistConfig { split: Part::Train, ..Default::default() }), "split"),
        (DataConfig::new(FashionMnistConfig { held_out: 1.0, ..Default::default() }), "held-out"),
        (DataConfig::new(MnistConfig { held_out: f64::NAN, ..MnistConfig::new("none") }), "held-out"),
        (DataConfig::new(IdxConfig { classes: Some(3), ..IdxConfig::new("none") }), "classes"),
        (DataConfig::new(PointsConfig { classes: Some(0), ..PointsConfig::new("none") }), "classes"),
        (DataConfig::new(SilhouetteConfig { points: 0, ..SilhouetteConfig::new("none") }), "points"),
    ];
    for (config, expected) in cases {
        for error in [config.describe().err(), config.open().err()] {
            let Some(DataError::Setting { key, .. }) = error else { panic!("{config:?}: {error:?}") };
            assert_eq!(key, expected);
        }
    }
}

#[test]
fn labels_can_be_left_out() {
    for config in [
        DataConfig::new(FashionMnistConfig { labels: false, ..Default::default() }),
        DataConfig::new(MnistConfig { labels: false, ..MnistConfig::new("none") }),
        DataConfig::new(Cifar10Config { labels: false, ..Cifar10Config::new("none") }),
        DataConfig::new(Cifar100Config { labels: Level::Off, ..Cifar100Config::new("none") }),
        DataConfig::new(EmojiConfig { labels: false, ..EmojiConfig::new("none") }),
    ] {
        assert_eq!(config.describe().expect("valid settings").classes, None);
        if let Ok(dataset) = config.open() {
            assert_eq!((dataset.classes(), dataset.label(0), dataset.len()), (None, None, 10_000));
        }
    }
}

#[test]
fn relative_paths_follow_the_experiment_file() {
    let mut config = DataConfig::new(IdxConfig {
        labels: Some(PathBuf::from("/data/labels")),
        ..IdxConfig::new("../images")
    });
    config.resolve(Path::new("experiments"));
    let expected =
        IdxConfig { labels: Some(PathBuf::from("/data/labels")), ..IdxConfig::new("experiments/../images") };
    assert_eq!(config, DataConfig::new(expected));
}

#[test]
fn parts_have_the_names_the_file_uses() {
    for name in Part::NAMES {
        assert_eq!(Part::from_name(name).map(Part::name), Some(name));
    }
    assert_eq!(Part::from_name("validation"), None);
}
