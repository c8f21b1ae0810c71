//! Updates of parameters. The operations and their order are those of Burn's Adam and AdamW.

use burn::tensor::{Shape, Tensor, TensorMetadata, backend::Backend, ops::FloatTensor};

use super::tensor;
use crate::update::{Adam, Form, Gradient, Moments, Parameter, Updated};

/// `Σ x²` over all tensors, `[1]`; by `sum_dim` twice, because a flat `sum` over many elements adds in whatever order Flex's threads
/// finish.
pub(crate) fn sum_of_squares<B: Backend>(tensors: Vec<FloatTensor<B>>) -> Option<Tensor<B, 1>> {
    let squares = |x: FloatTensor<B>| {
        let shape = x.shape();
        let rows = shape[0].max(1);
        let x = tensor::<B, 2>(B::float_reshape(x, Shape::new([rows, shape.num_elements() / rows])));
        let squares = x.powi_scalar(2).sum_dim(1);
        squares.reshape([1, rows]).sum_dim(1).reshape([1])
    };
    tensors.into_iter().map(squares).reduce(|sum, squares| sum + squares)
}

pub(crate) fn update<B: Backend>(
    parameters: Vec<Parameter<B>>,
    scale: Option<FloatTensor<B>>,
    shares: &[f64],
) -> Vec<Updated<B>> {
    let update = |Parameter { value, gradient, averages }: Parameter<B>| {
        let (value, moments) = match gradient {
            Some(gradient) => step::<B>(value, gradient, scale.clone()),
            None => (value, None),
        };
        let follow = |(average, share): (FloatTensor<B>, &f64)| {
            // Not `average·share + value·(1−share)`, whose factors rounded to f32 do not add up to one: near 1 the average shrinks.
            let way = B::float_sub(value.clone(), average.clone());
            B::float_add(average, B::float_mul_scalar(way, (1.0 - share).into()))
        };
        let averages = averages.into_iter().zip(shares).map(follow).collect();
        Updated { value, moments, averages }
    };
    parameters.into_iter().map(update).collect()
}

fn step<B: Backend>(
    value: FloatTensor<B>,
    Gradient { value: gradient, adam, moments }: Gradient<B>,
    scale: Option<FloatTensor<B>>,
) -> (FloatTensor<B>, Option<Moments<B>>) {
    let gradient = match scale {
        Some(scale) => {
            let ones = Shape::from(vec![1; gradient.rank()]);
            B::float_mul(gradient, B::float_reshape(scale, ones))
        }
        None => gradient,
    };
    let value = match adam.keep() {
        Some(keep) => B::float_mul_scalar(value, keep.into()),
        None => value,
    };
    let [first, second] = adam.betas;
    let square = B::float_mul(gradient.clone(), gradient.clone());
    let of_first = B::float_mul_scalar(gradient, (1.0 - first).into());
    let of_second = B::float_mul_scalar(square, (1.0 - second).into());
    let moments = match moments {
        None => Moments { time: 1, first: of_first, second: of_second },
        Some(old) => Moments {
            time: old.time + 1,
            first: B::float_add(B::float_mul_scalar(old.first, first.into()), of_first),
            second: B::float_add(B::float_mul_scalar(old.second, second.into()), of_second),
        },
    };
    let way = B::float_mul_scalar(way::<B>(&adam, &moments), adam.rate.into());
    (B::float_sub(value, way), Some(moments))
}

/// `m̂/(√v̂ + ε)`.
fn way<B: Backend>(adam: &Adam, moments: &Moments<B>) -> FloatTensor<B> {
    let (first, second) = (moments.first.clone(), moments.second.clone());
    let [of_first, of_second] = adam.corrections(moments.time);
    let (first, second, epsilon) = match adam.form {
        Form::Joint => {
            let root = of_second.sqrt();
            (B::float_mul_scalar(first, (root / of_first).into()), second, adam.epsilon * root)
        }
        Form::Apart => (
            B::float_div_scalar(first, of_first.into()),
            B::float_div_scalar(second, of_second.into()),
            adam.epsilon,
        ),
    };
    B::float_div(first, B::float_add_scalar(B::float_sqrt(second), epsilon.into()))
}
