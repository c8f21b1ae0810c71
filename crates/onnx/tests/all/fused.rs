//! What Burn spells out is one node again.

use crate::common::{Case, check, with_numbers};
use burn::{
    nn::LayerNormConfig,
    tensor::{Tensor, activation, backend::Backend},
};

#[test]
fn sigmoid_softmax_and_normalisation_are_single_nodes() {
    struct Test;
    impl Case<2, 2> for Test {
        const SHAPE: [usize; 2] = [0, 6];

        fn run<B: Backend>(x: Tensor<B, 2>, device: &B::Device) -> Tensor<B, 2> {
            let norm = with_numbers(LayerNormConfig::new(6).init::<B>(device), device);
            activation::softmax(norm.forward(activation::sigmoid(x)), 1)
        }
    }
    let model = check::<Test, 2, 2>();
    let operators: Vec<(&str, usize)> = model.operators().into_iter().collect();
    let expected =
        [("Add", 1), ("LayerNormalization", 1), ("Mul", 1), ("Reshape", 2), ("Sigmoid", 1), ("Softmax", 1)];
    assert_eq!(operators, expected);
}

#[test]
fn the_same_by_hand_is_fused_and_another_thing_is_not() {
    struct Test;
    impl Case<2, 2> for Test {
        const SHAPE: [usize; 2] = [0, 6];

        fn run<B: Backend>(x: Tensor<B, 2>, _device: &B::Device) -> Tensor<B, 2> {
            let centred = x.clone() - x.clone().mean_dim(1);
            let scale = ((centred.clone() * centred.clone()).mean_dim(1) + 1e-6).sqrt().recip();
            // A softmax whose sum is over another axis is none.
            let exp = (x.clone() - x.clone().max_dim(1)).exp();
            centred * scale + exp.clone() / exp.sum_dim(0)
        }
    }
    let model = check::<Test, 2, 2>();
    let operators = model.operators();
    assert_eq!(operators.get("LayerNormalization"), Some(&1));
    assert_eq!((operators.get("Softmax"), operators.get("Exp")), (None, Some(&1)));
}

#[test]
fn what_does_nothing_is_left_out() {
    struct Test;
    impl Case<2, 2> for Test {
        const SHAPE: [usize; 2] = [0, 6];

        fn run<B: Backend>(x: Tensor<B, 2>, device: &B::Device) -> Tensor<B, 2> {
            let batch = x.dims()[0];
            let x = x.reshape([batch, 2, 3]) * Tensor::ones([1, 1, 1], device) + 0.0;
            (x.reshape([3 * batch, 2]).reshape([batch, 6]) * 1.0).tanh()
        }
    }
    let operators: Vec<(String, usize)> =
        check::<Test, 2, 2>().operators().into_iter().map(|(op, n)| (op.to_owned(), n)).collect();
    assert_eq!(operators, [("Tanh".to_owned(), 1)]);
}
