//! Layer normalisation.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Shape, TensorMetadata};

use crate::mode::Mode;
use crate::tensor::{JvpTensor, T};

/// `y = γ·x̂ + β` with `x̂ = (x − mean x)·s`, `s = 1/√(var x + ε)` along the last axis.
///
/// `dy = γ·dx̂ + dγ·x̂ + dβ` with `dx̂ = s·(c' − x̂·mean(x̂·c'))`, `c' = dx − mean dx`.
pub(super) fn rule<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    gamma: JvpTensor<A, M>,
    beta: Option<JvpTensor<A, M>>,
    epsilon: f64,
) -> JvpTensor<A, M> {
    let (beta, dbeta) = match beta {
        Some(beta) => (Some(beta.primal), beta.tangent),
        None => (None, None),
    };
    let rank = x.primal.shape().num_dims();
    let mut tangent = None;
    if x.tangent.is_some() || gamma.tangent.is_some() {
        let (normal, scale) = normalise::<T<A, M>>(x.value(), epsilon);
        if let Some(dx) = x.tangent {
            let dnormal = normalised_tangent::<T<A, M>>(dx, normal.clone(), scale);
            let gamma = along_last::<T<A, M>>(M::project(&gamma.primal), rank);
            tangent = Some(T::<A, M>::float_mul(dnormal, gamma));
        }
        if let Some(dgamma) = gamma.tangent {
            let dgamma = along_last::<T<A, M>>(dgamma, rank);
            let term = T::<A, M>::float_mul(normal, dgamma);
            tangent = Some(add::<T<A, M>>(tangent, term));
        }
    }
    if let Some(dbeta) = dbeta {
        let dbeta = along_last::<T<A, M>>(dbeta, rank);
        tangent = Some(add::<T<A, M>>(tangent, dbeta));
    }
    let y = A::layer_norm(x.primal, gamma.primal, beta, epsilon);
    match tangent {
        None => JvpTensor::constant(y),
        Some(tangent) => JvpTensor::dual(y, tangent),
    }
}

/// `(x̂, s)`.
fn normalise<B: Backend>(x: FloatTensor<B>, epsilon: f64) -> (FloatTensor<B>, FloatTensor<B>) {
    let centred = centre::<B>(x);
    let last = centred.shape().num_dims() - 1;
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), last);
    let scale = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, epsilon.into())));
    (B::float_mul(centred, scale.clone()), scale)
}

fn normalised_tangent<B: Backend>(
    dx: FloatTensor<B>,
    normal: FloatTensor<B>,
    scale: FloatTensor<B>,
) -> FloatTensor<B> {
    let centred = centre::<B>(dx);
    let last = centred.shape().num_dims() - 1;
    let overlap = B::float_mean_dim(B::float_mul(normal.clone(), centred.clone()), last);
    B::float_mul(B::float_sub(centred, B::float_mul(normal, overlap)), scale)
}

/// `x − mean x` along the last axis.
fn centre<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let last = x.shape().num_dims() - 1;
    let mean = B::float_mean_dim(x.clone(), last);
    B::float_sub(x, mean)
}

/// `[features]` as `[1, …, 1, features]` of the given rank.
fn along_last<B: Backend>(x: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let mut shape = vec![1; rank];
    shape[rank - 1] = x.shape().num_elements();
    B::float_reshape(x, Shape::from(shape))
}

fn add<B: Backend>(sum: Option<FloatTensor<B>>, term: FloatTensor<B>) -> FloatTensor<B> {
    match sum {
        Some(sum) => B::float_add(sum, term),
        None => term,
    }
}
