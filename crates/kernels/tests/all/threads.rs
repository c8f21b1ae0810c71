use burn::tensor::DType;
use meanflow_jvp::Untaped;
use meanflow_kernels::{Activation, GroupNorm, conv2d, group_norm};

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
