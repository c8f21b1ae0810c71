//! One update of the weights.

use crate::{BuiltIn, Kinds, TrainError, config::Variant, teacher};
use burn::{
    backend::Autodiff,
    module::{AutodiffModule, Module, ModuleMapper, Param, ParamId},
    optim::GradientsParams,
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{
    LogWeight, Streams, Weighted,
    objective::{
        At, Batch, Group, Measure, Mode, Nets, Objective, Objectives, Reduce, Rows, Tape, Teacher,
        TrainBackend, Visit,
    },
};
use meanflow_data::HostBatch;
use meanflow_generator::side_by_side;
use meanflow_nets::Net;
use meanflow_optim::{Optim, Stepped};
use meanflow_score::batch::on_device;
use meanflow_state::{ParamVisitor, visit_parameters};

/// A network in training.
pub struct Trainer<B: TrainBackend, K: Kinds = BuiltIn> {
    /// The weights.
    pub net: Net<B, K::Net>,
    /// Its averages, in the order of the experiment file.
    pub averages: Vec<Net<B::InnerBackend, K::Net>>,
    /// The networks that the objective takes targets from, in its order.
    pub teachers: Vec<Net<B::InnerBackend, K::Net>>,
    /// The optimizer with its moments.
    pub optim: Optim<B, Net<B, K::Net>>,
    /// The learned weight of the loss, if the objective has one, with an optimizer of its own.
    pub weight: Option<LearnedWeight<B>>,
    pub(crate) streams: Streams,
}

/// A learned weight of the loss.
pub struct LearnedWeight<B: TrainBackend> {
    /// The weight.
    pub module: LogWeight<B>,
    /// Its optimizer with its moments.
    pub optim: Optim<B, LogWeight<B>>,
}

/// What one update measured, still on the device: the loss, the objective's [measures](meanflow_core::objective::Facts::measures),
/// and the gradient norm before the clip; NaN in place of what was not computed. `[measures + 2]`.
pub type Measured<B> = Tensor<B, 1>;

impl<B: TrainBackend, K: Kinds> Trainer<B, K> {
    /// A trainer around `net` with fresh averages, teachers and optimizer.
    pub fn new(net: Net<B, K::Net>, variant: &Variant<K>) -> Self {
        let streams = Streams::new(variant.seed);
        let teachers = variant.objective.facts().teachers(&At::new(&streams, 0, variant.train.steps));
        Self {
            averages: variant.ema.iter().map(|_| net.valid()).collect(),
            teachers: teachers.iter().map(|_| net.valid()).collect(),
            optim: Optim::new(&variant.optimizer),
            weight: variant.objective.facts().learned_weight().then(|| LearnedWeight {
                module: LogWeight::new(&net.devices()[0]),
                optim: Optim::new(&variant.optimizer),
            }),
            net,
            streams,
        }
    }

    /// Reads the frozen teachers, for samples of `shape`. From then on they are part of checkpoints.
    ///
    /// # Errors
    /// A run or file that is not there, or does not fit.
    pub fn load_teachers(
        &mut self,
        variant: &Variant<K>,
        shape: [usize; 3],
        device: &B::Device,
    ) -> Result<(), TrainError> {
        let at = At::new(&self.streams, 0, variant.train.steps);
        for (net, asked) in self.teachers.iter_mut().zip(variant.objective.facts().teachers(&at)) {
            if let Teacher::Frozen(path) = asked {
                *net = teacher::load(net.clone(), variant, shape, &path, device)?;
            }
        }
        Ok(())
    }

    /// Update number `step` (from 0).
    pub fn step(
        mut self,
        variant: &Variant<K>,
        step: u64,
        batch: HostBatch,
        device: &B::Device,
    ) -> (Self, Measured<B::InnerBackend>) {
        let frozen = self.net.valid();
        let weight = self.weight.as_ref().map(|weight| weight.module.valid());
        let differentiate = Differentiate {
            frozen: &frozen,
            weight: weight.as_ref(),
            teachers: &self.teachers,
            streams: &self.streams,
            variant,
            step,
            batch,
            device,
        };
        let (Gradients { net: grads, weight: of_weight }, measured) = variant.objective.visit(differentiate);
        // The update writes in place what nothing else holds.
        drop((frozen, weight));

        let asked = variant.objective.facts().teachers(&At::new(&self.streams, step, variant.train.steps));
        let shares = variant.ema.iter().map(|config| config.profile.decay_at(step + 1));
        let mut averages: Vec<_> = self.averages.into_iter().zip(shares).collect();
        let count = averages.len();
        let mut teachers = Vec::new();
        for (net, teacher) in self.teachers.into_iter().zip(asked) {
            match teacher {
                Teacher::Ema { decay } => {
                    averages.push((net, decay));
                    teachers.push(None);
                }
                Teacher::Frozen(_) => teachers.push(Some(net)),
            }
        }
        let Stepped { module, averages, norm } =
            self.optim.step_with_averages(step, variant.train.clip, self.net, grads, averages);
        self.net = module;
        let mut averages = averages.into_iter();
        self.averages = averages.by_ref().take(count).collect();
        self.teachers =
            teachers.into_iter().filter_map(|frozen| frozen.or_else(|| averages.next())).collect();
        self.weight = self.weight.map(|LearnedWeight { module, mut optim }| {
            let module = optim.step(step, module, of_weight);
            LearnedWeight { module, optim }
        });

        let norm = norm.unwrap_or_else(|| Tensor::full([1], f32::NAN, device));
        (self, Tensor::cat(vec![measured, norm], 0))
    }
}

/// Gradients of the network and of the learned weight, which has none if there is no such weight.
struct Gradients {
    net: GradientsParams,
    weight: GradientsParams,
}

/// One step up to its gradient: the gradient of the mean loss of a batch, and what [`Measured`] says of it but for the norm.
///
/// With `train.microbatches` above 1, the batch is differentiated in parts, each on a tape of its own. A part's loss counts by
/// its rows, and the gradients are added in the order of the parts, so the sum is the gradient of the whole batch.
struct Differentiate<'a, X: Backend, K: Kinds> {
    frozen: &'a Net<X, K::Net>,
    weight: Option<&'a LogWeight<X>>,
    teachers: &'a [Net<X, K::Net>],
    streams: &'a Streams,
    variant: &'a Variant<K>,
    step: u64,
    batch: HostBatch,
    device: &'a X::Device,
}

impl<X: Backend, K: Kinds> Visit<X> for Differentiate<'_, X, K> {
    type Output = (Gradients, Tensor<X, 1>);

    fn on<O: Objective<Tangents: Mode<Autodiff<X>>>>(self, objective: &O) -> Self::Output {
        let Self { frozen, weight, teachers, streams, variant, step, batch, device } = self;
        let at = At { labels: batch.labels.as_deref(), ..At::new(streams, step, variant.train.steps) };
        let draws = objective.draw(&at, batch.shape);
        let pairs = objective.pairs(&at, &batch.samples, &draws);
        let batch = match pairs {
            Some(pairs) => batch.select(&pairs),
            None => batch,
        };
        let rows = batch.shape[0];
        let group = match objective.group() {
            Group::Rows(group) => group,
            Group::Batch(_) => rows,
        };
        let parts = variant.train.microbatches.min(rows / group);
        let elements: usize = batch.shape[1..].iter().product();
        let differentiate = |(batch, draws): (HostBatch, O::Draws)| {
            let share = batch.shape[0] as f64 / rows as f64;
            let batch = Batch { precision: variant.train.precision, ..on_device(batch, device) };
            // The same weights as leaves of a tape of its own.
            let online = Weighted {
                net: Net::<Tape<X, O>, K::Net>::from_inner(frozen.clone()),
                weight: weight.map(|weight| LogWeight::from_inner(weight.clone())),
            };
            let online = online.map(&mut Leaves);
            let nets = Nets { online: &online, frozen, teachers };
            let part = batch.x.dims()[0];
            let out = objective.loss::<Tape<X, O>, _, _>(&nets, batch, &draws);
            assert_eq!(
                out.loss.dims(),
                [1],
                "the loss of `{}` is one number, the mean over the rows",
                O::NAME
            );
            for Measure { name, rows, .. } in &out.measures {
                let listed = objective.measures().contains(name);
                assert!(listed, "`{}` measures `{name}`, which its `Facts::measures` does not list", O::NAME);
                let count = rows.dims()[0];
                assert!(count <= part, "`{name}` of `{}` has {count} values for {part} rows", O::NAME);
            }
            let loss = out.loss * share;
            let value = loss.clone().inner();
            let measures = out.measures.into_iter().map(|measure| Part::new(measure)).collect();
            let mut grads = loss.backward();
            let gradients = Gradients {
                net: GradientsParams::from_module(&mut grads, &online.net),
                weight: GradientsParams::from_module(&mut grads, &online.weight),
            };
            (gradients, value, measures)
        };
        let outs: Vec<(Gradients, Tensor<X, 1>, Vec<Part<X>>)> = if parts == 1 {
            vec![differentiate((batch, draws))]
        } else {
            let items = (0..parts).map(|i| (batch.part(i, parts, group), draws.part(i, parts)));
            side_by_side::map::<X, _, _>(device, items.collect(), differentiate)
        };
        let (mut grads, mut of_weight) = (Vec::new(), Vec::new());
        let (mut losses, mut measures) = (Vec::new(), Vec::new());
        for (grad, loss, measure) in outs {
            grads.push(grad.net);
            of_weight.push(grad.weight);
            losses.push(loss);
            measures.push(measure);
        }
        let mut measured = vec![sum(losses)];
        measured.extend(objective.measures().iter().map(|name| total(name, &measures, elements, device)));
        let gradients = Gradients { net: added(frozen, grads), weight: added(&weight.cloned(), of_weight) };
        (gradients, Tensor::cat(measured, 0))
    }
}

/// Makes every parameter a leaf of the tape: a copy of a module without a tape forgets that it was one.
struct Leaves;

impl<B: Backend> ModuleMapper<B> for Leaves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        Param::from_mapped_value(id, tensor.require_grad(), mapper)
    }
}

/// The gradients of all parts, added in their order.
fn added<X: Backend>(net: &impl Module<X>, parts: Vec<GradientsParams>) -> GradientsParams {
    parts
        .into_iter()
        .reduce(|sum, part| {
            let mut add = Add { sum, part };
            visit_parameters(net, &mut add);
            add.sum
        })
        .expect("a batch has a part")
}

struct Add {
    sum: GradientsParams,
    part: GradientsParams,
}

impl<X: Backend> ParamVisitor<X> for Add {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<X, D>) {
        let Some(part) = self.part.remove::<X, D>(id) else { return };
        let sum = match self.sum.remove::<X, D>(id) {
            Some(sum) => sum + part,
            None => part,
        };
        self.sum.register(id, sum);
    }
}

/// A measure of one part of the batch, reduced as far as the part goes.
struct Part<X: Backend> {
    name: &'static str,
    reduce: Reduce,
    rows: usize,
    /// Mean: that of the part's rows. Root mean square: the sum of squares.
    value: Tensor<X, 1>,
}

impl<X: Backend> Part<X> {
    fn new(measure: Measure<X>) -> Self {
        let Measure { name, reduce, rows: values } = measure;
        let rows = values.dims()[0];
        let value = match reduce {
            Reduce::Mean => values.mean(),
            Reduce::RootMeanSquare => values.sum(),
        };
        Self { name, reduce, rows, value }
    }
}

/// The measure `name` over all parts, NaN if none has it; a sample has so many `elements`. `[1]`.
fn total<X: Backend>(
    name: &str,
    parts: &[Vec<Part<X>>],
    elements: usize,
    device: &X::Device,
) -> Tensor<X, 1> {
    let found: Vec<&Part<X>> = parts.iter().flatten().filter(|part| part.name == name).collect();
    let Some(first) = found.first() else { return Tensor::full([1], f32::NAN, device) };
    let rows = found.iter().map(|part| part.rows).sum::<usize>();
    match first.reduce {
        // Only some rows of a batch may have a measure, and of those a part may have any number.
        Reduce::Mean => {
            let share = |part: &&Part<X>| part.value.clone() * (part.rows as f64 / rows as f64);
            sum(found.iter().map(share).collect())
        }
        Reduce::RootMeanSquare => {
            let numbers = (rows * elements) as f64;
            sum(found.iter().map(|part| part.value.clone() / numbers).collect()).sqrt()
        }
    }
}

fn sum<X: Backend>(values: Vec<Tensor<X, 1>>) -> Tensor<X, 1> {
    values.into_iter().reduce(|sum, value| sum + value).expect("a batch has a part")
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;
    use meanflow_jvp::Jvp;
    use meanflow_nets::{NetConfig, Networks as _};

    type B = Jvp<Autodiff<Flex>>;

    fn experiment(microbatches: usize) -> Variant {
        let text = format!(
            "[data.two-moons]\npoints = 100\n[net.mlp]\nwidth = 16\ndepth = 2\n[objective.meanflow]\nshare = 0.4\n\
             [optimizer.adam]\nlr = 0.1\n[train]\nbatch = 11\nsteps = 1\nmicrobatches = {microbatches}\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.toml");
        std::fs::write(&file, text).expect("a writable folder");
        crate::config::Comparison::load(&file, &[]).expect("a valid experiment").variants.remove(0)
    }

    /// Gradients, and what was measured, of one step with so many parts.
    fn measure(microbatches: usize) -> (Vec<f32>, Vec<f32>) {
        let (variant, device, streams) = (experiment(microbatches), Default::default(), Streams::new(3));
        let shape = [11, 2, 1, 1];
        let net: Net<B, NetConfig> = variant.net.init([2, 1, 1], None, &streams, &device).expect("a network");
        let batch = HostBatch { samples: streams.normal("data", 0, 22), shape, labels: None, augment: None };
        // A fresh network outputs zero and so has no `du/dt`.
        let mut trainer = Trainer::new(net, &variant);
        for step in 0..3 {
            trainer = trainer.step(&experiment(1), step, batch.clone(), &device).0;
        }
        let net = trainer.net;
        let differentiate = Differentiate {
            frozen: &net.valid(),
            weight: None,
            teachers: &[],
            streams: &streams,
            variant: &variant,
            step: 0,
            batch,
            device: &device,
        };
        let (Gradients { net: grads, .. }, measured) = variant.objective.visit(differentiate);
        let mut values = Vec::new();
        visit_parameters(&net, &mut Values { grads: &grads, values: &mut values });
        (values, measured.into_data().to_vec().expect("numbers"))
    }

    struct Values<'a> {
        grads: &'a GradientsParams,
        values: &'a mut Vec<f32>,
    }

    impl ParamVisitor<B> for Values<'_> {
        fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
            let grad = self.grads.get::<Flex, D>(id).expect("every parameter has a gradient");
            self.values.extend(grad.into_data().iter::<f32>());
        }
    }

    #[test]
    fn parts_add_up_to_the_gradient_of_the_batch() {
        let (whole, said) = measure(1);
        let largest = whole.iter().fold(0f32, |max, value| max.max(value.abs()));
        assert!(largest > 1e-3);
        for parts in [2, 3, 11] {
            let (values, measured) = measure(parts);
            for (a, b) in values.iter().zip(&whole) {
                assert!((a - b).abs() < 1e-5 * largest.max(1.0), "{a} is not {b} with {parts} parts");
            }
            for (a, b) in measured.iter().zip(&said) {
                assert!(*b > 0.0 && (a / b - 1.0).abs() < 1e-4, "{a} is not {b} with {parts} parts");
            }
        }
    }
}
