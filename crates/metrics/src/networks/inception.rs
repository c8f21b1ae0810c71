//! Inception-v3 in the variant that the FID is defined with.
//!
//! C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, in the TensorFlow graph of
//! 2015-12-05. Names and order follow torchvision; from its network this one differs in three blocks: average pools leave
//! the padding out of the mean (`Mixed_5b` to `Mixed_5d`, `Mixed_6b` to `Mixed_6e`, `Mixed_7b`), and the pool of `Mixed_7c`
//! is a maximum. There are 1,008 classes.

use std::collections::BTreeMap;

use burn::tensor::{
    Tensor,
    activation::relu,
    backend::Backend,
    module::{avg_pool2d, max_pool2d},
};

use super::{
    Weights,
    layer::{Conv, Linear, Shape},
};
use crate::InputError;

const EPS: f64 = 1e-3;
const CLASSES: usize = 1008;

/// The network, for inference.
#[derive(Debug)]
pub struct Inception<B: Backend> {
    convolutions: BTreeMap<String, Conv<B>>,
    fc: Linear<B>,
}

/// What [`Inception::forward`] gives.
#[derive(Debug)]
pub struct InceptionOutput<B: Backend> {
    /// After the first pool, `[n, 64, 73, 73]`.
    pub block0: Tensor<B, 4>,
    /// After the second pool, `[n, 192, 35, 35]`.
    pub block1: Tensor<B, 4>,
    /// After `Mixed_6e`, `[n, 768, 17, 17]`.
    pub block2: Tensor<B, 4>,
    /// The first [`SPATIAL`](Inception::SPATIAL) channels of `Mixed_6d`, `[n, 7, 17, 17]`: the features of the sFID, which
    /// P. Dhariwal, A. Nichol (NeurIPS 2021) take from `mixed_6/conv` of the TensorFlow graph, the block's first branch.
    pub spatial: Tensor<B, 4>,
    /// The features of the FID, `[n, 2048]`.
    pub pool3: Tensor<B, 2>,
    /// Logits without the bias, which the inception score is taken of, `[n, 1008]`.
    pub logits_unbiased: Tensor<B, 2>,
    /// The logits, `[n, 1008]`.
    pub logits: Tensor<B, 2>,
}

impl<B: Backend> Inception<B> {
    /// Height and width of its input.
    pub const SIDE: usize = 299;

    /// Channels of the sFID's features.
    pub const SPATIAL: usize = 7;

    /// Features of the FID, of the sFID, and logits.
    pub const FEATURES: usize = 2048;
    /// See [`FEATURES`](Self::FEATURES).
    pub const SPATIAL_FEATURES: usize = Self::SPATIAL * 17 * 17;
    /// See [`FEATURES`](Self::FEATURES).
    pub const LOGITS: usize = CLASSES;

    /// The first digits of the sha256 of the published file `pt_inception-2015-12-05-6726825d.pth`.
    pub const PUBLISHED: &'static str = "6726825d";

    /// The network with these weights, which are named as in the published file.
    ///
    /// # Errors
    /// Weights that are missing, of another shape or not finite.
    pub fn new(weights: &Weights, device: &B::Device) -> Result<Self, InputError> {
        let convolutions = convolutions()
            .into_iter()
            .map(|(name, shape)| {
                let conv =
                    Conv::load(weights, &format!("{name}.conv"), &format!("{name}.bn"), shape, EPS, device)?;
                Ok((name, conv))
            })
            .collect::<Result<_, InputError>>()?;
        Ok(Self { convolutions, fc: Linear::load(weights, "fc", [CLASSES, 2048], device)? })
    }

    /// Names and shapes of all its tensors.
    pub fn tensors() -> BTreeMap<String, Vec<usize>> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in convolutions() {
            tensors.insert(format!("{name}.conv.weight"), shape.weight.to_vec());
            for part in ["weight", "bias", "running_mean", "running_var"] {
                tensors.insert(format!("{name}.bn.{part}"), vec![shape.weight[0]]);
            }
        }
        tensors.insert("fc.weight".to_owned(), vec![CLASSES, 2048]);
        tensors.insert("fc.bias".to_owned(), vec![CLASSES]);
        tensors
    }

    /// # Shapes
    /// `x`: `[n, 3, 299, 299]`, values in [−1, 1].
    pub fn forward(&self, x: Tensor<B, 4>) -> InceptionOutput<B> {
        let x = self.chain(x, &["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"]);
        let block0 = max_pool2d(x, [3, 3], [2, 2], [0, 0], [1, 1], false);
        let x = self.chain(block0.clone(), &["Conv2d_3b_1x1", "Conv2d_4a_3x3"]);
        let block1 = max_pool2d(x, [3, 3], [2, 2], [0, 0], [1, 1], false);
        let mut x = block1.clone();
        for block in ["Mixed_5b", "Mixed_5c", "Mixed_5d"] {
            let pool = average(x.clone());
            x = self.branches(
                block,
                &x,
                &[
                    &["branch1x1"],
                    &["branch5x5_1", "branch5x5_2"],
                    &["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
                ],
                self.chain(pool, &[&format!("{block}.branch_pool")]),
            );
        }
        let pool = max_pool2d(x.clone(), [3, 3], [2, 2], [0, 0], [1, 1], false);
        let dbl: &[&str] = &["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"];
        x = self.branches("Mixed_6a", &x, &[&["branch3x3"], dbl], pool);
        let mut spatial = None;
        for block in ["Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"] {
            let pool = average(x.clone());
            x = self.branches(
                block,
                &x,
                &[
                    &["branch1x1"],
                    &["branch7x7_1", "branch7x7_2", "branch7x7_3"],
                    &[
                        "branch7x7dbl_1",
                        "branch7x7dbl_2",
                        "branch7x7dbl_3",
                        "branch7x7dbl_4",
                        "branch7x7dbl_5",
                    ],
                ],
                self.chain(pool, &[&format!("{block}.branch_pool")]),
            );
            if block == "Mixed_6d" {
                spatial = Some(x.clone().narrow(1, 0, Self::SPATIAL));
            }
        }
        let spatial = spatial.expect("a block of that name");
        let block2 = x.clone();
        let pool = max_pool2d(x.clone(), [3, 3], [2, 2], [0, 0], [1, 1], false);
        let seven: &[&str] = &["branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"];
        x = self.branches("Mixed_7a", &x, &[&["branch3x3_1", "branch3x3_2"], seven], pool);
        let pool = average(x.clone());
        x = self.forked("Mixed_7b", x, pool);
        let pool = max_pool2d(x.clone(), [3, 3], [1, 1], [1, 1], [1, 1], false);
        x = self.forked("Mixed_7c", x, pool);
        let pool3 = x.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        let logits_unbiased = self.fc.product(pool3.clone());
        let logits = logits_unbiased.clone() + self.fc.bias();
        InceptionOutput { block0, block1, block2, spatial, pool3, logits_unbiased, logits }
    }

    /// Convolutions one after the other, each followed by a ReLU.
    fn chain(&self, x: Tensor<B, 4>, names: &[&str]) -> Tensor<B, 4> {
        names.iter().fold(x, |x, name| relu(self.convolutions[*name].forward(x)))
    }

    /// Chains side by side, and `last`, by channels.
    fn branches(
        &self,
        block: &str,
        x: &Tensor<B, 4>,
        chains: &[&[&str]],
        last: Tensor<B, 4>,
    ) -> Tensor<B, 4> {
        let mut parts: Vec<_> = chains
            .iter()
            .map(|chain| chain.iter().fold(x.clone(), |x, name| self.chain(x, &[&format!("{block}.{name}")])))
            .collect();
        parts.push(last);
        Tensor::cat(parts, 1)
    }

    /// The blocks whose 3×3 branches end in a 1×3 beside a 3×1.
    fn forked(&self, block: &str, x: Tensor<B, 4>, pool: Tensor<B, 4>) -> Tensor<B, 4> {
        let of = |x: &Tensor<B, 4>, name: &str| self.chain(x.clone(), &[&format!("{block}.{name}")]);
        let fork = |x: Tensor<B, 4>, a: &str, b: &str| Tensor::cat(vec![of(&x, a), of(&x, b)], 1);
        let three = fork(of(&x, "branch3x3_1"), "branch3x3_2a", "branch3x3_2b");
        let double = of(&of(&x, "branch3x3dbl_1"), "branch3x3dbl_2");
        let double = fork(double, "branch3x3dbl_3a", "branch3x3dbl_3b");
        Tensor::cat(vec![of(&x, "branch1x1"), three, double, of(&pool, "branch_pool")], 1)
    }
}

/// The 3×3 mean, of the pixels that there are.
fn average<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    avg_pool2d(x, [3, 3], [1, 1], [1, 1], false, false)
}

/// All convolutions by name.
fn convolutions() -> Vec<(String, Shape)> {
    let mut all = Vec::new();
    let mut add =
        |name: String, from: usize, to: usize, kernel: [usize; 2], stride: usize, padding: [usize; 2]| {
            let weight = [to, from, kernel[0], kernel[1]];
            all.push((name, Shape { weight, stride, padding, groups: 1 }));
        };
    add("Conv2d_1a_3x3".into(), 3, 32, [3, 3], 2, [0, 0]);
    add("Conv2d_2a_3x3".into(), 32, 32, [3, 3], 1, [0, 0]);
    add("Conv2d_2b_3x3".into(), 32, 64, [3, 3], 1, [1, 1]);
    add("Conv2d_3b_1x1".into(), 64, 80, [1, 1], 1, [0, 0]);
    add("Conv2d_4a_3x3".into(), 80, 192, [3, 3], 1, [0, 0]);
    for (block, from, pool) in [("Mixed_5b", 192, 32), ("Mixed_5c", 256, 64), ("Mixed_5d", 288, 64)] {
        let mut add = |name: &str, from, to, side: usize| {
            add(format!("{block}.{name}"), from, to, [side; 2], 1, [side / 2; 2]);
        };
        add("branch1x1", from, 64, 1);
        add("branch5x5_1", from, 48, 1);
        add("branch5x5_2", 48, 64, 5);
        add("branch3x3dbl_1", from, 64, 1);
        add("branch3x3dbl_2", 64, 96, 3);
        add("branch3x3dbl_3", 96, 96, 3);
        add("branch_pool", from, pool, 1);
    }
    add("Mixed_6a.branch3x3".into(), 288, 384, [3, 3], 2, [0, 0]);
    add("Mixed_6a.branch3x3dbl_1".into(), 288, 64, [1, 1], 1, [0, 0]);
    add("Mixed_6a.branch3x3dbl_2".into(), 64, 96, [3, 3], 1, [1, 1]);
    add("Mixed_6a.branch3x3dbl_3".into(), 96, 96, [3, 3], 2, [0, 0]);
    for (block, inner) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
        let mut add = |name: &str, from, to, kernel: [usize; 2]| {
            add(format!("{block}.{name}"), from, to, kernel, 1, [kernel[0] / 2, kernel[1] / 2]);
        };
        add("branch1x1", 768, 192, [1, 1]);
        add("branch7x7_1", 768, inner, [1, 1]);
        add("branch7x7_2", inner, inner, [1, 7]);
        add("branch7x7_3", inner, 192, [7, 1]);
        add("branch7x7dbl_1", 768, inner, [1, 1]);
        add("branch7x7dbl_2", inner, inner, [7, 1]);
        add("branch7x7dbl_3", inner, inner, [1, 7]);
        add("branch7x7dbl_4", inner, inner, [7, 1]);
        add("branch7x7dbl_5", inner, 192, [1, 7]);
        add("branch_pool", 768, 192, [1, 1]);
    }
    add("Mixed_7a.branch3x3_1".into(), 768, 192, [1, 1], 1, [0, 0]);
    add("Mixed_7a.branch3x3_2".into(), 192, 320, [3, 3], 2, [0, 0]);
    add("Mixed_7a.branch7x7x3_1".into(), 768, 192, [1, 1], 1, [0, 0]);
    add("Mixed_7a.branch7x7x3_2".into(), 192, 192, [1, 7], 1, [0, 3]);
    add("Mixed_7a.branch7x7x3_3".into(), 192, 192, [7, 1], 1, [3, 0]);
    add("Mixed_7a.branch7x7x3_4".into(), 192, 192, [3, 3], 2, [0, 0]);
    for (block, from) in [("Mixed_7b", 1280), ("Mixed_7c", 2048)] {
        let mut add = |name: &str, from, to, kernel: [usize; 2]| {
            add(format!("{block}.{name}"), from, to, kernel, 1, [kernel[0] / 2, kernel[1] / 2]);
        };
        add("branch1x1", from, 320, [1, 1]);
        add("branch3x3_1", from, 384, [1, 1]);
        add("branch3x3_2a", 384, 384, [1, 3]);
        add("branch3x3_2b", 384, 384, [3, 1]);
        add("branch3x3dbl_1", from, 448, [1, 1]);
        add("branch3x3dbl_2", 448, 384, [3, 3]);
        add("branch3x3dbl_3a", 384, 384, [1, 3]);
        add("branch3x3dbl_3b", 384, 384, [3, 1]);
        add("branch_pool", from, 192, [1, 1]);
    }
    all
}
