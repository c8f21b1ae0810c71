use burn::tensor::DType;
use meanflow_jvp::{Mode, Taped, Untaped};
use meanflow_kernels::{Activation, GroupNorm, group_norm};

use crate::common::{B, Operand, assert_close, everything};
use burn::backend::{Autodiff, Flex};

/// 12 channels of 5 by 7 pixels: a group is no whole number of vectors.
fn check<M: Mode<Autodiff<Flex>>>(activation: Activation, directions: [bool; 3]) {
    let shape = [3, 12, 5, 7];
    let operands =
        [Operand::new(&shape, 1), Operand::new(&[12, 1, 1, 1], 2), Operand::new(&[12, 1, 1, 1], 3)];
    let tangents =
        [Operand::new(&shape, 4), Operand::new(&[12, 1, 1, 1], 5), Operand::new(&[12, 1, 1, 1], 6)];
    let spec = GroupNorm { groups: 3, epsilon: 1e-6, activation };
    let run = |dtype| {
        let directions = [0, 1, 2].map(|index| directions[index].then_some(&tangents[index]));
        everything::<M>(dtype, &operands, directions, |x, operand| {
            group_norm::<B<M>>(x, operand(1).reshape([12]), operand(2).reshape([12]), spec)
        })
    };
    assert_close(&run(DType::F32), &run(DType::F64));
}

#[test]
fn it_is_the_composed_normalisation() {
    for activation in [Activation::None, Activation::Silu] {
        for directions in [[false; 3], [true, false, false], [true; 3]] {
            check::<Untaped>(activation, directions);
            check::<Taped>(activation, directions);
        }
    }
}
