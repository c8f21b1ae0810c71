//! The linear assignment problem for arrays, with typed errors.

use meanflow_transport::Assignment;
use ndarray::ArrayView2;

use crate::MetricError;

/// The assignment of rows to columns of least total cost, in O(n³) at worst.
///
/// Exact up to rounding of the dual variables, and deterministic: ties go to the column that comes first.
///
/// # Shapes
/// `costs`: `[n, n]`.
///
/// # Errors
/// A matrix that is not square, and a cost that is NaN or infinite.
pub fn assign(costs: ArrayView2<'_, f64>) -> Result<Assignment, MetricError> {
    let n = costs.nrows();
    if costs.ncols() != n {
        return Err(MetricError::NotSquare {
            what: "the cost matrix",
            rows: n,
            columns: costs.ncols(),
            expected: n,
        });
    }
    if let Some(((row, column), value)) = costs.indexed_iter().find(|(_, cost)| !cost.is_finite()) {
        return Err(MetricError::NotFinite { set: "the cost matrix", row, column, value: value.to_string() });
    }
    let costs = costs.as_standard_layout();
    Ok(meanflow_transport::assign(costs.as_slice().expect("standard layout"), n))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn known_case() {
        let found = assign(array![[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]].view()).unwrap();
        assert_eq!(found, Assignment { columns: vec![1, 0, 2], cost: 5.0 });
    }

    #[test]
    fn refuses() {
        let error = assign(Array2::zeros((2, 3)).view()).unwrap_err();
        assert_eq!(
            error,
            MetricError::NotSquare { what: "the cost matrix", rows: 2, columns: 3, expected: 2 }
        );
        let error = assign(array![[0.0, 1.0], [f64::NAN, 0.0]].view()).unwrap_err();
        assert!(matches!(error, MetricError::NotFinite { row: 1, column: 0, .. }), "{error}");
    }
}
