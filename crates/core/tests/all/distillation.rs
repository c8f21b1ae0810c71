//! Consistency distillation (CD, sCD) against closed forms: the teacher is the exact flow of Gaussian data, of one deviation in its class and of
//! another in the null class, and the network is linear.

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{
    Backbone, Condition, Streams,
    flow::TrigFlow,
    interpolant::per_row,
    objective::{
        About, At, Batch, CtConfig, Distillation, Facts, Labels, LevelDraws, LevelStep, Loss, Nets,
        Objective, ObjectiveConfig, Objectives, Preset, Sct, Teacher,
    },
};
use meanflow_settings::{Document, Layout};
use std::f64::consts::FRAC_2_PI;

use crate::{
    common::{B, Device, assert_close, batch, device, tensor, values},
    gaussian::Gaussian,
};

const SHAPE: [usize; 4] = [8, 2, 1, 2];
const ELEMENTS: usize = 4;
/// Standard deviations of the data of the class, and of all data.
const SD: [f64; 2] = [0.7, 1.3];

/// What a network outputs.
#[derive(Clone, Copy, Debug)]
enum Output {
    /// `a·z + b·t`.
    Linear,
    /// `a` times what gives the consistency function of Gaussian data of the class in EDM's preconditioning.
    Edm,
    /// The same on TrigFlow's path.
    Trig,
}

impl Output {
    fn of<B: Backend>(self, [a, b]: [Tensor<B, 1>; 2], z: Tensor<B, 4>, t: Tensor<B, 1>) -> Tensor<B, 4> {
        let one = |a: Tensor<B, 1>| a.reshape([1, 1, 1, 1]);
        let variance = SD[0] * SD[0];
        match self {
            Self::Linear => z * one(a) + per_row(t) * one(b),
            Self::Edm => {
                // D = sd·x/√(sd² + σ²), and F = (D − c_skip·x)/c_out.
                let sigma = (t * 4.0).exp();
                let root = (sigma.clone().powi_scalar(2) + 0.25).sqrt();
                let above = sigma.clone() - 0.002;
                let clean = (sigma.powi_scalar(2) + variance).sqrt().recip() * SD[0];
                let skip = (above.clone().powi_scalar(2) + 0.25).recip() * 0.25;
                let out = above * 0.5 / root.clone();
                z * per_row((clean - skip) / out * root) * one(a)
            }
            Self::Trig => {
                // f = sd·x/√V and F = (cos a·x − f)/(sin a·σ_d), with σ_d = ½ and x = z/2.
                let angle = t / FRAC_2_PI;
                let (sin, cos) = (angle.clone().sin(), angle.cos());
                let total = cos.clone().powi_scalar(2) * variance + sin.clone().powi_scalar(2) * 0.25;
                z * per_row((cos - total.sqrt().recip() * SD[0]) / sin) * one(a)
            }
        }
    }
}

/// A network in training.
#[derive(Module, Debug)]
struct Online<B: Backend> {
    a: Param<Tensor<B, 1>>,
    b: Param<Tensor<B, 1>>,
    #[module(skip)]
    output: Output,
}

impl<B: Backend<Device = Device>> Online<B> {
    fn new(output: Output, [a, b]: [f64; 2]) -> Self {
        let param = |value: f64| Param::from_tensor(tensor(&[value], [1]));
        Self { a: param(a), b: param(b), output }
    }
}

impl<B: Backend> Backbone<B> for Online<B> {
    fn forward(&self, z: Tensor<B, 4>, _: Tensor<B, 1>, t: Tensor<B, 1>, _: &Condition<B>) -> Tensor<B, 4> {
        self.output.of([self.a.val(), self.b.val()], z, t)
    }

    fn classes(&self) -> Option<usize> {
        Some(1)
    }
}

/// A network without gradient.
enum Frozen {
    /// An average of the one in training.
    Average(Box<Online<Flex>>),
    /// The flow of Gaussian data.
    Gaussian,
    /// The flow of data that is this point alone.
    Point(f64),
}

impl Frozen {
    fn average(output: Output, weights: [f64; 2]) -> Self {
        Self::Average(Box::new(Online::new(output, weights)))
    }
}

impl Backbone<Flex> for Frozen {
    fn forward(
        &self,
        z: Tensor<Flex, 4>,
        r: Tensor<Flex, 1>,
        t: Tensor<Flex, 1>,
        condition: &Condition<Flex>,
    ) -> Tensor<Flex, 4> {
        match self {
            Self::Average(net) => net.forward(z, r, t, condition),
            Self::Gaussian => {
                let [class, null] =
                    SD.map(|sd| Gaussian { sd }.forward(z.clone(), r.clone(), t.clone(), condition));
                let labels = condition.labels.clone().expect("labels");
                let is_null = per_row(labels.equal_elem(1).float().cast(z.dtype()));
                class.clone() + (null - class) * is_null
            }
            Self::Point(mu) => (z - *mu) / per_row(t),
        }
    }

    fn classes(&self) -> Option<usize> {
        Some(1)
    }
}

/// The objective of these keys.
fn read(name: &'static str, keys: &str) -> ObjectiveConfig {
    let about = About { labels: Labels::Known, guided: Some(false) };
    let text = format!("[objective.{name}]\n{keys}");
    let document = Document::of_text("x.toml", &text, Layout::of("x")).unwrap();
    let read = document.read(|root, _| {
        root.kind("objective", &[name], None, |kind, r| ObjectiveConfig::read(kind, r, &about))
    });
    read.only().unwrap().0
}

fn ct(keys: &str) -> CtConfig {
    match read("ct", keys) {
        ObjectiveConfig::Ct(config) => config,
        other => panic!("{other:?}"),
    }
}

fn sct(keys: &str) -> Preset<Sct> {
    match read("sct", keys) {
        ObjectiveConfig::Sct(config) => config,
        other => panic!("{other:?}"),
    }
}

/// Loss and gradient in `a` and `b`.
fn step<O: Objective>(
    objective: &O,
    net: &Online<B>,
    teachers: &[Frozen],
    data: Batch<Flex>,
    draws: &O::Draws,
) -> ([f64; 3], Loss<B>) {
    let frozen = Frozen::average(net.output, [0.0; 2]);
    let nets = Nets { online: net, frozen: &frozen, teachers };
    let loss = objective.loss::<B, _, _>(&nets, data, draws);
    let gradients = loss.loss.clone().backward();
    let of = |param: &Param<Tensor<B, 1>>| param.grad(&gradients).map_or(0.0, |g| values(g)[0]);
    ([values(loss.loss.clone().inner())[0], of(&net.a), of(&net.b)], loss)
}

/// `c_skip`, `c_out`, `c_in` and what a network is told of `σ`, with `σ_d = ½` and the smallest level 0.002.
fn edm(sigma: f64) -> [f64; 4] {
    let (root, above) = ((sigma * sigma + 0.25).sqrt(), sigma - 0.002);
    [0.25 / (above * above + 0.25), above * 0.5 / root, 1.0 / root, sigma.ln() / 4.0]
}

/// `v_0 + ω·(v − v_0)` of velocities in the class and in the null class.
fn guided([class, null]: [f64; 2], omega: Option<f64>) -> f64 {
    omega.map_or(class, |omega| null + omega * (class - null))
}

/// The flow of Gaussian data in `σ` has the slope `σ·x/(sd² + σ²)`; the target is the average's sample after a step along it.
#[test]
fn cd_of_the_exact_teacher_is_the_closed_form() {
    let (weights, average) = ([0.4, -0.8], [0.3, 0.5]);
    for (keys, omega, from) in
        [("", None, 0.0), ("guidance = { omega = 2.5, interval = [0.4, 1.0] }", Some(2.5), 0.4)]
    {
        for solver in ["euler", "heun"] {
            let config = ct(&format!("teacher = \"flow\"\nsolver = \"{solver}\"\n{keys}"));
            let streams = Streams::new(3);
            let draws = config.draw(&At::new(&streams, 5, 100), SHAPE);
            let data = batch(SHAPE, 1, 6);
            let net = Online::<B>::new(Output::Linear, weights);
            let teachers = [Frozen::average(Output::Linear, average), Frozen::Gaussian];
            let (found, _) = step(&config, &net, &teachers, data.clone(), &draws);

            let slope = |x: f64, sigma: f64| {
                let acts = sigma / (1.0 + sigma) >= from;
                let slopes = SD.map(|sd| sigma * x / (sd * sd + sigma * sigma));
                guided(slopes, omega.filter(|_| acts))
            };
            let denoise = |[a, b]: [f64; 2], x: f64, sigma: f64| {
                let [skip, out, scale, told] = edm(sigma);
                skip * x + out * (a * scale * x + b * told)
            };
            let mut expected = [0.0; 3];
            for (i, x) in values(data.x).into_iter().enumerate() {
                let row = i / ELEMENTS;
                let [t, r] = [&draws.sigma, &draws.target].map(|levels| f64::from(levels[row]));
                let x = x + t * f64::from(draws.noise[i]);
                let (gap, first) = (r - t, slope(x, t));
                let euler = x + gap * first;
                let near = if solver == "euler" { euler } else { x + gap * (first + slope(euler, r)) / 2.0 };
                let error = denoise(weights, x, t) - denoise(average, near, r);
                let [_, out, scale, told] = edm(t);
                expected[0] += error * error;
                expected[1] += 2.0 * error * out * scale * x;
                expected[2] += 2.0 * error * out * told;
            }
            let expected = expected.map(|sum| sum / values(batch(SHAPE, 1, 6).x).len() as f64);
            assert_close(&format!("{solver} {keys}"), &found, &expected, 1e-11);
        }
    }
}

/// Where the marginal velocity is that of every sample, the flow of data at one point, distillation is training.
#[test]
fn cd_of_a_point_is_ct() {
    device();
    let net = Online::<B>::new(Output::Linear, [0.4, -0.8]);
    let average = || Frozen::average(Output::Linear, [0.3, 0.5]);
    let data = Batch { x: tensor(&[0.25; 32], SHAPE), ..batch(SHAPE, 1, 6) };
    for solver in ["euler", "heun"] {
        let keys = "first = 10\nlast = 40\ndecay = 0.9\n";
        let training = ct(keys);
        let distillation = ct(&format!("{keys}teacher = \"flow\"\nsolver = \"{solver}\""));
        let streams = Streams::new(3);
        let at = At::new(&streams, 50, 100);
        let draws = training.draw(&at, SHAPE);
        assert_eq!(draws, distillation.draw(&at, SHAPE));
        let (expected, _) = step(&training, &net, &[average()], data.clone(), &draws);
        let teachers = [average(), Frozen::Point(0.25)];
        let (found, _) = step(&distillation, &net, &teachers, data.clone(), &draws);
        assert_close(solver, &found, &expected, 1e-10);
    }
}

/// The consistency function of the teacher's flow is wrong by the error of a step alone, which is of second order, or of third.
#[test]
fn the_error_of_cd_is_that_of_a_step() {
    let net = Online::<B>::new(Output::Edm, [1.0, 0.0]);
    for (solver, order) in [("euler", 2.0), ("heun", 3.0)] {
        let config = ct(&format!("teacher = \"flow\"\nsolver = \"{solver}\""));
        let error = |gap: f32| {
            let noise = Streams::new(3).normal("noise", 0, SHAPE.iter().product());
            let draws = LevelDraws { noise, sigma: vec![1.0; 8], target: vec![1.0 - gap; 8], dropout: None };
            let teachers = [Frozen::average(Output::Edm, [1.0, 0.0]), Frozen::Gaussian];
            step(&config, &net, &teachers, batch(SHAPE, 1, 6), &draws).0[0].sqrt()
        };
        let found = (error(0.0625) / error(0.03125)).log2();
        assert!((found - order).abs() < 0.1, "{solver}: order {found}");
    }
}

/// As published: 18 levels from first to last, and the network itself as its target.
#[test]
fn the_grid_of_cd_stays() {
    let config = ct("teacher = \"flow\"");
    assert_eq!([0.0, 0.5, 1.0].map(|progress| config.levels(progress)), [18; 3]);
    assert!(!config.depends_on_length() && ct("").depends_on_length());
    let streams = Streams::new(0);
    let [Teacher::Ema { decay }, Teacher::Frozen(path)] = &config.teachers(&At::new(&streams, 3, 4))[..]
    else {
        panic!("an average and a teacher")
    };
    assert_eq!((*decay, path.file_name().unwrap().to_str()), (0.0, Some("flow")));
    let Some(Distillation { solver: LevelStep::Heun, guidance: None, .. }) = config.distillation else {
        panic!("{config:?}")
    };
}

/// On TrigFlow's path Gaussian data has the variance `V = cos²a·sd² + sin²a·σ_d²` and the velocity `sin a·cos a·(σ_d² − sd²)/V·x`; the loss and its
/// gradient are those of `g` with it.
#[test]
fn scd_of_the_exact_teacher_is_the_closed_form() {
    let (weights, sigma_data) = ([0.4, -0.8], 0.5);
    let trig = TrigFlow { sigma_data };
    for (keys, omega) in [("", None), ("guidance = { omega = 2.5, interval = [0.0, 0.5] }", Some(2.5))] {
        let objective =
            sct(&format!("teacher = \"flow\"\nlearned-weight = false\nlabel-dropout = 0.3\n{keys}"));
        let streams = Streams::new(1);
        let draws = objective.draw(&At::new(&streams, 10, 1000), SHAPE);
        assert!((draws.warm - 0.4).abs() < 1e-12 && draws.dropped.contains(&true));
        let inside = |a: &f64| *a <= trig.angle(0.5);
        assert!(draws.t.iter().any(inside) && !draws.t.iter().all(inside));
        let data = batch(SHAPE, 1, 6);
        let net = Online::<B>::new(Output::Linear, weights);
        let (found, _) = step(&objective, &net, &[Frozen::Gaussian], data.clone(), &draws);

        let x = values(data.x);
        let mut expected = [0.0; 3];
        for (row, a) in draws.t.iter().enumerate() {
            let (sin, cos) = a.sin_cos();
            let told = a * FRAC_2_PI;
            // The point, and g over σ_d.
            let elements = (row * ELEMENTS..(row + 1) * ELEMENTS).map(|i| {
                let point = cos * x[i] + sin * sigma_data * f64::from(draws.noise[i]);
                let mut velocities = SD.map(|sd| {
                    let variance = (cos * sd).powi(2) + (sin * sigma_data).powi(2);
                    sin * cos * (sigma_data * sigma_data - sd * sd) / variance * point
                });
                if draws.dropped[row] {
                    velocities[0] = velocities[1];
                }
                let v = guided(velocities, omega.filter(|_| inside(a)));
                let output = weights[0] * point / sigma_data + weights[1] * told;
                let slope = weights[0] * v / sigma_data + weights[1] * FRAC_2_PI;
                let g = cos * cos * (sigma_data * output - v)
                    + draws.warm * cos * sin * (point + sigma_data * slope);
                [point / sigma_data, g]
            });
            let elements: Vec<[f64; 2]> = elements.collect();
            let size = (elements.iter().map(|[_, g]| g * g).sum::<f64>() / ELEMENTS as f64).sqrt();
            for [z, g] in elements {
                let tangent = g / (size + 0.1);
                expected[0] += tangent * tangent;
                expected[1] += 2.0 * tangent * z;
                expected[2] += 2.0 * tangent * told;
            }
        }
        let expected = expected.map(|sum| sum / x.len() as f64);
        assert_close(keys, &found, &expected, 1e-11);
    }
}

/// The consistency function of the teacher's flow has no residual, whatever the data of the batch; against another velocity it has one.
#[test]
fn the_consistency_function_of_the_teacher_has_no_residual() {
    let net = Online::<B>::new(Output::Trig, [1.0, 0.0]);
    let raw = |keys: &str, teachers: &[Frozen]| {
        let objective = sct(&format!("{keys}learned-weight = false\nlabel-dropout = 0.0\nwarmup = 0.0"));
        let streams = Streams::new(4);
        let draws = objective.draw(&At::new(&streams, 10, 1000), SHAPE);
        let (_, loss) = step(&objective, &net, teachers, batch(SHAPE, 1, 6), &draws);
        values(loss.measure("raw").expect("measured")).into_iter().fold(0.0, f64::max)
    };
    let taught = raw("teacher = \"flow\"\n", &[Frozen::Gaussian]);
    assert!(taught < 1e-20, "{taught:e}");
    for other in [raw("", &[]), raw("teacher = \"flow\"\n", &[Frozen::Point(0.0)])] {
        assert!(other > 1e-2, "{other:e}");
    }
}
