//! The U-Net's dropout and inputs, and that it learns.

use burn::{
    backend::Flex,
    module::AutodiffModule,
    optim::{AdamConfig, GradientsParams, Optimizer},
    tensor::Tensor,
};
use meanflow_core::precision::Precision;
use meanflow_core::{
    Backbone, Condition, Dropout, Streams,
    objective::{At, Batch, Derivative, Direction, MeanFlowConfig, Nets, Objective},
    time::{Pairing, Split, TimeLaw},
    weight::Weight,
};
use meanflow_jvp::Dual;
use meanflow_nets::{Net, NetConfig, Networks as _};

use crate::common::{Inputs, Train, device, largest, networks, normal, random_net};

fn with_dropout(inputs: &mut Inputs<Flex>, step: u64) {
    inputs.condition.dropout = Some(Dropout::new(&Streams::new(0), step));
}

#[test]
fn masks_depend_on_the_step_and_not_on_the_split() {
    let device = device();
    let (config, shape, classes) = &networks()[0];
    let net: Net<Flex, NetConfig> = random_net(config, *shape, *classes, &device);
    let mut inputs = Inputs::new(*shape, *classes, &device);
    let plain = inputs.forward(&net);
    with_dropout(&mut inputs, 0);
    let first = inputs.forward(&net);
    assert_eq!(largest(inputs.forward(&net) - first.clone()), 0.0);
    assert!(largest(first.clone() - plain) > 1e-2);

    let part = Inputs {
        z: inputs.z.clone().narrow(0, 1, 2),
        r: inputs.r.clone().narrow(0, 1, 2),
        t: inputs.t.clone().narrow(0, 1, 2),
        condition: inputs.condition.rows(1, 2),
    };
    assert!(largest(part.forward(&net) - first.clone().narrow(0, 1, 2)) < 1e-12);

    with_dropout(&mut inputs, 1);
    assert!(largest(inputs.forward(&net) - first) > 1e-2);
}

#[test]
fn primal_and_tangent_share_the_mask() {
    let device = device();
    let (config, shape, classes) = &networks()[0];
    let net: Net<Train, NetConfig> = random_net(config, *shape, *classes, &device);
    let mut inputs = Inputs::<Train>::new(*shape, *classes, &device);
    inputs.condition.dropout = Some(Dropout::new(&Streams::new(0), 0));
    let v = normal::<Flex, 4>("v", 0, inputs.z.dims(), &device);
    let u = net.forward(
        inputs.z.clone().with_tangent(v.clone()),
        inputs.r.clone(),
        inputs.t.clone().with_tangent(Tensor::ones([3], &device)),
        &inputs.condition,
    );
    let dudt = u.tangent().expect("u depends on z and t");

    let mut plain = Inputs::<Flex>::new(*shape, *classes, &device);
    with_dropout(&mut plain, 0);
    let net = net.valid();
    let at = |s: f64| {
        let (z, t) = (plain.z.clone() + v.clone() * s, plain.t.clone() + s);
        net.forward(z, plain.r.clone(), t, &plain.condition)
    };
    let step = 1e-6;
    let difference = (at(step) - at(-step)) / (2.0 * step);
    assert!(largest(dudt - difference.clone()) / largest(difference) < 1e-8);
}

#[test]
fn augmentation_matters_where_it_is_an_input() {
    let device = device();
    for (config, shape, classes) in networks() {
        let NetConfig::Unet(unet) = &config else { continue };
        let net: Net<Flex, NetConfig> = random_net(&config, shape, classes, &device);
        let mut inputs = Inputs::new(shape, classes, &device);
        let u = inputs.forward(&net);
        // Not augmented at all is augmented by zero.
        inputs.condition.augment = Some(Tensor::zeros([3, 2], &device));
        let zero = inputs.forward(&net);
        inputs.condition.augment = None;
        assert_eq!(largest(inputs.forward(&net) - zero.clone()), 0.0);
        assert_eq!(largest(u - zero) > 1e-3, unet.augment > 0, "{config:?}");
    }
}

#[test]
fn a_few_steps_of_meanflow_lower_the_loss() {
    let device = device();
    let (config, shape, classes) = &networks()[0];
    let mut net: Net<Train, NetConfig> = config.init(*shape, *classes, &Streams::new(0), &device).unwrap();
    let objective = MeanFlowConfig {
        time: TimeLaw::Uniform,
        time_r: None,
        pairing: Pairing::V0,
        share: 0.5,
        split: Split::Prefix,
        weight: Weight { p: 0.0, eps: 1e-3 },
        label_dropout: 0.1,
        guidance: None,
        derivative: Derivative::Jvp,
        tangent: Direction::FLOW,
    };
    let [c, h, w] = *shape;
    let labels = Condition::<Flex>::labels(Tensor::from_ints([0, 1, 2, 3, 4, 0, 1, 2], &device)).labels;
    let batch = Batch {
        x: normal::<Flex, 4>("data", 0, [8, c, h, w], &device) * 0.1 + 0.7,
        labels,
        augment: Some(normal("augment", 0, [8, 2], &device)),
        precision: Precision::Full,
    };
    let mut adam = AdamConfig::new().init();
    let losses: Vec<f64> = (0..40)
        .map(|step| {
            // The same numbers in each step: what is left to change is the network.
            let mut draws = objective.draw(&At::new(&Streams::new(1), 0, 1), [8, c, h, w]);
            draws.dropout = Some(Dropout::new(&Streams::new(1), step));
            let nets = Nets { online: &net, frozen: &net.valid(), teachers: &[] };
            let loss = objective.loss::<Train, _, _>(&nets, batch.clone(), &draws).loss;
            let value: f64 = loss.clone().inner().into_data().iter().next().unwrap();
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = adam.step(3e-3, net.clone(), gradients);
            value
        })
        .collect();
    assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
}
