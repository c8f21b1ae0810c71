//! Where the velocity of a residual comes from, and guidance that is folded into it.

use crate::{
    Backbone, Condition,
    interpolant::per_row,
    objective::{About, GuidanceConfig, interval, labels::without},
};
use burn::tensor::{Bool, Tensor, TensorData, activation::softmax, backend::Backend};
use meanflow_settings::{Number, Reader};

/// The source of the velocity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Velocity {
    /// That of the row's own data and noise.
    Data,
    /// On this share of the rows, by chance, the mean over the batch of what the point could have come from.
    PlugIn(f64),
    /// A frozen network's, on the label that the row is trained on.
    Teacher {
        /// Whether it predicts velocities of the straight path, which are carried over to the circle; else it predicts what the network
        /// in training does.
        flow: bool,
    },
}

/// `v + (x − x̄)/t` with the posterior mean `x̄_i = Σ_b w_ib·x_b`, `w_i· = softmax_b(−‖z_i − (1−t_i)·x_b‖²/(2t_i²))` (ESC): the velocity of the
/// flow from noise to the samples of the batch alone, at `z_i`.
pub(super) fn plug_in<B: Backend>(
    x: Tensor<B, 4>,
    z: Tensor<B, 4>,
    v: Tensor<B, 4>,
    t: Tensor<B, 1>,
) -> Tensor<B, 4> {
    let shape = x.dims();
    let flat = [shape[0], shape[1] * shape[2] * shape[3]];
    let t = t.clamp_min(1e-6);
    let (data, z) = (x.clone().reshape(flat), z.reshape(flat));
    let column = |t: Tensor<B, 1>| t.reshape([shape[0], 1]);
    let scale = column(-t.clone() + 1.0);
    let variance = column(t.clone() * t.clone());
    // −‖z − a·x‖²/2t² without ‖z‖², which is the same for all x of a row.
    let squares = (data.clone() * data.clone()).sum_dim(1).reshape([1, shape[0]]);
    let products = z.matmul(data.clone().transpose());
    let logits = (products - squares * scale.clone() * 0.5) * scale / variance;
    let mean = softmax(logits, 1).matmul(data).reshape(shape);
    v + (x - mean) / per_row(t)
}

/// Guidance in the target of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guide {
    /// `ω·v + κ·v_c + (1−ω−κ)·v_∅` with velocities of the network, or of its average.
    Mixed {
        /// The coefficients.
        field: GuidanceConfig,
        /// Decay of the average that is asked; `None`: the network itself.
        decay: Option<f64>,
        /// Whether it acts on rows whose label is dropped too.
        everywhere: bool,
    },
    /// Away from a velocity of the teacher, or of the network.
    Extrapolated(Extrapolation),
}

/// `v_0 + ω·(v − v_0)`, `v_0` that of a network: for the null class at times in the interval, for the row's label outside (FACM).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extrapolation {
    /// The scale.
    pub omega: f64,
    /// Times at which the null class is asked.
    pub interval: [f64; 2],
}

impl Guide {
    /// The key `guidance` of a method whose defaults are `default`: `"off"`, or a table.
    pub(in crate::objective) fn read(r: &mut Reader, about: &About, default: Self) -> Option<Self> {
        let guide = r.off_or("guidance", false, |r| match default {
            Self::Mixed { field, decay, everywhere } => Self::Mixed {
                field: GuidanceConfig {
                    omega: r.get("omega", Number::POSITIVE, field.omega),
                    kappa: r.get("kappa", Number::BELOW_ONE, field.kappa),
                    interval: interval(r, field.interval),
                },
                decay: decay.map(|decay| r.get("teacher-decay", Number::BELOW_ONE, decay)),
                everywhere,
            },
            Self::Extrapolated(default) => Self::Extrapolated(Extrapolation::read(r, default)),
        })?;
        about.needs_classes(r);
        Some(guide)
    }
}

impl Extrapolation {
    fn read(r: &mut Reader, default: Self) -> Self {
        Self {
            omega: r.get("omega", Number::AT_LEAST_ONE, default.omega),
            interval: interval(r, default.interval),
        }
    }

    /// The key `guidance` of a method that guides its teacher and nothing else: `"off"`, or a table; a problem if it has no teacher.
    pub(in crate::objective) fn of_teacher(
        r: &mut Reader,
        about: &About,
        omega: f64,
        taught: bool,
    ) -> Option<Self> {
        let default = Self { omega, interval: [0.0, 1.0] };
        let guidance = r.off_or("guidance", false, |r| Self::read(r, default))?;
        about.needs_classes(r);
        if !taught {
            let help = "give the file of a network in `teacher`";
            r.fault("guidance", "guidance here is the teacher's, and there is none", Some(help));
        }
        Some(guidance)
    }

    /// `v_0 + ω·(v − v_0)` at `z`; `time` is what `net` is told of `t`.
    pub(in crate::objective) fn of<B: Backend, F: Backbone<B>>(
        &self,
        net: &F,
        (z, v): (Tensor<B, 4>, Tensor<B, 4>),
        time: Tensor<B, 1>,
        t: &[f64],
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let classes = net.classes().expect("guidance needs a class-conditional network");
        let labels = condition.labels.clone().expect("guidance needs labels");
        let inside: Vec<bool> = t.iter().map(|t| (self.interval[0]..=self.interval[1]).contains(t)).collect();
        let labels = without(labels, classes, &inside);
        let condition = Condition { labels: Some(labels), ..condition.clone() };
        let base = net.forward(z, time.clone(), time, &condition);
        base.clone() + (v - base) * self.omega
    }
}

/// `velocity` on the rows that are `chosen`, `other` on the rest.
pub(super) fn chosen<B: Backend>(
    velocity: Tensor<B, 4>,
    other: Tensor<B, 4>,
    chosen: &[bool],
) -> Tensor<B, 4> {
    let mask = TensorData::new(chosen.to_vec(), [chosen.len(), 1, 1, 1]);
    let mask = Tensor::<B, 4, Bool>::from_data(mask, &velocity.device()).expand(velocity.dims());
    other.mask_where(mask, velocity)
}
