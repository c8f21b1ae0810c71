//! What `[net.dit]` is to the rest of the program.

use super::{Dit, DitConfig, torch::TorchDitNames};
use crate::{
    embed::{grid_positions, label_parameters, time_flops, time_parameters},
    error::{NetError, positive},
    flax::DitNames,
    import::Convention,
    init::Init,
    network::{Activations, Network},
    start::check_clocks,
};
use burn::tensor::backend::Backend;
use meanflow_core::Clock;
use meanflow_settings::{Named, Number, Or, Reader, Within};
use meanflow_weights::HostTensor;

impl Network for DitConfig {
    const NAME: &'static str = "dit";
    const ABOUT: &'static str = "diffusion transformer of MeanFlow, for images (arXiv 2505.13447)";

    type Module<B: Backend> = Dit<B>;

    /// A preset gives the sizes that are not written.
    fn read(r: &mut Reader) -> Self {
        let names = Self::presets().into_iter().map(|(name, _)| name).collect();
        let preset = r.get("preset", Or("off", Named(names)), None).and_then(|name| Self::preset(&name));
        let mut size = |key, of: fn(&Self) -> usize| match &preset {
            Some(preset) => r.get(key, Within::SIZE, of(preset)),
            None => r.need(key, Within::SIZE),
        };
        let (patch, width) = (size("patch", |preset| preset.patch), size("width", |preset| preset.width));
        let (depth, heads) = (size("depth", |preset| preset.depth), size("heads", |preset| preset.heads));
        let ratio = preset.as_ref().map_or(4.0, |preset| preset.mlp_ratio);
        Self {
            patch,
            width,
            depth,
            heads,
            mlp_ratio: r.get("mlp-ratio", Number::POSITIVE, ratio),
            clock: Clock::read(r),
        }
    }

    fn constraints(&self, shape: [usize; 3]) -> Vec<NetError> {
        let (patch, width, heads) = (self.patch, self.width, self.heads);
        let mut errors =
            positive(&[(patch, "patch"), (width, "width"), (self.depth, "depth"), (heads, "heads")]);
        if !errors.is_empty() {
            return errors;
        }
        let [_, image_height, image_width] = shape;
        if !image_height.is_multiple_of(patch) || !image_width.is_multiple_of(patch) {
            errors.push(NetError::Patch { patch, height: image_height, width: image_width });
        }
        if !width.is_multiple_of(heads) {
            errors.push(NetError::Heads { heads, width });
        }
        if !width.is_multiple_of(4) {
            errors.push(NetError::Width { width });
        }
        if !self.mlp_ratio.is_finite() || self.mlp_ratio <= 0.0 || self.hidden() == 0 {
            errors.push(NetError::Ratio { ratio: self.mlp_ratio.to_string(), width });
        }
        errors
    }

    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        let linear = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
        let (d, hidden, patch) = (self.width, self.hidden(), self.patch_size(shape[0]));
        let block =
            linear(d, 3 * d) + linear(d, d) + linear(d, hidden) + linear(hidden, d) + linear(d, 6 * d);
        linear(patch, d)
            + self.clock.count() * time_parameters(d)
            + label_parameters(classes, d)
            + self.depth * block
            + linear(d, 2 * d)
            + linear(d, patch)
    }

    fn flops(&self, shape: [usize; 3]) -> f64 {
        let [rows, columns] = self.grid(shape);
        let [tokens, d, hidden, patch, depth] =
            [rows * columns, self.width, self.hidden(), self.patch_size(shape[0]), self.depth]
                .map(|size| size as f64);
        // Queries, keys, values and output; scores and sums; the perceptron; the modulation of each sample.
        let block =
            tokens * 4.0 * d * d + 2.0 * tokens * tokens * d + tokens * 2.0 * d * hidden + 6.0 * d * d;
        let ends = 2.0 * tokens * patch * d + 2.0 * d * d;
        2.0 * (depth * block + ends) + self.clock.count() as f64 * time_flops(self.width)
    }

    fn activations(&self, shape: [usize; 3]) -> Activations {
        let [rows, columns] = self.grid(shape);
        let tokens = (rows * columns) as f64;
        let features = tokens * self.width as f64 * (16.0 + 2.0 * self.mlp_ratio);
        let floats = self.depth as f64 * (features + 2.0 * self.heads as f64 * tokens * tokens);
        Activations { floats, blocks: self.depth }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Dit<B> {
        Dit::new(self, shape, classes, init)
    }

    fn start_from<B: Backend>(&self, from: &Self, flow: Dit<B>, fresh: Dit<B>) -> Result<Dit<B>, NetError> {
        check_clocks(from.clock, self.clock, Self { clock: self.clock, ..from.clone() } == *self)?;
        Ok(fresh.start_from(flow))
    }

    fn conventions(&self, shape: [usize; 3]) -> Vec<Convention> {
        // Both official DiTs keep the fixed positions among the weights.
        let positions = || {
            let ([rows, columns], width) = (self.grid(shape), self.width);
            let values = grid_positions(rows, columns, width).into_iter().map(|value| value as f32).collect();
            vec![("pos_embed", HostTensor { shape: vec![1, rows * columns, width], values })]
        };
        let torch = TorchDitNames { channels: shape[0] };
        vec![
            Convention::new("flax", "Flax (Gsunshine/meanflow)", DitNames, positions()),
            Convention::new("torch", "PyTorch (DiT, SiT)", torch, positions()),
        ]
    }
}
