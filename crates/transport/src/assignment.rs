//! The linear assignment problem, solved exactly by shortest augmenting paths.
//!
//! R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems",
//! Computing 38 (1987): first dual variables (here from a short auction), augmenting row reduction, then a Dijkstra search
//! for every row still free, in the form that keeps the columns to be scanned in one list (D. F. Crouse, "On implementing
//! 2D rectangular assignment algorithms", IEEE TAES 52 (2016)).

use std::collections::VecDeque;

use crate::auction::{self, NONE, two_cheapest};

/// An optimal assignment of rows to columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// `columns[row]` is the column that the row is assigned to; a permutation.
    pub columns: Vec<usize>,
    /// Sum of the assigned costs, added in the order of the rows.
    pub cost: f64,
}

/// Steps per row, in the mean, of the row reduction. In floating point it can go on for ever by ever smaller steps;
/// whatever it leaves, the search completes.
const REDUCTIONS_PER_ROW: usize = 3;

/// The assignment of rows to columns of least total cost, in O(n³) at worst; `costs` is `n × n`, row-major.
///
/// Exact up to rounding of the dual variables, and deterministic: ties go to the column that comes first.
///
/// # Panics
/// If there are not `n²` costs, or one of them is not finite.
pub fn assign(costs: &[f64], n: usize) -> Assignment {
    assert_eq!(costs.len(), n * n, "costs of {n} rows and columns");
    assert!(costs.iter().all(|cost| cost.is_finite()), "a cost is not finite");
    let mut search = Search::new(costs, n);
    search.reduce();
    for row in 0..n {
        if search.column_of[row] == NONE {
            search.augment(row);
        }
    }
    let columns = search.column_of;
    let cost = columns.iter().enumerate().map(|(row, &column)| costs[row * n + column]).sum();
    Assignment { columns, cost }
}

/// Dual variables with `u[i] + v[j] ≤ cost[i][j]`, equality on the partial assignment.
struct Search<'a> {
    costs: &'a [f64],
    n: usize,
    u: Vec<f64>,
    v: Vec<f64>,
    column_of: Vec<usize>,
    row_of: Vec<usize>,
    /// Length of the shortest alternating path to each column, and the row it comes from.
    path: Vec<f64>,
    from: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(costs: &'a [f64], n: usize) -> Self {
        Self {
            costs,
            n,
            u: vec![0.0; n],
            v: auction::duals(costs, n),
            column_of: vec![NONE; n],
            row_of: vec![NONE; n],
            path: vec![0.0; n],
            from: vec![NONE; n],
        }
    }

    fn row(&self, row: usize) -> &'a [f64] {
        &self.costs[row * self.n..][..self.n]
    }

    /// Augmenting row reduction: a free row takes its cheapest column and lowers the column's dual until its second
    /// cheapest is as good; a row that so loses its column comes again later.
    fn reduce(&mut self) {
        let mut free: VecDeque<usize> = (0..self.n).collect();
        for _ in 0..REDUCTIONS_PER_ROW * self.n {
            let Some(row) = free.pop_front() else { break };
            let (best, second) = two_cheapest(self.row(row), &self.v);
            let tie = best.cost == second.cost;
            let column = if tie && self.row_of[best.column] != NONE { second.column } else { best.column };
            if tie && self.row_of[column] != NONE {
                // Nothing to lower: left to the search.
                continue;
            }
            if second.column == NONE {
                self.u[row] = best.cost;
            } else {
                self.u[row] = second.cost;
                self.v[best.column] -= second.cost - best.cost;
            }
            self.column_of[row] = column;
            let loser = std::mem::replace(&mut self.row_of[column], row);
            if loser != NONE {
                self.column_of[loser] = NONE;
                free.push_back(loser);
            }
        }
    }

    /// Dijkstra over the reduced costs from a free row to the nearest free column; flips the path, updates the duals.
    fn augment(&mut self, start: usize) {
        self.path.fill(f64::INFINITY);
        let mut open: Vec<usize> = (0..self.n).collect();
        let mut closed: Vec<usize> = Vec::new();
        let mut row = start;
        let mut shortest = 0.0;
        let sink = loop {
            let costs = self.row(row);
            let offset = shortest - self.u[row];
            let (mut least, mut at) = (f64::INFINITY, NONE);
            for (index, &column) in open.iter().enumerate() {
                let length = offset + costs[column] - self.v[column];
                if length < self.path[column] {
                    self.path[column] = length;
                    self.from[column] = row;
                }
                let length = self.path[column];
                // Among equals a free column ends the search at once.
                if length < least || (length == least && self.row_of[column] == NONE) {
                    (least, at) = (length, index);
                }
            }
            shortest = least;
            let column = open.swap_remove(at);
            if self.row_of[column] == NONE {
                break column;
            }
            closed.push(column);
            row = self.row_of[column];
        };

        self.u[start] += shortest;
        for column in closed {
            let slack = shortest - self.path[column];
            self.u[self.row_of[column]] += slack;
            self.v[column] -= slack;
        }
        let mut column = sink;
        loop {
            let row = self.from[column];
            self.row_of[column] = row;
            std::mem::swap(&mut self.column_of[row], &mut column);
            if row == start {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least cost over all permutations, by recursion.
    fn brute_force(costs: &[f64], n: usize, row: usize, used: &mut Vec<bool>) -> f64 {
        if row == n {
            return 0.0;
        }
        let mut least = f64::INFINITY;
        for column in 0..n {
            if !used[column] {
                used[column] = true;
                least = least.min(costs[row * n + column] + brute_force(costs, n, row + 1, used));
                used[column] = false;
            }
        }
        least
    }

    fn check(costs: &[f64], n: usize) {
        let found = assign(costs, n);
        let mut seen = found.columns.clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..n).collect::<Vec<_>>(), "not a permutation");
        let expected = brute_force(costs, n, 0, &mut vec![false; n]);
        assert!(
            (found.cost - expected).abs() <= 1e-12 * (1.0 + expected.abs()),
            "{} against {expected}",
            found.cost
        );
    }

    proptest! {
        #[test]
        fn equals_brute_force(n in 0usize..=7, values in proptest::collection::vec(-10.0f64..10.0, 49)) {
            check(&values[..n * n], n);
        }

        #[test]
        fn equals_brute_force_with_many_ties(n in 1usize..=7, values in proptest::collection::vec(0u8..3, 49)) {
            let values: Vec<f64> = values[..n * n].iter().map(|&value| f64::from(value)).collect();
            check(&values, n);
        }
    }
}
