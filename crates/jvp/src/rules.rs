//! The classes of differentiation rules, one constructor each.
//!
//! Every constructor takes the operation twice: `f` on primals of `A`, `df` on tangents. When no operand has a tangent
//! only `f` runs, and no primal is cloned, so that `A` may reuse its buffers. When one has, `df` runs first where it
//! can: its views of the primals are gone when `f` runs, which may then work in place too.

use burn::tensor::TensorMetadata;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use crate::mode::Mode;
use crate::tensor::{JvpTensor, T, Tangent, zeros};

/// `y = L x` with `L` linear: `dy = L dx`. Also affine `f`, whose linear part is `df`.
pub(crate) fn linear<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>) -> FloatTensor<A>,
    df: impl FnOnce(Tangent<A, M>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    match x.tangent {
        None => JvpTensor::constant(f(x.primal)),
        Some(dx) => JvpTensor::dual(f(x.primal), df(dx)),
    }
}

/// `z = L (x, y)` with `L` linear in the pair: `dz = L (dx, dy)`.
pub(crate) fn linear_pair<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    y: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>, FloatTensor<A>) -> FloatTensor<A>,
    df: impl FnOnce(Tangent<A, M>, Tangent<A, M>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    let (dx, dy) = match (x.tangent, y.tangent) {
        (None, None) => return JvpTensor::constant(f(x.primal, y.primal)),
        (Some(dx), Some(dy)) => (dx, dy),
        (Some(dx), None) => (dx, zeros::<A, M>(&y.primal)),
        (None, Some(dy)) => (zeros::<A, M>(&x.primal), dy),
    };
    let dz = df(dx, dy);
    JvpTensor::dual(f(x.primal, y.primal), dz)
}

/// `z = B(x, y)` with `B` linear in each: `dz = B(dx, y) + B(x, dy)`.
pub(crate) fn bilinear<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    y: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>, FloatTensor<A>) -> FloatTensor<A>,
    df: impl Fn(Tangent<A, M>, Tangent<A, M>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    let from_y = y.tangent.map(|dy| df(M::project(&x.primal), dy));
    let from_x = x.tangent.map(|dx| df(dx, M::project(&y.primal)));
    finish(f(x.primal, y.primal), sum::<T<A, M>>(from_x, from_y))
}

/// `y = C(x, w) + b` with `C` bilinear and the bias broadcast by the operation: `dy = C(dx, w) + C(x, dw) + db`.
pub(crate) fn affine<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    w: JvpTensor<A, M>,
    bias: Option<JvpTensor<A, M>>,
    f: impl FnOnce(FloatTensor<A>, FloatTensor<A>, Option<FloatTensor<A>>) -> FloatTensor<A>,
    df: impl Fn(Tangent<A, M>, Tangent<A, M>, Option<Tangent<A, M>>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    let (bias, mut db) = match bias {
        Some(bias) => (Some(bias.primal), bias.tangent),
        None => (None, None),
    };
    // The operation knows how to broadcast a bias, so the tangent of the bias rides on the first term there is.
    let zero = match (&x.tangent, &w.tangent, &db) {
        (None, None, Some(_)) => Some(zeros::<A, M>(&x.primal)),
        _ => None,
    };
    let from_x = x.tangent.or(zero).map(|dx| df(dx, M::project(&w.primal), db.take()));
    let from_w = w.tangent.map(|dw| df(M::project(&x.primal), dw, db.take()));
    finish(f(x.primal, w.primal, bias), sum::<T<A, M>>(from_x, from_w))
}

/// Elementwise or otherwise non-linear `y = f(x)` whose derivative is written in terms of the input: `dy = df(x, dx)`.
pub(crate) fn from_input<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>) -> FloatTensor<A>,
    df: impl FnOnce(Tangent<A, M>, Tangent<A, M>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    match x.tangent {
        None => JvpTensor::constant(f(x.primal)),
        Some(dx) => {
            let dy = df(M::project(&x.primal), dx);
            JvpTensor::dual(f(x.primal), dy)
        }
    }
}

/// Like [`from_input`], in terms of the output: `dy = df(y, dx)`.
pub(crate) fn from_output<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>) -> FloatTensor<A>,
    df: impl FnOnce(Tangent<A, M>, Tangent<A, M>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    let y = f(x.primal);
    match x.tangent {
        None => JvpTensor::constant(y),
        Some(dx) => {
            let dy = df(M::project(&y), dx);
            JvpTensor::dual(y, dy)
        }
    }
}

/// Non-linear `z = f(x, y)`: `dz = dfx(x, y, dx) + dfy(x, y, dy)`.
pub(crate) fn from_inputs<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    y: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>, FloatTensor<A>) -> FloatTensor<A>,
    dfx: impl FnOnce(Tangent<A, M>, Tangent<A, M>, Tangent<A, M>) -> Tangent<A, M>,
    dfy: impl FnOnce(Tangent<A, M>, Tangent<A, M>, Tangent<A, M>) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    let from_x = x.tangent.map(|dx| dfx(M::project(&x.primal), M::project(&y.primal), dx));
    let from_y = y.tangent.map(|dy| dfy(M::project(&x.primal), M::project(&y.primal), dy));
    finish(f(x.primal, y.primal), sum::<T<A, M>>(from_x, from_y))
}

/// Piecewise selection `y = f(x)`: `f` also says which elements it took, and `df` takes the same ones of `dx`.
pub(crate) fn piecewise<A: Backend, M: Mode<A>, I>(
    x: JvpTensor<A, M>,
    plain: impl FnOnce(FloatTensor<A>) -> FloatTensor<A>,
    choose: impl FnOnce(FloatTensor<A>) -> (FloatTensor<A>, I),
    df: impl FnOnce(Tangent<A, M>, I) -> Tangent<A, M>,
) -> JvpTensor<A, M> {
    match x.tangent {
        None => JvpTensor::constant(plain(x.primal)),
        Some(dx) => {
            let (y, chosen) = choose(x.primal);
            JvpTensor::dual(y, df(dx, chosen))
        }
    }
}

/// An operation without a derivative, or with a derivative of zero almost everywhere: the tangent ends here.
pub(crate) fn none<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    f: impl FnOnce(FloatTensor<A>) -> FloatTensor<A>,
) -> JvpTensor<A, M> {
    JvpTensor::constant(f(x.primal))
}

/// The primal for an operation that has no rule.
///
/// # Panics
///
/// Names the operation when there is a tangent, which would be lost without a word.
pub(crate) fn refuse<A: Backend, M: Mode<A>>(name: &str, x: JvpTensor<A, M>) -> FloatTensor<A> {
    assert!(
        x.tangent.is_none(),
        "meanflow-jvp: `{name}` has no forward-mode rule, and an operand of shape {:?} has a tangent; \
         call `without_tangent` on it if its derivative is not wanted",
        x.primal.shape(),
    );
    x.primal
}

fn finish<A: Backend, M: Mode<A>>(primal: FloatTensor<A>, tangent: Option<Tangent<A, M>>) -> JvpTensor<A, M> {
    match tangent {
        None => JvpTensor::constant(primal),
        Some(tangent) => JvpTensor::dual(primal, tangent),
    }
}

fn sum<B: Backend>(lhs: Option<FloatTensor<B>>, rhs: Option<FloatTensor<B>>) -> Option<FloatTensor<B>> {
    match (lhs, rhs) {
        (Some(lhs), Some(rhs)) => Some(B::float_add(lhs, rhs)),
        (lhs, rhs) => lhs.or(rhs),
    }
}
