//! Scores, sample grids and point clouds of a network.

mod features;
mod lines;

pub(crate) use lines::FAILED;

use crate::{
    Kinds, TrainError,
    config::{EvalConfig, Variant},
    folder::{Folder, write_atomic},
    progress::{Event, Observer, Watched},
};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use features::{FeatureScore, Seen};
use lines::{Found, Lines, Of};
use meanflow_core::{Streams, objective::Objectives, solver::Fresh};
use meanflow_data::{Dataset, grid_png, labels_in_turn, order, read_rows};
use meanflow_metrics::{Metric, MetricError, Reference, Scorer, Source};
use meanflow_nets::Net;
use meanflow_score::{
    POINT,
    batch::label_tensor,
    most_compared,
    sampling::{NOISE, Sampling},
    side_by_side::CHUNK,
};
use ndarray::ArrayView2;
use serde_json::{Value, json};

/// The fixed half of an evaluation: noise, labels, references. The same for every variant of one seed and one data set.
pub struct Evaluation {
    shape: [usize; 3],
    /// Samples to draw.
    rows: usize,
    streams: Streams,
    labels: Option<Vec<usize>>,
    /// How samples are drawn, but for the number of evaluations.
    sampling: Sampling,
    references: Vec<(Metric, Reference, f64)>,
    reference_name: String,
    /// Digest of the data set.
    digest: String,
    /// Held-out points, to draw beside the samples.
    points: Option<Vec<f32>>,
    /// A score in a network's features, at the end.
    features: Option<FeatureScore>,
}

/// One score of several sets of samples.
struct Scored {
    /// Of other real images.
    floor: f64,
    /// Of each set.
    values: Vec<f64>,
    /// Samples of a set, and real images that they are compared with.
    n: usize,
    /// Those, in words.
    reference: String,
}

/// A network with the label of its average.
pub type Labelled<'a, B, N> = (&'a str, &'a Net<B, N>);

impl Evaluation {
    /// Draws the noise and computes every reference and its floor (data against data at the same n).
    ///
    /// # Errors
    /// Those of the data and of the metrics.
    pub fn new<K: Kinds>(
        variant: &Variant<K>,
        data: &dyn Dataset,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        let (shape, samples) = (data.shape(), variant.eval.samples);
        let dimension: usize = shape.iter().product();
        let streams = Streams::new(variant.eval.seed);
        let classes = data.classes();
        observer.on(Event::Task {
            what: "reference statistics".to_owned(),
            parts: variant.eval.metrics.len() as u64,
        });
        // Points are scored against as many points. Images are scored against every one that there is to compare with.
        let points = shape == POINT;
        let unscored = !points && variant.eval.metrics.is_empty();
        let most = if unscored { 0 } else { most_compared(shape, samples) };
        let (real, held) = match data.held_out(most, 1)? {
            Some(real) => (real, true),
            None => (read_rows(data, beginning_of_an_epoch(data, variant.eval.seed, most))?, false),
        };
        // The floor compares other real data: held out as well where enough is left, else a keyed choice of the training data,
        // and where that is the reference itself, with what the choice leaves of it.
        let aside = if points { data.held_out(samples, 2)? } else { None };
        let mut rest = None;
        let other = match aside.filter(|other| other.len() == samples * dimension) {
            Some(other) => other,
            None if held => read_rows(data, choice(&streams, data.len(), samples.min(most)))?,
            None => {
                let found = real.len() / dimension;
                let chosen = choice(&streams, found, samples.min(found / 2));
                let rows = |places: &[usize]| -> Vec<f32> {
                    places.iter().flat_map(|place| &real[place * dimension..][..dimension]).copied().collect()
                };
                rest = Some(rows(&Source::rest(found, &chosen)));
                rows(&chosen)
            }
        };
        let view = |values| rows_of(values, dimension);
        let mut references = Vec::new();
        for &metric in &variant.eval.metrics {
            // Said now, not after training up to the first evaluation.
            let found = real.len() / dimension;
            if metric.needs_equal_sizes() && found != samples {
                return Err(TrainError::Request(format!(
                    "`{}` compares sets of equal size: eval.samples is {samples}, the data has {found} points to compare with; \
                     set eval.samples to {found}, or give the data more held-out points",
                    metric.name()
                )));
            }
            if found < metric.least() {
                return Err(TrainError::Request(format!(
                    "`{}` needs at least {} samples to compare with, the data has {found} (a `held-out` part where there is one); set eval.metrics to []",
                    metric.name(),
                    metric.least()
                )));
            }
            let named = |error| TrainError::Metric { metric: metric.name(), error };
            let reference = metric.reference(view(&real).into_dyn(), variant.eval.seed).map_err(named)?;
            let floor = match &rest {
                None => reference.score(view(&other).into_dyn()),
                Some(rest) => {
                    let kept = if metric.needs_equal_sizes() { other.len() } else { rest.len() };
                    let reference =
                        metric.reference(view(&rest[..kept]).into_dyn(), variant.eval.seed).map_err(named)?;
                    reference.score(view(&other).into_dyn())
                }
            };
            let floor = floor.map_err(named)?.value;
            references.push((metric, reference, floor));
            observer.on(Event::Part);
        }
        let features = match FeatureScore::file(&variant.eval, shape) {
            None => None,
            Some(path) => {
                // Both sets of one size, which the score depends on, and with nothing in common.
                let count = samples.min(data.len() / 2);
                let mut chosen = choice(&streams, data.len(), 2 * count);
                let other = read_rows(data, chosen.split_off(count))?;
                let held = data.held_out(count, 1)?.filter(|held| held.len() == count * dimension);
                let real = held.map_or_else(|| read_rows(data, chosen), Ok)?;
                Some(FeatureScore::new(path, shape, real, other)?)
            }
        };
        let rows = rows(&variant.eval, shape).max(features.as_ref().map_or(0, FeatureScore::count));
        let kind = if held { "held-out" } else { "images" };
        Ok(Self {
            shape,
            rows,
            sampling: Sampling {
                solver: variant.eval.solver,
                nfe: 1,
                times: variant.eval.times.clone(),
                adaptive: None,
                prediction: variant.objective.facts().prediction(),
                guidance: variant.eval.guidance,
            },
            streams,
            labels: classes.map(|classes| (0..rows).map(|row| row % classes).collect()),
            references,
            reference_name: format!("{}, {} {kind}", data.name(), real.len() / dimension),
            digest: data.digest(),
            points: points.then_some(real),
            features,
        })
    }

    fn sampling(&self, nfe: usize) -> Sampling {
        Sampling { nfe, ..self.sampling.clone() }
    }

    /// Scores `nets` (label and network) at `step`, writes their grids or points, and returns the lines for the log. A score
    /// that cannot be computed is a line too: it keeps neither the others nor training from going on.
    ///
    /// # Errors
    /// [`TrainError::Stopped`], and those of writing.
    pub fn run<B: Backend, K: Kinds>(
        &self,
        nets: &[Labelled<'_, B, K::Net>],
        variant: &Variant<K>,
        step: u64,
        folder: &Folder,
        device: &B::Device,
        watched: &mut Watched<'_>,
    ) -> Result<Vec<Value>, TrainError> {
        let eval = &variant.eval;
        let dimension: usize = self.shape.iter().product();
        let rows = self.rows;
        let chunks = rows.div_ceil(CHUNK) * eval.nfe.len() * nets.len();
        let what = format!("evaluation at step {step}");
        watched.observer.on(Event::Task { what, parts: chunks as u64 });
        let mut lines = Lines { variant, step, digest: &self.digest, lines: Vec::new() };
        // Of the first network, at the end of the run.
        let features = self.features.as_ref().filter(|_| step == variant.train.steps);
        let mut seen = features.map(|features| features.network::<B>(device));
        let scored = eval.samples * dimension;
        let shown = if self.points.is_some() { scored } else { eval.grid * dimension };
        for (index, (label, net)) in nets.iter().enumerate() {
            let mut drawn = serde_json::Map::new();
            for &nfe in &eval.nfe {
                let mut first = Vec::with_capacity(shown);
                let mut scorers: Vec<Result<Scorer, MetricError>> = self
                    .references
                    .iter()
                    .map(|(_, reference, _)| Ok(Scorer::new(reference, dimension)))
                    .collect();
                let mut done = 0;
                let take = |samples: Vec<f32>| -> Result<(), TrainError> {
                    first.extend_from_slice(up_to(&samples, shown.saturating_sub(done)));
                    let counted = up_to(&samples, scored.saturating_sub(done));
                    scorers.iter_mut().for_each(|scorer| attempt(scorer, |scorer| scorer.add(counted)));
                    if let (0, Some(seen)) = (index, &mut seen) {
                        attempt(seen, |seen| seen.add(&samples));
                    }
                    done += samples.len();
                    watched.part()
                };
                let (noise, labels) = (self.streams.normals(NOISE, 0), self.labels.as_deref());
                let sampling = self.sampling(nfe);
                sampling.draw(net, &self.streams, noise, rows, self.shape, labels, device, take)?;
                if let (0, Some(seen)) = (index, &mut seen) {
                    attempt(seen, Seen::end_of_set);
                }
                if self.points.is_some() {
                    drawn.insert(nfe.to_string(), pairs(&first));
                } else {
                    let name = format!("samples/step-{step:08}-ema-{index}-nfe-{nfe}.png");
                    self.grid(&first, eval.grid, &folder.join(&name))?;
                }
                for (scorer, (metric, _, floor)) in scorers.into_iter().zip(&self.references) {
                    let reference = self.reference_name.as_str();
                    let found = scorer.and_then(Scorer::finish).map_err(|error| error.to_string());
                    let found =
                        found.map(|score| Found { value: score.value, n: score.n, reference, floor: *floor });
                    lines.add(Of { ema: label, nfe, metric: metric.name() }, found, watched.observer);
                }
            }
            if let (0, Some(real)) = (index, &self.points) {
                let points = json!({
                    "step": step, "ema": label, "data": pairs(real),
                    "noise": pairs(&self.streams.normal(NOISE, 0, scored)), "samples": drawn,
                    "paths": self.paths(net, variant, device),
                });
                let file = folder.join(&format!("samples/points-{step:08}.json"));
                write_atomic(&file, points.to_string().as_bytes())?;
            }
        }
        if let Some(seen) = seen {
            let found = match seen.and_then(|seen| seen.distances(watched)) {
                Err(TrainError::Stopped) => return Err(TrainError::Stopped),
                found => found.map_err(|error| error.to_string()),
            };
            for (place, &nfe) in eval.nfe.iter().enumerate() {
                let found = found.as_ref().map_err(String::clone).map(|scored| Found {
                    value: scored.values[place],
                    n: scored.n,
                    reference: &scored.reference,
                    floor: scored.floor,
                });
                lines.add(Of { ema: nets[0].0, nfe, metric: features::NAME }, found, watched.observer);
            }
        }
        Ok(lines.lines)
    }

    /// A grid of real samples with the labels of the sample grids.
    ///
    /// # Errors
    /// Those of the data, and of writing.
    pub fn real_grid(&self, data: &dyn Dataset, grid: usize, folder: &Folder) -> Result<(), TrainError> {
        if self.points.is_some() {
            return Ok(());
        }
        let real = read_rows(data, labels_in_turn(data, grid))?;
        self.grid(&real, grid, &folder.join("samples/real.png"))
    }

    fn grid(&self, samples: &[f32], count: usize, path: &std::path::Path) -> Result<(), TrainError> {
        let [channels, height, width] = self.shape;
        let columns = (count as f64).sqrt().ceil() as usize;
        let scale = 64usize.div_ceil(height.max(1));
        let values = &samples[..count * channels * height * width];
        Ok(grid_png(values, [count, channels, height, width], columns, scale, path)?)
    }

    /// The first 64 points on their way through the largest NFE.
    fn paths<B: Backend, K: Kinds>(
        &self,
        net: &Net<B, K::Net>,
        variant: &Variant<K>,
        device: &B::Device,
    ) -> Value {
        let sampling = self.sampling(variant.eval.nfe.iter().copied().max().unwrap_or(1));
        let rows = 64.min(self.rows);
        let noise = self.streams.normal(NOISE, 0, rows * 2);
        let z = Tensor::from_data(TensorData::new(noise, [rows, 2, 1, 1]), device);
        let labels = self.labels.as_deref().map(|labels| label_tensor(&labels[..rows], device));
        let field = sampling.field(net, rows, labels, device);
        let states: Vec<Vec<f32>> = variant
            .eval
            .solver
            .trajectory(&field, z, &sampling.grid(), Fresh { streams: &self.streams, row: 0 })
            .into_iter()
            .map(|state| state.into_data().iter::<f32>().collect())
            .collect();
        let path = |row: usize| -> Value {
            states.iter().map(|state| json!([state[2 * row], state[2 * row + 1]])).collect()
        };
        (0..rows).map(path).collect()
    }
}

/// `count` samples in the order of an epoch that training does not come to, which of a set on disk reads few blocks; all of
/// them, in their own order, if there are not more.
fn beginning_of_an_epoch(data: &dyn Dataset, seed: u64, count: usize) -> Vec<usize> {
    if data.len() <= count {
        return (0..data.len()).collect();
    }
    let mut indices = order::of_epoch(data, seed, u64::MAX);
    indices.truncate(count);
    indices
}

/// Samples to draw for the grid, and for metrics or points.
fn rows(eval: &EvalConfig, shape: [usize; 3]) -> usize {
    let scored = !eval.metrics.is_empty() || shape == POINT;
    eval.grid.max(if scored { eval.samples } else { 0 })
}

/// Does the next part of something that has gone well so far; afterwards it is the first error.
fn attempt<T, E>(so_far: &mut Result<T, E>, next: impl FnOnce(&mut T) -> Result<(), E>) {
    if let Ok(good) = so_far
        && let Err(error) = next(good)
    {
        *so_far = Err(error);
    }
}

/// The beginning of `values`, at most so many.
fn up_to(values: &[f32], count: usize) -> &[f32] {
    &values[..count.min(values.len())]
}

fn rows_of(values: &[f32], dimension: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((values.len() / dimension, dimension), values).expect("whole rows")
}

fn pairs(values: &[f32]) -> Value {
    values.chunks_exact(2).map(|pair| json!([pair[0], pair[1]])).collect()
}

/// `count` distinct indices below `items` (all of them if there are fewer), keyed.
fn choice(streams: &Streams, items: usize, count: usize) -> Vec<usize> {
    let mut rng = streams.rng("floor", 0);
    let chosen = rand::seq::index::sample(&mut rng, items, count.min(items));
    chosen.into_vec()
}
