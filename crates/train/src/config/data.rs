//! `[data.*]`: what is learnt.

use super::LAYOUT;
use meanflow_data::{
    Background, CheckerboardConfig, Cifar10Config, Cifar100Config, DataConfig, DataError, Description,
    EdmConfig, EightGaussiansConfig, EmojiConfig, Encoding, FashionMnistConfig, Half, Hdf5Config, IdxConfig,
    ImageFolderConfig, Level, MnistConfig, Part, PointsConfig, SilhouetteConfig, SwissRollConfig,
    TwoMoonsConfig, TwoSpiralsConfig, augment::LABELS,
};
use meanflow_nets::NetConfig;
use meanflow_settings::{
    Choice, ConfigError, Document, Flag, Number, Or, PathTo, Problem, Reader, Text, Triple, Within,
};
use std::path::Path;

/// Reads the table and asks the data what it looks like, unless that is known; `None` after a problem.
pub(super) fn read(root: &mut Reader, known: Option<Description>) -> Option<(DataConfig, Description)> {
    let names: Vec<&'static str> = meanflow_data::KINDS.iter().map(|kind| kind.name).collect();
    root.kind("data", &names, None, |kind, r| {
        let data = config(kind, r);
        if !r.is_sound() {
            return None;
        }
        match known.map_or_else(|| data.describe(), Ok) {
            Ok(description) => Some((data, description)),
            Err(DataError::Setting { key, value, must }) => {
                let message = format!("`{}` = {value}: {must}", r.path(key));
                r.problem(Problem::new(r.at(key), message));
                None
            }
            Err(error) => {
                let named = if r.has("images") && !r.has("path") { "images" } else { "path" };
                let mut problem = Problem::new(r.at(named), error.to_string());
                if let Some(DataError::Absent { remedy, .. }) = data.missing() {
                    problem = problem.help(remedy);
                }
                r.problem(Problem { about_data: true, ..problem });
                None
            }
        }
    })?
}

/// The data of the first variant of an experiment file, whatever else is in the file: its network may not fit the data, or not
/// be there.
///
/// # Errors
/// Everything that is wrong with the table `[data.…]`, and a file that cannot be read or is not TOML.
pub fn of_file(file: &Path, overrides: &[String]) -> Result<DataConfig, ConfigError> {
    let document = Document::load(file, overrides, LAYOUT)?.part("data");
    let ((data, _), _) = document.read(|root, _| read(root, None)).only()?;
    Ok(data)
}

fn config(kind: &str, r: &mut Reader) -> DataConfig {
    match kind {
        "fashion-mnist" => {
            let default = FashionMnistConfig::default();
            DataConfig::FashionMnist(FashionMnistConfig {
                path: r.get("path", Or("built-in", PathTo), default.path),
                split: r.get("split", part(), default.split),
                size: r.get("size", Or("off", Within::SAMPLES), default.size),
                labels: r.get("labels", Flag, default.labels),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            })
        }
        "mnist" => {
            let default = MnistConfig::new(r.need("path", PathTo));
            DataConfig::Mnist(MnistConfig {
                split: r.get("split", part(), default.split),
                size: r.get("size", Or("off", Within::SAMPLES), default.size),
                labels: r.get("labels", Flag, default.labels),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "idx" => {
            let default = IdxConfig::new(r.need("images", PathTo));
            DataConfig::Idx(IdxConfig {
                labels: r.get("labels", Or("off", PathTo), default.labels),
                classes: r.get("classes", Or("auto", Within::SAMPLES), default.classes),
                size: r.get("size", Or("off", Within::SAMPLES), default.size),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                images: default.images,
            })
        }
        "cifar10" => {
            let default = Cifar10Config::new(r.need("path", PathTo));
            DataConfig::Cifar10(Cifar10Config {
                split: r.get("split", Choice(Half::ALL.to_vec()), default.split),
                labels: r.get("labels", Flag, default.labels),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "cifar100" => {
            let default = Cifar100Config::new(r.need("path", PathTo));
            DataConfig::Cifar100(Cifar100Config {
                split: r.get("split", Choice(Half::ALL.to_vec()), default.split),
                labels: r.get("labels", Choice(Level::ALL.to_vec()), default.labels),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "image-folder" => {
            let default = ImageFolderConfig::new(r.need("path", PathTo));
            DataConfig::ImageFolder(ImageFolderConfig {
                size: r.get("size", Or("off", Within::SAMPLES), default.size),
                labels: r.get("labels", Flag, default.labels),
                classes: r.get("classes", Or("auto", Within::SAMPLES), default.classes),
                background: r.get("background", Choice(Background::ALL.to_vec()), default.background),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "emoji" => {
            let default = EmojiConfig::new(r.need("path", PathTo));
            DataConfig::Emoji(EmojiConfig {
                size: r.get("size", Within::SAMPLES, default.size),
                skin_tones: r.get("skin-tones", Flag, default.skin_tones),
                labels: r.get("labels", Flag, default.labels),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "hdf5" => {
            let default = Hdf5Config::new(r.need("path", PathTo));
            DataConfig::Hdf5(Hdf5Config {
                images: r.get("images", Or("auto", Text::SOME), default.images),
                labels: r.get("labels", Text::SOME, default.labels),
                flipped: r.get("flipped", Or("auto", Text::SOME), default.flipped),
                encoding: r.get("encoding", Choice(Encoding::ALL.to_vec()), default.encoding),
                scale: r.get("scale", Or("auto", Number::POSITIVE), default.scale),
                shape: r.get("shape", Or("auto", Triple(Within::SIZE)), default.shape),
                classes: r.get("classes", Or("auto", Within::SAMPLES), default.classes),
                items: r.get("items", Or("auto", Within(1, Within::LARGEST)), default.items),
                flip: r.get("flip", Flag, default.flip),
                augment: augment(r),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "eight-gaussians" => {
            let default = EightGaussiansConfig::default();
            DataConfig::EightGaussians(EightGaussiansConfig {
                points: r.get("points", Within::SAMPLES, default.points),
                seed: seed(r, default.seed),
                labels: r.get("labels", Flag, default.labels),
                std: r.get("std", Number::NOT_NEGATIVE, default.std),
            })
        }
        "checkerboard" => {
            let default = CheckerboardConfig::default();
            DataConfig::Checkerboard(CheckerboardConfig {
                points: r.get("points", Within::SAMPLES, default.points),
                seed: seed(r, default.seed),
                labels: r.get("labels", Flag, default.labels),
            })
        }
        "two-moons" => {
            let default = TwoMoonsConfig::default();
            DataConfig::TwoMoons(TwoMoonsConfig {
                points: r.get("points", Within::SAMPLES, default.points),
                seed: seed(r, default.seed),
                labels: r.get("labels", Flag, default.labels),
                noise: r.get("noise", Number::NOT_NEGATIVE, default.noise),
            })
        }
        "two-spirals" => {
            let default = TwoSpiralsConfig::default();
            DataConfig::TwoSpirals(TwoSpiralsConfig {
                points: r.get("points", Within::SAMPLES, default.points),
                seed: seed(r, default.seed),
                labels: r.get("labels", Flag, default.labels),
                noise: r.get("noise", Number::NOT_NEGATIVE, default.noise),
            })
        }
        "swiss-roll" => {
            let default = SwissRollConfig::default();
            DataConfig::SwissRoll(SwissRollConfig {
                points: r.get("points", Within::SAMPLES, default.points),
                seed: seed(r, default.seed),
                noise: r.get("noise", Number::NOT_NEGATIVE, default.noise),
            })
        }
        "points" => {
            let default = PointsConfig::new(r.need("path", PathTo));
            DataConfig::Points(PointsConfig {
                classes: r.get("classes", Or("off", Within::SAMPLES), default.classes),
                scale: r.get("scale", Flag, default.scale),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                path: default.path,
            })
        }
        "silhouette" => {
            let default = SilhouetteConfig::new(r.need("path", PathTo));
            DataConfig::Silhouette(SilhouetteConfig {
                points: r.get("points", Within::SAMPLES, default.points),
                seed: seed(r, default.seed),
                invert: r.get("invert", Flag, default.invert),
                path: default.path,
            })
        }
        other => unreachable!("`{other}` is listed in meanflow_data::KINDS but has no decoder"),
    }
}

/// `"off"`, or a table `{ edm = { p = 0.12, … } }`.
fn augment(r: &mut Reader) -> Option<EdmConfig> {
    r.either("augment", "a kind of augmentation", &["off"], &["edm"], "off", |kind, r| {
        let default = EdmConfig::default();
        (kind == "edm").then(|| EdmConfig {
            p: r.get("p", Number::UNIT, default.p),
            xflip: r.get("xflip", Number::NOT_NEGATIVE, default.xflip),
            scale: r.get("scale", Number::NOT_NEGATIVE, default.scale),
            aniso: r.get("aniso", Number::NOT_NEGATIVE, default.aniso),
            translate: r.get("translate", Number::NOT_NEGATIVE, default.translate),
        })
    })?
}

/// Augmented images come with labels that say what was done; a network that does not take them would learn to draw
/// warped images.
pub(super) fn check_augmentation(root: &mut Reader, data: &DataConfig, net: &NetConfig) {
    let takes = match net {
        NetConfig::Unet(net) => net.augment,
        _ => 0,
    };
    if data.augment().is_none() || takes == LABELS {
        return;
    }
    let key = format!("data.{}.augment", data.name());
    let message =
        format!("`{key}` tells the network by {LABELS} labels what was done; this one takes {takes}");
    let help = match net {
        NetConfig::Unet(_) => format!("write `augment-labels = {LABELS}` in `[net.unet]`"),
        _ => "only `[net.unet]` takes such labels; leave `augment` out".to_owned(),
    };
    let place = root.within(&["data", data.name(), "augment"]);
    root.problem(Problem::new(place, message).help(help));
}

fn part() -> Choice<Part> {
    Choice(Part::NAMES.into_iter().filter_map(|name| Some((name, Part::from_name(name)?))).collect())
}

fn seed(r: &mut Reader, default: u64) -> u64 {
    r.get("seed", Within(0, Within::LARGEST), default as usize) as u64
}
