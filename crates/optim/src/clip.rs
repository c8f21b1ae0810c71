//! The clip of all gradients by their global norm.

use burn::{
    module::{AutodiffModule, ParamId},
    optim::GradientsParams,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
        ops::FloatTensor,
    },
};
use meanflow_state::{ParamVisitor, visit_parameters};

/// `‖g‖` over all parameters of `module` together, `[1]`; `None` without a gradient. Nothing is read back from the device.
pub(crate) fn global_norm<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &GradientsParams,
) -> Option<Tensor<B::InnerBackend, 1>> {
    let mut all = All::<B::InnerBackend> { gradients, tensors: Vec::new() };
    visit_parameters(module, &mut all);
    Some(meanflow_kernels::sum_of_squares(all.tensors)?.sqrt())
}

/// `min(1, clip/‖g‖)` for a norm `[1]`, in the form of `torch.nn.utils.clip_grad_norm_`.
pub(crate) fn scale<I: Backend>(norm: Tensor<I, 1>, clip: f64) -> Tensor<I, 1> {
    ((norm + 1e-6).recip() * clip).clamp_max(1.0)
}

/// `gradients` times `scale`, `[1]`.
pub(crate) fn scaled<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: GradientsParams,
    scale: Tensor<B::InnerBackend, 1>,
) -> GradientsParams {
    let mut times = Times { gradients, scale };
    visit_parameters(module, &mut times);
    times.gradients
}

struct All<'a, I: Backend> {
    gradients: &'a GradientsParams,
    tensors: Vec<FloatTensor<I>>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for All<'_, I> {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
        let gradient = self.gradients.get::<I, D>(id);
        self.tensors.extend(gradient.map(|gradient| gradient.into_primitive().tensor()));
    }
}

struct Times<I: Backend> {
    gradients: GradientsParams,
    scale: Tensor<I, 1>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for Times<I> {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
        if let Some(gradient) = self.gradients.remove::<I, D>(id) {
            self.gradients.register(id, gradient * self.scale.clone().reshape([1; D]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        backend::{Autodiff, Flex},
        nn::{Linear, LinearConfig},
    };

    type B = Autodiff<Flex>;

    /// A layer whose loss has the gradient 3 for each of its 2 weights and 4 for its bias.
    fn gradients() -> (Linear<B>, GradientsParams) {
        let net: Linear<B> = LinearConfig::new(2, 1).init(&Default::default());
        let bias = net.bias.as_ref().expect("a layer with bias").val();
        let loss = net.weight.val().sum() * 3.0 + bias.sum() * 4.0;
        let grads = GradientsParams::from_grads(loss.backward(), &net);
        (net, grads)
    }

    fn values(net: &Linear<B>, grads: &GradientsParams) -> Vec<f32> {
        let weight: Tensor<Flex, 2> = grads.get(net.weight.id).expect("a gradient");
        let bias: Tensor<Flex, 1> =
            grads.get(net.bias.as_ref().expect("a layer with bias").id).expect("a gradient");
        weight.into_data().iter::<f32>().chain(bias.into_data().iter::<f32>()).collect()
    }

    #[test]
    fn the_clip_is_over_all_parameters_together() {
        let norm = 34f32.sqrt();
        for (max, scale) in [(Some(1.0), 1.0 / norm), (Some(100.0), 1.0), (None, 1.0)] {
            let (net, mut grads) = gradients();
            let measured = global_norm(&net, &grads).expect("parameters");
            assert!((measured.to_data().iter::<f32>().next().unwrap() - norm).abs() < 1e-5);
            if let Some(max) = max {
                grads = scaled(&net, grads, super::scale(measured, max));
            }
            for (value, raw) in values(&net, &grads).into_iter().zip([3.0, 3.0, 4.0]) {
                assert!((value - raw * scale).abs() < 1e-5, "{value} for {max:?}");
            }
        }
    }

    #[test]
    fn a_norm_over_millions_does_not_depend_on_threads() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        for shape in [[5 << 20, 1], [1, 5 << 20], [1280, 4096]] {
            let value =
                burn::tensor::TensorData::new((0..5 << 20).map(|i| (i as f32).sin()).collect(), shape);
            let mut net: Linear<B> = LinearConfig::new(2, 1).with_bias(false).init(&Default::default());
            net.weight =
                net.weight.map(|_| Tensor::from_data(value.clone(), &Default::default()).require_grad());
            let norm = |threads| {
                pool(threads).install(|| {
                    let loss = net.weight.val().powi_scalar(2).sum_dim(1).sum_dim(0) * 0.5;
                    let grads = GradientsParams::from_grads(loss.backward(), &net);
                    global_norm(&net, &grads).expect("a parameter").into_data().to_vec::<f32>()
                })
            };
            let one = norm(1).expect("a number");
            let exact = value.iter::<f64>().map(|x| x * x).sum::<f64>().sqrt();
            assert!((f64::from(one[0]) / exact - 1.0).abs() < 1e-6, "{} is not {exact}", one[0]);
            for _ in 0..20 {
                assert_eq!(norm(2).expect("a number"), one);
            }
        }
    }
}
