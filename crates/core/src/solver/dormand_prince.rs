//! The Dormand–Prince method: order 5 with steps of its own choice, from an embedded solution of order 4
//! (J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6 (1980); E. Hairer et al., Solving Ordinary Differential Equations I, II.4).

use super::Field;
use crate::{Backbone, interpolant::squared_norm};
use burn::tensor::{ElementConversion, Tensor, backend::Backend};

/// Nodes: shares of a step at which stages 2 to 7 are.
const NODES: [f64; 6] = [1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];

/// What stages 2 to 7 take of those before; the last row is the solution of order 5.
const STAGES: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];

/// The solution of order 5 less that of order 4.
const ERROR: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];

/// The first step that is tried.
const FIRST: f64 = 0.05;
/// Steps at most; a field that needs more has no flow.
const MOST: usize = 10_000;

/// An adaptive solver of `dz/dt = v(z, t)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DormandPrince {
    /// Largest error of a step, absolute and relative to the values: the root mean square over a row's numbers, of the worst row.
    pub tolerance: f64,
}

/// What [`DormandPrince::sample`] found.
#[derive(Clone, Debug)]
pub struct Adaptive<B: Backend> {
    /// The samples.
    pub samples: Tensor<B, 4>,
    /// Evaluations of the field that they took, those of refused steps included.
    pub evaluations: usize,
    /// Whether the tolerance was met everywhere; otherwise the solver gave up on the way.
    pub met: bool,
}

impl DormandPrince {
    /// The samples that noise `z` (`[batch, channels, height, width]`, at time 1) flows to.
    ///
    /// The steps are those of the batch: rows that are drawn together share them.
    pub fn sample<B: Backend, N: Backbone<B>>(self, field: &Field<B, N>, z: Tensor<B, 4>) -> Adaptive<B> {
        let (mut t, mut z) = (field.start(), z * field.start());
        let mut first = field.velocity(z.clone(), t);
        let (mut h, mut evaluations) = (FIRST, 1);
        for _ in 0..MOST {
            let step = h.min(t);
            let mut slopes = vec![first.clone()];
            let mut end = z.clone();
            for (node, weights) in NODES.into_iter().zip(STAGES) {
                end = z.clone() - combined(&slopes, weights) * step;
                // The last stage is at the end exactly, also where rounding says otherwise.
                let time = if node == 1.0 { t - step } else { t - node * step };
                slopes.push(field.velocity(end.clone(), time));
            }
            evaluations += NODES.len();
            let error = self.error(combined(&slopes, &ERROR) * step, &z, &end);
            if error <= 1.0 {
                (t, z) = (t - step, end);
                first = slopes.pop().expect("seven stages");
                if t <= 0.0 {
                    return Adaptive { samples: z, evaluations, met: true };
                }
            }
            // A field that is no number shrinks the step until the steps run out.
            let factor = if error.is_finite() { 0.9 * error.max(1e-10).powf(-0.2) } else { 0.2 };
            h = step * factor.clamp(0.2, 5.0);
        }
        Adaptive { samples: z, evaluations, met: false }
    }

    /// The error of a step over what is allowed.
    fn error<B: Backend>(self, error: Tensor<B, 4>, before: &Tensor<B, 4>, after: &Tensor<B, 4>) -> f64 {
        let larger = before.clone().abs().max_pair(after.clone().abs());
        let allowed = (larger + 1.0) * self.tolerance;
        let numbers: usize = error.dims()[1..].iter().product();
        let rows = squared_norm(error / allowed) / numbers as f64;
        let worst: f64 = rows.max().into_scalar().elem();
        worst.sqrt()
    }
}

/// `Σ weight·slope` of those that have a weight.
fn combined<B: Backend>(slopes: &[Tensor<B, 4>], weights: &[f64]) -> Tensor<B, 4> {
    let weighted = slopes.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
    let sum = weighted.map(|(slope, weight)| slope.clone() * *weight).reduce(|sum, term| sum + term);
    sum.expect("every stage takes of the first")
}
