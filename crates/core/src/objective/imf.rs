//! Improved MeanFlow (iMF, arXiv 2512.02012): regression of velocities.
//!
//! `V = u + (t−r)·sg(du/dt)` with the tangent `v_θ` along `z`, and
//! `L = E w·‖V − sg(v_g)‖² + E w·‖v_θ − sg(v_g)‖²` with `v_g = (e − x) + (1 − 1/ω)·(v_θ(z, t | y, ω) − v_θ(z, t | ∅, 1))`.
//!
//! `v_θ` is the network's auxiliary head; a network without one gives its boundary value `u(z, t, t)`, which the rows with
//! `r = t` train, and has the first loss alone.
//!
//! With [`DataPrediction`] both heads output data (pixel MeanFlow, pMF, arXiv 2601.22158): `u = (z − x̂)/max(t, floor)`, `v_θ` likewise, and
//! `(z − x)/max(t, floor)` takes the place of `e − x`. The perceptual losses of pMF are not here.

use super::{
    About, At, Batch, Cost, Draws, Facts, GuidanceDraws, Labels, Learns, Loss, Measure, Nets, Objective,
    TrainBackend, condition,
    derivative::{off_tape, tangent},
    host::{column, indices, samples},
    outer, trained,
};
use crate::{
    Backbone, Condition, Guidance, Heads, Prediction, Streams,
    flow::DataPrediction,
    interpolant::{linear_path, per_row, squared_norm},
    random::open_unit,
    time::{Pairing, Split, TimeLaw, TimeSampler, Times},
    weight::Weight,
};
use burn::{
    module::Module,
    tensor::{IndexingUpdateOp, Tensor, backend::Backend},
};
use meanflow_jvp::{Dual, Untaped};
use meanflow_settings::{Number, Reader};

/// Settings of improved MeanFlow.
#[derive(Clone, Debug, PartialEq)]
pub struct ImfConfig {
    /// Law of the first time.
    pub time: TimeLaw,
    /// Law of the second time; `None`: the same.
    pub time_r: Option<TimeLaw>,
    /// How two draws make a pair.
    pub pairing: Pairing,
    /// Share of rows with `r ≠ t`.
    pub share: f64,
    /// Whether that share is exact or in expectation.
    pub split: Split,
    /// Adaptive weight, of each of the two losses by itself.
    pub weight: Weight,
    /// Share of labels replaced by the null class.
    pub label_dropout: f64,
    /// Law of the guidance that the network learns; only for networks that are [`guided`](Backbone::guided), and data with
    /// classes: the loss panics on others.
    pub guidance: Option<ScaleLaw>,
    /// What turns outputs into velocities, where they are data.
    pub data: Option<DataPrediction>,
}

/// The law of a guidance scale: density proportional to `ω^(−beta)` on `[1, max]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleLaw {
    /// Largest scale, at least 1.
    pub max: f64,
    /// Power of the density.
    pub beta: f64,
}

impl ScaleLaw {
    /// `"off"`, or a table with the law of the guidance scale; on where the network takes it and the data has classes.
    fn read(r: &mut Reader, about: &About) -> Option<Self> {
        let deaf = about.guided == Some(false);
        let law = r.off_or("guidance", !deaf && about.labels != Labels::Missing, |r| Self {
            max: r.get("max", Number::AT_LEAST_ONE, 8.0),
            beta: r.get("beta", Number::ANY, 1.0),
        })?;
        if deaf {
            let help = "leave it out, or use `[net.imf-dit]`";
            r.fault("guidance", "this network does not take guidance as an input", Some(help));
        }
        about.needs_classes(r);
        Some(law)
    }

    /// The scale at probability `p`: the inverse of the distribution function.
    pub fn quantile(&self, p: f64) -> f64 {
        let log = self.max.ln();
        let power = 1.0 - self.beta;
        if power == 0.0 { (p * log).exp() } else { ((p * (power * log).exp_m1()).ln_1p() / power).exp() }
    }

    /// Scale and interval of each row: `t_min ~ U(0, 1/2)`, `t_max ~ U(1/2, 1)`; the whole of [0, 1] where `r = t`.
    fn draw(&self, streams: &Streams, step: u64, times: &Times) -> GuidanceDraws {
        let mut scale = streams.rng("guidance-scale", step);
        let mut interval = streams.rng("guidance-interval", step);
        let rows = times.t.len();
        let mut draws = GuidanceDraws {
            omega: (0..rows).map(|_| self.quantile(open_unit(&mut scale)) as f32).collect(),
            t_min: vec![0.0; rows],
            t_max: vec![1.0; rows],
        };
        for row in times.still..rows {
            draws.t_min[row] = (0.5 * open_unit(&mut interval)) as f32;
            draws.t_max[row] = (0.5 + 0.5 * open_unit(&mut interval)) as f32;
        }
        draws
    }
}

impl GuidanceDraws {
    /// The scale that acts on each row: `ω`, but 1 where a row with `r ≠ t` has its `t` outside the interval.
    pub fn acting(&self, times: &Times) -> Vec<f32> {
        let acts =
            |row: usize| row < times.still || (self.t_min[row]..=self.t_max[row]).contains(&times.t[row]);
        (0..self.omega.len()).map(|row| if acts(row) { self.omega[row] } else { 1.0 }).collect()
    }

    /// As an input of a network.
    pub fn on_device<B: Backend>(&self, device: &B::Device) -> Guidance<B> {
        Guidance {
            omega: column(&self.omega, device),
            t_min: column(&self.t_min, device),
            t_max: column(&self.t_max, device),
        }
    }
}

/// The network's own velocities, without gradient.
#[derive(Clone, Debug)]
pub struct Velocities<B: Backend> {
    /// `v_θ(z, t | y, ω)` of every row, the tangent along `z`.
    pub conditional: Tensor<B, 4>,
    /// `v_θ(z, t | ∅, 1)` of the rows on which guidance acts.
    pub unconditional: Option<Unconditional<B>>,
}

/// Velocities of some rows of a batch.
#[derive(Clone, Debug)]
pub struct Unconditional<B: Backend> {
    /// Which, in the order of `v`.
    pub rows: Vec<usize>,
    /// Their velocities, `[rows, …]`.
    pub v: Tensor<B, 4>,
}

impl<B: Backend> Velocities<B> {
    /// With scales `omega` (`[batch]`) and the interval [0, 1]; the unconditional ones of the rows `guided` alone.
    ///
    /// # Panics
    /// If the network has no classes.
    pub fn new<N: Backbone<B>>(
        net: &N,
        z: Tensor<B, 4>,
        t: Tensor<B, 1>,
        omega: &[f32],
        guided: Vec<usize>,
        condition: &Condition<B>,
    ) -> Self {
        let device = z.device();
        let unconditional = (!guided.is_empty()).then(|| {
            let (rows, count) = (indices(&guided, &device), guided.len());
            let classes = net.classes().expect("guidance needs a class-conditional network");
            let condition = Condition {
                labels: Some(Tensor::full([count], classes as i64, &device)),
                guidance: Some(Guidance::full(count, 1.0, [0.0, 1.0], &device)),
                ..condition.select(&rows)
            };
            let (z, t) = (z.clone().select(0, rows.clone()), t.clone().select(0, rows));
            Unconditional { rows: guided, v: net.velocity(z, t, &condition) }
        });
        let none = Guidance::full(omega.len(), 1.0, [0.0, 1.0], &device);
        let condition = condition.clone().with_guidance(Guidance { omega: column(omega, &device), ..none });
        Self { conditional: net.velocity(z, t, &condition), unconditional }
    }

    /// `v + (1 − 1/ω)·(v_c − v_u)`; rows without an unconditional velocity keep `v`.
    pub fn guided(&self, v: Tensor<B, 4>, omega: &[f32]) -> Tensor<B, 4> {
        let Some(Unconditional { rows, v: unconditional }) = &self.unconditional else { return v };
        let device = v.device();
        let excess: Vec<f32> = rows.iter().map(|row| 1.0 - 1.0 / omega[*row]).collect();
        let rows = indices(rows, &device);
        let conditional = self.conditional.clone().select(0, rows.clone());
        let guidance = (conditional - unconditional.clone()) * per_row(column(&excess, &device));
        v.select_assign(0, rows, guidance, IndexingUpdateOp::Add)
    }
}

/// A network whose outputs are data as one whose outputs are velocities; `None`: as it is.
struct AsVelocity<'a, N> {
    net: &'a N,
    data: Option<DataPrediction>,
}

impl<B: Backend, N: Backbone<B>> Backbone<B> for AsVelocity<'_, N> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        velocity(self.data, &z, self.net.forward(z.clone(), r, t.clone(), condition), &t)
    }

    fn classes(&self) -> Option<usize> {
        self.net.classes()
    }

    fn velocity(&self, z: Tensor<B, 4>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 4> {
        velocity(self.data, &z, self.net.velocity(z.clone(), t.clone(), condition), &t)
    }
}

/// The velocity that an output at `z` and `t` stands for.
fn velocity<B: Backend>(
    data: Option<DataPrediction>,
    z: &Tensor<B, 4>,
    output: Tensor<B, 4>,
    t: &Tensor<B, 1>,
) -> Tensor<B, 4> {
    match data {
        Some(data) => data.velocity(z.clone(), output, t.clone()),
        None => output,
    }
}

impl Facts for ImfConfig {
    fn learns(&self) -> Learns {
        Learns::Average
    }

    fn prediction(&self) -> Prediction {
        self.data.map_or(Prediction::Average, Prediction::Data)
    }

    fn measures(&self) -> &'static [&'static str] {
        &["raw", "v", "dudt", "head"]
    }

    fn cost(&self) -> Cost {
        Cost { passes: 1.0, dual: self.share, taped: false, plain: self.share }
    }
}

impl Objective for ImfConfig {
    const NAME: &'static str = "imf";
    const ABOUT: &'static str = "regress velocities by the average velocity and its derivative, guidance as an input (arXiv 2512.02012)";

    type Tangents = Untaped;
    type Draws = Draws;

    fn read(r: &mut Reader, about: &About) -> Self {
        let TimeSampler { t, r: second, pairing, share, split } = TimeSampler::read(r, 0.5);
        Self {
            time: t,
            time_r: Some(second),
            pairing,
            share,
            split,
            weight: Weight::read(r, Weight { p: 1.0, eps: 0.01 }),
            label_dropout: about.label_dropout(r, 0.1),
            guidance: ScaleLaw::read(r, about),
            data: read_prediction(r),
        }
    }

    fn draw(&self, at: &At, shape: [usize; 4]) -> Draws {
        let times = TimeSampler {
            t: self.time,
            r: self.time_r.unwrap_or(self.time),
            pairing: self.pairing,
            share: self.share,
            split: self.split,
        };
        let draws = Draws::new(at, shape, &times, self.label_dropout);
        let guidance = self.guidance.map(|law| law.draw(at.streams, at.step, &draws.times));
        Draws { guidance, ..draws }
    }

    /// Only the rows with `r ≠ t` are differentiated along the flow: at `r = t`, `V = u`.
    fn loss<B, N, F>(&self, nets: &Nets<N, F>, batch: Batch<B::InnerBackend>, draws: &Draws) -> Loss<B>
    where
        B: TrainBackend,
        N: Backbone<B> + Module<B>,
        F: Backbone<B::InnerBackend>,
    {
        let net = nets.online;
        let (shape, device, precision) = (batch.x.dims(), batch.x.device(), batch.precision);
        let (rows, still) = (shape[0], draws.times.still);
        let moved = rows - still;
        let e = samples(&draws.noise, shape, &device);
        let (t, r) = (column(&draws.times.t, &device), column(&draws.times.r, &device));
        let condition = condition(&batch, net.classes());
        let path = linear_path(batch.x.clone(), e, t.clone());
        let z = path.z;
        let v = self.data.map_or(path.v, |data| data.velocity(z.clone(), batch.x, t.clone()));
        let frozen = AsVelocity { net: nets.frozen, data: self.data };

        let guidance = draws.guidance.as_ref();
        let takes = net.guided() && condition.labels.is_some();
        assert!(guidance.is_none() || takes, "guidance needs a network that takes it, and classes");
        // The target, and the tangent along z of the rows with r ≠ t.
        let (field, direction) = match guidance {
            Some(guidance) => {
                let omega = guidance.acting(&draws.times);
                let acts = |row: &usize| omega[*row] != 1.0 && !draws.dropped[*row];
                let guided = (0..rows).filter(acts).collect();
                let own = Velocities::new(&frozen, z.clone(), t.clone(), &omega, guided, &condition);
                let field = own.guided(v.clone(), &omega);
                (field, (moved > 0).then(|| own.conditional.narrow(0, still, moved)))
            }
            None if moved == 0 => (v.clone(), None),
            None => {
                let part = z.clone().narrow(0, still, moved);
                let (time, condition) = (t.clone().narrow(0, still, moved), condition.rows(still, moved));
                (v.clone(), Some(frozen.velocity(part, time, &condition)))
            }
        };
        let condition = Condition {
            guidance: guidance.map(|guidance| guidance.on_device(&device)),
            ..trained(condition, net.classes(), draws)
        };

        let mut parts = Vec::new();
        if still > 0 {
            let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, 0, still);
            let time: Tensor<B, 1> = Tensor::from_inner(t.clone().narrow(0, 0, still));
            let z = Tensor::from_inner(part(&z));
            let input = precision.input(z.clone());
            let condition = outer(condition.rows(0, still));
            let Heads { u, v: head } = precision.cast(net).heads(
                input,
                time.clone(),
                time.clone(),
                &condition,
                Dual::without_tangent,
            );
            let output = |u| velocity(self.data, &z, precision.output(u, v.dtype()), &time);
            let (u, head) = (output(u), head.map(output));
            parts.push(Part::new(u.clone(), u, head, part(&field), part(&v)));
        }
        let mut dudt = None;
        if let Some(direction) = direction {
            let part = |a: &Tensor<B::InnerBackend, 4>| a.clone().narrow(0, still, moved);
            let (t, r) = (t.narrow(0, still, moved), r.narrow(0, still, moved));
            // Tangents (v_θ, 0, 1) for (z, r, t).
            let place = Tensor::from_inner(part(&z)).with_tangent(tangent::<B, 4>(direction));
            let time = Tensor::from_inner(t.clone()).with_tangent(tangent::<B, 1>(t.ones_like()));
            let Heads { u, v: head } = net.heads(
                place.clone(),
                Tensor::from_inner(r.clone()),
                time.clone(),
                &outer(condition.rows(still, moved)),
                Dual::without_tangent,
            );
            let output = |output| velocity(self.data, &place, output, &time);
            let (u, head) = (output(u), head.map(output));
            let (u, derivative) = u.split_tangent();
            let derivative = derivative.map_or_else(|| part(&z).zeros_like(), off_tape::<B, 4>);
            let compound = u.clone() + Tensor::from_inner(derivative.clone() * per_row(t - r));
            let head = head.map(Dual::without_tangent);
            parts.push(Part::new(u, compound, head, part(&field), part(&v)));
            dudt = Some(squared_norm(derivative));
        }
        self.total(parts, dudt)
    }
}

/// The key `prediction`: `"velocity"`, or `{ data = { floor = … } }`.
fn read_prediction(r: &mut Reader) -> Option<DataPrediction> {
    let read = |name: &'static str, r: &mut Reader| {
        let number = Number::new(|x| x > 0.0 && x <= 1.0, "be above 0 and at most 1");
        (name == "data").then(|| DataPrediction { floor: r.get("floor", number, 0.05) })
    };
    r.either("prediction", "what a network outputs", &["velocity"], &["data"], "velocity", read).flatten()
}

impl ImfConfig {
    /// The losses of both parts of a batch together.
    fn total<B: TrainBackend>(
        &self,
        parts: Vec<Part<B>>,
        dudt: Option<Tensor<B::InnerBackend, 1>>,
    ) -> Loss<B> {
        let compound = Tensor::cat(parts.iter().map(|part| part.compound.clone()).collect(), 0);
        let head: Option<Vec<_>> = parts.iter().map(|part| part.head.clone()).collect();
        let head = head.map(|head| Tensor::cat(head, 0));
        let loss = self.weight.loss(compound.clone());
        let velocity = Tensor::cat(parts.into_iter().map(|part| part.velocity).collect(), 0);
        let mut measures = vec![Measure::mean("raw", compound.inner()), Measure::mean("v", velocity)];
        measures.extend(dudt.map(|dudt| Measure::root_mean_square("dudt", dudt)));
        measures.extend(head.clone().map(|head| Measure::mean("head", head.inner())));
        Loss {
            loss: match head {
                Some(head) => loss + self.weight.loss(head),
                None => loss,
            },
            measures,
        }
    }
}

/// Squared errors of some rows, each `[rows]`.
struct Part<B: TrainBackend> {
    /// `‖V − v_g‖²`.
    compound: Tensor<B, 1>,
    /// `‖v_θ − v_g‖²` of the auxiliary head.
    head: Option<Tensor<B, 1>>,
    /// `‖u − (e − x)‖²`.
    velocity: Tensor<B::InnerBackend, 1>,
}

impl<B: TrainBackend> Part<B> {
    fn new(
        u: Tensor<B, 4>,
        compound: Tensor<B, 4>,
        head: Option<Tensor<B, 4>>,
        field: Tensor<B::InnerBackend, 4>,
        v: Tensor<B::InnerBackend, 4>,
    ) -> Self {
        let field = Tensor::from_inner(field);
        Self {
            compound: squared_norm(compound - field.clone()),
            head: head.map(|head| squared_norm(head - field)),
            velocity: squared_norm(u.inner() - v),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: f64 = 8.0;

    #[test]
    fn scales_have_the_stated_density() {
        for beta in [0.0, 0.5, 1.0, 2.0, 3.0] {
            let law = ScaleLaw { max: MAX, beta };
            assert!((law.quantile(0.0) - 1.0).abs() < 1e-12 && (law.quantile(1.0) - MAX).abs() < 1e-9);
            // dω/dp = (normalising constant)·ω^beta.
            let slope = |p: f64| (law.quantile(p + 1e-6) - law.quantile(p - 1e-6)) / 2e-6;
            let constant = slope(0.5) / law.quantile(0.5).powf(beta);
            for p in [0.1, 0.3, 0.7, 0.9] {
                let want = constant * law.quantile(p).powf(beta);
                assert!((slope(p) / want - 1.0).abs() < 1e-6, "beta {beta}, p {p}");
            }
        }
        assert_eq!(ScaleLaw { max: 1.0, beta: 1.0 }.quantile(0.7), 1.0);
    }

    #[test]
    fn intervals_hold_the_middle_and_all_times_where_r_is_t() {
        let times = Times { t: vec![0.5; 400], r: vec![0.5; 400], still: 100 };
        let draws = ScaleLaw { max: MAX, beta: 1.0 }.draw(&Streams::new(0), 3, &times);
        assert!(draws.omega.iter().all(|omega| (1.0..=8.0).contains(omega)));
        assert!(draws.t_min[..100].iter().all(|t| *t == 0.0) && draws.t_max[..100].iter().all(|t| *t == 1.0));
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        // Standard deviation of the mean: 0.5/√(12·300) = 0.008.
        assert!((mean(&draws.t_min[100..]) - 0.25).abs() < 0.04);
        assert!((mean(&draws.t_max[100..]) - 0.75).abs() < 0.04);
        // log ω is uniform on (0, log 8): mean 1.04, standard deviation of the mean 0.03.
        let logs: Vec<f32> = draws.omega.iter().map(|omega| omega.ln()).collect();
        assert!((mean(&logs) - 0.5 * 8.0_f32.ln()).abs() < 0.15);
    }

    #[test]
    fn a_scale_acts_inside_the_interval_and_where_r_is_t() {
        let times = Times { t: vec![0.9, 0.1, 0.2, 0.6, 0.7], r: vec![0.9, 0.0, 0.0, 0.0, 0.0], still: 1 };
        let guidance = GuidanceDraws { omega: vec![3.0; 5], t_min: vec![0.2; 5], t_max: vec![0.6; 5] };
        assert_eq!(guidance.acting(&times), [3.0, 1.0, 3.0, 3.0, 1.0]);
    }
}
