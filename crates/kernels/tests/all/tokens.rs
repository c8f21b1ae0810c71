use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor};
use meanflow_jvp::{Mode, Taped, Untaped};
use meanflow_kernels::{Activation, attention, gated_sum, linear, modulated_norm};

use crate::common::{B, Operand, assert_close, error, everything};

/// Tangents of none, of each, and of all operands, off and on the tape.
fn check(
    shapes: [&[usize]; 3],
    f: impl Fn([Tensor<B<Untaped>, 4>; 3]) -> Tensor<B<Untaped>, 4>,
    on_tape: impl Fn([Tensor<B<Taped>, 4>; 3]) -> Tensor<B<Taped>, 4>,
) {
    for directions in
        [[false; 3], [true, false, false], [false, true, false], [false, false, true], [true; 3]]
    {
        compare::<Untaped>(shapes, directions, &f);
        compare::<Taped>(shapes, directions, &on_tape);
    }
}

fn compare<M: Mode<Autodiff<Flex>>>(
    shapes: [&[usize]; 3],
    directions: [bool; 3],
    f: impl Fn([Tensor<B<M>, 4>; 3]) -> Tensor<B<M>, 4>,
) where
    Tensor<B<M>, 4>: meanflow_jvp::Dual<B<M>, 4>,
{
    let of = |index: usize, seed: u64| {
        let shape = shapes[index];
        let mut whole = vec![1; 4 - shape.len()];
        whole.extend(shape);
        Operand::new(&whole, seed + index as u64)
    };
    let (operands, tangents) = ([0, 1, 2].map(|i| of(i, 1)), [0, 1, 2].map(|i| of(i, 11)));
    let run = |dtype| {
        let directions = [0, 1, 2].map(|index| directions[index].then_some(&tangents[index]));
        everything::<M>(dtype, &operands, directions, |x, operand| f([x, operand(1), operand(2)]))
    };
    assert_close(&run(DType::F32), &run(DType::F64));
}

/// More rows than a tile and than a task, more products than a block, sizes that fill no tile; and a single row.
#[test]
fn linear_is_the_composed_layer() {
    for [rows, inputs, outputs] in [[131, 300, 37], [5, 7, 64], [1, 33, 96], [26, 1, 9]] {
        for activation in [Activation::None, Activation::GeluTanh] {
            macro_rules! f {
                () => {
                    |[x, weight, bias]| {
                        let bias = bias.reshape([outputs]);
                        let x = x * (inputs as f64).powf(-0.5);
                        linear(x, weight.reshape([inputs, outputs]), Some(bias), activation)
                    }
                };
            }
            check([&[rows, inputs], &[inputs, outputs], &[outputs]], f!(), f!());
        }
    }
}

/// Long sums of numbers that are not scaled to their length, and sums to one number, whose terms may cancel: there single precision
/// itself is further than 1e-6 from double, so the mean error of the layer that Burn composes is the measure.
#[test]
fn linear_is_as_accurate_as_the_composed_layer() {
    const SEEDS: u64 = 16;
    for [rows, inputs, outputs] in [[131, 300, 37], [5, 7, 64], [1, 33, 96], [26, 1, 1]] {
        let shapes = [vec![1, 1, rows, inputs], vec![1, 1, inputs, outputs], vec![1, 1, 1, outputs]];
        for along in [false, true] {
            let mut errors: Vec<(String, f64, f64)> = Vec::new();
            for seed in 0..SEEDS {
                let of = |first: u64| {
                    [0, 1, 2].map(|i: usize| Operand::new(&shapes[i], first + 40 * seed + i as u64))
                };
                let (operands, tangents) = (of(1), of(11));
                let directions = [0, 1, 2].map(|index| along.then_some(&tangents[index]));
                let fused = |dtype| {
                    everything::<Untaped>(dtype, &operands, directions, |x, operand| {
                        let (x, weight) = (x.reshape([rows, inputs]), operand(1).reshape([inputs, outputs]));
                        let bias = Some(operand(2).reshape([outputs]));
                        linear(x, weight, bias, Activation::GeluTanh).unsqueeze()
                    })
                };
                let plain = everything::<Untaped>(DType::F32, &operands, directions, |x, operand| {
                    let y = x.matmul(operand(1)) + operand(2);
                    let cubed = y.clone() * y.clone() * y.clone();
                    let inner = (y.clone() + cubed * 0.044715) * (2.0 / core::f64::consts::PI).sqrt();
                    y * 0.5 * (inner.tanh() + 1.0)
                });
                let (ours, exact) = (fused(DType::F32), fused(DType::F64));
                for (index, ((name, ours), (_, exact))) in ours.iter().zip(&exact).enumerate() {
                    let found = [error(ours, exact), error(&plain[index].1, exact)];
                    match errors.get_mut(index) {
                        Some((_, ours, plain)) => (*ours, *plain) = (*ours + found[0], *plain + found[1]),
                        None => errors.push((name.clone(), found[0], found[1])),
                    }
                }
            }
            for (name, ours, plain) in errors {
                let [ours, plain] = [ours, plain].map(|sum| sum / SEEDS as f64);
                assert!(ours < (2.0 * plain).max(1e-6), "{name}: {ours:e}, composed {plain:e}");
            }
        }
    }
}

#[test]
fn a_linear_layer_needs_no_bias() {
    macro_rules! f {
        () => {
            |[x, weight, other]| linear(x, weight.reshape([9, 35]), None, Activation::Silu) + other
        };
    }
    check([&[14, 9], &[9, 35], &[14, 35]], f!(), f!());
}

#[test]
fn modulated_norm_is_the_composed_one() {
    let [samples, tokens, width] = [3, 5, 37];
    macro_rules! f {
        () => {
            |[x, shift, scale]| {
                let row = |a: Tensor<_, 4>| a.reshape([samples, width]);
                modulated_norm(x.reshape([samples, tokens, width]), row(shift), row(scale), 1e-6).unsqueeze()
            }
        };
    }
    check([&[samples, tokens, width], &[samples, width], &[samples, width]], f!(), f!());
}

#[test]
fn gated_sum_is_the_composed_one() {
    let [samples, tokens, width] = [3, 5, 37];
    macro_rules! f {
        () => {
            |[x, gate, y]| {
                let tokens = |a: Tensor<_, 4>| a.reshape([samples, tokens, width]);
                gated_sum(tokens(x), gate.reshape([samples, width]), tokens(y)).unsqueeze()
            }
        };
    }
    check([&[samples, tokens, width], &[samples, width], &[samples, tokens, width]], f!(), f!());
}

/// Fewer samples than are shared out among threads and more, more queries than are taken together, features that fill no tile.
#[test]
fn attention_is_the_composed_one() {
    for [samples, tokens, width, heads] in [[2, 19, 24, 3], [5, 17, 40, 1], [4, 131, 8, 2]] {
        macro_rules! f {
            () => {
                |[x, factor, summand]| {
                    let qkv = x.reshape([samples, tokens, 3 * width]);
                    attention(qkv, heads).unsqueeze::<4>() * factor + summand
                }
            };
        }
        let result = [samples, tokens, width];
        check([&[samples, tokens, 3 * width], &result, &result], f!(), f!());
    }
}
