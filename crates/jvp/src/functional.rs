//! The functional entry: [`jvp`].

use burn::tensor::Tensor;

use crate::forward::{Dual, ForwardMode};

/// `(f(x), ∂f/∂x · dx)` in one forward pass.
///
/// `primals` and the result are tensors, tuples of up to four of them, arrays or vectors; `tangents` and the returned
/// tangents have the same form on the tangents' backend. A result that does not depend on the primals has a tangent
/// of zeros.
///
/// A tensor that `f` captures is a constant if it has no tangent. A tangent that it does have belongs to another derivative and
/// would be added to the result: capture [`without_tangent`](Dual::without_tangent), or nest backends for nested derivatives, as
/// in `Jvp<Jvp<Flex>, Taped>`, where each level has tangents of its own.
///
/// ```
/// use burn::{backend::Flex, tensor::Tensor};
/// use meanflow_jvp::{Jvp, jvp};
///
/// let device = Default::default();
/// let (x, y) = (Tensor::<Jvp<Flex>, 1>::from_floats([3.0], &device), Tensor::from_floats([4.0], &device));
/// let (dx, dy) = (Tensor::<Flex, 1>::from_floats([1.0], &device), Tensor::from_floats([0.0], &device));
/// let (z, dz) = jvp(|(x, y)| x * y, (x, y), (dx, dy));
/// assert_eq!((z.into_scalar(), dz.into_scalar()), (12.0, 4.0));
/// ```
///
/// # Panics
///
/// If shape or dtype of a tangent is not its primal's, or a primal carries a tangent already, as inside another `jvp` on the
/// same backend.
pub fn jvp<B, X, Y>(f: impl FnOnce(X) -> Y, primals: X, tangents: X::Tangents) -> (Y, Y::Tangents)
where
    B: ForwardMode,
    X: Duals<B>,
    Y: Duals<B>,
{
    f(primals.with_tangents(tangents)).split_tangents()
}

/// One or several tensors of a [`ForwardMode`] backend.
pub trait Duals<B: ForwardMode>: Sized {
    /// The same number of tensors on the tangents' backend.
    type Tangents: Clone;

    /// Attaches a tangent to every tensor.
    ///
    /// # Panics
    ///
    /// If a tensor carries one already, or shape or dtype differ.
    fn with_tangents(self, tangents: Self::Tangents) -> Self;

    /// Takes the tangents away; absent ones are zeros.
    fn split_tangents(self) -> (Self, Self::Tangents);
}

impl<B: ForwardMode, const D: usize> Duals<B> for Tensor<B, D> {
    type Tangents = Tensor<B::Tangent, D>;

    fn with_tangents(self, tangents: Self::Tangents) -> Self {
        let (primal, outer) = self.split_tangent();
        assert!(
            outer.is_none(),
            "a primal of `jvp` carries a tangent already, which would be lost: pass it `without_tangent()`, or nest backends \
             (`Jvp<Jvp<Flex>, Taped>`) for a derivative of a derivative",
        );
        primal.with_tangent(tangents)
    }

    fn split_tangents(self) -> (Self, Self::Tangents) {
        let tangent = self.tangent_or_zeros();
        (self.without_tangent(), tangent)
    }
}

impl<B: ForwardMode, T: Duals<B>> Duals<B> for Vec<T> {
    type Tangents = Vec<T::Tangents>;

    fn with_tangents(self, tangents: Self::Tangents) -> Self {
        assert_eq!(self.len(), tangents.len(), "one tangent for each primal");
        self.into_iter().zip(tangents).map(|(primal, tangent)| primal.with_tangents(tangent)).collect()
    }

    fn split_tangents(self) -> (Self, Self::Tangents) {
        self.into_iter().map(Duals::split_tangents).unzip()
    }
}

impl<B: ForwardMode, T: Duals<B>, const N: usize> Duals<B> for [T; N] {
    type Tangents = [T::Tangents; N];

    fn with_tangents(self, tangents: Self::Tangents) -> Self {
        let mut tangents = tangents.into_iter();
        self.map(|primal| primal.with_tangents(tangents.next().expect("N tangents")))
    }

    fn split_tangents(self) -> (Self, Self::Tangents) {
        let (primals, tangents): (Vec<_>, Vec<_>) = self.map(Duals::split_tangents).into_iter().unzip();
        (exactly(primals), exactly(tangents))
    }
}

fn exactly<T, const N: usize>(items: Vec<T>) -> [T; N] {
    items.try_into().unwrap_or_else(|items: Vec<T>| panic!("{} items for an array of {N}", items.len()))
}

macro_rules! tuples {
    ($(($($t:ident $x:ident $d:ident),*);)*) => {$(
        impl<B: ForwardMode, $($t: Duals<B>),*> Duals<B> for ($($t,)*) {
            type Tangents = ($($t::Tangents,)*);

            fn with_tangents(self, tangents: Self::Tangents) -> Self {
                let ($($x,)*) = self;
                let ($($d,)*) = tangents;
                ($($x.with_tangents($d),)*)
            }

            fn split_tangents(self) -> (Self, Self::Tangents) {
                let ($($x,)*) = self;
                $(let ($x, $d) = $x.split_tangents();)*
                (($($x,)*), ($($d,)*))
            }
        }
    )*};
}

tuples! {
    (X1 x1 d1);
    (X1 x1 d1, X2 x2 d2);
    (X1 x1 d1, X2 x2 d2, X3 x3 d3);
    (X1 x1 d1, X2 x2 d2, X3 x3 d3, X4 x4 d4);
}
