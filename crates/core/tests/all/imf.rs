//! Improved MeanFlow against the order of operations of the official code: every row differentiated, each velocity evaluated
//! where the code does.

use burn::{
    backend::Flex,
    module::{AutodiffModule, Module, Param},
    tensor::{Tensor, backend::Backend},
};
use meanflow_core::{
    Backbone, Condition, Flow, Guidance, Heads, Prediction, Streams,
    flow::DataPrediction,
    interpolant::{per_row, squared_norm},
    objective::{Batch, Draws, ImfConfig, ScaleLaw},
    time::{Pairing, Split},
    weight::Weight,
};
use meanflow_jvp::Dual;

use crate::{
    common::{B, Device, LAW, assert_close, batch, draw, ints, loss, tensor, values},
    network::{CLASSES, Net, SAMPLE, parameters},
};

/// Two networks, one for each head, both scaled by what they are told of guidance.
#[derive(Module, Debug)]
struct Guided<B: Backend> {
    u: Net<B>,
    v: Net<B>,
    told: Param<Tensor<B, 1>>,
    two_heads: bool,
}

impl<B: Backend<Device = Device>> Guided<B> {
    fn new(two_heads: bool) -> Self {
        let told = Param::from_tensor(tensor(&[0.7, -0.4, 0.9], [3]));
        Self { u: Net::new(&parameters(1)), v: Net::new(&parameters(2)), told, two_heads }
    }
}

impl<B: Backend> Guided<B> {
    /// `1 + a·(1 − 1/ω) + b·t_min + c·t_max`.
    fn factor(&self, condition: &Condition<B>) -> Tensor<B, 4> {
        let Guidance { omega, t_min, t_max } = condition.guidance.clone().expect("guidance");
        let told = |index: usize| self.told.val().narrow(0, index, 1);
        per_row((-omega.recip() + 1.0) * told(0) + t_min * told(1) + t_max * told(2) + 1.0)
    }
}

impl<B: Backend> Backbone<B> for Guided<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        self.u.forward(z, r, t, condition) * self.factor(condition)
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }

    fn guided(&self) -> bool {
        true
    }

    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        _branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        let v = self
            .two_heads
            .then(|| self.v.forward(z.clone(), r.clone(), t.clone(), condition) * self.factor(condition));
        Heads { u: self.forward(z, r, t, condition), v }
    }
}

fn config(share: f64, guidance: Option<ScaleLaw>) -> ImfConfig {
    ImfConfig {
        time: LAW,
        time_r: None,
        pairing: Pairing::V0,
        share,
        split: Split::Prefix,
        weight: Weight { p: 0.5, eps: 0.01 },
        label_dropout: 0.3,
        guidance,
        data: None,
    }
}

struct Reference {
    loss: Tensor<B, 1>,
    squared: Vec<f64>,
    head: Option<Vec<f64>>,
}

/// A network of data as one of velocities, both heads: `(z − x̂)/max(t, floor)`.
#[derive(Module, Debug)]
struct Converted<B: Backend> {
    net: Guided<B>,
    #[module(skip)]
    floor: f64,
}

impl<B: Backend> Converted<B> {
    fn velocity(&self, z: &Tensor<B, 4>, x: Tensor<B, 4>, t: &Tensor<B, 1>) -> Tensor<B, 4> {
        let below = t.clone().lower_elem(self.floor);
        (z.clone() - x) / per_row(t.clone().mask_fill(below, self.floor))
    }
}

impl<B: Backend> Backbone<B> for Converted<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        self.velocity(&z, self.net.forward(z.clone(), r, t.clone(), condition), &t)
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }

    fn guided(&self) -> bool {
        true
    }

    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        let Heads { u, v } = self.net.heads(z.clone(), r, t.clone(), condition, branch);
        Heads { u: self.velocity(&z, u, &t), v: v.map(|v| self.velocity(&z, v, &t)) }
    }
}

/// The official order: `v_c`, `v_u` at the drawn scale; then the scale is masked and `v_c` taken again.
fn reference<N>(net: &N, batch: &Batch<Flex>, draws: &Draws, weight: Weight, floor: f64) -> Reference
where
    N: Backbone<B> + AutodiffModule<B, InnerModule: Backbone<Flex>>,
{
    let shape = batch.x.dims();
    let rows = shape[0];
    let f64s = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let column = |values: &[f64]| tensor::<Flex, 1>(values, [rows]);
    let (t, r) = (f64s(&draws.times.t), f64s(&draws.times.r));
    let e = tensor::<Flex, 4>(&f64s(&draws.noise), shape);
    let at = per_row(column(&t));
    let z = batch.x.clone() * (-at.clone() + 1.0) + e * at;
    // e − x above the floor.
    let least: Vec<f64> = t.iter().map(|t| t.max(floor)).collect();
    let v = (z.clone() - batch.x.clone()) / per_row(column(&least));
    let labels: Vec<i64> = batch.labels.clone().expect("labels").into_data().iter::<i64>().collect();

    let inner = net.valid();
    let velocity = |labels: &[i64], omega: &[f64]| {
        let guidance = Guidance {
            omega: column(omega),
            t_min: column(&vec![0.0; rows]),
            t_max: column(&vec![1.0; rows]),
        };
        let condition = Condition::labels(ints::<Flex>(labels)).with_guidance(guidance);
        let heads = inner.heads(z.clone(), column(&t), column(&t), &condition, |shared| shared);
        heads.v.unwrap_or(heads.u)
    };
    let still: Vec<bool> = t.iter().zip(&r).map(|(t, r)| t == r).collect();
    let (field, tangent, guidance) = match draws.guidance.as_ref().filter(|_| net.guided()) {
        Some(drawn) => {
            let (omega, t_min, t_max) = (f64s(&drawn.omega), f64s(&drawn.t_min), f64s(&drawn.t_max));
            let guided = |own: &Tensor<Flex, 4>, null: &Tensor<Flex, 4>, omega: &[f64]| {
                let excess: Vec<f64> = omega.iter().map(|omega| 1.0 - 1.0 / omega).collect();
                values(v.clone() + (own.clone() - null.clone()) * per_row(column(&excess)))
            };
            let own = velocity(&labels, &omega);
            let null = velocity(&vec![CLASSES as i64; rows], &vec![1.0; rows]);
            let field_still = guided(&own, &null, &omega);
            let masked: Vec<f64> = (0..rows)
                .map(|row| if t_min[row] <= t[row] && t[row] <= t_max[row] { omega[row] } else { 1.0 })
                .collect();
            let own = velocity(&labels, &masked);
            let field = guided(&own, &null, &masked);
            let elements = field.len() / rows;
            let field: Vec<f64> = (0..field.len())
                .map(|i| if still[i / elements] { field_still[i] } else { field[i] })
                .collect();
            let outer = |values: &[f64]| tensor::<B, 1>(values, [rows]);
            let guidance = Guidance { omega: outer(&omega), t_min: outer(&t_min), t_max: outer(&t_max) };
            (field, own, Some(guidance))
        }
        None => (values(v.clone()), velocity(&labels, &vec![1.0; rows]), None),
    };

    let plain = values(v);
    let elements = plain.len() / rows;
    let field: Vec<f64> =
        (0..plain.len()).map(|i| if draws.dropped[i / elements] { plain[i] } else { field[i] }).collect();
    let dropped: Vec<i64> = labels
        .iter()
        .enumerate()
        .map(|(row, &label)| if draws.dropped[row] { CLASSES as i64 } else { label })
        .collect();
    let condition = Condition { guidance, ..Condition::labels(ints::<B>(&dropped)) };
    let heads = net.heads(
        Tensor::from_inner(z.clone()).with_tangent(tangent),
        Tensor::from_inner(column(&r)),
        Tensor::from_inner(column(&t)).with_tangent(column(&vec![1.0; rows])),
        &condition,
        |shared| shared,
    );
    let (u, dudt) = heads.u.split_tangent();
    let h: Vec<f64> = t.iter().zip(&r).map(|(t, r)| t - r).collect();
    let dudt = dudt.expect("u depends on z and t") * per_row(column(&h));
    let field = Tensor::<B, 4>::from_inner(tensor(&field, shape));
    let squared = squared_norm(u + Tensor::from_inner(dudt) - field.clone());
    let head = heads.v.map(|v| squared_norm(v.split_tangent().0 - field));
    let adaptive = |squared: Tensor<B, 1>| {
        let weights: Vec<f64> =
            values(squared.clone()).into_iter().map(|s| (s + weight.eps).powf(-weight.p)).collect();
        (squared * tensor::<B, 1>(&weights, [rows])).sum() * (1.0 / rows as f64)
    };
    let mut loss = adaptive(squared.clone());
    if let Some(head) = &head {
        loss = loss + adaptive(head.clone());
    }
    Reference { loss, squared: values(squared), head: head.map(values) }
}

const SHAPE: [usize; 4] = [8, SAMPLE[0], SAMPLE[1], SAMPLE[2]];

#[test]
fn the_split_loss_is_that_of_the_official_order() {
    let law = ScaleLaw { max: 8.0, beta: 1.0 };
    for two_heads in [true, false] {
        let net = Guided::<B>::new(two_heads);
        for share in [0.0, 0.5, 1.0] {
            let config = config(share, Some(law));
            let batch = batch(SHAPE, CLASSES, 7);
            for step in 0..3 {
                let draws = draw(&config, &Streams::new(5), step, SHAPE);
                let name = format!("two heads: {two_heads}, share {share}, step {step}");
                let got = loss(&config, &net, batch.clone(), &draws);
                let want = reference(&net, &batch, &draws, config.weight, 0.0);
                assert_close(&name, &values(got.squared), &want.squared, 1e-6);
                assert_eq!(got.head.is_some(), two_heads);
                if let (Some(got), Some(want)) = (got.head, want.head) {
                    assert_close(&name, &values(got), &want, 1e-6);
                }
                assert_eq!(got.dudt.is_some(), share > 0.0);
                assert_close(&name, &values(got.loss.clone()), &values(want.loss.clone()), 1e-6);
                let gradients = |loss: Tensor<B, 1>| {
                    let tape = loss.backward();
                    let of = |p: &Param<Tensor<B, 1>>| values(p.grad(&tape).expect("a gradient"));
                    of(&net.told)
                };
                let (got, want) = (gradients(got.loss), gradients(want.loss));
                assert_close(&name, &got, &want, 1e-6);
            }
        }
    }
}

/// Networks of data: the loss is that of the official order for the velocities they stand for, of which the target is one; half of the rows
/// lie below the floor.
#[test]
fn data_are_predicted_as_their_velocities() {
    let (law, floor) = (ScaleLaw { max: 8.0, beta: 1.0 }, 0.4);
    for two_heads in [true, false] {
        let net = Converted { net: Guided::<B>::new(two_heads), floor };
        for share in [0.0, 0.5, 1.0] {
            let config = ImfConfig { data: Some(DataPrediction { floor }), ..config(share, Some(law)) };
            let batch = batch(SHAPE, CLASSES, 7);
            let draws = draw(&config, &Streams::new(5), 1, SHAPE);
            let below = draws.times.t.iter().filter(|t| f64::from(**t) < floor).count();
            assert!((2..=6).contains(&below), "{below}");
            let got = loss(&config, &net.net, batch.clone(), &draws);
            let want = reference(&net, &batch, &draws, config.weight, floor);
            let name = format!("two heads: {two_heads}, share {share}");
            assert_close(&name, &values(got.squared), &want.squared, 1e-6);
            assert_eq!(got.head.is_some(), two_heads);
            if let (Some(got), Some(want)) = (got.head, want.head) {
                assert_close(&name, &values(got), &want, 1e-6);
            }
            assert_close(&name, &values(got.loss.clone()), &values(want.loss.clone()), 1e-6);
            let gradient = |loss: Tensor<B, 1>| {
                let gradients = loss.backward();
                values(net.net.told.grad(&gradients).expect("a gradient"))
            };
            assert_close(&name, &gradient(got.loss), &gradient(want.loss), 1e-6);
        }
    }
}

/// A flow of data steps to them: from noise, the network's output is the sample.
#[test]
fn one_step_of_a_data_prediction_is_the_output() {
    let net = Net::<Flex>::new(&parameters(3));
    let condition = Condition::labels(batch(SHAPE, CLASSES, 7).labels.expect("labels"));
    let z = batch(SHAPE, CLASSES, 9).x;
    let [zero, one] = [0.0, 1.0].map(|t| tensor::<Flex, 1>(&[t; 8], [8]));
    let flow = Flow { net: &net, prediction: Prediction::Data(DataPrediction { floor: 0.05 }) };
    let found = flow.map(z.clone(), zero.clone(), one.clone(), &condition);
    assert_close("sample", &values(found), &values(net.forward(z, zero, one, &condition)), 1e-14);
}

/// A network that takes no guidance learns the plain velocity along its boundary value.
#[test]
fn without_guidance_and_head_it_is_the_boundary_variant() {
    let net = Net::<B>::new(&parameters(3));
    for share in [0.0, 0.5, 1.0] {
        let config = config(share, None);
        let batch = batch(SHAPE, CLASSES, 8);
        let draws = draw(&config, &Streams::new(6), 0, SHAPE);
        let got = loss(&config, &net, batch.clone(), &draws);
        let want = reference(&net, &batch, &draws, config.weight, 0.0);
        assert_close("squared", &values(got.squared), &want.squared, 1e-6);
        assert!(got.head.is_none());
        assert_close("loss", &values(got.loss.clone()), &values(want.loss.clone()), 1e-6);
        assert_close("gradient", &net.gradient(got.loss), &net.gradient(want.loss), 1e-6);
    }
}

#[test]
#[should_panic(expected = "guidance needs a network that takes it")]
fn guidance_for_a_network_that_takes_none() {
    let net = Net::<B>::new(&parameters(3));
    let config = config(0.5, Some(ScaleLaw { max: 8.0, beta: 1.0 }));
    let draws = draw(&config, &Streams::new(6), 0, SHAPE);
    loss(&config, &net, batch(SHAPE, CLASSES, 8), &draws);
}
