//! A network of one's own: MLP-Mixer (arXiv 2105.01601), told of time and class as a DiT is.

use burn::{
    module::Module,
    nn::Linear,
    tensor::{Tensor, activation::silu, backend::Backend},
};
use meanflow::{
    core::{Backbone, Condition},
    nets::{
        Activations, Init, Law, NetError, Network,
        embed::{LabelEmbedder, TimeEmbedder, label_parameters, time_flops, time_parameters},
        norm::layer_norm,
        patch::{patchify, unpatchify},
    },
    settings::{Reader, Within},
};

/// `[net.mixer]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MixerConfig {
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Features of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Hidden features where tokens are mixed.
    pub mixing: usize,
}

/// Law of the embedders' weights.
const NARROW: Law = Law::Normal(0.02);

impl MixerConfig {
    fn tokens(&self, [_, height, width]: [usize; 3]) -> usize {
        (height / self.patch) * (width / self.patch)
    }

    fn patch_size(&self, [channels, ..]: [usize; 3]) -> usize {
        self.patch * self.patch * channels
    }
}

impl Network for MixerConfig {
    const NAME: &'static str = "mixer";
    const ABOUT: &'static str = "MLP-Mixer, for images (arXiv 2105.01601)";

    type Module<B: Backend> = Mixer<B>;

    fn read(r: &mut Reader) -> Self {
        Self {
            patch: r.need("patch", Within::SIZE),
            width: r.need("width", Within::SIZE),
            depth: r.need("depth", Within::SIZE),
            mixing: r.get("mixing", Within::SIZE, 64),
        }
    }

    fn constraints(&self, [_, height, width]: [usize; 3]) -> Vec<NetError> {
        let patch = self.patch;
        match height.is_multiple_of(patch) && width.is_multiple_of(patch) {
            true => Vec::new(),
            false => vec![NetError::Patch { patch, height, width }],
        }
    }

    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        let linear = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
        let (w, tokens, patch) = (self.width, self.tokens(shape), self.patch_size(shape));
        let block = linear(tokens, self.mixing)
            + linear(self.mixing, tokens)
            + linear(w, 4 * w)
            + linear(4 * w, w)
            + linear(w, 6 * w);
        linear(patch, w)
            + 2 * time_parameters(w)
            + label_parameters(classes, w)
            + self.depth * block
            + linear(w, patch)
    }

    fn flops(&self, shape: [usize; 3]) -> f64 {
        let (w, tokens, patch) = (self.width, self.tokens(shape), self.patch_size(shape));
        let block = 2 * w * tokens * self.mixing + tokens * 8 * w * w + 6 * w * w;
        2.0 * (2 * tokens * patch * w + self.depth * block) as f64 + 2.0 * time_flops(w)
    }

    fn activations(&self, shape: [usize; 3]) -> Activations {
        let (w, tokens) = (self.width as f64, self.tokens(shape) as f64);
        let block = tokens * 18.0 * w + 2.0 * w * self.mixing as f64;
        Activations { floats: self.depth as f64 * block, blocks: self.depth }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Mixer<B> {
        let (w, tokens, patch) = (self.width, self.tokens(shape), self.patch_size(shape));
        let block = |index: usize| {
            let init = init.at(&format!("blocks.{index}"));
            Block {
                modulation: init.at("modulation").linear(w, 6 * w, Law::Zeros),
                mix1: init.at("mix1").linear(tokens, self.mixing, Law::Xavier),
                mix2: init.at("mix2").linear(self.mixing, tokens, Law::Xavier),
                fc1: init.at("fc1").linear(w, 4 * w, Law::Xavier),
                fc2: init.at("fc2").linear(4 * w, w, Law::Xavier),
            }
        };
        Mixer {
            input: init.at("input").linear(patch, w, Law::Xavier),
            t_embedder: TimeEmbedder::new(&init.at("t_embedder"), w, |_| NARROW),
            h_embedder: TimeEmbedder::new(&init.at("h_embedder"), w, |_| NARROW),
            y_embedder: classes.map(|classes| LabelEmbedder::new(&init.at("y_embedder"), classes, w, NARROW)),
            blocks: (0..self.depth).map(block).collect(),
            output: init.at("output").linear(w, patch, Law::Zeros),
            patch: self.patch,
        }
    }
}

/// `u(z, r, t | class)` for images; a fresh network outputs zero.
#[derive(Module, Debug)]
pub struct Mixer<B: Backend> {
    input: Linear<B>,
    t_embedder: TimeEmbedder<B>,
    h_embedder: TimeEmbedder<B>,
    y_embedder: Option<LabelEmbedder<B>>,
    blocks: Vec<Block<B>>,
    output: Linear<B>,
    patch: usize,
}

/// Mixes tokens, then features; shifts, scales and gates come from the condition and begin at zero.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    modulation: Linear<B>,
    mix1: Linear<B>,
    mix2: Linear<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
}

impl<B: Backend> Block<B> {
    /// `x`: `[tokens, batch, width]`, `c`: `[batch, width]`.
    fn forward(&self, x: Tensor<B, 3>, c: Tensor<B, 2>) -> Tensor<B, 3> {
        let [tokens, batch, width] = x.dims();
        let modulation = self.modulation.forward(c);
        let part =
            |index: usize| modulation.clone().narrow(1, index * width, width).reshape([1, batch, width]);
        let normalised = |x: Tensor<B, 3>, shift: usize, scale: usize| {
            let x = layer_norm(x.reshape([tokens * batch, width])).reshape([tokens, batch, width]);
            x * (part(scale) + 1.0) + part(shift)
        };
        let columns = normalised(x.clone(), 0, 1).reshape([tokens, batch * width]).transpose();
        let mixed = self.mix2.forward(silu(self.mix1.forward(columns)));
        let x = x + part(2) * mixed.transpose().reshape([tokens, batch, width]);
        let rows = normalised(x.clone(), 3, 4).reshape([tokens * batch, width]);
        let features = self.fc2.forward(silu(self.fc1.forward(rows)));
        x + part(5) * features.reshape([tokens, batch, width])
    }
}

impl<B: Backend> Backbone<B> for Mixer<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let [batch, channels, height, width] = z.dims();
        let c = self.t_embedder.forward(t.clone()) + self.h_embedder.forward(t - r);
        let c = match &self.y_embedder {
            Some(embedder) => {
                let labels = condition.labels.clone().expect("a class-conditional network needs labels");
                c + embedder.forward(labels)
            }
            None => c,
        };
        let (c, x) = (silu(c), self.input.forward(patchify(z, self.patch)));
        let [_, tokens, features] = x.dims();
        let x = x.swap_dims(0, 1);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x, c.clone()));
        let x = layer_norm(x.reshape([tokens * batch, features])).reshape([tokens, batch, features]);
        unpatchify(self.output.forward(x.swap_dims(0, 1)), self.patch, [channels, height, width])
    }

    fn classes(&self) -> Option<usize> {
        self.y_embedder.as_ref().map(LabelEmbedder::classes)
    }
}
