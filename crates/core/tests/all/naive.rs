//! MeanFlow as the paper's algorithms 1 and 2 write it: every row through one Jacobian-vector product, no shortcuts.

use burn::{
    backend::Flex,
    module::AutodiffModule,
    tensor::{Int, Tensor},
};
use meanflow_core::{
    Backbone, Condition,
    objective::{Batch, Draws, GuidanceConfig},
    weight::Weight,
};
use meanflow_jvp::jvp;

use crate::{
    common::{B, ints, tensor, values},
    network::{CLASSES, Net, SAMPLE},
};

/// The inputs of one training step, and its target, on the host's side of the tape.
pub struct Step {
    pub z: Tensor<Flex, 4>,
    pub r: Tensor<Flex, 1>,
    pub t: Tensor<Flex, 1>,
    pub labels: Tensor<Flex, 1, Int>,
    /// `sg(v − (t−r)·du/dt)`.
    pub target: Tensor<Flex, 4>,
    /// `sg(1/(‖Δ‖² + eps)^p)` of each row.
    pub weights: Vec<f64>,
    /// `‖u − u_tgt‖²`, `‖u − (e − x)‖²` and `‖du/dt‖²` of each row.
    pub squared: Vec<f64>,
    pub velocity: Vec<f64>,
    pub dudt: Vec<f64>,
    pub loss: Tensor<B, 1>,
}

/// Sums of squares of the rows of a sample.
fn row_norms(values: &[f64]) -> Vec<f64> {
    values.chunks(SAMPLE.iter().product()).map(|row| row.iter().map(|a| a * a).sum()).collect()
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

pub fn step(
    net: &Net<B>,
    batch: &Batch<Flex>,
    draws: &Draws,
    weight: Weight,
    guidance: Option<&GuidanceConfig>,
) -> Step {
    let shape = batch.x.dims();
    let (rows, elements) = (shape[0], shape[1] * shape[2] * shape[3]);
    let (t, r, e) = (to_f64(&draws.times.t), to_f64(&draws.times.r), to_f64(&draws.noise));
    let x = values(batch.x.clone());
    let z: Vec<f64> = (0..x.len()).map(|i| (1.0 - t[i / elements]) * x[i] + t[i / elements] * e[i]).collect();
    let v: Vec<f64> = e.iter().zip(&x).map(|(e, x)| e - x).collect();
    let labels: Vec<i64> = batch.labels.clone().expect("labels").into_data().iter::<i64>().collect();
    let field = match guidance {
        Some(guidance) => guided(&net.valid(), guidance, &z, &v, &t, &labels, &draws.dropped),
        None => v.clone(),
    };
    let dropped: Vec<i64> = labels
        .iter()
        .enumerate()
        .map(|(row, &label)| if draws.dropped[row] { CLASSES as i64 } else { label })
        .collect();

    let condition = Condition::labels(ints::<B>(&dropped));
    let (u, dudt) = jvp(
        |(z, r, t): (Tensor<B, 4>, Tensor<B, 1>, Tensor<B, 1>)| net.forward(z, r, t, &condition),
        (tensor(&z, shape), tensor(&r, [rows]), tensor(&t, [rows])),
        (tensor(&field, shape), tensor(&vec![0.0; rows], [rows]), tensor(&vec![1.0; rows], [rows])),
    );
    let dudt = values(dudt);
    let target: Vec<f64> =
        (0..x.len()).map(|i| field[i] - (t[i / elements] - r[i / elements]) * dudt[i]).collect();
    let host_u = values(u.clone());
    let less = |a: &[f64]| row_norms(&host_u.iter().zip(a).map(|(u, a)| u - a).collect::<Vec<_>>());
    let squared = less(&target);
    let weights: Vec<f64> = squared.iter().map(|s| (s + weight.eps).powf(-weight.p)).collect();
    let error = (u - tensor::<B, 4>(&target, shape)).powi_scalar(2).reshape([rows, elements]).sum_dim(1);
    Step {
        z: tensor(&z, shape),
        r: tensor(&r, [rows]),
        t: tensor(&t, [rows]),
        labels: ints(&dropped),
        target: tensor(&target, shape),
        loss: (error * tensor::<B, 2>(&weights, [rows, 1])).mean(),
        weights,
        velocity: less(&v),
        squared,
        dudt: row_norms(&dudt),
    }
}

/// The guided field, row by row.
pub fn guided(
    net: &Net<Flex>,
    guidance: &GuidanceConfig,
    z: &[f64],
    v: &[f64],
    t: &[f64],
    labels: &[i64],
    dropped: &[bool],
) -> Vec<f64> {
    let [c, h, w] = SAMPLE;
    let (omega, kappa) = (guidance.omega, guidance.kappa);
    let mut field = Vec::new();
    for (row, (z, v)) in z.chunks(c * h * w).zip(v.chunks(c * h * w)).enumerate() {
        if dropped[row] || t[row] < guidance.interval[0] || t[row] > guidance.interval[1] {
            field.extend(v);
            continue;
        }
        let time = tensor::<Flex, 1>(&t[row..=row], [1]);
        let velocity = |label: i64| {
            let condition = Condition::labels(ints(&[label]));
            values(net.forward(tensor(z, [1, c, h, w]), time.clone(), time.clone(), &condition))
        };
        let (null, own) = (velocity(CLASSES as i64), velocity(labels[row]));
        field.extend((0..v.len()).map(|i| {
            if kappa == 0.0 {
                null[i] + omega * (v[i] - null[i])
            } else {
                omega * v[i] + (1.0 - omega - kappa) * null[i] + kappa * own[i]
            }
        }));
    }
    field
}
