//! Kernels of the processor, for `f32`.

mod activation;
mod attention;
mod conv;
mod exp;
mod fresh;
mod gate;
mod group_norm;
mod lanes;
mod linear;
mod modulate;
mod moments;
mod pointwise;
mod product;
mod resample;
mod sum;
mod update;
mod wide;

use burn::{
    backend::Flex,
    tensor::{Bytes, DType, Shape, TensorMetadata, ops::FloatTensor},
};
use burn_flex::{FlexTensor, Layout};

use attention::Attention;
use modulate::{Directions, Modulation};
use product::Matrix;

use crate::{
    composed,
    kernels::{Fused, Kernels},
    operands::{Activation, GroupNorm, GroupNormGradients, ModulationDirections, ModulationGradients},
    update::{Parameter, Updated},
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

    fn affine(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        activation: Activation,
    ) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::linear::<Self>(x, weight, bias, activation);
        }
        let (x, weight, bias) = (Rows::of(&x), Rows::of(&weight), bias.map(|bias| Rows::of(&bias)));
        let (rows, outputs) = (x.shape[0], weight.last());
        let y = linear::linear(x.matrix(), weight.matrix(), bias.as_ref().map(Rows::values), activation);
        tensor(y, Shape::new([rows, outputs]))
    }

    fn modulated_norm(x: FlexTensor, shift: FlexTensor, scale: FlexTensor, epsilon: f64) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::modulated_norm::<Self>(x, shift, scale, epsilon);
        }
        let (x, shift, scale) = (Rows::of(&x), Rows::of(&shift), Rows::of(&scale));
        let y = modulation(&x.shape, epsilon).forward(x.values(), shift.values(), scale.values());
        tensor(y, x.shape)
    }

    fn modulated_norm_tangent(
        x: FlexTensor,
        scale: FlexTensor,
        along: ModulationDirections<Self>,
        epsilon: f64,
    ) -> FlexTensor {
        if !Self::fuses(x.dtype()) {
            return composed::modulated_norm_tangent::<Self>(x, scale, along, epsilon);
        }
        let (x, scale) = (Rows::of(&x), Rows::of(&scale));
        let [dx, shift, dscale] = [along.x, along.shift, along.scale].map(|d| d.map(|d| Rows::of(&d)));
        let [dx, shift, dscale] = [&dx, &shift, &dscale].map(|d| d.as_ref().map(Rows::values));
        let along = Directions { x: dx, shift, scale: dscale };
        let dy = modulation(&x.shape, epsilon).tangent(x.values(), scale.values(), along);
        tensor(dy, x.shape)
    }

    fn gated_sum(x: Option<FlexTensor>, gate: FlexTensor, y: FlexTensor) -> FlexTensor {
        if !Self::fuses(y.dtype()) {
            return composed::gated_sum::<Self>(x, gate, y);
        }
        let (x, gate, y) = (x.map(|x| Rows::of(&x)), Rows::of(&gate), Rows::of(&y));
        let [_, tokens, width] = y.shape.dims();
        let x = x.as_ref().map(Rows::values);
        tensor(gate::gated_sum(x, gate.values(), y.values(), [tokens, width]), y.shape)
    }

    fn self_attention(qkv: FlexTensor, heads: usize) -> FlexTensor {
        if !Self::fuses(qkv.dtype()) {
            return composed::attention::<Self>(qkv, heads);
        }
        let qkv = Rows::of(&qkv);
        let of = attention(&qkv.shape, heads);
        tensor(of.forward(qkv.values()), Shape::new([of.samples, of.tokens, of.width]))
    }

    fn self_attention_tangent(qkv: FlexTensor, dqkv: FlexTensor, heads: usize) -> FlexTensor {
        if !Self::fuses(qkv.dtype()) {
            return composed::attention_tangent::<Self>(qkv, dqkv, heads);
        }
        let (qkv, dqkv) = (Rows::of(&qkv), Rows::of(&dqkv));
        let of = attention(&qkv.shape, heads);
        tensor(of.tangent(qkv.values(), dqkv.values()), Shape::new([of.samples, of.tokens, of.width]))
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

    fn affine_x_backward(weight: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let (weight, grad) = (Rows::of(&weight), Rows::of(&grad));
        let (rows, inputs) = (grad.shape[0], weight.shape[0]);
        let dx = linear::linear(grad.matrix(), weight.matrix().transposed(), None, Activation::None);
        tensor(dx, Shape::new([rows, inputs]))
    }

    fn affine_bias_backward(grad: FlexTensor) -> FlexTensor {
        let grad = Rows::of(&grad);
        tensor(linear::column_sums(grad.values(), grad.last()), Shape::new([grad.last()]))
    }

    fn modulated_norm_backward(
        x: FlexTensor,
        scale: FlexTensor,
        grad: FlexTensor,
        epsilon: f64,
    ) -> ModulationGradients<Self> {
        let (x, scale, grad) = (Rows::of(&x), Rows::of(&scale), Rows::of(&grad));
        let [dx, dshift, dscale] =
            modulation(&x.shape, epsilon).backward(x.values(), scale.values(), grad.values());
        ModulationGradients {
            x: tensor(dx, x.shape),
            shift: tensor(dshift, scale.shape.clone()),
            scale: tensor(dscale, scale.shape),
        }
    }

    fn gate_backward(y: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let (y, grad) = (Rows::of(&y), Rows::of(&grad));
        let [samples, tokens, width] = y.shape.dims();
        let dgate = gate::gate_gradient(y.values(), grad.values(), [tokens, width]);
        tensor(dgate, Shape::new([samples, width]))
    }

    fn self_attention_backward(qkv: FlexTensor, grad: FlexTensor, heads: usize) -> FlexTensor {
        let (qkv, grad) = (Rows::of(&qkv), Rows::of(&grad));
        tensor(attention(&qkv.shape, heads).backward(qkv.values(), grad.values()), qkv.shape)
    }

    fn sum_of_squares(tensors: Vec<FlexTensor>) -> FlexTensor {
        let tensors: Vec<Rows> = tensors.iter().map(Rows::of).collect();
        let sum = sum::of_squares(&tensors.iter().map(Rows::values).collect::<Vec<_>>());
        tensor(vec![sum], Shape::new([1]))
    }

    fn update(
        parameters: Vec<Parameter<Self>>,
        scale: Option<FlexTensor>,
        shares: &[f64],
    ) -> Vec<Updated<Self>> {
        update::update(parameters, scale.map_or(1.0, |scale| Rows::of(&scale).values()[0]), shares)
    }
}

fn modulation(shape: &Shape, epsilon: f64) -> Modulation {
    let [_, tokens, width] = shape.dims();
    Modulation { tokens, width, epsilon }
}

fn attention(shape: &Shape, heads: usize) -> Attention {
    let [samples, tokens, triple] = shape.dims();
    Attention { samples, tokens, width: triple / 3, heads }
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

    fn matrix(&self) -> Matrix<'_> {
        Matrix::new(self.values(), self.last())
    }

    fn values(&self) -> &[f32] {
        self.tensor.as_slice().expect("contiguous numbers of single precision")
    }
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}
