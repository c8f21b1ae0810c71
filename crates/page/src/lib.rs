#![doc = include_str!("../README.md")]

mod runtime;

pub use runtime::{LICENCE, Runtime, RuntimeError};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use std::io::Write;

/// A network that generates pictures, as an ONNX file of its average velocity: `z`, `r`, `t` and, with classes, `class` in; `u` out.
#[derive(Clone, Debug, Serialize)]
pub struct Generator {
    /// What it is called in the page.
    pub title: String,
    /// Where it comes from: the experiment and variant.
    pub experiment: String,
    /// Updates of its weights.
    pub step: u64,
    /// sha256 of its weights.
    pub weights_sha256: String,
    /// Shape of a picture, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// How many classes there are.
    pub classes: Option<usize>,
    /// The seed that is shown first.
    pub seed: u64,
    /// How a step is done.
    pub solver: Steps,
    /// The time that stands for pure noise.
    pub start: f64,
    /// Times for each number of evaluations; the first is shown under the pointer.
    pub grids: Vec<Grid>,
    /// The ONNX file.
    #[serde(skip)]
    pub file: Vec<u8>,
}

/// How a step from `t` to `r` is done: `z − (t−r)·u`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Steps {
    /// With the average velocity `u(z, r, t)`.
    Meanflow,
    /// With the velocity `u(z, t, t)`.
    Euler,
}

/// The times of a number of evaluations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grid {
    /// The number of evaluations.
    pub nfe: usize,
    /// The times, noise first.
    pub times: Vec<f64>,
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Nothing to show.
    #[error("a page needs a network, and each network a number of evaluations")]
    Empty,
    /// Not pictures.
    #[error("{experiment} makes samples of {}×{}×{}; the page shows grey and colour pictures", .shape[0], .shape[1], .shape[2])]
    NoPictures {
        /// The network.
        experiment: String,
        /// Shape of its samples.
        shape: [usize; 3],
    },
    /// Networks that do not fit together.
    #[error(
        "{first} and {other} differ in the shape or the classes of their pictures; the page compares networks of one data set"
    )]
    Others {
        /// The first network.
        first: String,
        /// The one that differs.
        other: String,
    },
}

/// The page: one HTML file with everything in it, which asks no server.
///
/// # Errors
/// See [`PageError`].
pub fn page(generators: &[Generator], runtime: &Runtime) -> Result<String, PageError> {
    check(generators)?;
    Ok(document(generators, runtime).into_string())
}

/// Whether a page can show these together, before its runtime is there.
///
/// # Errors
/// See [`PageError`].
pub fn check(generators: &[Generator]) -> Result<(), PageError> {
    let first = generators.first().ok_or(PageError::Empty)?;
    for generator in generators {
        let name = |generator: &Generator| generator.experiment.clone();
        if generator.grids.is_empty() {
            return Err(PageError::Empty);
        }
        let [channels, height, width] = generator.shape;
        if ![1, 3].contains(&channels) || (height, width) == (1, 1) {
            return Err(PageError::NoPictures { experiment: name(generator), shape: generator.shape });
        }
        if (generator.shape, generator.classes) != (first.shape, first.classes) {
            return Err(PageError::Others { first: name(first), other: name(generator) });
        }
    }
    Ok(())
}

fn document(generators: &[Generator], runtime: &Runtime) -> Markup {
    let about = serde_json::json!({ "models": generators }).to_string().replace('<', "\\u003c");
    let first = &generators[0];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (first.title) " · one-step generator" }
                style { (PreEscaped(include_str!("assets/page.css"))) }
            }
            body {
                header {
                    h1 { (first.title) ": one picture, one step" }
                    p { "Move over the square: its corners are four seeds, between them the noise turns from one to the other." }
                    p id="loading" { "Unpacking the network …" }
                    p id="failure" role="alert" {}
                }
                main { (generator_markup()) (comparison_markup()) }
                (notes(generators))
                script type="application/json" id="about" { (PreEscaped(about)) }
                (packed("runtime", &runtime.script))
                (packed("wasm", &runtime.wasm))
                @for (index, generator) in generators.iter().enumerate() {
                    (packed(&format!("model-{index}"), &generator.file))
                }
                script { (PreEscaped(include_str!("assets/noise.js"))) }
                script { (PreEscaped(include_str!("assets/page.js"))) }
            }
        }
    }
}

fn generator_markup() -> Markup {
    html! {
        section {
            div id="pad" tabindex="0" role="application"
                aria-label="Noise between four seeds: move with the pointer or the arrow keys" {
                canvas id="picture" {}
                div id="mark" {}
            }
            p { span id="live" aria-live="off" { "…" } }
            div id="classes" class="buttons" role="group" aria-label="Class" {}
            div class="buttons" {
                button id="next" type="button" { "Next seed (n)" }
                input id="seed" type="number" min="0" aria-label="Seed";
                button id="sixty-four" type="button" { "64 pictures (g)" }
            }
            p { "Keys: arrows move, digits choose a class." }
        }
    }
}

fn comparison_markup() -> Markup {
    html! {
        section {
            h2 { "The same noise, step by step" }
            div id="compare" {}
            h2 id="grid-time" {}
            canvas id="grid" hidden {}
        }
    }
}

fn notes(generators: &[Generator]) -> Markup {
    html! {
        details {
            summary { "What is in this page" }
            @for generator in generators {
                p {
                    (generator.title) ": " (generator.experiment) ", step " (generator.step)
                    ", weights sha256 " code style="overflow-wrap:anywhere" { (generator.weights_sha256) }
                }
            }
            p { "Seed S shows the pictures that " code { "meanflow sample -n 64 --seed S" } " writes." }
            pre { (LICENCE) }
        }
    }
}

/// Bytes as the text of an element that a browser does not run.
fn packed(id: &str, bytes: &[u8]) -> Markup {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let text = STANDARD.encode(packed.expect("memory takes every byte"));
    html! { script type="application/octet-stream" id=(id) { (PreEscaped(text)) } }
}
