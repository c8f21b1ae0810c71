//! Samplers: from noise at `t = 1` to data at `t = 0`, one file each, listed once in `solvers!`.

mod consistency;
mod dormand_prince;
mod euler;
mod field;
mod grid;
mod heun;
mod meanflow;
mod midpoint;
mod rk4;
mod spacing;

pub use dormand_prince::{Adaptive, DormandPrince};
pub use field::{ClassifierFree, Field};
pub use grid::{Grid, GridError};
pub use spacing::Spacing;

use crate::{Backbone, Streams, objective::Learns};
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};

/// What a solver is.
trait Method {
    /// The name in experiment files.
    const NAME: &'static str;
    /// What it does, in a line.
    const ABOUT: &'static str;
    /// Evaluations of the field (NFE) that one step costs.
    const EVALUATIONS: usize;

    /// Whether it can sample from what a network has learned.
    fn samples(learns: Learns) -> bool;

    /// One step from `t` down to `r`; `fresh` draws new noise.
    fn step<B: Backend, N: Backbone<B>>(
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        t: f64,
        r: f64,
        fresh: &dyn Fn() -> Tensor<B, 4>,
    ) -> Tensor<B, 4>;
}

impl Learns {
    fn has_velocity(self) -> bool {
        self != Self::Consistency
    }

    fn has_average(self) -> bool {
        self == Self::Average
    }

    fn has_map_to_data(self) -> bool {
        self != Self::Velocity
    }

    /// The solver that samples unless another is asked for.
    pub fn solver(self) -> Solver {
        match self {
            Self::Velocity => Solver::Euler,
            Self::Average => Solver::MeanFlow,
            Self::Consistency => Solver::Consistency,
        }
    }
}

macro_rules! solvers {
    ($($(#[$doc:meta])* $name:ident = $method:path),+ $(,)?) => {
        /// The registry of solvers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Solver {
            $($(#[$doc])* $name,)+
        }

        impl Solver {
            /// Every solver, in the order of documentation.
            pub const ALL: &'static [Solver] = &[$(Solver::$name),+];

            /// The name in experiment files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => <$method>::NAME,)+
                }
            }

            /// The solver of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|solver| solver.name() == name)
            }

            /// The same, or what there is.
            ///
            /// # Errors
            /// A name that no solver has, in words.
            pub fn parse(name: &str) -> Result<Self, String> {
                let known = || Self::ALL.iter().map(|solver| solver.name()).collect::<Vec<_>>().join(", ");
                Self::named(name).ok_or_else(|| format!("no solver is called `{name}`; there are {}", known()))
            }

            /// What it does, in a line.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$name => <$method>::ABOUT,)+
                }
            }

            /// Evaluations of the field (NFE) that one step costs; with guidance at sampling each is two passes.
            pub fn evaluations_per_step(self) -> usize {
                match self {
                    $(Self::$name => <$method>::EVALUATIONS,)+
                }
            }

            /// Whether it can sample from what a network has learned.
            pub fn samples(self, learns: Learns) -> bool {
                match self {
                    $(Self::$name => <$method>::samples(learns),)+
                }
            }

            /// One step from `t` down to `r`.
            fn step<B: Backend, N: Backbone<B>>(
                self,
                field: &Field<B, N>,
                z: Tensor<B, 4>,
                t: f64,
                r: f64,
                fresh: &dyn Fn() -> Tensor<B, 4>,
            ) -> Tensor<B, 4> {
                match self {
                    $(Self::$name => <$method>::step(field, z, t, r, fresh),)+
                }
            }
        }
    };
}

solvers! {
    /// `z_r = z_t − (t−r)·u(z_t, r, t)`: the average velocity, exact for any step if `u` is.
    MeanFlow = meanflow::MeanFlow,
    /// Euler on the instantaneous velocity, order 1.
    Euler = euler::Euler,
    /// Heun's trapezoidal method, order 2.
    Heun = heun::Heun,
    /// Explicit midpoint, order 2.
    Midpoint = midpoint::Midpoint,
    /// Classical Runge–Kutta, order 4.
    Rk4 = rk4::Rk4,
    /// To data and back with fresh noise.
    Consistency = consistency::Consistency,
}

/// The noise that a stochastic solver draws on its way.
#[derive(Clone, Copy, Debug)]
pub struct Fresh<'a> {
    /// Where it comes from.
    pub streams: &'a Streams,
    /// Number of the first row among all that are sampled; rows drawn in chunks of fixed size get the same noise always.
    pub row: usize,
}

impl Fresh<'_> {
    /// The noise of a step, in the shape of `z`.
    fn noise<B: Backend>(&self, step: usize, like: (&[usize; 4], &B::Device, DType)) -> Tensor<B, 4> {
        let (shape, device, dtype) = like;
        let key = ((step as u64) << 40) + self.row as u64;
        let values = self.streams.normal("solver-noise", key, shape.iter().product());
        Tensor::from_data(TensorData::new(values, *shape), (device, dtype))
    }
}

impl Solver {
    /// The samples that noise `z` (`[batch, channels, height, width]`, at the grid's first time) flows to.
    ///
    /// A consistency model begins at its largest noise level instead of at 1.
    pub fn sample<B: Backend, N: Backbone<B>>(
        self,
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        grid: &Grid,
        fresh: Fresh,
    ) -> Tensor<B, 4> {
        let start = self.begin(field, z, grid);
        grid.pairs().enumerate().fold(start, |z, (step, pair)| self.walk(field, z, step, pair, fresh))
    }

    /// Like [`Self::sample`], with the state at every time of the grid, noise first.
    pub fn trajectory<B: Backend, N: Backbone<B>>(
        self,
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        grid: &Grid,
        fresh: Fresh,
    ) -> Vec<Tensor<B, 4>> {
        let mut states = vec![self.begin(field, z, grid)];
        for (step, pair) in grid.pairs().enumerate() {
            let last = states[states.len() - 1].clone();
            states.push(self.walk(field, last, step, pair, fresh));
        }
        states
    }

    fn begin<B: Backend, N: Backbone<B>>(
        self,
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        grid: &Grid,
    ) -> Tensor<B, 4> {
        let start = field.start();
        if grid.times()[0] > start { z * start } else { z }
    }

    fn walk<B: Backend, N: Backbone<B>>(
        self,
        field: &Field<B, N>,
        z: Tensor<B, 4>,
        step: usize,
        (t, r): (f64, f64),
        fresh: Fresh,
    ) -> Tensor<B, 4> {
        let (start, shape, device, dtype) = (field.start(), z.dims(), z.device(), z.dtype());
        let noise = || fresh.noise(step, (&shape, &device, dtype));
        self.step(field, z, t.min(start), r.min(start), &noise)
    }
}
