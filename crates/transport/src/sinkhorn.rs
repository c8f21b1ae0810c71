//! Transport softened by entropy (M. Cuturi, "Sinkhorn distances", NeurIPS 2013).

/// The plan `π = diag(u)·K·diag(v)` with `K = exp(−cost/reg)` whose rows and columns sum to `1/n`, by Sinkhorn's iteration; `costs` is
/// `n × n`, row-major, and so is the plan.
///
/// It ends when the columns' sums are right to `tolerance` in the norm (looked at every tenth time), and after `most` iterations in
/// any case. A `reg` that is small beside the costs makes `K` vanish: costs over their largest and `reg ≥ 0.002` do not.
///
/// # Panics
/// If there are not `n²` costs.
pub fn sinkhorn(costs: &[f64], n: usize, reg: f64, tolerance: f64, most: usize) -> Vec<f64> {
    assert_eq!(costs.len(), n * n, "costs of {n} rows and columns");
    let share = 1.0 / n as f64;
    let kernel: Vec<f64> = costs.iter().map(|cost| (-cost / reg).exp()).collect();
    let (mut u, mut v) = (vec![share; n], vec![share; n]);
    let columns = |u: &[f64]| {
        let mut sums = vec![0.0; n];
        for (row, u) in kernel.chunks_exact(n).zip(u) {
            for (sum, k) in sums.iter_mut().zip(row) {
                *sum += k * u;
            }
        }
        sums
    };
    for iteration in 0..most {
        let sums = columns(&u);
        if iteration % 10 == 1 {
            let wrong: f64 = sums.iter().zip(&v).map(|(sum, v)| (sum * v - share).powi(2)).sum();
            if wrong.sqrt() < tolerance {
                break;
            }
        }
        v = sums.iter().map(|sum| share / sum).collect();
        let rows = kernel.chunks_exact(n).map(|row| row.iter().zip(&v).map(|(k, v)| k * v).sum::<f64>());
        u = rows.map(|sum| share / sum).collect();
    }
    let rows = kernel.chunks_exact(n).zip(&u);
    rows.flat_map(|(row, u)| row.iter().zip(&v).map(move |(k, v)| u * k * v)).collect()
}

/// The index drawn with these weights for a uniform draw `u` in [0, 1): the first whose share of the sum, with all before it,
/// exceeds `u`.
pub fn draw(weights: &[f64], u: f64) -> usize {
    let wanted = u * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let passed = weights.iter().position(|weight| {
        sum += weight;
        sum > wanted
    });
    // Rounding may leave a draw near 1 beyond the last sum.
    passed.unwrap_or(weights.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assign;

    const N: usize = 6;

    fn costs() -> Vec<f64> {
        (0..N * N).map(|i| ((i * i * 7 + 3 * i) % 23) as f64 / 23.0).collect()
    }

    #[test]
    fn rows_and_columns_have_their_sums() {
        let plan = sinkhorn(&costs(), N, 0.05, 1e-13, 100_000);
        for i in 0..N {
            let row: f64 = plan[i * N..][..N].iter().sum();
            let column: f64 = plan.iter().skip(i).step_by(N).sum();
            assert!((row * N as f64 - 1.0).abs() < 1e-12 && (column * N as f64 - 1.0).abs() < 1e-11);
        }
    }

    /// Nearly all of a plan with little entropy lies on the assignment.
    #[test]
    fn little_entropy_is_the_assignment() {
        let plan = sinkhorn(&costs(), N, 0.003, 1e-12, 100_000);
        for (row, column) in assign(&costs(), N).columns.into_iter().enumerate() {
            assert!(plan[row * N + column] * N as f64 > 0.99, "row {row}");
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        assert_eq!([0.0, 0.24, 0.25, 0.99].map(|u| draw(&[1.0, 0.0, 3.0], u)), [0, 0, 2, 2]);
    }
}
