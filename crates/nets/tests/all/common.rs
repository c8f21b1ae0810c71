//! Networks and inputs in f64.

use std::sync::Once;

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, ModuleMapper, Param},
    tensor::{
        DType, Tensor, TensorData,
        backend::{Backend, BackendTypes},
        set_default_dtypes,
    },
};
use meanflow_core::{Backbone, Clock, Condition, Streams};
use meanflow_jvp::Jvp;
use meanflow_nets::{
    DitConfig, ImfDitConfig, MlpConfig, Net, NetConfig, Networks as _, UnetConfig,
    unet::{Encoder, TimeFeatures},
};

/// The backend that trains.
pub type Train = Jvp<Autodiff<Flex>>;

/// The device, with f64 as the default type of this process's tensors.
pub fn device() -> <Train as BackendTypes>::Device {
    static F64: Once = Once::new();
    let device = Default::default();
    F64.call_once(|| set_default_dtypes::<Flex>(&device, DType::F64, DType::I32).expect("no tensor yet"));
    device
}

/// A small U-Net of each family, a DiT for images that are not square, and an MLP, each with and without classes.
pub fn networks() -> Vec<(NetConfig, [usize; 3], Option<usize>)> {
    let dit =
        |clock| NetConfig::Dit(DitConfig { patch: 2, width: 24, depth: 2, heads: 3, mlp_ratio: 2.0, clock });
    let mlp = |octaves, clock| NetConfig::Mlp(MlpConfig { width: 16, depth: 3, octaves, clock });
    let imf = NetConfig::ImfDit(ImfDitConfig {
        patch: 2,
        width: 24,
        depth: 2,
        head_depth: 1,
        heads: 2,
        class_tokens: 2,
        ..ImfDitConfig::preset("nano2").unwrap()
    });
    let ddpm = UnetConfig {
        width: 8,
        multipliers: vec![1, 2],
        blocks: 1,
        attention: vec![4],
        augment: 2,
        filter: vec![1.0, 3.0, 3.0, 1.0],
        dropout: 0.3,
        ..UnetConfig::ddpmpp()
    };
    let ncsn = UnetConfig {
        multipliers: vec![1, 1, 2],
        encoder: Encoder::Residual,
        time_features: TimeFeatures::Fourier,
        ..ddpm.clone()
    };
    let bare = UnetConfig { resample_blocks: false, augment: 0, clock: Clock::BothTimes, ..ddpm.clone() };
    vec![
        (NetConfig::Unet(ddpm), [3, 8, 8], Some(5)),
        (NetConfig::Unet(ncsn), [1, 8, 8], None),
        (NetConfig::Unet(bare), [2, 8, 8], Some(3)),
        (imf.clone(), [3, 4, 6], Some(5)),
        (imf, [1, 4, 4], None),
        (dit(Clock::TimeAndGap), [3, 4, 6], Some(5)),
        (dit(Clock::AllThree), [1, 6, 4], None),
        (mlp(2, Clock::Gap), [2, 1, 1], Some(3)),
        (mlp(0, Clock::TimeAndGap), [2, 1, 1], None),
    ]
}

/// A network with every weight moved at random, so that no layer is zero.
pub fn random_net<B: Backend>(
    config: &NetConfig,
    shape: [usize; 3],
    classes: Option<usize>,
    device: &B::Device,
) -> Net<B, NetConfig> {
    let net = config.init::<B>(shape, classes, &Streams::new(7), device);
    moved(net.unwrap(), "weights", 0.2)
}

/// The network with `scale` times N(0, 1) draws, the same for every call of this name, added to its weights.
pub fn moved<B: Backend>(net: Net<B, NetConfig>, name: &'static str, scale: f64) -> Net<B, NetConfig> {
    struct Move {
        name: &'static str,
        scale: f64,
        count: u64,
    }
    impl<B: Backend> ModuleMapper<B> for Move {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let draws = normal(self.name, self.count, param.dims(), &param.device());
            self.count += 1;
            param.map(|weight| (weight + draws * self.scale).detach().require_grad())
        }
    }
    net.map(&mut Move { name, scale, count: 0 })
}

/// N(0, 1) draws.
pub fn normal<B: Backend, const D: usize>(
    name: &str,
    step: u64,
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    let values = Streams::new(3).normal(name, step, shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Inputs `(z, r, t, condition)` for a batch of samples of `shape`, one of them with `r = t`.
pub struct Inputs<B: Backend> {
    pub z: Tensor<B, 4>,
    pub r: Tensor<B, 1>,
    pub t: Tensor<B, 1>,
    pub condition: Condition<B>,
}

impl<B: Backend> Inputs<B> {
    pub fn new(shape: [usize; 3], classes: Option<usize>, device: &B::Device) -> Self {
        let [c, h, w] = shape;
        let times = |values: [f64; 3]| Tensor::from_data(TensorData::new(values.to_vec(), [3]), device);
        let labels = |classes: usize| {
            let labels = vec![1, classes as i32, 0];
            Tensor::from_data(TensorData::new(labels, [3]), device)
        };
        Self {
            z: normal("z", 0, [3, c, h, w], device),
            r: times([0.1, 0.6, 0.0]),
            t: times([0.7, 0.6, 1.0]),
            condition: Condition {
                labels: classes.map(labels),
                // For those networks that take it.
                augment: Some(normal("augment", 0, [3, 2], device)),
                ..Condition::none()
            },
        }
    }

    pub fn forward(&self, net: &Net<B, NetConfig>) -> Tensor<B, 4> {
        net.forward(self.z.clone(), self.r.clone(), self.t.clone(), &self.condition)
    }

    /// The sum of all heads: every weight matters to it.
    pub fn all_heads(&self, net: &Net<B, NetConfig>) -> Tensor<B, 4> {
        let (z, r, t) = (self.z.clone(), self.r.clone(), self.t.clone());
        let heads = net.heads(z, r, t, &self.condition, |shared| shared);
        match heads.v {
            Some(v) => heads.u + v,
            None => heads.u,
        }
    }
}

/// Largest absolute value.
pub fn largest<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> f64 {
    let values = tensor.into_data().convert::<f64>().into_vec::<f64>().unwrap();
    values.into_iter().fold(0.0, |max, value| value.abs().max(max))
}
