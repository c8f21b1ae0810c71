//! Sampling from a program of one's own.

use crate::{GeneratorError, Model, Request, Samples, sample::sample_from};
use burn::backend::{Flex, flex::FlexDevice};
use meanflow_core::Solver;
use meanflow_nets::{Net, NetConfig, Networks};
use std::path::Path;

/// A trained generator on the processor: loaded once, asked as often as one likes.
///
/// ```no_run
/// use meanflow_generator::Sampler;
///
/// let pictures = Sampler::load("garments.safetensors")?.seed(7).class(3).nfe(1).sample(64)?;
/// assert_eq!(pictures.shape, [64, 1, 28, 28]);
/// # Ok::<(), meanflow_generator::GeneratorError>(())
/// ```
///
/// The file is one of `meanflow export`. What is not asked for is as in the experiment: all classes in turn, its
/// solver, its guidance and its seed, at one evaluation.
#[derive(Clone, Debug)]
pub struct Sampler<N: Networks = NetConfig> {
    model: Model<N>,
    net: Net<Flex, N>,
    request: Request,
}

impl Sampler {
    /// The generator in a file of `meanflow export`.
    ///
    /// # Errors
    /// See [`Model::open`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, GeneratorError> {
        Self::load_of(path)
    }
}

impl<N: Networks> Sampler<N> {
    /// Like [`Sampler::load`], for networks of one's own list of kinds.
    ///
    /// # Errors
    /// See [`Model::open`].
    pub fn load_of(path: impl AsRef<Path>) -> Result<Self, GeneratorError> {
        Self::of(Model::open(path.as_ref())?)
    }

    fn of(model: Model<N>) -> Result<Self, GeneratorError> {
        let net = model.clone().network(&FlexDevice)?;
        Ok(Self { model, net, request: Request::new(1, 1) })
    }

    /// What is known of the generator: shape, classes, what it has learned.
    pub fn model(&self) -> &Model<N> {
        &self.model
    }

    /// With the noise of this seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.request.seed = Some(seed);
        self
    }

    /// All samples of this class.
    pub fn class(mut self, class: usize) -> Self {
        self.request.class = Some(class);
        self
    }

    /// With so many evaluations of the network a sample.
    pub fn nfe(mut self, nfe: usize) -> Self {
        self.request.nfe = nfe;
        self
    }

    /// With this solver.
    pub fn solver(mut self, solver: Solver) -> Self {
        self.request.solver = Some(solver);
        self
    }

    /// With this scale of guidance.
    pub fn omega(mut self, omega: f64) -> Self {
        self.request.omega = Some(omega);
        self
    }

    /// Draws `count` samples: the first ones of the seed, as `meanflow sample` draws them.
    ///
    /// # Errors
    /// [`GeneratorError::Request`] if the network cannot give what was asked for.
    pub fn sample(&self, count: usize) -> Result<Samples, GeneratorError> {
        let request = Request { count, ..self.request.clone() };
        sample_from(&self.net, &self.model, &request, &FlexDevice, |_, _| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use burn::{
        module::{Module, ModuleMapper, Param},
        tensor::{Tensor, backend::Backend},
    };
    use meanflow_core::{Clock, Streams};
    use meanflow_nets::MlpConfig;

    /// A fresh network gives zero.
    struct Numbers;

    impl<B: Backend> ModuleMapper<B> for Numbers {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let (id, tensor, mapper) = param.consume();
            Param::from_mapped_value(id, tensor + 0.1, mapper)
        }
    }

    #[test]
    fn samples_are_those_of_the_program() {
        let config = NetConfig::Mlp(MlpConfig { width: 8, depth: 2, octaves: 0, clock: Clock::TimeAndGap });
        let net: Net<Flex, NetConfig> =
            config.init([2, 1, 1], Some(3), &Streams::new(0), &FlexDevice).expect("a network");
        let net = net.map(&mut Numbers);
        let model = Model::bare(config, [2, 1, 1], Some(3), &net);
        let sampler = Sampler::of(model.clone()).expect("a network").seed(7).class(1).nfe(2);
        let ours = sampler.sample(5).expect("samples");
        let request = Request { seed: Some(7), class: Some(1), ..Request::new(5, 2) };
        let program = sample::<Flex, _>(model, &request, &FlexDevice, |_, _| ()).expect("samples");
        assert_eq!((&ours.values, ours.shape), (&program.values, program.shape));
        // Fewer are the first of them.
        assert_eq!(sampler.sample(2).expect("samples").values, ours.values[..4]);
        assert_ne!(sampler.clone().seed(8).sample(5).expect("samples").values, ours.values);
        assert!(sampler.class(3).sample(1).is_err());
    }
}
