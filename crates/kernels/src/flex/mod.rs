//! Kernels of the processor, for `f32`.

mod activation;
mod conv;
mod exp;
mod fresh;
mod group_norm;
mod lanes;
mod pointwise;
mod resample;
mod sum;
mod wide;

use burn::{
    backend::Flex,
    tensor::{Bytes, DType, Shape, TensorMetadata, ops::FloatTensor},
};
use burn_flex::{FlexTensor, Layout};

use crate::{
    composed,
    kernels::{Activation, Fused, GroupNorm, GroupNormGradients, Kernels},
};

/// Numbers that are work enough for a task.
const BLOCK: usize = 1 << 13;

impl Kernels for Flex {
    fn group_norm(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, spec: GroupNorm) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::group_norm::<Self>(x, weight, bias, spec);
        }
        let (x, weight, bias) = (Rows::of(&x), Rows::of(&weight), Rows::of(&bias));
        let of = group_norm::Normalisation::new(&x.shape, weight.values(), bias.values(), spec);
        tensor(of.forward(x.values()), x.shape)
    }

    fn group_norm_tangent(
        x: FlexTensor,
        dx: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        spec: GroupNorm,
    ) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::group_norm_tangent::<Self>(x, dx, weight, bias, spec);
        }
        let (x, dx, weight, bias) = (Rows::of(&x), Rows::of(&dx), Rows::of(&weight), Rows::of(&bias));
        let of = group_norm::Normalisation::new(&x.shape, weight.values(), bias.values(), spec);
        tensor(of.tangent(x.values(), dx.values()), x.shape)
    }

    fn convolve(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::convolve::<Self>(x, weight, bias);
        }
        let (x, weight, bias) = (Rows::of(&x), Rows::of(&weight), bias.map(|bias| Rows::of(&bias)));
        let [outputs, inputs, k, _] = weight.shape.dims();
        let [batch, _, height, width] = x.shape.dims();
        let weight = conv::Weight::new(weight.values(), [outputs, inputs], k);
        let frame = conv::Frame::new([height, width], k);
        let y = conv::convolve(x.values(), &weight, bias.as_ref().map(Rows::values), frame);
        tensor(y, Shape::new([batch, outputs, height, width]))
    }

    fn activate(x: FlexTensor, activation: Activation) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::activate::<Self>(x, activation);
        }
        let x = Rows::of(&x);
        tensor(pointwise::activate(x.values(), activation), x.shape)
    }

    fn activation_product(x: FlexTensor, v: FlexTensor, activation: Activation) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::activation_product::<Self>(x, v, activation);
        }
        let (x, v) = (Rows::of(&x), Rows::of(&v));
        tensor(pointwise::activation_product(x.values(), v.values(), activation), x.shape)
    }

    fn softmax_rows(x: FlexTensor) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::softmax::<Self>(x);
        }
        let x = Rows::of(&x);
        tensor(pointwise::softmax(x.values(), x.last()), x.shape)
    }

    fn softmax_product(y: FlexTensor, v: FlexTensor) -> FlexTensor {
        if !Self::fuses(y.dtype()) {
            return composed::softmax_product::<Self>(y, v);
        }
        let (y, v) = (Rows::of(&y), Rows::of(&v));
        tensor(pointwise::softmax_product(y.values(), v.values(), y.last()), y.shape)
    }

    fn resample(x: FlexTensor, matrix: FlexTensor) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::resample::<Self>(x, matrix);
        }
        let (x, matrix) = (Rows::of(&x), Rows::of(&matrix));
        let [batch, channels, ..] = x.shape.dims::<4>();
        let [before, after] = matrix.shape.dims();
        let taps = resample::Taps::new(matrix.values(), [before, after]);
        tensor(taps.apply(x.values()), Shape::new([batch, channels, after, after]))
    }
}

impl Fused for Flex {
    fn fuses(dtype: DType) -> bool {
        dtype == DType::F32
    }

    fn group_norm_backward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        grad: FlexTensor,
        spec: GroupNorm,
    ) -> GroupNormGradients<Self> {
        let (x, weight, bias, grad) = (Rows::of(&x), Rows::of(&weight), Rows::of(&bias), Rows::of(&grad));
        let of = group_norm::Normalisation::new(&x.shape, weight.values(), bias.values(), spec);
        let [dx, dweight, dbias] = of.backward(x.values(), grad.values());
        let channels = Shape::new([dweight.len()]);
        GroupNormGradients {
            x: tensor(dx, x.shape),
            weight: tensor(dweight, channels.clone()),
            bias: tensor(dbias, channels),
        }
    }

    fn convolve_x_backward(weight: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let (weight, grad) = (Rows::of(&weight), Rows::of(&grad));
        let [outputs, inputs, k, _] = weight.shape.dims();
        let [batch, _, height, width] = grad.shape.dims();
        let weight = conv::Weight::transposed(weight.values(), [outputs, inputs], k);
        let frame = conv::Frame::new([height, width], k);
        let dx = conv::convolve(grad.values(), &weight, None, frame);
        tensor(dx, Shape::new([batch, inputs, height, width]))
    }

    fn convolve_weight_backward(x: FlexTensor, grad: FlexTensor, k: usize) -> FlexTensor {
        let (x, grad) = (Rows::of(&x), Rows::of(&grad));
        let ([_, inputs, height, width], outputs) = (x.shape.dims(), grad.shape[1]);
        let frame = conv::Frame::new([height, width], k);
        let dweight = conv::weight_gradient(x.values(), grad.values(), [outputs, inputs], frame);
        tensor(dweight, Shape::new([outputs, inputs, k, k]))
    }
}

/// The numbers of a tensor in the order of its axes.
struct Rows {
    tensor: FlexTensor,
    shape: Shape,
}

impl Rows {
    fn of(x: &FloatTensor<Flex>) -> Self {
        let tensor = if x.is_contiguous() { x.clone() } else { x.to_contiguous() };
        Self { tensor, shape: x.shape() }
    }

    /// Numbers along the last axis.
    fn last(&self) -> usize {
        self.shape[self.shape.num_dims() - 1]
    }

    fn values(&self) -> &[f32] {
        self.tensor.as_slice().expect("contiguous numbers of single precision")
    }
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}
