//! The evaluation of a run at its own steps: scores, sample grids and point clouds of a network.

mod features;
mod lines;

pub use lines::FAILED;

use crate::{
    Machine, POINT, ScoreError,
    config::{EvalConfig, LITE},
    error::{Of as _, ensure_request},
    features::{Extractor, Side},
    judge::Judge,
    most_compared,
    scores::{RealData, density},
    source,
};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use features::{Group, Seen};
use lines::{Found, Lines, Of};
use meanflow_core::{Prediction, Streams, solver::Fresh};
use meanflow_data::{Dataset, grid_png, labels_in_turn, order, read_rows};
use meanflow_generator::{NOISE, Sampling, label_tensor, side_by_side::CHUNK};
use meanflow_metrics::{Given, Input, MetricError, Named, Real, Reference, Scorer, Space, Taken, Value};
use meanflow_nets::{Net, Networks};
use ndarray::ArrayView2;
use serde_json::{Value as Json, json};
use std::{cell::OnceCell, path::Path, sync::Arc};

/// The fixed half of an evaluation: noise, labels, references. The same for every variant of one seed and one data set.
pub struct Evaluation {
    config: EvalConfig,
    shape: [usize; 3],
    /// Samples to draw.
    rows: usize,
    streams: Streams,
    labels: Option<Vec<usize>>,
    /// How samples are drawn, but for the number of evaluations.
    sampling: Sampling,
    /// Metrics of the samples themselves.
    given: Vec<Prepared>,
    extractor: Extractor,
    /// Metrics of what networks see in them.
    groups: Vec<Group>,
    /// Those that are added at the end, of the first network.
    last: Option<Group>,
    /// Digest of the data set.
    digest: String,
    /// Held-out points, to draw beside the samples.
    points: Option<Vec<f32>>,
}

/// A metric with its real data.
struct Prepared {
    named: Named,
    reference: Reference,
    /// Of other real data.
    floors: Vec<Value>,
    /// The real data in words.
    against: String,
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Updates.
    pub step: u64,
    /// Samples seen.
    pub images: u64,
    /// Whether it is the last step.
    pub last: bool,
}

/// A network with the label of its average.
pub type Labelled<'a, B, N> = (&'a str, &'a Net<B, N>);

impl Evaluation {
    /// Draws the noise and computes the references of points and pixels with their floors (data against data at the same n).
    /// `judge` is the classifier that `eval.classifier` names.
    ///
    /// # Errors
    /// Those of the data, of the metrics and of their networks.
    pub fn new(
        config: &EvalConfig,
        prediction: Prediction,
        judge: Option<Judge>,
        data: &Arc<dyn Dataset>,
        machine: &impl Machine,
    ) -> Result<Self, ScoreError> {
        let (shape, streams) = (data.shape(), Streams::new(config.seed));
        let extractor = Extractor::new(&config.networks(), judge)?;
        let wanted = wanted(config, shape, &extractor)?;
        let (given, seen): (Vec<Named>, Vec<Named>) =
            wanted.into_iter().partition(|named| named.space == Space::Given);
        let (of_classes, of_networks): (Vec<Named>, Vec<Named>) =
            seen.into_iter().partition(|named| named.space == Space::Classifier);
        let (given, real) = references(config, &given, data, &streams, machine)?;
        let sides = Sides { config, data, streams: &streams };
        let mut groups = Vec::new();
        if !of_networks.is_empty() {
            groups.push(sides.of_networks(of_networks, &extractor)?);
        }
        if !of_classes.is_empty() {
            groups.push(sides.of_classes(of_classes)?);
        }
        let asked = groups.iter().flat_map(|group| &group.wanted).any(|named| named.label == LITE);
        let last = match config.at_the_end(shape).filter(|_| !asked) {
            None => None,
            Some(named) => Some(sides.of_networks(vec![named], &extractor)?),
        };
        let of_groups = groups.iter().chain(&last).map(|group| group.count).max().unwrap_or(0);
        let scored = !given.is_empty() || shape == POINT;
        let rows = config.grid.max(if scored { config.samples } else { 0 }).max(of_groups);
        Ok(Self {
            shape,
            rows,
            sampling: Sampling {
                solver: config.solver,
                nfe: 1,
                times: config.times.clone(),
                adaptive: None,
                prediction,
                guidance: config.guidance,
            },
            labels: data.classes().map(|classes| (0..rows).map(|row| row % classes).collect()),
            given,
            extractor,
            groups,
            last,
            digest: data.digest(),
            points: (shape == POINT).then_some(real),
            config: config.clone(),
            streams,
        })
    }

    fn sampling(&self, nfe: usize) -> Sampling {
        Sampling { nfe, ..self.sampling.clone() }
    }

    /// Scores `nets` (label and network), writes their grids or points into the folder of the run, and returns the lines for the
    /// log. A score that cannot be computed is a line too: it keeps neither the others nor training from going on.
    ///
    /// # Errors
    /// [`ScoreError::Stopped`], and those of writing.
    pub fn run<B: Backend, N: Networks>(
        &self,
        nets: &[Labelled<'_, B, N>],
        at: At,
        folder: &Path,
        device: &B::Device,
        machine: &impl Machine,
    ) -> Result<Vec<Json>, ScoreError> {
        let (config, step) = (&self.config, at.step);
        let dimension: usize = self.shape.iter().product();
        let chunks = self.rows.div_ceil(CHUNK) * config.nfe.len() * nets.len();
        machine.begin(&format!("evaluation at step {step}"), chunks);
        let (solver, digest) = (config.solver.name(), self.digest.as_str());
        let mut lines = Lines { machine, at, solver, digest, lines: Vec::new() };
        // Of the first network, at the end of the run.
        let mut of_last = Vec::new();
        let scored = config.samples * dimension;
        let shown = if self.points.is_some() { scored } else { config.grid * dimension };
        for (index, (label, net)) in nets.iter().enumerate() {
            let mut drawn = serde_json::Map::new();
            for &nfe in &config.nfe {
                let of = Of { ema: label, nfe };
                let mut first = Vec::with_capacity(shown);
                let mut scorers: Vec<Result<Scorer, MetricError>> =
                    self.given.iter().map(|given| Ok(Scorer::new(&given.reference, dimension))).collect();
                let last = self.last.as_ref().filter(|_| at.last && index == 0);
                let mut seen: Vec<Result<Seen, ScoreError>> =
                    self.groups.iter().chain(last).map(|group| Ok(group.begin())).collect();
                let mut done = 0;
                let take = |samples: Vec<f32>| -> Result<(), ScoreError> {
                    first.extend_from_slice(up_to(&samples, shown.saturating_sub(done)));
                    let counted = up_to(&samples, scored.saturating_sub(done));
                    scorers.iter_mut().for_each(|scorer| attempt(scorer, |scorer| scorer.add(counted)));
                    for seen in &mut seen {
                        attempt(seen, |seen| seen.add(machine, &self.extractor, &samples));
                    }
                    done += samples.len();
                    machine.more(1)
                };
                let (noise, labels) = (self.streams.normals(NOISE, 0), self.labels.as_deref());
                let sampling = self.sampling(nfe);
                sampling.draw(net, &self.streams, noise, self.rows, self.shape, labels, device, take)?;
                if self.points.is_some() {
                    drawn.insert(nfe.to_string(), pairs(&first));
                } else {
                    let name = format!("samples/step-{step:08}-ema-{index}-nfe-{nfe}.png");
                    self.grid(&first, config.grid, &folder.join(&name))?;
                }
                for (scorer, Prepared { named, floors, against, .. }) in scorers.into_iter().zip(&self.given)
                {
                    let found = scorer.and_then(Scorer::finish).map_err(|error| error.to_string());
                    let (n, reference) = (config.samples, against.as_str());
                    lines.add(of, named, found.map(|values| Found { values, n, reference, floors }));
                }
                for (group, seen) in self.groups.iter().chain(last).zip(seen) {
                    // What is added at the end stands there.
                    if last.is_some_and(|last| std::ptr::eq(last, group)) {
                        of_last.push((of, group, seen));
                    } else {
                        self.add_group(&mut lines, of, group, seen)?;
                    }
                }
            }
            if let (0, Some(real)) = (index, &self.points) {
                let points = json!({
                    "step": step, "ema": label, "data": pairs(real),
                    "noise": pairs(&self.streams.normal(NOISE, 0, scored)), "samples": drawn,
                    "paths": self.paths(net, device),
                });
                let file = folder.join(format!("samples/points-{step:08}.json"));
                meanflow_files::write(&file, points.to_string().as_bytes())
                    .of(|| format!("cannot write {}", file.display()))?;
            }
        }
        for (of, group, seen) in of_last {
            self.add_group(&mut lines, of, group, seen)?;
        }
        machine.end();
        Ok(lines.lines)
    }

    /// Adds the lines of a group of metrics.
    fn add_group<M: Machine>(
        &self,
        lines: &mut Lines<'_, M>,
        of: Of,
        group: &Group,
        seen: Result<Seen, ScoreError>,
    ) -> Result<(), ScoreError> {
        let found = seen.and_then(|seen| seen.finish(lines.machine, &self.extractor));
        match found {
            Err(error) if matches!(error.root(), ScoreError::Stopped) => return Err(ScoreError::Stopped),
            Err(error) => {
                group.wanted.iter().for_each(|named| lines.add(of, named, Err(error.to_string())));
            }
            Ok(found) => {
                for (named, found) in group.wanted.iter().zip(found) {
                    lines.add(of, named, found);
                }
            }
        }
        Ok(())
    }

    /// A grid of real samples with the labels of the sample grids.
    ///
    /// # Errors
    /// Those of the data, and of writing.
    pub fn real_grid(&self, data: &dyn Dataset, grid: usize, folder: &Path) -> Result<(), ScoreError> {
        if self.points.is_some() {
            return Ok(());
        }
        let real = read_rows(data, labels_in_turn(data, grid))?;
        self.grid(&real, grid, &folder.join("samples/real.png"))
    }

    fn grid(&self, samples: &[f32], count: usize, path: &Path) -> Result<(), ScoreError> {
        let [channels, height, width] = self.shape;
        let columns = (count as f64).sqrt().ceil() as usize;
        let scale = 64usize.div_ceil(height.max(1));
        let values = &samples[..count * channels * height * width];
        Ok(grid_png(values, [count, channels, height, width], columns, scale, path)?)
    }

    /// The first 64 points on their way through the largest NFE.
    fn paths<B: Backend, N: Networks>(&self, net: &Net<B, N>, device: &B::Device) -> Json {
        let sampling = self.sampling(self.config.nfe.iter().copied().max().unwrap_or(1));
        let rows = 64.min(self.rows);
        let noise = self.streams.normal(NOISE, 0, rows * 2);
        let z = Tensor::from_data(TensorData::new(noise, [rows, 2, 1, 1]), device);
        let labels = self.labels.as_deref().map(|labels| label_tensor(&labels[..rows], device));
        let field = sampling.field(net, rows, labels, device);
        let states: Vec<Vec<f32>> = self
            .config
            .solver
            .trajectory(&field, z, &sampling.grid(), Fresh { streams: &self.streams, row: 0 })
            .into_iter()
            .map(|state| state.into_data().iter::<f32>().collect())
            .collect();
        let path = |row: usize| -> Json {
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

/// The metrics of the settings, under the names that the weights at hand allow.
fn wanted(config: &EvalConfig, shape: [usize; 3], extractor: &Extractor) -> Result<Vec<Named>, ScoreError> {
    let given = if shape[1..] == [1, 1] { Given::Rows } else { Given::Images };
    let weights = extractor.inception();
    let again = |named: &Named| Named::resolve(&[named.metric], &named.label, given, weights);
    config.metrics.iter().map(|named| again(named).map_err(ScoreError::Request)).collect()
}

/// The metrics of points and pixels with their real data and floors, and the real data.
fn references(
    config: &EvalConfig,
    wanted: &[Named],
    data: &Arc<dyn Dataset>,
    streams: &Streams,
    machine: &impl Machine,
) -> Result<(Vec<Prepared>, Vec<f32>), ScoreError> {
    let (shape, samples) = (data.shape(), config.samples);
    let dimension: usize = shape.iter().product();
    machine.begin("reference statistics", wanted.len());
    // Points are scored against as many points. Images are scored against every one that there is to compare with.
    let points = shape == POINT;
    let most = if !points && wanted.is_empty() { 0 } else { most_compared(shape, samples) };
    let (real, held) = match data.held_out(most, 1)? {
        Some(real) => (real, true),
        None => (read_rows(&**data, beginning_of_an_epoch(&**data, config.seed, most))?, false),
    };
    // The floor compares other real data: held out as well where enough is left, else a keyed choice of the training data,
    // and where that is the reference itself, with what the choice leaves of it.
    let aside = if points { data.held_out(samples, 2)? } else { None };
    let mut rest = None;
    let other = match aside.filter(|other| other.len() == samples * dimension) {
        Some(other) => other,
        None if held => read_rows(&**data, choice(streams, data.len(), samples.min(most)))?,
        None => {
            let found = real.len() / dimension;
            let chosen = choice(streams, found, samples.min(found / 2));
            let rows = |places: &[usize]| -> Vec<f32> {
                places.iter().flat_map(|place| &real[place * dimension..][..dimension]).copied().collect()
            };
            rest = Some(rows(&Input::rest(found, &chosen)));
            rows(&chosen)
        }
    };
    let found = real.len() / dimension;
    let against = format!("{}, {found} {}", data.name(), if held { "held-out" } else { "images" });
    let settings = config.settings();
    let rows = |values: &[f32]| Real::Rows(rows_of(values, dimension).to_owned().into_shared());
    let of_real = rows(&real);
    let mut prepared = Vec::new();
    for named in wanted {
        let Named { metric, label, .. } = named;
        // Said now, not after training up to the first evaluation.
        ensure_request(!points || !metric.needs_equal_sizes() || found == samples, || {
            format!(
                "`{label}` compares sets of equal size: eval.samples is {samples}, the data has {found} points to compare with; \
                 set eval.samples to {found}, or give the data more held-out points"
            )
        })?;
        ensure_request(found >= metric.least(), || {
            format!(
                "`{label}` needs at least {} samples to compare with, the data has {found} (a `held-out` part where there is one); set eval.metrics to []",
                metric.least()
            )
        })?;
        if metric.taken() == Taken::Density {
            let reference = metric.reference(&density(&**data)?, &settings).of(|| format!("`{label}`"))?;
            let (named, floors) = (named.clone(), Vec::new());
            prepared.push(Prepared { named, reference, floors, against: data.name().to_owned() });
            continue;
        }
        let score = || -> Result<(Reference, Vec<Value>), MetricError> {
            let reference = metric.reference(&of_real, &settings)?;
            let others = rows_of(&other, dimension).into();
            let floors = match &rest {
                None => reference.floor(&others)?,
                Some(rest) => {
                    let equal = points && metric.needs_equal_sizes();
                    let kept = if equal { other.len() } else { rest.len() };
                    metric.reference(&rows(&rest[..kept]), &settings)?.floor(&others)?
                }
            };
            Ok((reference, floors))
        };
        let (reference, floors) = score().of(|| format!("`{label}`"))?;
        prepared.push(Prepared { named: named.clone(), reference, floors, against: against.clone() });
        machine.more(1)?;
    }
    machine.end();
    Ok((prepared, real))
}

/// Makes the groups of metrics that look at pictures.
struct Sides<'a> {
    config: &'a EvalConfig,
    data: &'a Arc<dyn Dataset>,
    streams: &'a Streams,
}

impl Sides<'_> {
    /// In the features of networks: as many real pictures as samples, and as many others for the floor.
    fn of_networks(&self, wanted: Vec<Named>, extractor: &Extractor) -> Result<Group, ScoreError> {
        wanted.iter().try_for_each(|named| extractor.ready(named))?;
        let Self { config, data, streams } = *self;
        let shape = data.shape();
        let dimension: usize = shape.iter().product();
        // Both sets of one size, which the score depends on, and with nothing in common.
        let count = config.samples.min(data.len() / 2);
        let mut chosen = choice(streams, data.len(), 2 * count);
        let other = read_rows(&**data, chosen.split_off(count))?;
        let held = data.held_out(count, 1)?.filter(|held| held.len() == count * dimension);
        let real = held.map_or_else(|| read_rows(&**data, chosen), Ok)?;
        let side = |values| Side::new(source::of_values(values, shape), (0..count).collect(), None);
        let (real, other, against) = (side(real), Some(side(other)), format!("{count} real images"));
        Ok(self.group(wanted, count, real, other, against))
    }

    /// By a classifier: the labelled pictures that the data sets aside, else all of it.
    fn of_classes(&self, wanted: Vec<Named>) -> Result<Group, ScoreError> {
        let data = self.data.set_aside().unwrap_or(self.data.clone());
        let against = format!("{}, {} labelled images", data.name(), data.len());
        let RealData { side, .. } = RealData::of_labelled(data)?;
        Ok(self.group(wanted, self.config.samples, side, None, against))
    }

    fn group(
        &self,
        wanted: Vec<Named>,
        count: usize,
        real: Side,
        other: Option<Side>,
        against: String,
    ) -> Group {
        let (shape, classes) = (self.data.shape(), self.data.classes().unwrap_or(0));
        let settings = self.config.settings();
        Group { wanted, settings, shape, classes, count, real, other, against, prepared: OnceCell::new() }
    }
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

fn pairs(values: &[f32]) -> Json {
    values.chunks_exact(2).map(|pair| json!([pair[0], pair[1]])).collect()
}

/// `count` distinct indices below `items` (all of them if there are fewer), keyed.
fn choice(streams: &Streams, items: usize, count: usize) -> Vec<usize> {
    let mut rng = streams.rng("floor", 0);
    let chosen = rand::seq::index::sample(&mut rng, items, count.min(items));
    chosen.into_vec()
}
