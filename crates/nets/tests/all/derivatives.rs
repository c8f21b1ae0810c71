//! `du/dt` by forward mode and gradients by reverse mode against central differences.

use burn::{
    backend::Flex,
    module::{AutodiffModule, Module, ModuleVisitor, Param},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_core::Backbone;
use meanflow_jvp::Dual;
use meanflow_nets::{Net, NetConfig};

use crate::common::{Inputs, Train, device, largest, moved, networks, normal, random_net};

#[test]
fn the_total_derivative_along_the_flow_is_that_of_central_differences() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Train, NetConfig> = random_net(&config, shape, classes, &device);
        let inputs = Inputs::<Train>::new(shape, classes, &device);
        let v = normal::<Flex, 4>("v", 0, inputs.z.dims(), &device);
        let one = Tensor::<Flex, 1>::ones([3], &device);
        let u = net.forward(
            inputs.z.clone().with_tangent(v.clone()),
            inputs.r.clone(),
            inputs.t.clone().with_tangent(one),
            &inputs.condition,
        );
        let dudt = u.tangent().expect("u depends on z and t");

        let plain = Inputs::<Flex>::new(shape, classes, &device);
        let net = net.valid();
        let at = |s: f64| {
            net.forward(
                plain.z.clone() + v.clone() * s,
                plain.r.clone(),
                plain.t.clone() + s,
                &plain.condition,
            )
        };
        // Five points: random frequencies of time make high derivatives large.
        let step = 1e-5;
        let slope = |s: f64| (at(s) - at(-s)) / (2.0 * s);
        let difference = slope(step) * (4.0 / 3.0) - slope(2.0 * step) * (1.0 / 3.0);
        let error = largest(dudt - difference.clone()) / largest(difference);
        assert!(error < 1e-8, "{config:?}: {error:e}");
    }
}

#[test]
fn forward_mode_and_reverse_mode_agree() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Train, NetConfig> = random_net(&config, shape, classes, &device);
        let inputs = Inputs::<Train>::new(shape, classes, &device);
        let v = normal::<Flex, 4>("v", 0, inputs.z.dims(), &device);
        let probe = normal::<Flex, 4>("probe", 0, inputs.z.dims(), &device);
        let (z, t) = (inputs.z.clone().require_grad(), inputs.t.clone().require_grad());
        let one = Tensor::<Flex, 1>::ones([3], &device);
        let u = net.forward(
            z.clone().with_tangent(v.clone()),
            inputs.r.clone(),
            t.clone().with_tangent(one.clone()),
            &inputs.condition,
        );
        let forward = scalar((u.tangent().expect("u depends on z and t") * probe.clone()).sum());
        let gradients = (u * Tensor::from_inner(probe)).sum().backward();
        let [dz, dt] = [
            scalar((z.grad(&gradients).expect("u depends on z") * v).sum()),
            scalar((t.grad(&gradients).expect("u depends on t") * one).sum()),
        ];
        let error = (forward / (dz + dt) - 1.0).abs();
        // Reverse mode divides by constants in f32.
        assert!(error < 1e-6, "{config:?}: {error:e}");
    }
}

fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> f64 {
    // `into_scalar` would round to the backend's f32.
    tensor.into_data().convert::<f64>().into_vec().unwrap()[0]
}

#[test]
fn the_gradient_of_the_weights_is_that_of_central_differences() {
    /// `Σ gradient · direction` over all weights.
    struct Slope<'a, B: AutodiffBackend> {
        gradients: &'a B::Gradients,
        count: u64,
        slope: f64,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Slope<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let gradient = param.grad(self.gradients).expect("every weight matters");
            let direction = normal("direction", self.count, param.dims(), &param.device());
            self.count += 1;
            self.slope += scalar((gradient * direction).sum());
        }
    }

    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Train, NetConfig> = random_net(&config, shape, classes, &device);
        let inputs = Inputs::<Train>::new(shape, classes, &device);
        let probe = normal::<Train, 4>("probe", 0, inputs.z.dims(), &device);
        let gradients = (inputs.all_heads(&net) * probe.clone()).sum().backward();
        let mut slope = Slope::<Train> { gradients: &gradients, count: 0, slope: 0.0 };
        net.visit(&mut slope);

        let plain = Inputs::<Flex>::new(shape, classes, &device);
        let at = |s: f64| {
            let net = moved(net.valid(), "direction", s);
            scalar((plain.all_heads(&net) * probe.clone().inner()).sum())
        };
        let step = 1e-6;
        let difference = (at(step) - at(-step)) / (2.0 * step);
        let error = (slope.slope / difference - 1.0).abs();
        assert!(error < 1e-7, "{config:?}: {error:e}");
    }
}
