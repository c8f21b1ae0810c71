//! Networks that start from a trained velocity.

use crate::common::{Inputs, Train, device, largest, moved, normal, random_net};
use burn::{
    backend::Flex,
    module::{Module, ModuleVisitor, Param},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use meanflow_core::{Backbone, Clock, Condition, Streams};
use meanflow_jvp::Dual;
use meanflow_nets::{DitConfig, MlpConfig, Net, NetConfig, NetError, Networks as _, UnetConfig};

type Case = (fn(Clock) -> NetConfig, [usize; 3], Option<usize>);

fn dit(clock: Clock) -> NetConfig {
    NetConfig::Dit(DitConfig { patch: 2, width: 24, depth: 2, heads: 3, mlp_ratio: 2.0, clock })
}

fn mlp(clock: Clock) -> NetConfig {
    NetConfig::Mlp(MlpConfig { width: 16, depth: 3, octaves: 2, clock })
}

fn unet(clock: Clock) -> NetConfig {
    let sizes = UnetConfig {
        width: 8,
        multipliers: vec![1, 2],
        blocks: 1,
        attention: vec![4],
        ..UnetConfig::ddpmpp()
    };
    NetConfig::Unet(UnetConfig { augment: 2, clock, ..sizes })
}

const CASES: [Case; 6] = [
    (dit, [3, 4, 6], Some(5)),
    (dit, [1, 4, 4], None),
    (mlp, [2, 1, 1], Some(3)),
    (mlp, [2, 1, 1], None),
    (unet, [1, 8, 8], None),
    (unet, [1, 8, 8], Some(3)),
];

/// A random network with the first clock, and the network with the second that starts from it.
fn start<B: Backend>(
    (config, shape, classes): Case,
    [flow, own]: [Clock; 2],
    device: &B::Device,
) -> (Net<B, NetConfig>, Result<Net<B, NetConfig>, NetError>) {
    let velocity = random_net::<B>(&config(flow), shape, classes, device);
    let fresh = config(own).init(shape, classes, &Streams::new(8), device).unwrap();
    let start = config(own).start_from(&config(flow), velocity.clone(), fresh);
    (velocity, start)
}

/// Pairs of clocks of which the second can follow from the first.
const FOLLOW: [[Clock; 2]; 7] = [
    [Clock::Time, Clock::Time],
    [Clock::Time, Clock::TimeAndGap],
    [Clock::Time, Clock::BothTimes],
    [Clock::Time, Clock::AllThree],
    [Clock::TimeAndGap, Clock::TimeAndGap],
    [Clock::TimeAndGap, Clock::BothTimes],
    [Clock::TimeAndGap, Clock::AllThree],
];

#[test]
fn it_says_for_every_pair_of_times_what_the_velocity_says() {
    for case in CASES {
        for clocks in FOLLOW {
            // The gap's features of this one carry the classes too.
            let unet = matches!((case.0)(clocks[0]), NetConfig::Unet(_));
            if unet && case.2.is_some() && clocks[0] == Clock::TimeAndGap {
                continue;
            }
            let (velocity, start) = start::<Flex>(case, clocks, &device());
            let start = start.unwrap();
            let Inputs { z, r, t, condition } = Inputs::<Flex>::new(case.1, case.2, &device());
            // Samples are not augmented where a network generates; in training the labels of it count for less.
            let condition = Condition { augment: None, ..condition };
            let expected = velocity.forward(z.clone(), t.clone(), t.clone(), &condition);
            let said = start.forward(z.clone(), r.clone(), t.clone(), &condition);
            assert!(largest(expected.clone()) > 0.1);
            let off = largest(said - expected);
            assert!(off < 1e-12, "{:?} {clocks:?}: {off}", (case.0)(clocks[1]));
        }
    }
}

/// The derivative along `r` is zero at the start, and it can be learned.
#[test]
fn every_weight_of_the_new_times_can_learn() {
    struct Silent<'a, B: AutodiffBackend>(&'a B::Gradients, usize);
    impl<B: AutodiffBackend> ModuleVisitor<B> for Silent<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let gradient = param.grad(self.0).expect("every weight takes part");
            self.1 += usize::from(largest(gradient) == 0.0);
        }
    }
    let device = device();
    for case in CASES {
        let (_, net) = start::<Train>(case, [Clock::Time, Clock::TimeAndGap], &device);
        // Leaves of the tape.
        let net = moved(net.unwrap(), "weights", 0.0);
        let Inputs { z, r, t, condition } = Inputs::<Train>::new(case.1, case.2, &device);
        let along = r.clone().with_tangent(Tensor::ones([3], &device));
        let out = net.forward(z, along, t, &condition);
        assert_eq!(largest(out.tangent().expect("it is told of r")), 0.0);
        let probe = normal("probe", 0, out.dims(), &device);
        let gradients = (out * probe).sum().backward();
        let mut silent = Silent::<Train>(&gradients, 0);
        net.visit(&mut silent);
        // The first layer of an embedder learns once the second, which starts at zero, has moved.
        let expected = if matches!((case.0)(Clock::Time), NetConfig::Dit(_)) { 2 } else { 0 };
        assert_eq!(silent.1, expected, "{:?}", (case.0)(Clock::TimeAndGap));
    }
}

#[test]
fn what_cannot_follow_is_said() {
    let reason = |case, clocks| match start::<Flex>(case, clocks, &device()).1 {
        Err(NetError::NoStart { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason(CASES[0], [Clock::BothTimes, Clock::TimeAndGap]).contains("neither"));
    assert!(reason(CASES[0], [Clock::Time, Clock::Gap]).contains("beside another time"));
    assert!(reason(CASES[5], [Clock::TimeAndGap, Clock::TimeAndGap]).contains("classes"));
    let (device, wide) = (device(), MlpConfig { width: 24, depth: 3, octaves: 2, clock: Clock::Time });
    let net = |config: &NetConfig| random_net::<Flex>(config, [2, 1, 1], None, &device);
    let (wide, own) = (NetConfig::Mlp(wide), mlp(Clock::TimeAndGap));
    let said = own.start_from(&wide, net(&wide), net(&own)).unwrap_err();
    assert!(said.to_string().contains("other sizes"), "{said}");
    let said =
        own.start_from(&dit(Clock::Time), random_net(&dit(Clock::Time), [1, 4, 4], None, &device), net(&own));
    assert!(said.unwrap_err().to_string().contains("another kind"));
}
