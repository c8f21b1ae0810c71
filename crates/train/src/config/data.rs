//! `[data.*]`: what is learnt.

use super::{
    problem::Problem,
    reader::Reader,
    scalar::{Choice, Flag, Number, Or, PathTo, Within},
};
use meanflow_data::{
    CheckerboardConfig, DataConfig, DataError, Description, EightGaussiansConfig, FashionMnistConfig,
    IdxConfig, MnistConfig, Part, PointsConfig, SilhouetteConfig, SwissRollConfig, TwoMoonsConfig,
    TwoSpiralsConfig,
};

/// Reads the table and asks the data what it looks like; `None` after a problem.
pub(super) fn read(root: &mut Reader) -> Option<(DataConfig, Description)> {
    let names: Vec<&'static str> = meanflow_data::KINDS.iter().map(|kind| kind.name).collect();
    root.kind("data", &names, None, |kind, r| {
        let before = r.problems();
        let data = config(kind, r);
        if r.problems() > before {
            return None;
        }
        match data.describe() {
            Ok(description) => Some((data, description)),
            Err(DataError::Setting { key, value, must }) => {
                let message = format!("`{}` = {value}: {must}", r.path(key));
                r.problem(Problem::new(r.at(key), message));
                None
            }
            Err(error) => {
                let problem = Problem::new(r.at("images"), error.to_string());
                r.problem(Problem { about_data: true, ..problem });
                None
            }
        }
    })?
}

fn config(kind: &str, r: &mut Reader) -> DataConfig {
    match kind {
        "fashion-mnist" => {
            let default = FashionMnistConfig::default();
            DataConfig::FashionMnist(FashionMnistConfig {
                path: r.get("path", Or("built-in", PathTo), default.path),
                split: r.get("split", part(), default.split),
                size: r.get("size", Or("off", Within::SAMPLES), default.size),
                flip: r.get("flip", Flag, default.flip),
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            })
        }
        "mnist" => {
            let default = MnistConfig::new(r.need("path", PathTo));
            DataConfig::Mnist(MnistConfig {
                split: r.get("split", part(), default.split),
                size: r.get("size", Or("off", Within::SAMPLES), default.size),
                flip: r.get("flip", Flag, default.flip),
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
                held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
                images: default.images,
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

fn part() -> Choice<Part> {
    Choice(Part::NAMES.into_iter().filter_map(|name| Some((name, Part::from_name(name)?))).collect())
}

fn seed(r: &mut Reader, default: u64) -> u64 {
    r.get("seed", Within(0, Within::LARGEST), default as usize) as u64
}
