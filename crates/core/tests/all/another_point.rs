//! Objectives whose target comes from another point of the path, in their limits.

use burn::{
    backend::{Autodiff, Flex},
    module::{AutodiffModule, Module, Param},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_core::{
    Backbone, Condition, Flow, Prediction, Streams,
    flow::{Edm, ScaledData},
    interpolant::{linear_path, per_row, squared_norm},
    objective::{
        AlphaSchedule, AlphaflowConfig, AlphaflowDraws, At, Batch, Coupling, CtConfig, CtWeighting, Draws,
        Esd, Facts, FlowMapConfig, FlowMatchingConfig, Huber, IctConfig, ImmConfig, Lsd, MeanFlowConfig,
        Nets, Norm, Objective, Psd, ShortcutConfig, Spatial, Split, SplitMeanflow, Teacher, TrainBackend,
    },
    precision::Precision,
    time::{self, Pairing, TimeLaw, TimeSampler, Times},
    weight::Weight,
};
use meanflow_jvp::{Jvp, Taped};

use crate::{
    common::{B, LAW, assert_close, batch, device, draw, field, meanflow, tensor, uniform, values},
    network::{CLASSES, Net, SAMPLE, parameters},
};

const SHAPE: [usize; 4] = [9, SAMPLE[0], SAMPLE[1], SAMPLE[2]];
const ELEMENTS: usize = SAMPLE[0] * SAMPLE[1] * SAMPLE[2];

/// Loss and gradient; the network is its own average.
fn step<O: Objective>(objective: &O, net: &Net<B>, draws: &O::Draws) -> (f64, Vec<f64>) {
    let nets = Nets { online: net, frozen: &net.valid(), teachers: &[net.valid()] };
    let loss = objective.loss::<B, _, _>(&nets, batch(SHAPE, CLASSES, 6), draws).loss;
    (values(loss.clone().inner())[0], net.gradient(loss))
}

fn alphaflow(eps: f64, share: f64) -> AlphaflowConfig {
    AlphaflowConfig {
        times: TimeSampler { t: LAW, r: LAW, pairing: Pairing::V0, share, split: time::Split::Prefix },
        alpha: AlphaSchedule { between: [0.0, 1.0], gamma: 25.0, eta: 0.005 },
        eps,
        clip: None,
        label_dropout: 0.0,
        guidance: None,
    }
}

#[test]
fn alphaflow_ends_as_meanflow() {
    let net = Net::<B>::new(&parameters(21));
    // A weight of sums: `S/(S + D·eps) = m/(m + eps)`.
    let (eps, weight) = (0.01, Weight { p: 1.0, eps: 0.01 * ELEMENTS as f64 });
    let reference = MeanFlowConfig { weight, ..meanflow(0.5) };
    let draws = draw(&reference, &Streams::new(9), 1, SHAPE);
    let ours = step(&alphaflow(eps, 0.5), &net, &AlphaflowDraws { draws: draws.clone(), alpha: 0.0 });
    let expected = step(&reference, &net, &draws);
    assert_close("loss", &[ours.0], &[expected.0], 1e-13);
    assert_close("gradient", &ours.1, &expected.1, 1e-12);
}

/// `Δ_α → α·g` for MeanFlow's residual `g`, so the gradient of `α·m/(m + α²·eps)` tends to MeanFlow's.
#[test]
fn alphaflow_tends_to_meanflow() {
    let net = Net::<B>::new(&parameters(21));
    let draws = draw(&meanflow(1.0), &Streams::new(9), 1, SHAPE);
    let gradient = |alpha: f64, eps: f64| {
        step(&alphaflow(eps, 1.0), &net, &AlphaflowDraws { draws: draws.clone(), alpha }).1
    };
    let limit = gradient(0.0, 0.01);
    for alpha in [1e-3, 1e-5] {
        assert_close("gradient", &gradient(alpha, 0.01 * alpha * alpha), &limit, 10.0 * alpha);
    }
}

#[test]
fn alphaflow_begins_as_trajectory_flow_matching() {
    let net = Net::<B>::new(&parameters(21));
    let draws = draw(&meanflow(1.0), &Streams::new(9), 1, SHAPE);
    let ours = step(&alphaflow(0.01, 1.0), &net, &AlphaflowDraws { draws: draws.clone(), alpha: 1.0 });
    let data = batch(SHAPE, CLASSES, 6);
    let column =
        |values: &[f32]| tensor::<Flex, 1>(&values.iter().map(|&t| t.into()).collect::<Vec<_>>(), [9]);
    let noise: Vec<f64> = draws.noise.iter().map(|&e| e.into()).collect();
    let (t, r) = (column(&draws.times.t), column(&draws.times.r));
    let path = linear_path(data.x, tensor(&noise, SHAPE), t.clone());
    let lift = Tensor::<B, 1>::from_inner;
    let condition = Condition::labels(Tensor::from_inner(data.labels.unwrap()));
    let u = net.forward(Tensor::from_inner(path.z), lift(r), lift(t), &condition);
    let error = squared_norm(u - Tensor::from_inner(path.v)) / ELEMENTS as f64;
    let loss = (error.clone() / (error.detach() + 0.01)).mean();
    assert_close("loss", &[ours.0], &values(loss.clone().inner()), 1e-13);
    assert_close("gradient", &ours.1, &net.gradient(loss), 1e-12);
}

#[test]
fn alpha_falls_from_one_to_zero() {
    let schedule = AlphaSchedule { between: [0.5, 0.75], gamma: 25.0, eta: 0.005 };
    assert_eq!([0.0, 0.5, 0.625, 0.75, 1.0].map(|progress| schedule.at(progress)), [1.0, 1.0, 0.5, 0.0, 0.0]);
    assert!((schedule.at(0.65) - 1.0 / (1.0 + 2.5f64.exp())).abs() < 1e-12);
}

fn shortcut(share: f64) -> ShortcutConfig {
    ShortcutConfig {
        levels: 4,
        share,
        teacher_decay: 0.9,
        clip: 4.0,
        noise_floor: 0.0,
        label_dropout: 0.0,
        guidance: None,
    }
}

/// Steps of no length: flow matching on a grid of times.
#[test]
fn shortcut_without_steps_is_flow_matching() {
    let net = Net::<B>::new(&parameters(21));
    let objective = shortcut(0.0);
    let draws = draw(&objective, &Streams::new(9), 1, SHAPE);
    let t: Vec<f32> = draws.index.iter().map(|&k| 1.0 - k as f32 / 16.0).collect();
    assert!(t.iter().all(|t| (0.0625..=1.0).contains(t)));
    let plain = Draws {
        noise: draws.noise.clone(),
        times: Times { t: t.clone(), r: t, still: 9 },
        dropped: vec![false; 9],
        dropout: None,
        guidance: None,
    };
    let weight = Weight { p: 0.0, eps: 1.0 };
    let flow =
        FlowMatchingConfig { time: TimeLaw::Uniform, weight, label_dropout: 0.0, coupling: Coupling::Off };
    let (loss, gradient) = step(&flow, &net, &plain);
    let ours = step(&objective, &net, &draws);
    let mean = 1.0 / ELEMENTS as f64;
    assert_close("loss", &[ours.0], &[loss * mean], 1e-13);
    let gradient: Vec<f64> = gradient.iter().map(|g| g * mean).collect();
    assert_close("gradient", &ours.1, &gradient, 1e-12);
}

/// With enough rows every level has its share, and the smallest steps lead.
#[test]
fn shortcut_draws_steps_that_fit() {
    for rows in [9, 32] {
        let draws = draw(&shortcut(0.5), &Streams::new(3), 0, [rows, 2, 1, 1]);
        assert_eq!(draws.halved, rows / 2);
        let halved = &draws.level[..draws.halved];
        assert!(halved.is_sorted_by(|a, b| a >= b) && halved.iter().all(|level| *level < 4));
        assert!(draws.level[draws.halved..].iter().all(|level| *level == 4));
        assert!(draws.index.iter().zip(&draws.level).all(|(index, level)| *index < 1 << level));
    }
    let draws = draw(&shortcut(0.5), &Streams::new(3), 0, [36, 2, 1, 1]);
    assert_eq!(
        draws.level[..18],
        [[3; 4], [2; 4], [1; 4], [0; 4]].concat().into_iter().chain([0; 2]).collect::<Vec<u32>>()
    );
}

#[test]
fn the_grid_of_ct_grows_and_so_does_the_average() {
    let objective = CtConfig {
        first: 2,
        last: 150,
        decay: 0.9,
        norm: Norm::L2,
        weighting: CtWeighting::Uniform,
        sigma_data: 0.5,
        distillation: None,
    };
    // N(k) = ⌈√(k/K·(151² − 4) + 4) − 1⌉ + 1.
    assert_eq!([0.0, 0.25, 1.0].map(|progress| objective.levels(progress)), [2, 76, 151]);
    let streams = Streams::new(0);
    let decay = |step| match objective.teachers(&At::new(&streams, step, 4))[..] {
        [Teacher::Ema { decay }] => decay,
        ref other => panic!("{other:?}"),
    };
    assert!((decay(0) - 0.9).abs() < 1e-12 && (decay(1) - 0.9f64.powf(2.0 / 76.0)).abs() < 1e-12);
    for progress in [0, 1, 3] {
        let draws = objective.draw(&At::new(&streams, progress, 4), SHAPE);
        let pairs = draws.sigma.iter().zip(&draws.target);
        assert!(
            pairs.into_iter().all(|(sigma, target)| *target >= 0.001_999 && target < sigma && *sigma < 80.01)
        );
    }
}

#[test]
fn the_grid_of_ict_doubles() {
    let objective = IctConfig {
        first: 10,
        last: 1280,
        mean: -1.1,
        std: 2.0,
        c: None,
        huber: Huber::Sample,
        sigma_data: 0.5,
    };
    let intervals = [0, 999, 1000, 2500, 7000, 7999].map(|step| objective.intervals(step, 8000));
    assert_eq!(intervals, [10, 10, 20, 40, 1280, 1280]);
    // The law of levels: half of them below the median exp(−1.1), but for the grid's own width.
    let draws = draw(&objective, &Streams::new(1), 999_999, [4000, 1, 1, 1]);
    let below = draws.sigma.iter().filter(|sigma| **sigma < (-1.1f32).exp()).count();
    assert!((1850..2150).contains(&below), "{below}");
}

/// At the smallest noise level a consistency model is the identity, whatever the network.
#[test]
fn the_smallest_level_is_the_sample_itself() {
    let edm = Edm { sigma_data: 0.5, sigma_min: 0.002 };
    device();
    let x = uniform(8, 3);
    let net = field(|z, _, _| z * 3.0 + 1.0);
    let at = |sigma: f64| {
        values(edm.denoise(&net, tensor(&x, [4, 2, 1, 1]), tensor(&[sigma; 4], [4]), &Condition::none()))
    };
    assert_close("the identity", &at(0.002), &x, 1e-15);
    assert!((at(0.1)[0] - x[0]).abs() > 1e-3);
}

fn flow_map<R>(residual: R) -> FlowMapConfig<R> {
    FlowMapConfig { share: 1.0, time: TimeLaw::Uniform, label_dropout: 0.0, learned_weight: false, residual }
}

/// SplitMeanFlow's identity, `(t−r)·u(z_t, r, t) = (s−r)·u(z_s, r, s) + (t−s)·u(z_t, s, t)`, is PSD's residual at `h = 1/2`.
#[test]
fn split_meanflow_is_psd() {
    let net = Net::<B>::new(&parameters(21));
    let psd = flow_map(SplitMeanflow { split: Split::Midpoint });
    let draws = draw(&psd, &Streams::new(9), 1, SHAPE);
    let found = step(&psd, &net, &draws);

    let (data, times) = (batch(SHAPE, CLASSES, 6), &draws.draws.times);
    let column =
        |values: &[f32]| tensor::<Flex, 1>(&values.iter().map(|&t| t.into()).collect::<Vec<_>>(), [9]);
    let noise: Vec<f64> = draws.draws.noise.iter().map(|&e| e.into()).collect();
    let (t, r) = (column(&times.t), column(&times.r));
    let z = linear_path(data.x, tensor(&noise, SHAPE), t.clone()).z;
    let condition = Condition::labels(data.labels.unwrap());
    let (frozen, s) = (net.valid(), (t.clone() + r.clone()) * 0.5);
    let early = frozen.forward(z.clone(), s.clone(), t.clone(), &condition);
    let z_s = z.clone() - early.clone() * per_row(t.clone() - s.clone());
    let late = frozen.forward(z_s, r.clone(), s.clone(), &condition);
    let h = per_row(t.clone() - r.clone());
    let target = (late * per_row(s.clone() - r.clone()) + early * per_row(t.clone() - s)) / h;
    let condition = Condition::labels(Tensor::from_inner(condition.labels.unwrap()));
    let u = net.forward(Tensor::from_inner(z), Tensor::from_inner(r), Tensor::from_inner(t), &condition);
    let loss = squared_norm(u - Tensor::from_inner(target)).mean();
    assert_close("loss", &[found.0], &values(loss.clone().inner()), 1e-12);
    assert_close("gradient", &found.1, &net.gradient(loss), 1e-11);
}

/// `u(z, r, t) = (z − μ)/t`, the flow of data that is the point `μ` alone.
#[derive(Module, Debug)]
struct Point<B: Backend> {
    mu: Param<Tensor<B, 1>>,
}

impl<B: Backend> Backbone<B> for Point<B> {
    fn forward(&self, z: Tensor<B, 4>, _: Tensor<B, 1>, t: Tensor<B, 1>, _: &Condition<B>) -> Tensor<B, 4> {
        (z - self.mu.val().reshape([1, 1, 1, 1])) / per_row(t)
    }

    fn classes(&self) -> Option<usize> {
        None
    }
}

/// The loss of the flow to `mu` on data at 0.25.
fn point_loss<B, O>(objective: &O, mu: f64) -> f64
where
    B: TrainBackend + AutodiffBackend<InnerBackend = Flex>,
    O: Objective,
{
    let shape = [16, 1, 1, 2];
    let net = Point::<B> { mu: Param::from_tensor(Tensor::from_inner(tensor(&[mu], [1]))) };
    let teachers = [net.valid()];
    let nets = Nets { online: &net, frozen: &net.valid(), teachers: &teachers };
    let x = tensor(&[0.25; 32], shape);
    let data = Batch { x, labels: None, augment: None, precision: Precision::Full };
    let draws = draw(objective, &Streams::new(5), 3, shape);
    values(objective.loss::<B, _, _>(&nets, data, &draws).loss.inner())[0]
}

/// The exact flow has no loss, and a flow to another point has one.
#[test]
fn the_flow_to_a_point_is_learned() {
    fn check<B: TrainBackend + AutodiffBackend<InnerBackend = Flex>, O: Objective>(objective: &O) {
        let [right, wrong] = [0.25, 0.75].map(|mu| point_loss::<B, O>(objective, mu));
        assert!(right.abs() < 1e-12 && wrong > 1e-4, "{}: {right:e} {wrong:e}", O::NAME);
    }
    type Taping = Jvp<Autodiff<Flex>, Taped>;
    let mixed = |residual| FlowMapConfig { share: 0.5, ..flow_map(residual) };
    check::<B, _>(&mixed(Psd { split: Split::Uniform }));
    check::<Taping, _>(&FlowMapConfig { share: 0.5, ..flow_map(Lsd) });
    for spatial in [Spatial::Stopped, Spatial::Learned] {
        check::<Taping, _>(&FlowMapConfig { share: 0.5, ..flow_map(Esd { spatial }) });
    }
    check::<B, _>(&ShortcutConfig { clip: 1e3, ..shortcut(0.5) });
    check::<B, _>(&alphaflow(0.01, 0.5));
    let imm = ImmConfig { group: 4, k: 4, a: 2.0, b: 4.0, sigma_data: 1.0, label_dropout: 0.0 };
    check::<B, _>(&imm);
}

/// On scaled data, an average velocity of the scaled flow is one of the flow itself.
#[test]
fn scaled_data_keeps_its_flow() {
    device();
    let sigma_data = 0.5;
    // The flow of data at 0.25 is that of scaled data at 0.5.
    let net = field(|z, _, t| (z - 0.25 / 0.5) / per_row(t));
    let flow = Flow { net: &net, prediction: Prediction::ScaledData(ScaledData { sigma_data }) };
    let z = tensor::<Flex, 4>(&uniform(8, 3), [4, 2, 1, 1]);
    let [r, t] = [[0.0, 0.1, 0.3, 0.6], [0.2, 0.9, 0.3, 0.7]].map(|times| tensor::<Flex, 1>(&times, [4]));
    let found = flow.average(z.clone(), r, t.clone(), &Condition::none());
    assert_close("average", &values(found), &values((z - 0.25) / per_row(t)), 1e-13);
}
