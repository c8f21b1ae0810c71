//! The transformer block of iMF: RMS normalisation, rotary positions, SwiGLU, gates that start at zero. Linear layers have no
//! bias.

use burn::{
    module::{Module, Param},
    nn::Linear,
    tensor::{Tensor, TensorData, activation::silu, backend::Backend},
};

use meanflow_core::precision::{typed_as, widened};

use super::ImfDitConfig;
use crate::{
    attention,
    init::{Init, Law},
};

/// Initial scale of the linear layers of a block, over `1/√inputs`.
const SCALE: f64 = 0.32;

/// `x/√(mean x² + 1e-6)·w` of each row.
#[derive(Module, Debug)]
pub(crate) struct RmsNorm<B: Backend> {
    weight: Param<Tensor<B, 1>>,
}

impl<B: Backend> RmsNorm<B> {
    pub(crate) fn new(init: &Init<B>, width: usize) -> Self {
        Self { weight: init.at("weight").param([width], Law::Ones) }
    }

    /// `[rows, width]` to the same.
    pub(crate) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let x = widened(x, |x| {
            let square = (x.clone() * x.clone()).mean_dim(1);
            x * (square + 1e-6).sqrt().recip()
        });
        x * self.weight.val().unsqueeze()
    }
}

/// Rotary positions (RoFormer, arXiv 2104.09864): the pair `k` of features at position `n` turns by `n·10000^(−2k/features)`.
#[derive(Module, Debug)]
pub(crate) struct Rotary<B: Backend> {
    /// `[positions, 1, pairs, 1]`; not a parameter.
    cos: Tensor<B, 4>,
    sin: Tensor<B, 4>,
}

impl<B: Backend> Rotary<B> {
    /// For `features` of a head at positions `0 .. positions`.
    pub(crate) fn new(positions: usize, features: usize, device: &B::Device) -> Self {
        let pairs = features / 2;
        let frequency = |pair: usize| 10_000_f64.powf(-2.0 * pair as f64 / features as f64);
        let table = |f: fn(f64) -> f64| {
            let row = |position: usize| (0..pairs).map(move |pair| f(position as f64 * frequency(pair)));
            let values: Vec<f64> = (0..positions).flat_map(row).collect();
            Tensor::from_data(TensorData::new(values, [positions, 1, pairs, 1]), device)
        };
        Self { cos: table(f64::cos), sin: table(f64::sin) }
    }

    /// Turns `x`, `[positions, others, features]`; a pair is two neighbours.
    pub(crate) fn turn(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [positions, others, features] = x.dims();
        let pairs = x.reshape([positions, others, features / 2, 2]);
        let (a, b) = (pairs.clone().narrow(3, 0, 1), pairs.narrow(3, 1, 1));
        let (cos, sin) = (typed_as(self.cos.clone(), &a), typed_as(self.sin.clone(), &a));
        let turned = vec![a.clone() * cos.clone() - b.clone() * sin.clone(), a * sin + b * cos];
        Tensor::cat(turned, 3).reshape([positions, others, features])
    }

    /// Number of positions.
    pub(crate) fn positions(&self) -> usize {
        self.cos.dims()[0]
    }
}

/// One block: `x += g₁·attn(RMS(x))`, `x += g₂·mlp(RMS(x))` with a gate for each feature.
#[derive(Module, Debug)]
pub(crate) struct Block<B: Backend> {
    norm1: RmsNorm<B>,
    q_proj: Linear<B>,
    k_proj: Linear<B>,
    v_proj: Linear<B>,
    out_proj: Linear<B>,
    q_norm: RmsNorm<B>,
    k_norm: RmsNorm<B>,
    attn_scale: Param<Tensor<B, 1>>,
    norm2: RmsNorm<B>,
    w1: Linear<B>,
    w2: Linear<B>,
    w3: Linear<B>,
    mlp_scale: Param<Tensor<B, 1>>,
    heads: usize,
}

impl<B: Backend> Block<B> {
    pub(crate) fn new(init: &Init<B>, config: &ImfDitConfig) -> Self {
        let (d, hidden, head) = (config.width, config.hidden(), config.width / config.heads);
        let linear = |name: &str, inputs: usize, outputs: usize| {
            let law = Law::Normal(SCALE / (inputs as f64).sqrt());
            init.at(name).linear_without_bias(inputs, outputs, law)
        };
        let norm = |name: &str, width: usize| RmsNorm::new(&init.at(name), width);
        Self {
            norm1: norm("norm1", d),
            q_proj: linear("q_proj", d, d),
            k_proj: linear("k_proj", d, d),
            v_proj: linear("v_proj", d, d),
            out_proj: linear("out_proj", d, d),
            q_norm: norm("q_norm", head),
            k_norm: norm("k_norm", head),
            attn_scale: init.at("attn_scale").param([d], Law::Zeros),
            norm2: norm("norm2", d),
            w1: linear("w1", d, hidden),
            w2: linear("w2", hidden, d),
            w3: linear("w3", d, hidden),
            mlp_scale: init.at("mlp_scale").param([d], Law::Zeros),
            heads: config.heads,
        }
    }

    /// `x` is `[positions·batch, width]`, token by token.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, rotary: &Rotary<B>) -> Tensor<B, 2> {
        let a = self.attention(self.norm1.forward(x.clone()), rotary);
        let x = x + a * self.attn_scale.val().unsqueeze();
        let y = self.norm2.forward(x.clone());
        let y = self.w2.forward(silu(self.w1.forward(y.clone())) * self.w3.forward(y));
        x + y * self.mlp_scale.val().unsqueeze()
    }

    fn attention(&self, x: Tensor<B, 2>, rotary: &Rotary<B>) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let (positions, head) = (rotary.positions(), width / self.heads);
        let batch = rows / positions;
        let by_head = |x: Tensor<B, 3>| x.reshape([positions, batch, self.heads, head]).permute([1, 2, 0, 3]);
        let turned = |proj: &Linear<B>, norm: &RmsNorm<B>| {
            let x = norm.forward(proj.forward(x.clone()).reshape([rows * self.heads, head]));
            by_head(rotary.turn(x.reshape([positions, batch * self.heads, head])))
        };
        let q = turned(&self.q_proj, &self.q_norm) * (head as f64).powf(-0.5);
        let k = turned(&self.k_proj, &self.k_norm);
        let v = by_head(self.v_proj.forward(x.clone()).reshape([positions, batch * self.heads, head]));
        let weights = attention::weights(q, k.swap_dims(2, 3));
        let y = weights.matmul(v).permute([2, 0, 1, 3]).reshape([rows, width]);
        self.out_proj.forward(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn neighbours_turn_by_position_times_frequency() {
        let rotary = Rotary::<Flex>::new(3, 4, &Default::default());
        let x = Tensor::<Flex, 3>::from_floats(
            [[[1., 0., 0., 2.]], [[1., 0., 0., 2.]], [[1., 0., 0., 2.]]],
            &Default::default(),
        );
        let y: Vec<f32> = rotary.turn(x).into_data().to_vec().unwrap();
        for position in 0..3 {
            let (fast, slow) = (position as f32, position as f32 / 100.0);
            let want = [fast.cos(), fast.sin(), -2.0 * slow.sin(), 2.0 * slow.cos()];
            for (got, want) in y[4 * position..].iter().zip(want) {
                assert!((got - want).abs() < 1e-6, "position {position}: {got}, not {want}");
            }
        }
    }
}
