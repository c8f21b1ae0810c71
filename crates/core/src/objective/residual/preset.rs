//! A method that is a choice of options of the residual: what makes an objective of it.

use super::{Learned, Path, Residual, ResidualDraws, Step, slopes};
use crate::{
    Backbone, Prediction,
    objective::{
        About, At, Batch, Cost, Facts, Group, Learns, Loss, Measure, Nets, Objective, Reference,
        ReferenceError, Teacher, TrainBackend,
    },
};
use burn::module::Module;
use core::{fmt::Debug, marker::PhantomData};
use meanflow_jvp::Untaped;
use meanflow_settings::Reader;

/// A published method of the residual.
pub trait Published: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The name in experiment files.
    const NAME: &'static str;
    /// What it does, in a line, with its paper.
    const ABOUT: &'static str;
    /// What its network learns.
    const LEARNS: Learns;

    /// Its options, of which it lets some be set.
    fn read(r: &mut Reader, about: &About) -> Residual;

    /// Computes what a reference file of this method holds, in its place.
    ///
    /// # Errors
    /// If the file lacks something, or there are no such files.
    fn parity<B: TrainBackend>(
        _reference: &mut Reference,
        _device: &B::Device,
    ) -> Result<(), ReferenceError> {
        Err(ReferenceError::None(Self::NAME))
    }
}

/// The objective of a published method.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset<P> {
    /// Its options.
    pub residual: Residual,
    method: PhantomData<P>,
}

impl<P> Preset<P> {
    /// These options, under the method's name.
    pub fn new(residual: Residual) -> Self {
        Self { residual, method: PhantomData }
    }
}

impl<P: Published> Facts for Preset<P> {
    fn learns(&self) -> Learns {
        P::LEARNS
    }

    fn prediction(&self) -> Prediction {
        match self.residual.path {
            Path::Straight => Prediction::Average,
            Path::Trig(trig) => Prediction::Trig(trig),
        }
    }

    fn teachers(&self, _at: &At) -> Vec<Teacher> {
        self.residual.teachers()
    }

    fn group(&self) -> Group {
        self.residual.group()
    }

    fn learned_weight(&self) -> bool {
        self.residual.weight.learned != Learned::Off
    }

    fn depends_on_length(&self) -> bool {
        self.residual.depends_on_length()
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "dudt"]
    }

    fn cost(&self) -> Cost {
        self.residual.cost()
    }
}

impl<P: Published> Objective for Preset<P> {
    const NAME: &'static str = P::NAME;
    const ABOUT: &'static str = P::ABOUT;

    type Tangents = Untaped;
    type Draws = ResidualDraws;

    fn read(r: &mut Reader, about: &About) -> Self {
        Self::new(P::read(r, about))
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> ResidualDraws {
        self.residual.draw(at, shape)
    }

    fn loss<B, N, F>(
        &self,
        nets: &Nets<N, F>,
        batch: Batch<B::InnerBackend>,
        draws: &ResidualDraws,
    ) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let Step { slope, raw, rows, .. } = self.residual.step::<B, N, F>(nets, &batch, draws);
        let mut measures = vec![Measure::mean("raw", raw)];
        measures.extend(slopes(slope, draws.still).map(|dudt| Measure::root_mean_square("dudt", dudt)));
        Loss { loss: rows.mean(), measures }
    }

    fn parity<B: TrainBackend>(reference: &mut Reference, device: &B::Device) -> Result<(), ReferenceError> {
        P::parity::<B>(reference, device)
    }
}
