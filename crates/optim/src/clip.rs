//! The clip of all gradients by their global norm.

use burn::{
    module::{AutodiffModule, ParamId},
    optim::GradientsParams,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_state::{ParamVisitor, visit_parameters};

/// Scales all gradients of `module` by `min(1, max_norm / ‖g‖)`, `‖g‖` over all parameters together; returns `‖g‖`, `[1]`.
///
/// `None` only measures. Nothing is read back from the device.
pub fn clip_global_norm<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    grads: &mut GradientsParams,
    max_norm: Option<f64>,
) -> Option<Tensor<B::InnerBackend, 1>> {
    let mut norm = SquaredNorm::<B::InnerBackend> { grads, sum: None };
    visit_parameters(module, &mut norm);
    let norm = norm.sum?.sqrt();
    if let Some(max_norm) = max_norm {
        // Same form as torch.nn.utils.clip_grad_norm_.
        let scale = ((norm.clone() + 1e-6).recip() * max_norm).clamp_max(1.0);
        visit_parameters(module, &mut Scale::<B::InnerBackend> { grads, scale });
    }
    Some(norm)
}

struct SquaredNorm<'a, I: Backend> {
    grads: &'a GradientsParams,
    sum: Option<Tensor<I, 1>>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for SquaredNorm<'_, I> {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
        let Some(grad) = self.grads.get::<I, D>(id) else { return };
        let squares = sum_of_squares(grad);
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
    }
}

/// `Σ x²`, `[1]`; by `sum_dim` twice, because a flat `sum` over many elements adds in whatever order Flex's threads finish.
pub(crate) fn sum_of_squares<I: Backend, const D: usize>(x: Tensor<I, D>) -> Tensor<I, 1> {
    let (rows, count) = (x.dims()[0].max(1), x.shape().num_elements());
    let squares = x.reshape([rows, count / rows]).powi_scalar(2).sum_dim(1);
    squares.reshape([1, rows]).sum_dim(1).reshape([1])
}

struct Scale<'a, I: Backend> {
    grads: &'a mut GradientsParams,
    scale: Tensor<I, 1>,
}

impl<B: AutodiffBackend<InnerBackend = I>, I: Backend> ParamVisitor<B> for Scale<'_, I> {
    fn visit<const D: usize>(&mut self, _name: String, id: ParamId, _tensor: Tensor<B, D>) {
        if let Some(grad) = self.grads.remove::<I, D>(id) {
            self.grads.register(id, grad * self.scale.clone().reshape([1; D]));
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
            let measured = clip_global_norm(&net, &mut grads, max).expect("parameters").into_data();
            assert!((measured.iter::<f32>().next().unwrap() - norm).abs() < 1e-5);
            for (value, raw) in values(&net, &grads).into_iter().zip([3.0, 3.0, 4.0]) {
                assert!((value - raw * scale).abs() < 1e-5, "{value} for {max:?}");
            }
        }
    }

    /// Flex splits flat sums of 4 Mi elements and more over its threads.
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
                    let mut grads = GradientsParams::from_grads(loss.backward(), &net);
                    clip_global_norm(&net, &mut grads, None).expect("a parameter").into_data().to_vec::<f32>()
                })
            };
            let one = norm(1).expect("a number");
            let exact = value.iter::<f64>().map(|x| x * x).sum::<f64>().sqrt();
            assert!((f64::from(one[0]) / exact - 1.0).abs() < 1e-4, "{} is not {exact}", one[0]);
            for _ in 0..20 {
                assert_eq!(norm(2).expect("a number"), one);
            }
        }
    }
}
