//! Functions of two tensors: both moved or one of them, with broadcasting either way.

use burn::tensor::{Int, Tensor, s};

use crate::common::{B, input, ints, rule, uniform};

/// Checks one function with a tangent on both operands, on the first and on the second, over pairs of shapes.
macro_rules! binary {
    ($($name:ident in [$low:expr, $high:expr] x [$low2:expr, $high2:expr]: |$x:ident, $y:ident| $body:expr;)*) => {$(
        #[test]
        fn $name() {
            let f = |$x: Tensor<B, 2>, $y: Tensor<B, 2>| $body;
            for (i, (left, right)) in
                [([3, 4], [3, 4]), ([3, 4], [1, 4]), ([3, 1], [3, 4]), ([3, 1], [1, 4]), ([1, 1], [3, 4])]
                    .into_iter()
                    .enumerate()
            {
                let name = format!("{} on {left:?} and {right:?}", stringify!($name));
                let x = uniform::<B, 2>(left, $low, $high, i as u64);
                let y = uniform::<B, 2>(right, $low2, $high2, 10 + i as u64);
                rule(&name, (x.clone(), y.clone()), &|(x, y): (Tensor<B, 2>, Tensor<B, 2>)| f(x, y));
                rule(&name, x.clone(), &|x| f(x, y.clone()));
                rule(&name, y.clone(), &|y| f(x.clone(), y));
            }
            let name = concat!(stringify!($name), " on strided operands");
            let x = uniform::<B, 2>([4, 3], $low, $high, 20);
            let y = uniform::<B, 2>([6, 4], $low2, $high2, 21);
            rule(name, (x, y), &|(x, y): (Tensor<B, 2>, Tensor<B, 2>)| {
                f(x.transpose(), y.slice(s![..;2, ..]))
            });
            let name = concat!(stringify!($name), " of a tensor with itself");
            rule(name, uniform([3, 2], $low.max($low2), $high.min($high2), 22), &|x: Tensor<B, 2>| {
                f(x.clone(), x)
            });
        }
    )*};
}

binary! {
    add in [-1.0f64, 1.0f64] x [-1.0, 1.0]: |x, y| x + y;
    sub in [-1.0f64, 1.0f64] x [-1.0, 1.0]: |x, y| x - y * 2.0;
    mul in [-1.0f64, 1.0f64] x [-1.0, 1.0]: |x, y| x * y;
    div in [-1.0f64, 2.0f64] x [0.5, 2.0]: |x, y| x.clone() * x / y;
    remainder in [1.0f64, 5.0f64] x [1.1, 1.3]: |x, y| x * 1.01 % y;
    powf in [0.5f64, 2.0f64] x [-1.0, 2.0]: |x, y| x.powf(y);
    atan2 in [0.5f64, 2.0f64] x [-1.0, 2.0]: |x, y| x.clone().exp().atan2(y) * x;
    max_pair in [-1.0f64, 1.0f64] x [-1.0, 1.0]: |x, y| (x.clone() * 1.1).max_pair(y) * x;
}

#[test]
fn matmul() {
    let product = |(x, y): (Tensor<B, 2>, Tensor<B, 2>)| x.matmul(y);
    let (x, y) = (input([3, 4], 1), input([4, 5], 2));
    rule("matmul", (x, y.clone()), &product);
    rule("matmul in x", input([3, 4], 3), &|x: Tensor<B, 2>| x.matmul(y.clone()));
    rule("transposed matmul", (input([4, 3], 4), input([5, 4], 5)), &|(x, y)| {
        product((x.transpose(), y.transpose()))
    });
    rule("sliced matmul", (input([6, 4], 4), input([4, 9], 5)), &|(x, y): (Tensor<B, 2>, Tensor<B, 2>)| {
        product((x.slice(s![..;2, ..]), y.slice(s![.., 2..7])))
    });
    let batched = |(x, y): (Tensor<B, 4>, Tensor<B, 4>)| x.matmul(y);
    rule("batched", (input([2, 3, 4, 2], 6), input([2, 3, 2, 5], 7)), &batched);
    rule("broadcast right", (input([2, 3, 4, 2], 8), input([1, 1, 2, 5], 9)), &batched);
    rule("broadcast left", (input([1, 3, 4, 2], 10), input([2, 1, 2, 5], 11)), &batched);
    let wide = input::<B, 4>([2, 3, 2, 5], 12);
    rule("broadcast constant", input([1, 1, 4, 2], 13), &|x: Tensor<B, 4>| x.matmul(wide.clone()));
}

#[test]
fn cross() {
    let x = input::<B, 3>([2, 3, 4], 1);
    let y = input::<B, 3>([2, 3, 4], 2);
    rule("cross", (x, y), &|(x, y): (Tensor<B, 3>, Tensor<B, 3>)| x.cross(y, 1));
}

#[test]
fn powers_with_int_exponents() {
    let n: Tensor<B, 2, Int> = ints([2, 3], &[0, 1, 2, 3, -1, -2]);
    let x = uniform::<B, 2>([2, 3], 0.5, 2.0, 1);
    let power = |x: Tensor<B, 2>| {
        use burn::tensor::{TensorPrimitive, ops::FloatTensorOps};
        let x = x.into_primitive().tensor();
        Tensor::<B, 2>::from_primitive(TensorPrimitive::Float(B::float_powi(x, n.clone().into_primitive())))
    };
    rule("powi", x, &power);
}
