use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData};
use meanflow_jvp::{Mode, Taped, Untaped};
use meanflow_kernels::resample;

use crate::common::{B, Operand, assert_close, everything};

fn check<M: Mode<Autodiff<Flex>>>() {
    let [before, after] = [6, 4];
    let operands = [
        Operand::new(&[2, 3, before, before], 1),
        Operand::new(&[1, 1, 1, 1], 2),
        Operand::new(&[1, 1, 1, 1], 3),
    ];
    let direction = Operand::new(&[2, 3, before, before], 4);
    // Zeros among the weights, and a place after that takes nothing.
    let matrix = Operand {
        shape: vec![before, after],
        values: (0..before * after)
            .map(|i| if i % after == 2 || i % 5 == 0 { 0.0 } else { (i as f32).sin() })
            .collect(),
    };
    let run = |dtype| {
        everything::<M>(dtype, &operands, [Some(&direction), None, None], |x, operand| {
            let y = resample::<B<M>>(x, matrix.tensor(dtype));
            (y + operand(1)) * operand(2)
        })
    };
    assert_close(&run(DType::F32), &run(DType::F64));
}

#[test]
fn it_is_the_composed_resampling() {
    check::<Untaped>();
    check::<Taped>();
    let x = Tensor::<Flex, 4>::from_floats([[[[1.0, 3.0], [5.0, 7.0]]]], &Default::default());
    let mean = Tensor::from_data(TensorData::new(vec![0.5f32, 0.5], [2, 1]), &Default::default());
    assert_eq!(resample(x, mean).into_data().to_vec::<f32>().expect("one number"), [4.0]);
}
