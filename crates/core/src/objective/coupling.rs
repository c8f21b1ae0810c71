//! Which sample of a batch goes with which noise: minibatch optimal transport (arXiv 2302.00482).
//!
//! Over the costs `‖e_i − x_j‖²` of a batch, the pairs of the exact plan are those of the cheapest assignment; the entropic plan gives every
//! noise a sample by chance. Labels stay with their data.

use super::{At, Reference, ReferenceError};
use crate::random::open_unit;
use meanflow_settings::{Choice, Reader};
use meanflow_transport::{assign, draw, sinkhorn};

/// Which sample of a batch goes with which noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coupling {
    /// As they come.
    #[default]
    Off,
    /// The assignment of least squared distance.
    Exact,
    /// By chance, with the probabilities of the entropic plan.
    Sinkhorn,
}

/// Entropy of the plan beside the largest cost.
const REGULARISATION: f64 = 0.05;
/// How right the columns' sums of a plan are, and the iterations after which it is taken as it is.
const TOLERANCE: f64 = 1e-9;
const ITERATIONS: usize = 1000;

impl Coupling {
    /// The key `coupling`.
    pub fn read(r: &mut Reader) -> Self {
        let choices = vec![("off", Self::Off), ("exact", Self::Exact), ("sinkhorn", Self::Sinkhorn)];
        r.get("coupling", Choice(choices), Self::Off)
    }

    /// The sample of each of `rows` rows of noise; `None`: its own.
    pub fn pairs(self, at: &At, noise: &[f32], samples: &[f32], rows: usize) -> Option<Vec<usize>> {
        match self {
            Self::Off => None,
            Self::Exact => Some(assign(&costs(&wide(noise), &wide(samples), rows), rows).columns),
            Self::Sinkhorn => {
                let costs = costs(&wide(noise), &wide(samples), rows);
                let plan = entropic(&costs, rows, REGULARISATION, (TOLERANCE, ITERATIONS));
                let mut rng = at.streams.rng("pairs", at.step);
                Some(plan.chunks_exact(rows).map(|row| draw(row, open_unit(&mut rng))).collect())
            }
        }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// `‖e_i − x_j‖²`, `[rows, rows]`.
fn costs(e: &[f64], x: &[f64], rows: usize) -> Vec<f64> {
    let width = e.len() / rows;
    let square = |e: &[f64], x: &[f64]| e.iter().zip(x).map(|(e, x)| (e - x) * (e - x)).sum::<f64>();
    e.chunks_exact(width).flat_map(|e| x.chunks_exact(width).map(move |x| square(e, x))).collect()
}

/// The entropic plan of costs over their largest.
fn entropic(costs: &[f64], rows: usize, reg: f64, (tolerance, most): (f64, usize)) -> Vec<f64> {
    let largest = costs.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let costs: Vec<f64> = costs.iter().map(|cost| cost / largest).collect();
    sinkhorn(&costs, rows, reg, tolerance, most)
}

/// Reference numbers: costs, both plans, and pairs drawn from the exact one.
pub fn parity(reference: &mut Reference) -> Result<(), ReferenceError> {
    let rows = reference.number("batch")? as usize;
    let costs = costs(&reference.host("in.e")?, &reference.host("in.x")?, rows);
    if costs.len() != rows * rows {
        return Err(ReferenceError::Constant("batch".to_owned()));
    }
    let assignment = assign(&costs, rows);
    let share = 1.0 / rows as f64;
    let mut plan = vec![0.0; rows * rows];
    for (row, column) in assignment.columns.iter().enumerate() {
        plan[row * rows + column] = share;
    }
    // There, noise and sample of a pair are drawn together.
    let pairs: Vec<usize> = reference.host("in.uniform")?.iter().map(|&u| draw(&plan, u)).collect();
    let reg = reference.number("sinkhorn_reg")?;
    reference.found_host("out.sample_i", pairs.iter().map(|pair| (pair / rows) as f64).collect());
    reference.found_host("out.sample_j", pairs.iter().map(|pair| (pair % rows) as f64).collect());
    reference.found_host("out.permutation", assignment.columns.iter().map(|&j| j as f64).collect());
    reference.found_host("out.loss", vec![assignment.cost * share]);
    reference.found_host("out.plan", plan);
    reference.found_host("out.sinkhorn_plan", entropic(&costs, rows, reg, (TOLERANCE, ITERATIONS)));
    reference.found_host("out.sinkhorn_plan_converged", entropic(&costs, rows, reg, (1e-15, 1_000_000)));
    reference.found_host("out.cost", costs);
    Ok(())
}
