//! Where a tangent ends, where it is refused by name, and the numbers at which a naive rule gives none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::Flex;
use burn::tensor::ops::{GridSampleOptions, InterpolateMode, QTensorOps};
use burn::tensor::quantization::{QuantScheme, QuantValue};
use burn::tensor::{IndexingUpdateOp, Tensor};
use meanflow_jvp::{Dual, jvp};

use crate::common::{Plain, device, input, ints, values};

type T2 = Tensor<Plain, 2>;

fn dual() -> T2 {
    input::<Plain, 2>([3, 4], 1).with_tangent(input([3, 4], 2))
}

fn message(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a refusal");
    panic.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn steps_have_no_tangent() {
    for y in [dual().floor(), dual().ceil(), dual().round(), dual().trunc(), dual().sign(), dual().detach()] {
        assert!(y.tangent().is_none());
    }
    assert!(dual().int().float().tangent().is_none());
    assert!(dual().greater_elem(0.0).float().tangent().is_none());
    assert!(dual().powi_scalar(0).tangent().is_none());
}

#[test]
fn what_has_no_rule_names_itself() {
    let quantised = || {
        let scheme = QuantScheme::default().with_value(QuantValue::Q8S);
        <Plain as QTensorOps<Plain>>::quantize_dynamic(dual().into_primitive().tensor(), &scheme);
    };
    assert!(message(quantised).contains("`quantize_dynamic` has no forward-mode rule"));

    let at = ints::<Plain, 2>([1, 1], &[2]);
    let scatter = move || {
        dual().scatter_nd(at, input::<Plain, 2>([1, 4], 3), IndexingUpdateOp::Mul);
    };
    assert!(message(scatter).contains("`float_scatter_nd(Mul)`"));

    let sample = || {
        let grid = input::<Plain, 4>([1, 2, 2, 2], 1).with_tangent(input([1, 2, 2, 2], 2));
        input::<Plain, 4>([1, 1, 3, 3], 3)
            .grid_sample_2d(grid, GridSampleOptions::new(InterpolateMode::Bicubic));
    };
    assert!(message(sample).contains("`float_grid_sample_2d(Bicubic)`"));
}

#[test]
fn quantising_without_a_tangent_is_the_plain_operation() {
    let scheme = QuantScheme::default().with_value(QuantValue::Q8S);
    let x = || input::<Flex, 2>([4, 8], 1).cast(burn::tensor::DType::F32);
    let plain = x().quantize_dynamic(&scheme).dequantize();
    let y = Tensor::<Plain, 2>::from_value(x()).quantize_dynamic(&scheme).dequantize();
    assert!(y.tangent().is_none());
    assert_eq!(plain.into_data(), y.into_data());
}

#[test]
fn a_tangent_must_fit() {
    let x = || input::<Plain, 2>([3, 4], 1);
    let shape = message(|| drop(x().with_tangent(input([4, 3], 2))));
    assert!(shape.contains("does not fit a primal of shape"), "{shape}");
    let single = input::<Flex, 2>([3, 4], 2).cast(burn::tensor::DType::F32);
    let dtype = message(|| drop(x().with_tangent(single)));
    assert!(dtype.contains("F32") && dtype.contains("F64"), "{dtype}");
}

/// One backend has one tangent for each tensor: a `jvp` inside another would lose the outer one.
#[test]
fn a_nested_jvp_of_one_backend_is_refused() {
    let x = || input::<Plain, 2>([3, 4], 1);
    let dx = || input::<Flex, 2>([3, 4], 2);
    let nested = || {
        jvp(|x: T2| jvp(|y: T2| y.clone() * y, x, dx()).0, x(), dx());
    };
    let panic = catch_unwind(AssertUnwindSafe(nested)).expect_err("a refusal");
    let message = panic.downcast_ref::<&str>().expect("a message");
    assert!(
        message.contains("carries a tangent already") && message.contains("without_tangent()"),
        "{message}"
    );

    // Inside, a tensor that has no tangent or gave it up is a primal like any other.
    let (_, slope) = jvp(|x: T2| jvp(|y: T2| y.clone() * y, x.without_tangent(), dx()).0, x(), dx());
    assert!(values(slope).iter().all(|slope| *slope == 0.0));
}

/// What a closure captures with a tangent adds to the derivative; without one it is a constant.
#[test]
fn a_captured_tangent_adds() {
    let (x, d) = (|| input::<Plain, 2>([3, 4], 1), || input::<Flex, 2>([3, 4], 2));
    let slope = |captured: T2| values(jvp(|y: T2| y * captured, x(), d()).1);
    let own = values(x().value() * d());
    assert_eq!(slope(x()), own);
    assert_eq!(slope(x().with_tangent(d()).without_tangent()), own);
    let twice: Vec<f64> = own.iter().map(|own| own + own).collect();
    assert_eq!(slope(x().with_tangent(d())), twice);
}

/// `c·x^(c−1)` is not a number at `x = 0` for `c = 0`, and neither is `x^c·ln x`.
#[test]
fn powers_at_zero() {
    let device = device();
    let x = || Tensor::<Plain, 1>::from_data([0.0, 0.0, 0.0, 2.0], &device);
    let dx = || Tensor::<Flex, 1>::from_data([1.0, 1.0, 1.0, 1.0], &device);
    let c = || Tensor::<Plain, 1>::from_data([0.0, 1.0, 2.0, 3.0], &device);
    let (_, slope) = jvp(|x: Tensor<Plain, 1>| x.powf(c()), x(), dx());
    assert_eq!(values(slope), [0.0, 1.0, 0.0, 12.0]);
    let (_, slope) = jvp(|c: Tensor<Plain, 1>| x().powf(c), c(), dx());
    assert_eq!(values(slope), [0.0, 0.0, 0.0, 8.0 * 2.0f64.ln()]);
    for (power, expected) in
        [(1, [1.0, 1.0, 1.0, 1.0]), (2, [0.0, 0.0, 0.0, 4.0]), (3, [0.0, 0.0, 0.0, 12.0])]
    {
        let (_, slope) = jvp(|x: Tensor<Plain, 1>| x.powi_scalar(power), x(), dx());
        assert_eq!(values(slope), expected);
        let (_, slope) = jvp(|x: Tensor<Plain, 1>| x.powf_scalar(power as f64), x(), dx());
        assert_eq!(values(slope), expected);
    }
}

/// At a kink the tangent is that of Burn's reverse mode.
#[test]
fn kinks() {
    use burn::tensor::activation;
    let device = device();
    let at = |f: &dyn Fn(Tensor<Plain, 1>) -> Tensor<Plain, 1>, x: f64| {
        let (_, slope) = jvp(f, Tensor::from_data([x], &device), Tensor::<Flex, 1>::ones([1], &device));
        values(slope)[0]
    };
    assert_eq!(at(&|x| x.clamp(-1.0, 1.0), 1.0), 1.0);
    assert_eq!(at(&|x| x.clamp_min(0.0), 0.0), 1.0);
    assert_eq!(at(&activation::relu, 0.0), 0.0);
    assert_eq!(at(&|x| x.abs(), 0.0), 0.0);
    assert_eq!(at(&|x| activation::leaky_relu(x, 0.1), 0.0), 1.0);
}
