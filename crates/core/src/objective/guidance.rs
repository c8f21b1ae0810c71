//! Classifier-free guidance as the target of training (MeanFlow, section 4.2 and appendix B.1).

use super::{About, host::indices};
use crate::{Backbone, Condition};
use burn::tensor::{IndexingUpdateOp, Tensor, TensorData, backend::Backend};
use meanflow_settings::{Number, Pair, Problem, Reader};

/// The guided field `v_g = ω·v + (1 − ω − κ)·v_u + κ·v_c`, sampled with one evaluation.
///
/// `v_u` and `v_c` are the network's own velocities for the null class and for the label at `h = 0`, without gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuidanceConfig {
    /// Weight of the sample's velocity.
    pub omega: f64,
    /// Weight of the network's own class-conditional velocity, in [0, 1).
    pub kappa: f64,
    /// Times at which guidance acts; outside it `v_g = v`.
    pub interval: [f64; 2],
}

/// The key `interval`: times from and to which guidance acts.
pub fn interval(r: &mut Reader, default: [f64; 2]) -> [f64; 2] {
    let [low, high] = r.get("interval", Pair(Number::UNIT), default);
    if low > high {
        let message = format!("`{}` ends at {high} before it begins at {low}", r.path("interval"));
        r.problem(Problem::new(r.at("interval"), message));
    }
    [low, high]
}

impl GuidanceConfig {
    /// `"off"`, or a table with `omega`, `kappa` and `interval`.
    pub fn read(r: &mut Reader, about: &About) -> Option<Self> {
        let guidance = r.off_or("guidance", false, |r| Self {
            omega: r.get("omega", Number::POSITIVE, 1.0),
            kappa: r.get("kappa", Number::BELOW_ONE, 0.0),
            interval: interval(r, [0.0, 1.0]),
        })?;
        about.needs_classes(r);
        Some(guidance)
    }

    /// The effective guidance scale `ω' = ω / (1 − κ)`.
    pub fn effective(&self) -> f64 {
        self.omega / (1.0 - self.kappa)
    }

    /// `v_g` for velocities `v` at `z`, `[batch, …]`, times `t` on the host; rows that are `dropped` or outside the
    /// interval keep `v`, and the network is not evaluated on them.
    ///
    /// # Panics
    /// If the network has no classes or `labels` is missing.
    pub fn field<B: Backend, N: Backbone<B>, T: Copy + Into<f64>>(
        &self,
        net: &N,
        z: Tensor<B, 4>,
        v: Tensor<B, 4>,
        t: &[T],
        condition: &Condition<B>,
        dropped: &[bool],
    ) -> Tensor<B, 4> {
        let (device, dtype, rows) = (z.device(), z.dtype(), t.len());
        let t: Vec<f64> = t.iter().map(|&t| t.into()).collect();
        let classes = net.classes().expect("guidance needs a class-conditional network");
        let labels = condition.labels.clone().expect("guidance needs labels");
        let acts = |row: &usize| !dropped[*row] && t[*row] >= self.interval[0] && t[*row] <= self.interval[1];
        let acting: Vec<usize> = (0..rows).filter(acts).collect();
        if acting.is_empty() {
            return v;
        }
        let mut scales = vec![1.0; rows];
        acting.iter().for_each(|&row| scales[row] = self.omega);
        let scales = Tensor::<B, 4>::from_data(TensorData::new(scales, [rows, 1, 1, 1]), (&device, dtype));
        let own = v * scales;

        let (times, count) = (acting.iter().map(|&row| t[row]).collect(), acting.len());
        let time = Tensor::<B, 1>::from_data(TensorData::new::<f64, _>(times, [count]), (&device, dtype));
        let acting = indices(&acting, &device);
        let (z, condition) = (z.select(0, acting.clone()), condition.select(&acting));
        let labels = labels.select(0, acting.clone());
        let null = Tensor::full([count], classes as i64, &device);
        let add = |to: Tensor<B, 4>, what| to.select_assign(0, acting.clone(), what, IndexingUpdateOp::Add);
        if self.kappa == 0.0 {
            let condition = Condition { labels: Some(null), ..condition };
            return add(own, net.forward(z, time.clone(), time, &condition) * (1.0 - self.omega));
        }
        // Both velocities in one pass over a doubled batch.
        let times = Tensor::cat(vec![time.clone(), time], 0);
        let both = net.forward(
            Tensor::cat(vec![z.clone(), z], 0),
            times.clone(),
            times,
            &condition.twice(Tensor::cat(vec![null, labels], 0)),
        );
        let [unconditional, conditional] = [0, count].map(|from| both.clone().narrow(0, from, count));
        let own = add(own, unconditional * (1.0 - self.omega - self.kappa));
        add(own, conditional * self.kappa)
    }
}
