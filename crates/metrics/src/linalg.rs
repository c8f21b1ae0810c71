//! faer, called so that results do not depend on the number of threads.
//!
//! faer splits work, and with it the order of additions, by a degree of parallelism that it is told, whatever the size of
//! the pool that does it. Ours is fixed.

use faer::{
    Accum, Col, Mat, MatMut, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch},
        matmul::matmul,
    },
    matrix_free::eigen::{
        PartialEigenParams, partial_self_adjoint_eigen, partial_self_adjoint_eigen_scratch,
    },
};
use rayon::prelude::*;

use crate::MetricError;

/// Parts that an eigendecomposition is split into.
const DEGREE: usize = 4;

/// Error of an eigenpair over the largest eigenvalue at which [`leading`] ends.
const TOLERANCE: f64 = 1e-12;

/// Columns of a product that one task computes.
const COLUMNS: usize = 128;

/// `A = U diag(values) Uᵀ` of a symmetric matrix (its lower half is read), values rising.
pub(crate) struct Eigen {
    pub values: Vec<f64>,
    pub vectors: Mat<f64>,
}

/// The symmetric eigendecomposition. Fails where the iteration does not converge.
pub(crate) fn eigen(symmetric: MatRef<'_, f64>) -> Result<Eigen, MetricError> {
    let size = symmetric.nrows();
    let mut vectors = Mat::zeros(size, size);
    let values = decompose(symmetric, Some(vectors.as_mut()))?;
    Ok(Eigen { values, vectors })
}

/// The largest `count` eigenvalues of a symmetric positive semidefinite matrix, falling, and their eigenvectors as columns: a
/// Krylov method, which needs little more memory than the matrix. `None` where the iteration does not converge, as for a matrix of
/// lower rank.
pub(crate) fn leading(symmetric: MatRef<'_, f64>, count: usize) -> Option<Eigen> {
    let size = symmetric.nrows();
    // Of a zero matrix the iteration would not end.
    if (0..size).all(|i| symmetric[(i, i)] == 0.0) {
        return None;
    }
    let mut vectors = Mat::zeros(size, count);
    let mut values = vec![0.0; count];
    // Any start with a share of every eigenvector will do.
    let start = Col::from_fn(size, |i| (1.0 + (i as f64 * 0.754_877_666).fract()) / (size as f64).sqrt());
    let params = PartialEigenParams { max_restarts: 1000, ..Default::default() };
    let scratch = partial_self_adjoint_eigen_scratch::<f64>(&symmetric, count, Par::Seq, params);
    let found = partial_self_adjoint_eigen(
        vectors.as_mut(),
        &mut values,
        &symmetric,
        start.as_ref(),
        TOLERANCE,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    );
    (found.n_converged_eigen == count).then_some(Eigen { values, vectors })
}

/// The eigenvalues alone, rising.
pub(crate) fn eigenvalues(symmetric: MatRef<'_, f64>) -> Result<Vec<f64>, MetricError> {
    decompose(symmetric, None)
}

fn decompose(symmetric: MatRef<'_, f64>, vectors: Option<MatMut<'_, f64>>) -> Result<Vec<f64>, MetricError> {
    let size = symmetric.nrows();
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let parallel = Par::rayon(DEGREE);
    let mut values = Diag::<f64>::zeros(size);
    let scratch = self_adjoint_evd_scratch::<f64>(size, wanted, parallel, Default::default());
    self_adjoint_evd(
        symmetric,
        values.as_mut(),
        vectors,
        parallel,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| MetricError::NoConvergence { size })?;
    Ok(values.column_vector().iter().copied().collect())
}

/// `a · b`.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    out.as_mut().par_col_chunks_mut(COLUMNS).enumerate().for_each(|(panel, out)| {
        let columns = b.subcols(panel * COLUMNS, out.ncols());
        matmul(out, Accum::Replace, a, columns, 1.0, Par::Seq);
    });
    out
}

/// `out += a · b`.
pub(crate) fn add_product(out: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    matmul(out, Accum::Add, a, b, 1.0, Par::Seq);
}

/// `out = a · b`.
pub(crate) fn set_product(out: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    matmul(out, Accum::Replace, a, b, 1.0, Par::Seq);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let size = 300;
        let a = Mat::from_fn(size, size, |i, j| {
            let (i, j) = (i.max(j), i.min(j));
            ((i * 37 + j * j * 11 + i * j) % 97) as f64 / 50.0 - 1.0
        });
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let eigen = eigen(a.as_ref()).unwrap();
                let product = product(eigen.vectors.as_ref(), a.as_ref());
                let mut bits: Vec<u64> = eigen.values.iter().map(|x| x.to_bits()).collect();
                bits.extend(eigenvalues(a.as_ref()).unwrap().iter().map(|x| x.to_bits()));
                bits.extend(
                    product
                        .col_iter()
                        .flat_map(|column| column.iter().map(|x| x.to_bits()).collect::<Vec<_>>()),
                );
                bits
            })
        };
        assert_eq!(bits(1), bits(2));
        assert_eq!(bits(1), bits(5));
    }
}
