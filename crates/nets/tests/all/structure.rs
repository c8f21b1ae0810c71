//! Counts, initial values and independence of rows.

use burn::{
    backend::Flex,
    module::{Module, ModuleVisitor, Param, ParamId},
    tensor::{DType, Tensor, backend::Backend},
};
use meanflow_core::{Backbone, Clock, Condition, Guidance, Streams};
use meanflow_jvp::{Dual, Jvp};
use meanflow_nets::{DitConfig, MlpConfig, Net, NetConfig, Networks as _, UnetConfig};

use crate::common::{Inputs, device, largest, networks, normal, random_net};

#[test]
fn the_count_without_weights_is_the_count_of_the_weights() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Flex, NetConfig> = config.init(shape, classes, &Streams::new(0), &device).unwrap();
        assert_eq!(config.parameters(shape, classes), net.num_params(), "{config:?}");
        assert_eq!(net.classes(), classes);
    }
}

#[test]
fn the_yardstick_net_has_its_parameter_count() {
    let config = NetConfig::Dit(DitConfig::preset("tiny4").unwrap());
    assert_eq!(config.parameters([1, 32, 32], Some(10)), 4_253_968);
}

/// Exactly, but for the U-Net, whose last layer starts at 1e-5 of the usual scale.
#[test]
fn a_fresh_network_outputs_zero() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Flex, NetConfig> = config.init(shape, classes, &Streams::new(0), &device).unwrap();
        let u = Inputs::new(shape, classes, &device).forward(&net);
        let most = if matches!(config, NetConfig::Unet(_)) { 1e-4 } else { 0.0 };
        assert!(largest(u) <= most, "{config:?}");
    }
}

#[test]
fn rows_do_not_see_each_other() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Flex, NetConfig> = random_net(&config, shape, classes, &device);
        let all = Inputs::new(shape, classes, &device);
        let together = all.forward(&net);
        assert_eq!(together.dtype(), DType::F64);
        assert!(largest(together.clone()) > 0.1);
        for row in 0..3 {
            let one = Inputs {
                z: all.z.clone().narrow(0, row, 1),
                r: all.r.clone().narrow(0, row, 1),
                t: all.t.clone().narrow(0, row, 1),
                condition: all.condition.rows(row, 1),
            };
            let alone = one.forward(&net);
            let difference = largest(alone - together.clone().narrow(0, row, 1));
            assert!(difference < 1e-12, "{config:?} row {row}: {difference:e}");
        }
    }
}

#[test]
fn every_input_matters() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Flex, NetConfig> = random_net(&config, shape, classes, &device);
        let base = Inputs::new(shape, classes, &device);
        let u = base.forward(&net);
        let changed = |z: f64, r: f64, t: f64, condition: &Condition<Flex>| {
            let u = net.forward(base.z.clone() + z, base.r.clone() + r, base.t.clone() + t, condition)
                - u.clone();
            largest(u)
        };
        let condition = &base.condition;
        assert!(changed(0.1, 0.0, 0.0, condition) > 1e-3, "{config:?}: z");
        assert!(changed(0.0, 0.1, 0.0, condition) > 1e-4, "{config:?}: r");
        assert!(changed(0.0, 0.0, 0.1, condition) > 1e-4, "{config:?}: t");
        if let Some(labels) = &condition.labels {
            let other = Condition::labels(labels.zeros_like());
            assert!(changed(0.0, 0.0, 0.0, &other) > 1e-3, "{config:?}: label");
        }
    }
}

#[test]
fn a_network_sees_what_its_clock_tells() {
    let (device, shape) = (device(), [2, 8, 8]);
    let dit = DitConfig { patch: 4, width: 8, depth: 1, heads: 2, ..DitConfig::preset("nano2").unwrap() };
    let unet = UnetConfig { width: 8, multipliers: vec![1], ..UnetConfig::preset("nano").unwrap() };
    let mlp = MlpConfig { width: 8, depth: 2, octaves: 1, clock: Clock::default() };
    for (name, clock) in Clock::ALL {
        let networks = [
            NetConfig::Dit(DitConfig { clock, ..dit.clone() }),
            NetConfig::Unet(UnetConfig { clock, ..unet.clone() }),
            NetConfig::Mlp(MlpConfig { clock, ..mlp.clone() }),
        ];
        for config in networks {
            let net: Net<Flex, NetConfig> = random_net(&config, shape, None, &device);
            assert_eq!(config.parameters(shape, None), net.num_params(), "{config:?}");
            let inputs = Inputs::new(shape, None, &device);
            let u = inputs.forward(&net);
            let sees = |r: f64, t: f64| {
                let (r, t) = (inputs.r.clone() + r, inputs.t.clone() + t);
                largest(net.forward(inputs.z.clone(), r, t, &inputs.condition) - u.clone()) > 1e-6
            };
            assert_eq!(sees(0.1, 0.0), name != "t", "r of {config:?}");
            assert!(sees(0.0, 0.1), "t of {config:?}");
            assert_eq!(sees(0.125, 0.125), name != "h", "both of {config:?}");
        }
    }
}

#[test]
fn guidance_matters_to_networks_that_take_it() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Flex, NetConfig> = random_net(&config, shape, classes, &device);
        let mut inputs = Inputs::new(shape, classes, &device);
        let u = inputs.forward(&net);
        let mut changed = |omega: f64, interval: [f64; 2]| {
            inputs.condition.guidance = Some(Guidance::full(3, omega, interval, &device));
            largest(inputs.forward(&net) - u.clone())
        };
        assert_eq!(changed(1.0, [0.0, 1.0]), 0.0, "{config:?}: none is the default");
        for (omega, interval) in [(2.0, [0.0, 1.0]), (1.0, [0.3, 1.0]), (1.0, [0.0, 0.6])] {
            assert_eq!(changed(omega, interval) > 1e-4, config.guided(), "{config:?}");
        }
        assert_eq!(Backbone::<Flex>::guided(&net), config.guided());
    }
}

#[test]
fn the_velocity_is_that_of_the_auxiliary_head_or_the_boundary_value() {
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<Flex, NetConfig> = random_net(&config, shape, classes, &device);
        let Inputs { z, t, condition, .. } = Inputs::new(shape, classes, &device);
        let heads = net.heads(z.clone(), t.clone(), t.clone(), &condition, |shared| shared);
        assert_eq!(heads.v.is_some(), matches!(config, NetConfig::ImfDit(_)));
        let want = heads.v.unwrap_or(heads.u);
        assert_eq!(net.velocity(z, t, &condition).into_data(), want.into_data(), "{config:?}");
    }
}

/// The auxiliary head of a pass with tangents: its values are the same, and it carries no tangent.
#[test]
fn tangents_end_where_the_auxiliary_head_branches_off() {
    type B = Jvp<Flex>;
    let device = device();
    for (config, shape, classes) in networks() {
        let net: Net<B, NetConfig> = random_net(&config, shape, classes, &device);
        let Inputs { z, r, t, condition } = Inputs::new(shape, classes, &device);
        let heads = |branch: fn(Tensor<B, 2>) -> Tensor<B, 2>| {
            let z = z.clone().with_tangent(normal("tangent", 0, z.dims(), &device));
            net.heads(z, r.clone(), t.clone(), &condition, branch)
        };
        let (plain, cut) = (heads(|shared| shared), heads(Dual::without_tangent));
        let tangent = |u: &Tensor<B, 4>| u.tangent().expect("u depends on z").into_data();
        assert_eq!(tangent(&plain.u), tangent(&cut.u), "{config:?}");
        if let (Some(plain), Some(cut)) = (plain.v, cut.v) {
            assert!(plain.tangent().is_some() && cut.tangent().is_none());
            assert_eq!(plain.value().into_data(), cut.value().into_data());
        }
    }
}

#[test]
fn initial_weights_depend_on_seed_and_path_alone() {
    #[derive(Default)]
    struct Weights(Vec<(ParamId, Vec<f64>)>);
    impl<B: Backend> ModuleVisitor<B> for Weights {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let values = param.val().into_data().convert::<f64>().into_vec().unwrap();
            self.0.push((param.id, values));
        }
    }
    let device = device();
    let weights = |depth: usize, seed: u64| {
        let mut config = DitConfig::preset("nano7").unwrap();
        (config.width, config.heads, config.depth) = (16, 2, depth);
        let net = NetConfig::Dit(config);
        let net: Net<Flex, NetConfig> = net.init([1, 28, 28], Some(3), &Streams::new(seed), &device).unwrap();
        let mut weights = Weights::default();
        net.visit(&mut weights);
        weights.0
    };
    let two = weights(2, 0);
    assert_eq!(two, weights(2, 0));
    let three = weights(3, 0);
    assert!(two.iter().all(|weight| three.contains(weight)), "a deeper net has other weights");
    let other = weights(2, 1);
    for ((id, values), (other_id, other_values)) in two.iter().zip(&other) {
        assert_eq!(id, other_id);
        let zero = values.iter().all(|value| *value == 0.0);
        assert_eq!(zero, values == other_values);
    }
    let mut ids: Vec<ParamId> = three.into_iter().map(|(id, _)| id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "two parameters share an id");
}
