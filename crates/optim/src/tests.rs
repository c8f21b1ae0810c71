use super::*;
use burn::{
    backend::{Autodiff, Flex},
    nn::{Linear, LinearConfig},
    optim::{Optimizer as _, adaptor::OptimizerAdaptor},
};

type B = Autodiff<Flex>;

const LR: f64 = 0.1;

fn adam(weight_decay: f64, except: &[&str]) -> AdamConfig {
    let weight_decay_except = except.iter().map(|&pattern| pattern.to_owned()).collect();
    AdamConfig { lr: LR, betas: [0.9, 0.95], eps: 1e-8, warmup: 0, weight_decay, weight_decay_except }
}

fn muon(except: &[&str], adam: AdamConfig) -> OptimizerConfig {
    let except = except.iter().map(|&pattern| pattern.to_owned()).collect();
    let adjust = Adjust::Original;
    OptimizerConfig::Muon(MuonConfig { lr: 0.02, momentum: 0.95, ns_steps: 5, adjust, except, adam })
}

#[test]
fn warm_up_is_linear() {
    let rates: Vec<f64> = (0..6).map(|step| learning_rate(0.4, 4, step)).collect();
    assert_eq!(rates, [0.1, 0.2, 0.30000000000000004, 0.4, 0.4, 0.4]);
    assert_eq!(learning_rate(0.4, 0, 0), 0.4);
}

/// A layer with fixed weights.
fn layer() -> Linear<B> {
    let mut net: Linear<B> = LinearConfig::new(2, 3).init(&Default::default());
    let device = Default::default();
    let weight = Tensor::from_floats([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]], &device);
    net.weight = net.weight.map(|_| weight.require_grad());
    net.bias =
        net.bias.map(|bias| bias.map(|_| Tensor::from_floats([0.5, -0.25, 2.0], &device).require_grad()));
    net
}

/// Gradients that depend on the weights.
fn gradients(net: &Linear<B>) -> GradientsParams {
    let bias = net.bias.as_ref().expect("a bias").val();
    let loss =
        net.weight.val().powi_scalar(2).sum() + (net.weight.val() * 3.0).sin().sum() + bias.exp().sum();
    GradientsParams::from_grads(loss.backward(), net)
}

fn values(net: &Linear<B>) -> (Vec<f32>, Vec<f32>) {
    let bias = net.bias.as_ref().expect("a bias").val().into_data();
    (net.weight.val().into_data().to_vec().expect("floats"), bias.to_vec().expect("floats"))
}

fn run(config: &OptimizerConfig, steps: u64) -> Linear<B> {
    let mut optim = Optim::new(config);
    (0..steps).fold(layer(), |net, step| {
        let grads = gradients(&net);
        optim.step(step, net, grads)
    })
}

fn close(a: &[f32], b: &[f32]) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} is not {b:?}");
}

#[test]
fn a_stored_state_goes_on_to_the_bit() {
    for config in every_kind() {
        let mut optim = Optim::<B, Linear<B>>::new(&config);
        let mut net = layer();
        // Past the step where RAdam begins to rectify.
        for step in 0..7 {
            let grads = gradients(&net);
            net = optim.step(step, net, grads);
        }
        let state = optim.state(&net);
        let mut restored = Optim::new(&config).with_state(&net, state.clone()).expect("its own state");
        let a = optim.step(7, net.clone(), gradients(&net));
        let b = restored.step(7, net.clone(), gradients(&net));
        assert_eq!(values(&a), values(&b), "{config:?}");
        assert_eq!(optim.state(&a), restored.state(&b));
        let fresh = Optim::new(&config).step(7, net.clone(), gradients(&net));
        assert_ne!(values(&a).0, values(&fresh).0, "the moments matter");

        let mut short = state.clone();
        let (lost, _) = short.pop_first().expect("a state");
        let refused = Optim::<B, Linear<B>>::new(&config).with_state(&net, short).err();
        assert_eq!(refused, Some(StateError::Missing(lost)));
        let mut long = state;
        long.insert("moment_1.nothing".to_owned(), burn::tensor::TensorData::new(vec![1f32], [1]));
        let refused = Optim::<B, Linear<B>>::new(&config).with_state(&net, long).err();
        assert_eq!(refused, Some(StateError::Unused { count: 1, first: "moment_1.nothing".to_owned() }));
    }
}

#[test]
fn the_decay_is_that_of_adamw() {
    let config = burn::optim::AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.95).with_epsilon(1e-8);
    let mut burns: OptimizerAdaptor<burn::optim::AdamW, Linear<B>, B> = config.with_weight_decay(0.3).init();
    let expected = (0..12).fold(layer(), |net, _| {
        let grads = gradients(&net);
        burns.step(LR, net, grads)
    });
    let net = run(&OptimizerConfig::AdamW(AdamW(adam(0.3, &[]))), 12);
    close(&values(&net).0, &values(&expected).0);
    close(&values(&net).1, &values(&expected).1);
}

#[test]
fn named_parameters_do_not_decay() {
    for (kind, name) in
        [(|adam| OptimizerConfig::AdamW(AdamW(adam))) as fn(AdamConfig) -> OptimizerConfig, |adam| {
            OptimizerConfig::RAdam(RAdam(adam))
        }]
        .into_iter()
        .zip(["w", "r"])
    {
        let (all, none) = (run(&kind(adam(0.3, &[])), 5), run(&kind(adam(0.0, &[])), 5));
        let some = run(&kind(adam(0.3, &["bi*"])), 5);
        assert_eq!(values(&some), (values(&all).0, values(&none).1), "{name}");
        assert_ne!(values(&all).1, values(&none).1, "{name}");
    }
}

#[test]
fn parameters_without_a_gradient_stay() {
    let decays = adam(0.3, &[]);
    for config in [
        OptimizerConfig::AdamW(AdamW(decays.clone())),
        OptimizerConfig::RAdam(RAdam(decays.clone())),
        muon(&[], decays),
    ] {
        let net = layer();
        let grads = GradientsParams::from_grads(net.weight.val().powi_scalar(2).sum().backward(), &net);
        let after = Optim::new(&config).step(0, net.clone(), grads);
        assert_eq!(values(&after).1, values(&net).1);
        assert_ne!(values(&after).0, values(&net).0);
        assert!(after.weight.val().is_require_grad());
    }
}

fn every_kind() -> [OptimizerConfig; 4] {
    let decays = adam(0.1, &["bias"]);
    [
        OptimizerConfig::Adam(Adam(adam(0.0, &[]))),
        OptimizerConfig::AdamW(AdamW(decays.clone())),
        OptimizerConfig::RAdam(RAdam(decays.clone())),
        muon(&[], decays),
    ]
}

/// All numbers of the weights and of averages.
fn everything(net: &Linear<B>, averages: &[Linear<Flex>]) -> Vec<(Vec<f32>, Vec<f32>)> {
    let averages = averages.iter().map(|average| values(&Linear::from_inner(average.clone())));
    [values(net)].into_iter().chain(averages).collect()
}

#[test]
fn a_step_with_averages_is_a_clip_a_step_and_averages() {
    let shares = [0.9, 0.75];
    for (config, clip) in
        every_kind().into_iter().flat_map(|config| [(config.clone(), Some(0.5)), (config, None)])
    {
        let (mut whole, mut parts) = (Optim::new(&config), Optim::new(&config));
        let (mut net, mut averages) = (layer(), vec![layer().valid(), layer().valid()]);
        let (mut same, mut followers) = (layer(), averages.clone());
        for step in 0..7 {
            let with_shares = averages.into_iter().zip(shares).collect();
            let grads = gradients(&net);
            let stepped = whole.step_with_averages(step, clip, net, grads, with_shares);

            let mut grads = gradients(&same);
            let squares: f64 = {
                let weight: Tensor<Flex, 2> = grads.get(same.weight.id).expect("a gradient");
                let bias = same.bias.as_ref().expect("a bias").id;
                let bias: Tensor<Flex, 1> = grads.get(bias).expect("a gradient");
                let all = weight
                    .into_data()
                    .iter::<f64>()
                    .chain(bias.into_data().iter::<f64>())
                    .collect::<Vec<_>>();
                all.iter().map(|x| x * x).sum()
            };
            let norm = stepped.norm.expect("gradients");
            let found = norm.to_data().iter::<f64>().next().expect("a number");
            assert!((found / squares.sqrt() - 1.0).abs() < 1e-6, "{found} is not the root of {squares}");
            if let Some(clip) = clip {
                assert!(found > clip, "the clip acts");
                grads = clip::scaled(&same, grads, clip::scale(norm, clip));
            }
            same = parts.step(step, same, grads);
            let follow = |(average, share)| ema::update(average, &same.valid(), share);
            followers = followers.into_iter().zip(shares).map(follow).collect();

            (net, averages) = (stepped.module, stepped.averages);
            assert_eq!(everything(&net, &averages), everything(&same, &followers), "{config:?}, {clip:?}");
            assert!(net.weight.val().is_require_grad() && !averages[0].weight.val().is_require_grad());
        }
        assert_eq!(whole.state(&net), parts.state(&same));
    }
}

/// Matrices of several tasks of a kernel.
#[test]
fn threads_change_no_bit() {
    // Fixed weights: a fresh layer draws them anew in every clone.
    let mut start: Linear<B> = LinearConfig::new(150, 200).init(&Default::default());
    let numbers =
        burn::tensor::TensorData::new((0..150 * 200).map(|i| (i as f32).sin()).collect(), [150, 200]);
    start.weight = start.weight.map(|_| Tensor::from_data(numbers, &Default::default()).require_grad());
    start.bias = start.bias.map(|bias| bias.map(|bias| bias.zeros_like().require_grad()));
    let run = |config: &OptimizerConfig, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut optim = Optim::new(config);
            let (mut net, mut averages) = (start.clone(), vec![start.valid()]);
            for step in 0..3 {
                let grads = gradients(&net);
                let with_shares = averages.into_iter().map(|average| (average, 0.9)).collect();
                let stepped = optim.step_with_averages(step, Some(0.5), net, grads, with_shares);
                (net, averages) = (stepped.module, stepped.averages);
            }
            everything(&net, &averages)
        })
    };
    for config in every_kind() {
        assert!(run(&config, 2) == run(&config, 1), "{config:?}");
    }
}

#[test]
fn averages_follow_parameters_without_a_gradient_too() {
    let net = layer();
    let grads = GradientsParams::from_grads(net.weight.val().powi_scalar(2).sum().backward(), &net);
    let mut average = net.valid();
    average.bias = average.bias.map(|bias| bias.map(|bias| bias + 1.0));
    let mut optim = Optim::new(&every_kind()[0]);
    let stepped = optim.step_with_averages(0, None, net.clone(), grads, vec![(average, 0.75)]);
    let [(_, bias), (_, average)] =
        everything(&stepped.module, &stepped.averages).try_into().expect("an average");
    assert_eq!(bias, values(&net).1);
    close(&average, &bias.iter().map(|bias| bias + 0.75).collect::<Vec<_>>());
    assert_eq!(optim.state(&stepped.module).len(), 3, "no moments of the bias");
}

#[test]
fn muon_takes_the_matrices_and_adam_the_rest() {
    let plain = run(&OptimizerConfig::Adam(Adam(adam(0.0, &[]))), 4);
    let both = run(&muon(&[], adam(0.0, &[])), 4);
    assert_eq!(values(&both).1, values(&plain).1);
    assert_ne!(values(&both).0, values(&plain).0);
    assert_eq!(values(&run(&muon(&["wei*"], adam(0.0, &[])), 4)), values(&plain));
    // Its decay goes by its own learning rate.
    let decayed = run(&muon(&[], adam(0.5, &[])), 1);
    let weights = values(&run(&muon(&[], adam(0.0, &[])), 1)).0;
    let lost: Vec<f32> = weights.iter().zip(values(&decayed).0).map(|(a, b)| a - b).collect();
    close(&lost, &values(&layer()).0.iter().map(|w| w * 0.02 * 0.5).collect::<Vec<_>>());
}

#[test]
fn a_pattern_that_names_nothing_is_found() {
    let idle = |except: &[&str]| {
        idle_pattern::<B, _>(&OptimizerConfig::AdamW(AdamW(adam(0.1, except))), &layer())
            .map(|found| found.1.clone())
    };
    assert_eq!(idle(&["bias", "*"]), None);
    assert_eq!(idle(&["bias", "*.bias"]), Some("*.bias".to_owned()));
}
