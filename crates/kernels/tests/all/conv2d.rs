use burn::backend::{Autodiff, Flex};
use burn::tensor::DType;
use meanflow_jvp::{Mode, Taped, Untaped};
use meanflow_kernels::conv2d;

use crate::common::{B, Operand, assert_close, everything};

fn check<M: Mode<Autodiff<Flex>>>(
    [batch, inputs, outputs]: [usize; 3],
    [height, width, k]: [usize; 3],
    rows: usize,
    directions: [bool; 3],
) {
    let shapes = [[batch, inputs, height, width], [outputs, inputs, k, k], [rows, outputs, 1, 1]];
    let of = |index: usize, seed: u64| Operand::new(&shapes[index], seed + index as u64);
    let operands = [of(0, 1), of(1, 1), of(2, 1)];
    let tangents = [of(0, 11), of(1, 11), of(2, 11)];
    let run = |dtype| {
        let directions = [0, 1, 2].map(|index| directions[index].then_some(&tangents[index]));
        everything::<M>(dtype, &operands, directions, |x, operand| {
            conv2d::<B<M>>(x, operand(1), operand(2).reshape([rows, outputs]))
        })
    };
    assert_close(&run(DType::F32), &run(DType::F64));
}

/// More images than one task sums, odd sides, channels that fill no block, a single output and a single input.
#[test]
fn it_is_the_composed_convolution() {
    for channels in [[5, 3, 11], [6, 33, 1], [1, 1, 40]] {
        for image in [[6, 5, 3], [4, 9, 1], [1, 1, 3], [8, 8, 5]] {
            check::<Untaped>(channels, image, 1, [false; 3]);
            check::<Untaped>(channels, image, channels[0], [true, false, true]);
        }
    }
}

#[test]
fn every_operand_may_have_a_tangent() {
    for directions in [[true, false, false], [false, true, false], [false, false, true], [true; 3]] {
        check::<Untaped>([3, 4, 5], [5, 6, 3], 3, directions);
        check::<Taped>([3, 4, 5], [5, 6, 3], 3, directions);
    }
}
