//! Run folders as `docs/run-folder.md` describes them, made up: enough to render every part of a page.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use image::{GrayImage, Luma};
use serde_json::{Value, json};

/// A run to make up.
pub struct Made {
    /// Variant's name, and the folder's.
    pub variant: &'static str,
    /// `meanflow` or `flow-matching`.
    pub objective: &'static str,
    /// Number of evaluations scored and sampled.
    pub nfe: &'static [u64],
    /// Error at each of them, which decides scores and samples.
    pub error: fn(u64) -> f64,
}

/// The two variants that experiments compare.
pub const MADE: [Made; 2] = [
    Made {
        variant: "meanflow",
        objective: "meanflow",
        nfe: &[1, 2, 4],
        error: |nfe| 0.24 / (nfe as f64).powf(0.15),
    },
    Made {
        variant: "flow-matching",
        objective: "flow-matching",
        nfe: &[1, 2, 4, 50],
        error: |nfe| 0.08 + 0.9 / (nfe as f64).powf(0.9),
    },
];

/// A small generator of repeatable noise: xorshift, and Gaussians as sums of uniforms.
pub struct Noise(u64);

impl Noise {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A draw from [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A draw that is nearly N(0, 1).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Makes an image run; returns its folder.
pub fn image_run(root: &Path, made: &Made) -> PathBuf {
    let dir = root.join("quickstart").join(made.variant);
    let metric = |nfe| ("fd_pca64", 90.0 * (made.error)(nfe), "fashion-mnist, 10000 images", 0.93);
    common(&dir, "quickstart", "fashion-mnist", made, &[&metric]);
    grid(0.0, 0).save(dir.join("samples/real.png")).unwrap();
    for nfe in made.nfe {
        grid((made.error)(*nfe), 5)
            .save(dir.join(format!("samples/step-00002700-ema-0.999-nfe-{nfe}.png")))
            .unwrap();
        grid(1.0, 5).save(dir.join(format!("samples/step-00000900-ema-0.999-nfe-{nfe}.png"))).unwrap();
    }
    dir
}

/// Makes a run on points of a checkerboard; returns its folder.
pub fn point_run(root: &Path, made: &Made) -> PathBuf {
    let dir = root.join("checkerboard").join(made.variant);
    let w2 = |nfe| ("w2", 0.05 + (made.error)(nfe), "checkerboard, 2000 points", 0.041);
    let energy =
        |nfe| ("energy", 0.002 + 0.1 * (made.error)(nfe).powi(2), "checkerboard, 2000 points", 0.0011);
    common(&dir, "checkerboard", "checkerboard", made, &[&w2, &energy]);
    let mut noise = Noise::new(3);
    let data: Vec<[f64; 2]> = (0..2000).map(|_| checker(&mut noise)).collect();
    let start: Vec<[f64; 2]> = (0..2000).map(|_| [noise.normal(), noise.normal()]).collect();
    let samples = |nfe: u64| -> Vec<[f64; 2]> {
        let mut noise = Noise::new(100 + nfe);
        let error = (made.error)(nfe);
        start
            .iter()
            .map(|from| {
                let to = nearest(*from);
                let pull = error.min(1.0) * 0.6;
                to.map(|x| x * (1.0 - pull) + 0.12 * error * noise.normal())
            })
            .collect()
    };
    let largest = *made.nfe.last().unwrap();
    let ends = samples(largest);
    let paths: Vec<Vec<[f64; 2]>> = (0..64)
        .map(|i| {
            (0..=largest)
                .map(|k| {
                    let s = k as f64 / largest as f64;
                    let bend = if largest > 8 { 0.35 * (std::f64::consts::PI * s).sin() } else { 0.0 };
                    let (a, b) = (start[i], ends[i]);
                    [
                        a[0] + s * (b[0] - a[0]) + bend * (b[1] - a[1]),
                        a[1] + s * (b[1] - a[1]) - bend * (b[0] - a[0]),
                    ]
                })
                .collect()
        })
        .collect();
    let by_nfe: serde_json::Map<String, Value> =
        made.nfe.iter().map(|nfe| (nfe.to_string(), json!(samples(*nfe)))).collect();
    let points = json!({
        "step": 2700, "ema": "0.999", "data": data, "noise": start, "samples": by_nfe, "paths": paths,
    });
    fs::write(dir.join("samples/points-00002700.json"), points.to_string()).unwrap();
    dir
}

fn common(
    dir: &Path,
    experiment: &str,
    data: &str,
    made: &Made,
    metrics: &[&dyn Fn(u64) -> (&'static str, f64, &'static str, f64)],
) {
    fs::create_dir_all(dir.join("samples")).unwrap();
    fs::create_dir_all(dir.join("checkpoints")).unwrap();
    let share = if made.objective == "meanflow" { "share = 0.5\n" } else { "" };
    let p = if made.objective == "meanflow" { "1.0" } else { "0.5" };
    let config = format!(
        "name = \"{experiment}\"\nseed = 0\n\n[data.{data}]\nflip = true\n\n[net.dit]\npatch = 7\nwidth = 128\ndepth = 4\n\
         heads = 4\n\n[objective.{}]\n{share}time = {{ logit-normal = {{ mean = -0.4, std = 1.0 }} }}\nweight = {{ p = {p}, \
         eps = 0.01 }}\n\n[train]\nbatch = 64\nsteps = 2700\nclip = 1.0\n\n[[ema]]\ndecay = 0.999\n\n[eval]\nsamples = \
         2000\nnfe = {:?}\nseed = 0\n",
        made.objective, made.nfe
    );
    fs::write(dir.join("config.toml"), config).unwrap();
    let given = format!(
        "# Purpose: one-step MeanFlow against flow matching on made-up data.   Run: meanflow run experiments/{experiment}.toml\n\
         # Expect:  MeanFlow at 1 NFE far below flow matching at 1 NFE, and close to flow matching at 50.\n\
         # Paper:   arXiv 2505.13447\nname = \"{experiment}\"\nseed = 0\n"
    );
    let env = json!({
        "version": "0.1.0", "git": "4f0c2d9a5e7b", "dirty": true, "diff": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a < b\n+b\n",
        "lock_sha256": "9f".repeat(32), "features": ["flex"], "device": "cpu (flex)", "threads": 2, "cpu": "made-up, 2 cores",
        "os": "linux x86_64", "data": {"name": data, "items": 10000, "sha256": "ab".repeat(32)},
        "command": ["meanflow", "run", format!("experiments/{experiment}.toml"), "--set", "train.note=a b"],
        "set": ["train.note=a b"], "config_file": format!("experiments/{experiment}.toml"), "config_text": given,
        "started": if made.objective == "meanflow" { "2026-11-22T22:30:00Z" } else { "2026-11-22T22:37:12Z" }, "seed": 0,
    });
    fs::write(dir.join("env.json"), env.to_string()).unwrap();
    let status = json!({"state": "finished", "step": 2700, "images": 172_800, "parameters": 1_234_567, "flops_an_image": 1e9});
    fs::write(dir.join("status.json"), status.to_string()).unwrap();

    let mut noise = Noise::new(made.nfe.len() as u64);
    let mut log = String::new();
    let mean_flow = made.objective == "meanflow";
    for step in (10..=2700).step_by(10) {
        let s = f64::from(step);
        let level = (if mean_flow { 190.0 } else { 160.0 })
            * (1.0 + 6.0 * (-s / 150.0).exp())
            * (1.0 + 0.1 * noise.normal());
        let line = json!({
            "kind": "train", "step": step, "images": step * 64, "secs": 0.14 * s,
            "loss": if mean_flow { 1.0 - 1e-4 * level.recip() } else { level.sqrt() }, "raw": level, "v": 0.95 * level,
            "dudt": if mean_flow { json!(4.0 + 3.0 * (-s / 400.0).exp() + 0.3 * noise.normal()) } else { Value::Null },
            "grad_norm": 0.4 + 3.0 * (-s / 100.0).exp() + 0.05 * noise.normal().abs(), "lr": 1e-3,
        });
        writeln!(log, "{line}").unwrap();
        if step % 900 == 0 {
            for nfe in made.nfe {
                for metric in metrics {
                    let (name, value, reference, floor) = metric(*nfe);
                    let line = json!({
                        "kind": "eval", "step": step, "images": step * 64, "ema": "0.999",
                        "solver": if mean_flow { "meanflow" } else { "euler" }, "nfe": nfe, "metric": name,
                        "about": "A distance made up for a test. It is not the FID.",
                        "value": value * (1.0 + 2.0 * (-s / 900.0).exp()), "n": 2000, "reference": reference, "floor": floor,
                    });
                    writeln!(log, "{line}").unwrap();
                }
            }
        }
    }
    fs::write(dir.join("metrics.jsonl"), log).unwrap();
}

/// 8 × 8 made-up garments of 28 × 28 pixels, blurred into noise by `error`.
fn grid(error: f64, seed: u64) -> GrayImage {
    let mut noise = Noise::new(seed + 1);
    let shifts: Vec<(f64, f64)> = (0..64).map(|_| (noise.uniform(), noise.uniform())).collect();
    GrayImage::from_fn(8 * 28, 8 * 28, |x, y| {
        let tile = (y / 28 * 8 + x / 28) as usize;
        let (u, v) = (f64::from(x % 28) / 27.0 * 2.0 - 1.0, f64::from(y % 28) / 27.0 * 2.0 - 1.0);
        let (a, b) = shifts[tile];
        let inside = match tile % 4 {
            0 => u.abs() < 0.4 + 0.1 * a && v.abs() < 0.8 || (v < -0.3 && v > -0.8 && u.abs() < 0.9),
            1 => {
                v.abs() < 0.9 && (u.abs() - 0.3).abs() < 0.2 && v > -0.6
                    || (v.abs() < 0.9 && v <= -0.6 && u.abs() < 0.5)
            }
            2 => v > 0.3 * u - 0.1 && v < 0.5 && u.abs() < 0.9,
            _ => u.abs() < 0.7 && v > -0.2 && v < 0.8 || (u.hypot(v + 0.2) - 0.45).abs() < 0.07,
        };
        let level = if inside { 120.0 + 120.0 * b } else { 4.0 };
        let fog = error.min(1.0);
        Luma([(level * (1.0 - 0.7 * fog) + 60.0 * fog + 90.0 * fog * noise.normal()).clamp(0.0, 255.0) as u8])
    })
}

/// A point of a 4 × 4 checkerboard on [−2, 2]².
fn checker(noise: &mut Noise) -> [f64; 2] {
    loop {
        let (x, y) = (4.0 * noise.uniform() - 2.0, 4.0 * noise.uniform() - 2.0);
        if (x.floor() as i64 + y.floor() as i64).rem_euclid(2) == 0 {
            return [x, y];
        }
    }
}

/// A nearby point of a dark square.
fn nearest(at: [f64; 2]) -> [f64; 2] {
    let clamp = |x: f64| x.clamp(-1.99, 1.99);
    let (x, y) = (clamp(at[0]), clamp(at[1]));
    if (x.floor() as i64 + y.floor() as i64).rem_euclid(2) == 0 {
        return [x, y];
    }
    let inner = x - x.floor();
    let moved = if (inner > 0.5 && x < 1.0) || x < -1.0 {
        x.floor() + 1.0 + 0.9 * (1.0 - inner)
    } else {
        x.floor() - 0.9 * inner
    };
    [clamp(moved), y]
}
