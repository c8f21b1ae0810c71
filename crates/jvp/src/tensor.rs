//! The float tensor of [`Jvp`](crate::Jvp): a primal and an optional tangent.

use core::fmt;

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{DType, Shape, TensorMetadata};

use crate::mode::Mode;

/// The backend of the tangents of `A` in mode `M`.
pub(crate) type T<A, M> = <M as Mode<A>>::Tangent;

/// A tangent primitive.
pub(crate) type Tangent<A, M> = FloatTensor<T<A, M>>;

/// A value and its derivative along the direction of a Jacobian-vector product.
///
/// No tangent means a tangent of zero that costs nothing. Where there is one, it has the primal's shape and dtype.
pub struct JvpTensor<A: Backend, M: Mode<A>> {
    pub(crate) primal: FloatTensor<A>,
    pub(crate) tangent: Option<Tangent<A, M>>,
}

impl<A: Backend, M: Mode<A>> JvpTensor<A, M> {
    /// A tensor whose derivative is zero.
    pub(crate) fn constant(primal: FloatTensor<A>) -> Self {
        Self { primal, tangent: None }
    }

    /// A tensor with a tangent, which is broadcast to the shape of the primal.
    pub(crate) fn dual(primal: FloatTensor<A>, tangent: Tangent<A, M>) -> Self {
        let shape = primal.shape();
        let tangent =
            if tangent.shape() == shape { tangent } else { T::<A, M>::float_expand(tangent, shape) };
        Self { primal, tangent: Some(tangent) }
    }

    /// A primal and its tangent, as a rule outside this crate makes them.
    ///
    /// # Panics
    ///
    /// If shape or dtype of the tangent is not the primal's.
    pub fn new(primal: FloatTensor<A>, tangent: Option<Tangent<A, M>>) -> Self {
        if let Some(tangent) = &tangent {
            assert!(
                tangent.shape() == primal.shape() && tangent.dtype() == primal.dtype(),
                "a tangent of shape {:?} and dtype {:?} does not fit a primal of shape {:?} and dtype {:?}",
                tangent.shape(),
                tangent.dtype(),
                primal.shape(),
                primal.dtype(),
            );
        }
        Self { primal, tangent }
    }

    /// The primal and the tangent; `None` is zero.
    pub fn into_parts(self) -> (FloatTensor<A>, Option<Tangent<A, M>>) {
        (self.primal, self.tangent)
    }

    /// Whether there is a tangent.
    pub fn has_tangent(&self) -> bool {
        self.tangent.is_some()
    }

    /// The primal's value, for use by operations on tangents.
    pub(crate) fn value(&self) -> Tangent<A, M> {
        M::project(&self.primal)
    }
}

/// A tangent of zeros for a primal.
pub(crate) fn zeros<A: Backend, M: Mode<A>>(primal: &FloatTensor<A>) -> Tangent<A, M> {
    let dtype = primal.dtype().into();
    T::<A, M>::float_zeros(primal.shape(), &A::float_device(primal), dtype)
}

impl<A: Backend, M: Mode<A>> Clone for JvpTensor<A, M> {
    fn clone(&self) -> Self {
        Self { primal: self.primal.clone(), tangent: self.tangent.clone() }
    }
}

impl<A: Backend, M: Mode<A>> fmt::Debug for JvpTensor<A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JvpTensor").field("primal", &self.primal).field("tangent", &self.tangent).finish()
    }
}

impl<A: Backend, M: Mode<A>> TensorMetadata for JvpTensor<A, M> {
    fn dtype(&self) -> DType {
        self.primal.dtype()
    }

    fn shape(&self) -> Shape {
        self.primal.shape()
    }

    fn rank(&self) -> usize {
        self.primal.rank()
    }
}
