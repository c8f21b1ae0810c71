//! The residual's methods against each other: where their options coincide, so do losses and gradients.

use burn::{
    backend::Flex,
    module::{AutodiffModule, Module, ModuleVisitor, Param},
    tensor::{Tensor, backend::AutodiffBackend},
};
use meanflow_core::{
    Backbone, Condition, Flow, LogWeight, Prediction, Streams, Weighted,
    flow::TrigFlow,
    interpolant::{linear_path, per_row, squared_norm},
    objective::{
        Batch, Derivative, Esc, MeanFlowConfig, Nets, Objective, Preset,
        residual::{
            Factor, Form, Law, Learned, Measured, Path, Residual, ResidualDraws, RowWeight, Tangent,
            Velocity, Zero,
        },
    },
    time::TimeSampler,
    weight::Weight,
};
use meanflow_jvp::jvp;

use crate::{
    common::{B, LAW, assert_close, batch, draw, loss, meanflow, tensor, values},
    network::{CLASSES, Net, SAMPLE, parameters},
};

const SHAPE: [usize; 4] = [8, SAMPLE[0], SAMPLE[1], SAMPLE[2]];

/// MeanFlow with these settings as a choice of options.
fn options(config: &MeanFlowConfig) -> Residual {
    let times =
        TimeSampler { t: LAW, r: LAW, pairing: config.pairing, share: config.share, split: config.split };
    Residual {
        path: Path::Straight,
        unit: 1.0,
        form: Form::Plain,
        law: Law::Pairs { times, zero: Zero::Last(0.0) },
        velocity: Velocity::Data,
        teacher: None,
        guide: None,
        plain_direction: false,
        derivative: config.derivative,
        warmup: 0.0,
        tangent: Tangent::Whole,
        weight: RowWeight {
            measure: Measured::Sum,
            cosine: false,
            weight: config.weight,
            factor: Factor::Constant(1.0),
            learned: Learned::Off,
        },
        label_dropout: 0.0,
    }
}

/// The loss and its gradient.
fn step(residual: &Residual, net: &Net<B>, batch: &Batch<Flex>, draws: &ResidualDraws) -> [Vec<f64>; 2] {
    let objective = Preset::<Esc>::new(residual.clone());
    let nets = Nets { online: net, frozen: &net.valid(), teachers: &[] };
    let out = objective.loss::<B, _, _>(&nets, batch.clone(), draws);
    [values(out.loss.clone()), net.gradient(out.loss)]
}

#[track_caller]
fn same(name: &str, found: &[Vec<f64>; 2], expected: &[Vec<f64>; 2], tolerance: f64) {
    assert_close(&format!("{name}: loss"), &found[0], &expected[0], tolerance);
    assert_close(&format!("{name}: gradient"), &found[1], &expected[1], tolerance);
}

fn draws(residual: &Residual, step: u64) -> ResidualDraws {
    draw(&Preset::<Esc>::new(residual.clone()), &Streams::new(4), step, SHAPE)
}

#[test]
fn meanflow_is_a_choice_of_options() {
    let (net, batch) = (Net::<B>::new(&parameters(3)), batch(SHAPE, CLASSES, 5));
    for share in [0.0, 0.5, 1.0] {
        for p in [0.0, 0.5, 1.0] {
            for derivative in [Derivative::Jvp, Derivative::Central { step: 1e-2 }] {
                let mut config = meanflow(share);
                (config.weight, config.derivative) = (Weight { p, eps: 0.01 }, derivative);
                let expected =
                    loss(&config, &net, batch.clone(), &draw(&config, &Streams::new(4), 2, SHAPE)).loss;
                let expected = [values(expected.clone()), net.gradient(expected)];
                let residual = options(&config);
                let found = step(&residual, &net, &batch, &draws(&residual, 2));
                same(&format!("{share} {p} {derivative:?}"), &found, &expected, 1e-12);
            }
        }
    }
}

/// The error of a central difference falls with the square of its step, that of a backward one with the step; exact in the point and
/// backward in time lies between.
#[test]
fn differences_approach_the_derivative() {
    let (net, batch) = (Net::<B>::new(&parameters(3)), batch(SHAPE, CLASSES, 5));
    let mut residual = options(&meanflow(1.0));
    residual.weight.weight = Weight { p: 0.0, eps: 0.01 };
    let draws = draws(&residual, 2);
    let exact = step(&residual, &net, &batch, &draws);
    let scale = exact[1].iter().fold(0.0, |most: f64, g| most.max(g.abs()));
    let error = |derivative: Derivative| {
        let found = step(&Residual { derivative, ..residual.clone() }, &net, &batch, &draws);
        found[1].iter().zip(&exact[1]).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs())) / scale
    };
    let order = |of: &dyn Fn(f64) -> Derivative| (error(of(2e-3)) / error(of(1e-3))).log2();
    assert!((order(&|step| Derivative::Central { step }) - 2.0).abs() < 0.1);
    assert!((order(&|step| Derivative::Backward { step }) - 1.0).abs() < 0.1);
    assert!((order(&|step| Derivative::Mixed { step }) - 1.0).abs() < 0.1);
    assert!(error(Derivative::Central { step: 1e-3 }) < 1e-5);
}

/// A normalised tangent has the gradient of the adaptive weight with `p = ½`, where the constants do not matter: `g/‖g‖`.
#[test]
fn a_normalised_tangent_is_an_adaptive_weight() {
    let (net, batch) = (Net::<B>::new(&parameters(3)), batch(SHAPE, CLASSES, 5));
    let mut residual = options(&meanflow(0.5));
    residual.weight.weight = Weight { p: 0.5, eps: 1e-18 };
    let draws = draws(&residual, 2);
    let expected = step(&residual, &net, &batch, &draws);
    residual.weight.weight.p = 0.0;
    residual.tangent = Tangent::Normalised { c: 1e-12, mean: false };
    let found = step(&residual, &net, &batch, &draws);
    assert_close("gradient", &found[1], &expected[1], 1e-9);
}

#[test]
fn the_plugged_in_velocity_of_one_sample_is_its_own() {
    let (net, batch) = (Net::<B>::new(&parameters(3)), batch([1, 2, 1, 2], CLASSES, 5));
    let mut residual = options(&meanflow(1.0));
    let one = |residual: &Residual| {
        let objective = Preset::<Esc>::new(residual.clone());
        let draws = draw(&objective, &Streams::new(4), 2, [1, 2, 1, 2]);
        step(residual, &net, &batch, &draws)
    };
    let data = one(&residual);
    residual.velocity = Velocity::PlugIn(1.0);
    same("one sample", &one(&residual), &data, 1e-12);
}

/// The plug-in velocity is the marginal velocity of the flow to the samples of the batch: `Σ_b w_b·(e_b − x_b)` with the posterior weights.
#[test]
fn the_plugged_in_velocity_is_the_mean_of_the_posterior() {
    let (net, batch) = (Net::<B>::new(&parameters(3)), batch(SHAPE, CLASSES, 5));
    let mut residual = options(&meanflow(0.0));
    residual.weight.weight = Weight { p: 0.0, eps: 0.01 };
    residual.velocity = Velocity::PlugIn(1.0);
    let draws = draws(&residual, 2);
    let (rows, elements) = (SHAPE[0], SAMPLE.iter().product::<usize>());
    let (x, e) = (values(batch.x.clone()), &draws.noise);
    let mut velocity = Vec::new();
    for i in 0..rows {
        let t = draws.t[i];
        let z: Vec<f64> = (0..elements)
            .map(|k| (1.0 - t) * x[i * elements + k] + t * f64::from(e[i * elements + k]))
            .collect();
        let noise = |b: usize, k: usize| (z[k] - (1.0 - t) * x[b * elements + k]) / t;
        let weight = |b: usize| (-0.5 * (0..elements).map(|k| noise(b, k).powi(2)).sum::<f64>()).exp();
        let total: f64 = (0..rows).map(weight).sum();
        velocity.extend((0..elements).map(|k| {
            (0..rows).map(|b| weight(b) / total * (noise(b, k) - x[b * elements + k])).sum::<f64>()
        }));
    }
    let noise: Vec<f64> = e.iter().map(|e| f64::from(*e)).collect();
    let t: Tensor<Flex, 1> = tensor(&draws.t, [rows]);
    let z = linear_path(batch.x.clone(), tensor(&noise, SHAPE), t.clone()).z;
    let condition = Condition::labels(batch.labels.clone().expect("labels"));
    let u = net.valid().forward(z, t.clone(), t, &condition);
    let expected = values(squared_norm(u - tensor::<Flex, 4>(&velocity, SHAPE)).mean());
    assert_close("loss", &step(&residual, &net, &batch, &draws)[0], &expected, 1e-12);
}

/// On TrigFlow's path, sCM's tangent is `−cos a·df/da`; on the straight one `df/dt = −(u − v + t·du/dt)` of the same map. So the two residuals
/// are the same but for `cos a·(S²/σ_d)`, over the unit `σ_d` of outputs.
#[test]
fn the_tangent_of_scm_is_the_residual_of_the_straight_path() {
    let trig = TrigFlow { sigma_data: 0.5 };
    let net = Net::<B>::new(&parameters(3));
    let (x, e) = (batch(SHAPE, CLASSES, 5).x, batch(SHAPE, CLASSES, 6).x);
    let times: Vec<f64> = (0..SHAPE[0]).map(|row| 0.05 + 0.11 * row as f64).collect();
    let labels = batch(SHAPE, CLASSES, 5).labels.expect("labels");
    let condition = Condition::labels(Tensor::<B, 1, _>::from_inner(labels));
    let zero = vec![0.0; SHAPE[0]];

    let t: Tensor<Flex, 1> = tensor(&times, [SHAPE[0]]);
    let path = linear_path(x.clone(), e.clone(), t.clone());
    let flow = Flow { net: &net, prediction: Prediction::Trig(trig) };
    let lift = |a: Tensor<Flex, 4>| Tensor::<B, 4>::from_inner(a);
    let (u, dudt) = jvp(
        |(z, t): (Tensor<B, 4>, Tensor<B, 1>)| flow.average(z, tensor(&zero, [SHAPE[0]]), t, &condition),
        (lift(path.z), Tensor::<B, 1>::from_inner(t.clone())),
        (path.v.clone(), t.ones_like()),
    );
    let straight = u.inner() - path.v + dudt * per_row(t);
    let front: Vec<f64> = times
        .iter()
        .map(|t| {
            let scale = ((1.0 - t) * trig.sigma_data).powi(2) + t * t;
            trig.angle(*t).cos() * scale / trig.sigma_data.powi(2)
        })
        .collect();
    let expected = values(straight * per_row(tensor::<Flex, 1>(&front, [SHAPE[0]])));

    // The residual is what the target with the whole tangent lacks of the output: seen in the gradient's place, the loss.
    let mut residual = options(&meanflow(1.0));
    (residual.path, residual.unit, residual.form) = (Path::Trig(trig), trig.sigma_data, Form::Scm);
    residual.weight.weight = Weight { p: 0.0, eps: 0.01 };
    let noise: Vec<f32> = values(e).iter().map(|e| *e as f32).collect();
    let draws = ResidualDraws {
        noise: noise.clone(),
        t: times.iter().map(|t| trig.angle(*t)).collect(),
        r: zero,
        still: 0,
        dropped: vec![false; SHAPE[0]],
        plugged: Vec::new(),
        warm: 1.0,
        dropout: None,
    };
    let found = step(&residual, &net, &batch(SHAPE, CLASSES, 5), &draws)[0][0];
    let expected = expected.iter().map(|g| g * g).sum::<f64>() / SHAPE[0] as f64;
    assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
}

/// `x_b = cos(a−b)·x_a − sin(a−b)·σ_d·F` from one angle to a smaller, against the average velocity in house time.
#[test]
fn the_map_of_trigflow_is_that_of_its_average_velocity() {
    let trig = TrigFlow { sigma_data: 0.7 };
    let (rows, z) = (6, values(batch([6, 2, 1, 2], CLASSES, 8).x));
    let net = Net::<Flex>::new(&parameters(3));
    let condition = Condition::labels(batch([6, 2, 1, 2], CLASSES, 5).labels.expect("labels"));
    let (t, r) = ([0.1, 0.3, 0.5, 0.7, 0.9, 0.99], [0.0, 0.1, 0.49, 0.2, 0.0, 0.6]);
    let time = |values: &[f64]| tensor::<Flex, 1>(values, [rows]);
    let flow = Flow { net: &net, prediction: Prediction::Trig(trig) };
    let z: Tensor<Flex, 4> = tensor(&z, [rows, 2, 1, 2]);
    let found = values(flow.map(z.clone(), time(&r), time(&t), &condition));

    let angles = |times: &[f64]| times.iter().map(|t| trig.angle(*t)).collect::<Vec<_>>();
    let (a, b) = (angles(&t), angles(&r));
    let scale = |times: &[f64]| -> Vec<f64> {
        times.iter().map(|t| ((1.0 - t) * trig.sigma_data).hypot(*t)).collect()
    };
    let column = |values: Vec<f64>| per_row(time(&values));
    let told =
        |angles: &[f64]| time(&angles.iter().map(|a| a * std::f64::consts::FRAC_2_PI).collect::<Vec<_>>());
    // x_a = σ_d·z/S.
    let x = z.clone() * trig.sigma_data / column(scale(&t));
    let output = net.forward(x.clone() / trig.sigma_data, told(&b), told(&a), &condition);
    let turn: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let moved = x * column(turn.iter().map(|turn| turn.cos()).collect())
        - output * trig.sigma_data * column(turn.iter().map(|turn| turn.sin()).collect());
    let expected = values(moved * column(scale(&r)) / trig.sigma_data);
    assert_close("map", &found, &expected, 1e-13);
}

/// With the weight at its start the loss is the unweighted one, and its gradient in the constant is `1 − m`: the weight moves to `ln m`.
#[test]
fn a_learned_weight_begins_at_zero_and_moves_to_the_logarithm() {
    let (net, batch) = (Net::<B>::new(&parameters(3)), batch(SHAPE, CLASSES, 5));
    let mut residual = options(&meanflow(0.5));
    residual.weight.weight = Weight { p: 0.0, eps: 0.01 };
    residual.weight.learned = Learned::Gaussian;
    let draws = draws(&residual, 2);
    let plain = step(&residual, &net, &batch, &draws)[0][0];
    let weighted = Weighted { net: net.clone(), weight: Some(LogWeight::<B>::new(&Default::default())) };
    let nets = Nets { online: &weighted, frozen: &net.valid(), teachers: &[] };
    let loss = Preset::<Esc>::new(residual).loss::<B, _, _>(&nets, batch, &draws).loss;
    assert_close("loss", &values(loss.clone()), &[plain], 1e-14);
    let mut found = Found { gradients: loss.backward(), values: Vec::new() };
    weighted.weight.as_ref().expect("a weight").visit(&mut found);
    assert_close("constant", &found.values[..1], &[1.0 - plain], 1e-12);
}

struct Found {
    gradients: <B as AutodiffBackend>::Gradients,
    values: Vec<f64>,
}

impl ModuleVisitor<B> for Found {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.values.extend(values(param.val().grad(&self.gradients).expect("a gradient")));
    }
}
