use burn::tensor::DType;
use meanflow_jvp::Untaped;
use meanflow_kernels::{
    Activation, GroupNorm, attention, conv2d, gated_sum, group_norm, linear, modulated_norm,
};

use crate::common::{B, Operand, everything};

#[test]
fn threads_change_no_bit() {
    let operands =
        [Operand::new(&[9, 8, 8, 8], 1), Operand::new(&[16, 8, 3, 3], 2), Operand::new(&[16, 1, 1, 1], 3)];
    let direction = Operand::new(&[9, 8, 8, 8], 4);
    let spec = GroupNorm { groups: 4, epsilon: 1e-6, activation: Activation::Silu };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            everything::<Untaped>(DType::F32, &operands, [Some(&direction), None, None], |x, operand| {
                let y = conv2d::<B>(x, operand(1), operand(2).reshape([1, 16]));
                group_norm::<B>(y, operand(2).reshape([16]), operand(2).reshape([16]), spec)
            })
        })
    };
    let one = run(1);
    assert_eq!(one.len(), 5);
    for threads in [2, 3] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

/// Enough rows for several tasks; few samples, whose queries are shared out.
#[test]
fn threads_change_no_bit_of_a_transformer() {
    let [samples, tokens, width] = [2, 150, 32];
    let operands = [
        Operand::new(&[1, samples, tokens, width], 1),
        Operand::new(&[1, 1, width, 3 * width], 2),
        Operand::new(&[1, 1, samples, width], 3),
    ];
    let direction = Operand::new(&[1, samples, tokens, width], 4);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            everything::<Untaped>(DType::F32, &operands, [Some(&direction), None, None], |x, operand| {
                let (x, row) = (x.reshape([samples, tokens, width]), operand(2).reshape([samples, width]));
                let weight = operand(1).reshape([width, 3 * width]);
                let y = modulated_norm::<B>(x.clone(), row.clone(), row.clone(), 1e-6);
                let y = attention(linear(y, weight, None, Activation::None), 2);
                gated_sum(x, row, y).unsqueeze()
            })
        })
    };
    let one = run(1);
    for threads in [2, 3] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}
