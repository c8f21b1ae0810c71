//! Attaching and reading tangents, the functional entry, and what absent tangents cost.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, TensorData, Transaction};
use meanflow_jvp::check::{check_jvp, check_vjp};
use meanflow_jvp::{Dual, jvp};

use crate::common::{B, Plain, device, input, values};

type T2 = Tensor<Plain, 2>;

#[test]
fn tangents_are_attached_read_and_taken_away() {
    let (x, dx) = (input::<Plain, 2>([2, 3], 1), input::<Flex, 2>([2, 3], 2));
    assert!(x.tangent().is_none());
    assert_eq!(values(x.tangent_or_zeros()), [0.0; 6]);
    let dual = x.clone().with_tangent(dx.clone());
    assert_eq!(values(dual.tangent().unwrap()), values(dx.clone()));
    assert_eq!(values(dual.clone()), values(x.clone()));
    assert_eq!(values(dual.value()), values(x.clone()));
    let (primal, tangent) = dual.clone().split_tangent();
    assert!(primal.tangent().is_none() && tangent.is_some());
    assert!(dual.clone().without_tangent().tangent().is_none());
    let replaced = dual.with_tangent(dx.clone() * 2.0);
    assert_eq!(values(replaced.tangent().unwrap()), values(dx * 2.0));
    assert_eq!(values(T2::from_value(x.value())), values(x));
}

#[test]
fn functions_of_tuples_arrays_and_lists() {
    let x = |seed| input::<Plain, 2>([2, 2], seed);
    let d = |seed| input::<Flex, 2>([2, 2], seed);
    let expected = values(d(2) * x(3).value() + d(4) * x(1).value());
    let product = |x: T2, y: T2| x * y;
    let (_, tangent) = jvp(|(x, y)| product(x, y), (x(1), x(3)), (d(2), d(4)));
    assert_eq!(values(tangent), expected);
    let (_, tangent) = jvp(|[x, y]: [T2; 2]| product(x, y), [x(1), x(3)], [d(2), d(4)]);
    assert_eq!(values(tangent), expected);
    let list = |mut list: Vec<T2>| product(list.remove(0), list.remove(0));
    let (_, tangent) = jvp(list, vec![x(1), x(3)], vec![d(2), d(4)]);
    assert_eq!(values(tangent), expected);

    // Several results, one of which does not depend on the input.
    let ((sum, constant), (dsum, zero)) = jvp(|x: T2| (x.sum(), T2::ones([2, 2], &device())), x(1), d(2));
    assert_eq!(values(dsum), values(d(2).sum()));
    assert_eq!(values(zero), [0.0; 4]);
    assert!(sum.tangent().is_none() && constant.tangent().is_none());
}

/// Inputs and results of mixed ranks, and every form of input of the checkers.
#[test]
fn the_checkers_take_every_form_of_input() {
    let vector = || input::<B, 1>([3], 1);
    let matrix = || input::<B, 2>([2, 3], 2);
    let f = |(x, y): (Tensor<B, 1>, Tensor<B, 2>)| (x.unsqueeze::<2>() * y).sin().sum_dim(1);
    assert!(check_jvp(f, &(vector(), matrix()), 1) < 1e-8);
    assert!(check_vjp(f, &(vector(), matrix()), 1) < 1e-11);
    let g = |[x, y]: [Tensor<B, 1>; 2]| x.exp() * y;
    assert!(check_jvp(g, &[vector(), vector()], 1) < 1e-8);
    assert!(check_vjp(g, &[vector(), vector()], 1) < 1e-11);
}

/// A checker that accepts anything would make every other test worthless.
#[test]
fn the_checkers_see_a_wrong_tangent() {
    let wrong = |x: Tensor<B, 1>| {
        let (y, tangent) = (x.clone() * x).split_tangent();
        match tangent {
            Some(tangent) => y.with_tangent(tangent * 1.001),
            None => y,
        }
    };
    let x = input::<B, 1>([4], 1);
    assert!(check_jvp(wrong, &x, 1) > 1e-4);
    assert!(check_vjp(wrong, &x, 1) > 1e-4);
    let lost = |x: Tensor<B, 1>| x.clone() * x.without_tangent();
    assert!(check_jvp(lost, &x, 1) > 0.1);
}

#[test]
fn single_precision() {
    let x = || input::<Plain, 2>([3, 4], 1).cast(DType::F32);
    let dx = || input::<Flex, 2>([3, 4], 2).cast(DType::F32);
    let (y, dy) = jvp(|x: T2| x.clone().tanh() * x.exp(), x(), dx());
    assert_eq!((y.dtype(), dy.dtype()), (DType::F32, DType::F32));
    let (y, dy) = jvp(|x: T2| x.cast(DType::F64).sum(), x(), dx());
    assert_eq!((y.dtype(), dy.dtype()), (DType::F64, DType::F64));
}

/// Without tangents an operation may still work in place: no rule holds on to a primal.
#[test]
fn buffers_are_reused() {
    let buffer = |x: &T2| x.value().into_primitive().tensor().bytes().as_ptr();
    let x = input::<Plain, 2>([16, 16], 1) + 3.0;
    let start = buffer(&x);
    let operations: [&dyn Fn(T2) -> T2; 8] = [
        &|x| x * 1.5,
        &|x| x + 0.5,
        &|x| x.log(),
        &|x| x.exp(),
        &|x| x.tanh(),
        &|x| x.abs(),
        &|x| x.clamp(-10.0, 10.0),
        &|x| x.sin(),
    ];
    let mut x = x;
    for (i, operation) in operations.iter().enumerate() {
        let flex = x.value().into_data();
        x = operation(x);
        let plain = Tensor::<Flex, 2>::from_data(flex, &device());
        let before = plain.clone().into_primitive().tensor().bytes().as_ptr();
        let plain = T2::from_value(plain);
        let reused = buffer(&operation(plain)) == before;
        assert_eq!(buffer(&x) == start, reused, "operation {i}");
        if !reused {
            break;
        }
    }
    assert_eq!(buffer(&x), start, "Flex does arithmetic in place");
}

#[test]
fn several_tensors_are_read_at_once() {
    let x = input::<Plain, 1>([3], 1).with_tangent(input([3], 2));
    let mask = x.clone().greater_elem(0.0);
    let read: Vec<TensorData> =
        Transaction::default().register(x.clone()).register(mask.clone()).register(x.clone()).execute();
    assert_eq!(read, [x.clone().into_data(), mask.into_data(), x.into_data()]);
}
