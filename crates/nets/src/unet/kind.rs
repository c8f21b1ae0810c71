//! What `[net.unet]` is to the rest of the program.

use super::{
    Encoder, SongUnet, TimeFeatures, UnetConfig,
    block::BlockSpec,
    embed::{mapping_parameters, mapping_products},
    layers::{conv_parameters, groups},
    resample::{padding, resample_products, square},
    torch::UnetNames,
};
use crate::{
    error::{NetError, positive},
    import::Convention,
    init::Init,
    network::{Activations, Network},
    start::check_clocks,
};
use burn::tensor::backend::Backend;
use meanflow_core::Clock;
use meanflow_settings::{Choice, Flag, Named, Number, Or, Reader, Series, Within};

impl Network for UnetConfig {
    const NAME: &'static str = "unet";
    const ABOUT: &'static str = "U-Net of score-based models, for square images (arXiv 2011.13456)";

    type Module<B: Backend> = SongUnet<B>;

    /// A preset gives what is not written; without one, sizes must be written and the rest is DDPM++.
    fn read(r: &mut Reader) -> Self {
        let names = Self::presets().into_iter().map(|(name, _)| name.to_owned()).collect();
        let preset = r.get("preset", Or("off", Named(names)), None).and_then(|name| Self::preset(&name));
        let (width, multipliers, blocks) = match &preset {
            Some(preset) => (
                r.get("width", Within::SIZE, preset.width),
                r.get("multipliers", Series(Within::SIZE, 1), preset.multipliers.clone()),
                r.get("blocks", Within::SIZE, preset.blocks),
            ),
            None => (
                r.need("width", Within::SIZE),
                r.need("multipliers", Series(Within::SIZE, 1)),
                r.need("blocks", Within::SIZE),
            ),
        };
        let rest = preset.unwrap_or_else(Self::ddpmpp);
        Self {
            width,
            multipliers,
            blocks,
            attention: r.get("attention", Series(Within::SIZE, 0), rest.attention),
            embedding_multiplier: r.get("embedding-multiplier", Within::SIZE, rest.embedding_multiplier),
            time_features: r.get(
                "time-features",
                Choice(vec![("positional", TimeFeatures::Positional), ("fourier", TimeFeatures::Fourier)]),
                rest.time_features,
            ),
            time_multiplier: r.get("time-multiplier", Within::SIZE, rest.time_multiplier),
            clock: Clock::read(r),
            encoder: r.get(
                "encoder",
                Choice(vec![("standard", Encoder::Standard), ("residual", Encoder::Residual)]),
                rest.encoder,
            ),
            filter: r.get("filter", Series(Number::ANY, 2), rest.filter),
            resample_blocks: r.get("resample-blocks", Flag, rest.resample_blocks),
            augment: r.get("augment-labels", Within(0, 1 << 16), rest.augment),
            dropout: r.get("dropout", Number::BELOW_ONE, rest.dropout),
        }
    }

    fn constraints(&self, shape: [usize; 3]) -> Vec<NetError> {
        let mut errors = positive(&[
            (self.width, "width"),
            (self.blocks, "blocks"),
            (self.time_multiplier, "time-multiplier"),
            (self.embedding_multiplier, "embedding-multiplier"),
            (self.multipliers.iter().min().copied().unwrap_or(0), "multipliers"),
        ]);
        if !errors.is_empty() {
            return errors;
        }
        let features = self.time_features();
        if features < 4 || !features.is_multiple_of(2) {
            errors.push(NetError::TimeFeatures { features });
        }
        let taps = self.filter.len();
        let sum: f64 = self.filter.iter().sum();
        let filters = taps > 0 && taps.is_multiple_of(2) && sum.is_finite() && sum != 0.0;
        if !filters {
            errors.push(NetError::Filter { taps });
        }
        if !(0.0..1.0).contains(&self.dropout) {
            errors.push(NetError::Dropout { probability: self.dropout.to_string() });
        }
        let [_, height, width] = shape;
        // The coarsest image is at least a pixel, and the finer ones hold the filter.
        let halvings = self.multipliers.len() - 1;
        let factor = 1_usize.checked_shl(halvings as u32).filter(|factor| width.is_multiple_of(*factor));
        match factor {
            _ if height != width => errors.push(NetError::Square { height, width }),
            None => errors.push(NetError::Halvings { size: width, halvings }),
            Some(factor) => {
                if filters && halvings > 0 && 2 * (width / factor) + 2 * padding(&self.filter) < taps {
                    errors.push(NetError::Filter { taps });
                }
                let sizes: Vec<usize> = (0..=halvings).map(|level| width >> level).collect();
                if let Some(&size) = self.attention.iter().find(|size| !sizes.contains(size)) {
                    errors.push(NetError::Attention { size, sizes });
                }
            }
        }
        // Levels that there cannot be have no channels to group.
        if factor.is_some() {
            let topology = self.topology(shape);
            let normalised = topology.blocks().flat_map(BlockSpec::normalised).chain([topology.width]);
            let uneven = normalised.map(|channels| (channels, groups(channels)));
            let uneven = uneven.into_iter().find(|(channels, groups)| !channels.is_multiple_of(*groups));
            errors.extend(uneven.map(|(channels, groups)| NetError::Groups { channels, groups }));
        }
        errors
    }

    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        let (topology, embedding) = (self.topology(shape), self.embedding());
        let residuals = topology.encoder.iter().filter_map(|level| level.residual);
        mapping_parameters(self, classes)
            + conv_parameters(shape[0], self.width, 3)
            + topology.blocks().map(|block| block.parameters(embedding)).sum::<usize>()
            + residuals.map(|(inputs, outputs)| conv_parameters(inputs, outputs, 3)).sum::<usize>()
            + 2 * topology.width
            + conv_parameters(topology.width, shape[0], 3)
    }

    fn flops(&self, shape: [usize; 3]) -> f64 {
        let ([channels, side, _], topology) = (shape, self.topology(shape));
        let pixels = side * side;
        let ends = 9 * (channels * self.width + topology.width * channels) * pixels;
        let mut products = mapping_products(self) + ends;
        let mut width = self.width;
        for level in topology.encoder.iter().chain(&topology.decoder) {
            if let (Some((_, before)), false) = (level.change, self.resample_blocks) {
                products += width * resample_products(before, level.side);
            }
            if let Some((inputs, outputs)) = level.residual {
                let padded = 2 * (level.side + padding(&self.filter));
                products +=
                    9 * inputs * outputs * padded * padded + outputs * resample_products(padded, level.side);
            }
            for block in level.entry.iter().chain(&level.blocks) {
                products += block.products(level.side, self.embedding());
                width = block.outputs;
            }
        }
        2.0 * products as f64
    }

    fn activations(&self, shape: [usize; 3]) -> Activations {
        let [_, height, width] = shape;
        // Both halves of the network have `blocks` blocks a level, each with some ten tensors of its channels.
        let level = |(level, multiplier): (usize, &usize)| {
            let pixels = ((height >> level) * (width >> level)) as f64;
            let attends = self.attention.contains(&(height >> level));
            let attention = if attends { 2.0 * pixels } else { 0.0 };
            pixels * (20.0 * (self.width * multiplier) as f64 + attention)
        };
        let levels: f64 = self.multipliers.iter().enumerate().map(level).sum();
        let blocks = self.blocks + 1;
        Activations { floats: blocks as f64 * levels, blocks }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> SongUnet<B> {
        SongUnet::new(self, shape, classes, init)
    }

    fn augment_labels(&self) -> Option<usize> {
        Some(self.augment)
    }

    fn computes_as(&self, other: &Self) -> bool {
        Self { dropout: other.dropout, ..self.clone() } == *other
    }

    fn start_from<B: Backend>(
        &self,
        from: &Self,
        flow: SongUnet<B>,
        fresh: SongUnet<B>,
    ) -> Result<SongUnet<B>, NetError> {
        let same = Self { clock: self.clock, ..from.clone() }.computes_as(self);
        check_clocks(from.clock, self.clock, same)?;
        Ok(SongUnet { mapping: fresh.mapping.start_from(&flow.mapping)?, ..flow })
    }

    fn conventions(&self, shape: [usize; 3]) -> Vec<Convention> {
        let filter = vec![("resample_filter", square(&self.filter))];
        let names = UnetNames::new(self, shape);
        vec![Convention::new("torch", "PyTorch (Gsunshine/py-meanflow)", names, filter)]
    }
}
