use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor};
use meanflow_jvp::{Mode, Taped, Untaped};
use meanflow_kernels::{Activation, activate, softmax};

use crate::common::{B, Operand, assert_close, everything};

fn check<M: Mode<Autodiff<Flex>>>(f: impl Fn(Tensor<B<M>, 4>) -> Tensor<B<M>, 4>) {
    let of = |seed: u64| Operand::new(&[2, 3, 4, 37], seed);
    let operands = [of(1), of(2), of(3)];
    let direction = of(4);
    let run = |dtype| {
        everything::<M>(dtype, &operands, [Some(&direction), None, None], |x, operand| {
            f(x * 2.0) * operand(1) + operand(2)
        })
    };
    assert_close(&run(DType::F32), &run(DType::F64));
}

#[test]
fn activations_are_the_composed_ones() {
    for activation in [Activation::None, Activation::Silu, Activation::GeluTanh] {
        check::<Untaped>(|x| activate(x, activation));
        check::<Taped>(|x| activate(x, activation));
    }
}

#[test]
fn softmax_is_the_composed_one() {
    check::<Untaped>(softmax);
    check::<Taped>(softmax);
    // Only differences count, and minus infinity is a weight of zero.
    let x = Tensor::<Flex, 2>::from_floats([[1e30, 1e30], [0.0, f32::NEG_INFINITY]], &Default::default());
    assert_eq!(softmax(x).into_data().to_vec::<f32>().expect("numbers"), [0.5, 0.5, 1.0, 0.0]);
}

#[test]
fn gelu_is_the_tanh_form() {
    let points: Vec<f32> = (-60..=60).map(|i| 0.1 * i as f32).collect();
    for dtype in [DType::F32, DType::F64] {
        let x = Tensor::<Flex, 1>::from_data(points.as_slice(), (&Default::default(), dtype));
        let got: Vec<f64> = activate(x, Activation::GeluTanh).into_data().iter::<f64>().collect();
        for (x, got) in points.iter().zip(got) {
            let x = f64::from(*x);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            let want = 0.5 * x * (1.0 + inner.tanh());
            assert!((got - want).abs() < 1e-6, "gelu({x}) = {got}, not {want}");
        }
    }
}
