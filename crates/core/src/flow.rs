//! What a network's output means, apart from the network: [`Flow`] answers in house time for every kind of prediction.

use crate::{Backbone, Condition, interpolant::per_row};
use burn::tensor::{Tensor, backend::Backend};
use core::fmt;
use std::f64::consts::FRAC_2_PI;

/// What the output `F` of a network is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prediction {
    /// The average velocity: `u(z, r, t) = F(z, r, t)`.
    Average,
    /// The average velocity over the scale of guidance, `u = ω·F` (TVM, arXiv 2511.19797): `ω` is that of the row where the
    /// network takes one as an input, else this number.
    Scaled {
        /// The scale of a network that takes none.
        omega: f64,
    },
    /// A consistency function in EDM's preconditioning (arXiv 2206.00364, 2406.14548), see [`Edm`].
    Edm(Edm),
    /// The average velocity of the flow of data that is scaled to standard deviation 1, see [`ScaledData`].
    ScaledData(ScaledData),
    /// The velocity on the path of TrigFlow (sCM, arXiv 2410.11081), see [`TrigFlow`].
    Trig(TrigFlow),
    /// Data, see [`DataPrediction`].
    Data(DataPrediction),
}

/// A network whose output `x̂` stands for data (pixel MeanFlow, arXiv 2601.22158): `u(z, r, t) = (z − x̂(z, r, t))/max(t, floor)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataPrediction {
    /// The smallest time that is divided by, at most 1.
    pub floor: f64,
}

impl DataPrediction {
    /// The velocity `(z − x)/max(t, floor)` to the data `x`, `t` of each row, `[batch]`.
    pub fn velocity<B: Backend>(&self, z: Tensor<B, 4>, x: Tensor<B, 4>, t: Tensor<B, 1>) -> Tensor<B, 4> {
        (z - x) / per_row(t.clamp(self.floor, 1.0))
    }
}

/// A flow of `x/σ_d` (IMM, arXiv 2503.07565), told its own times.
///
/// On its path `z' = (1−t')·x/σ_d + t'·e` is `c(t)·z` with `t' = c(t)·t`, `c(t) = 1/(σ_d + (1−σ_d)·t)`, so that
/// `u(z, r, t) = c(t)·((1−σ_d)·z + σ_d·F(c(t)·z, c(r)·r, c(t)·t))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaledData {
    /// Standard deviation of the data, `σ_d`.
    pub sigma_data: f64,
}

/// The largest time of a flow of scaled data, where sampling starts.
pub const T_MAX: f64 = 0.994;

impl ScaledData {
    fn average<B: Backend, N: Backbone<B>>(
        &self,
        net: &N,
        z: Tensor<B, 4>,
        [r, t]: [Tensor<B, 1>; 2],
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let scale = |t: &Tensor<B, 1>| (t.clone() * (1.0 - self.sigma_data) + self.sigma_data).recip();
        let (before, after) = (scale(&t), scale(&r));
        let c = per_row(before.clone());
        let output = net.forward(z.clone() * c.clone(), after * r, before * t, condition);
        (z * (1.0 - self.sigma_data) + output * self.sigma_data) * c
    }
}

/// EDM's preconditioning: `D(x_σ, σ) = c_skip·x_σ + c_out·F(c_in·x_σ, ln σ/4)` of a noisy sample `x_σ = x + σ·e`.
///
/// House time is `t = σ/(1+σ)`, where `z = x_σ/(1+σ) = (1−t)·x_σ`. The network is told the one number `ln σ/4` as both times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edm {
    /// Standard deviation of the data, `σ_d`.
    pub sigma_data: f64,
    /// The noise level that counts as none: there `D` is the sample itself (arXiv 2303.01469, appendix C). EDM has 0.
    pub sigma_min: f64,
}

/// TrigFlow: `x_a = cos a·x + sin a·σ_d·e` for an angle `a` in [0, π/2], with the velocity `dx_a/da = σ_d·F(x_a/σ_d, 2a/π)`.
///
/// In house time, `tan a = t/((1−t)·σ_d)` and `x_a/σ_d = z/S` with `S² = (1−t)²·σ_d² + t²`. The map
/// `x_b = cos(a−b)·x_a − sin(a−b)·σ_d·F` from an angle to a smaller one is then that of the average velocity
/// `u(z, r, t) = (σ_d·F + z/S·(t − (1−t)·σ_d²))/S`, with no difference of times left in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrigFlow {
    /// Standard deviation of the data, `σ_d`.
    pub sigma_data: f64,
}

impl TrigFlow {
    /// The angle of a house time.
    pub fn angle(&self, t: f64) -> f64 {
        t.atan2((1.0 - t) * self.sigma_data)
    }

    /// The average velocity of the output `F` of a network that is told `2a/π` of both times.
    fn average<B: Backend, N: Backbone<B>>(
        &self,
        net: &N,
        z: Tensor<B, 4>,
        [r, t]: [Tensor<B, 1>; 2],
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let data = |t: &Tensor<B, 1>| (-t.clone() + 1.0) * self.sigma_data;
        let told = |t: &Tensor<B, 1>| t.clone().atan2(data(t)) * FRAC_2_PI;
        let scale = (data(&t).powi_scalar(2) + t.clone().powi_scalar(2)).sqrt();
        let place = z / per_row(scale.clone());
        let output = net.forward(place.clone(), told(&r), told(&t), condition);
        let slope = t.clone() - data(&t) * self.sigma_data;
        (output * self.sigma_data + place * per_row(slope)) / per_row(scale)
    }

    /// The house's point and time of `x_a` at the angles `a`, `[batch]`.
    pub(crate) fn house<B: Backend>(&self, x: Tensor<B, 4>, a: Tensor<B, 1>) -> (Tensor<B, 4>, Tensor<B, 1>) {
        let sin = a.clone().sin() * self.sigma_data;
        let total = a.cos() + sin.clone();
        (x / per_row(total.clone()), sin / total)
    }

    /// `dx_a/da` of the house velocity `u` at the house's point `z` of the angles `a`.
    pub(crate) fn velocity<B: Backend>(
        &self,
        u: Tensor<B, 4>,
        z: Tensor<B, 4>,
        a: Tensor<B, 1>,
    ) -> Tensor<B, 4> {
        let (sin, cos) = (a.clone().sin(), a.cos());
        let total = cos.clone() + sin.clone() * self.sigma_data;
        u * per_row(total.recip() * self.sigma_data) - z * per_row(sin - cos * self.sigma_data)
    }
}

/// The largest noise level of consistency models, where sampling starts.
pub const SIGMA_MAX: f64 = 80.0;

impl Edm {
    /// `D(x_σ, σ)`, with `σ > 0` of each row, `[batch]`.
    ///
    /// `c_skip = σ_d²/((σ − σ_min)² + σ_d²)`, `c_out = (σ − σ_min)·σ_d/√(σ² + σ_d²)`, `c_in = 1/√(σ² + σ_d²)`.
    pub fn denoise<B: Backend, N: Backbone<B>>(
        &self,
        net: &N,
        x: Tensor<B, 4>,
        sigma: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let variance = self.sigma_data * self.sigma_data;
        let root = (sigma.clone().powi_scalar(2) + variance).sqrt();
        let noise = sigma.clone().log() * 0.25;
        let scaled = x.clone() / per_row(root.clone());
        let output = net.forward(scaled, noise.clone(), noise, condition);
        let above = sigma - self.sigma_min;
        let skip = (above.clone().powi_scalar(2) + variance).recip() * variance;
        x * per_row(skip) + output * per_row(above * self.sigma_data / root)
    }
}

impl fmt::Display for Prediction {
    /// As files of networks have it: a word, and its number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Average => f.write_str("average"),
            Self::Scaled { omega } => write!(f, "scaled {omega}"),
            Self::Edm(Edm { sigma_data, sigma_min: 0.0 }) => write!(f, "edm {sigma_data}"),
            Self::ScaledData(ScaledData { sigma_data }) => write!(f, "scaled-data {sigma_data}"),
            Self::Edm(Edm { sigma_data, sigma_min }) => write!(f, "edm {sigma_data} {sigma_min}"),
            Self::Trig(TrigFlow { sigma_data }) => write!(f, "trig {sigma_data}"),
            Self::Data(DataPrediction { floor }) => write!(f, "data {floor}"),
        }
    }
}

impl Prediction {
    /// Reads what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, numbers) = text.split_once(' ').unwrap_or((text, ""));
        let positive = |text: &str| text.parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0);
        Some(match word {
            "average" => Self::Average,
            "scaled" => Self::Scaled { omega: positive(numbers)? },
            "scaled-data" => Self::ScaledData(ScaledData { sigma_data: positive(numbers)? }),
            "edm" => {
                let (data, least) = numbers.split_once(' ').unwrap_or((numbers, ""));
                let sigma_min = if least.is_empty() { 0.0 } else { positive(least)? };
                Self::Edm(Edm { sigma_data: positive(data)?, sigma_min })
            }
            "trig" => Self::Trig(TrigFlow { sigma_data: positive(numbers)? }),
            "data" => Self::Data(DataPrediction { floor: positive(numbers)? }),
            _ => return None,
        })
    }

    /// The time that stands for pure noise: 1, or as near as the network knows.
    pub fn start(&self) -> f64 {
        match self {
            Self::Average | Self::Scaled { .. } | Self::Data(_) => 1.0,
            Self::Edm(_) | Self::Trig(_) => SIGMA_MAX / (1.0 + SIGMA_MAX),
            Self::ScaledData(ScaledData { sigma_data }) => {
                sigma_data * T_MAX / (1.0 - (1.0 - sigma_data) * T_MAX)
            }
        }
    }
}

/// A network with the meaning of its output.
#[derive(Debug)]
pub struct Flow<'a, N> {
    /// The network.
    pub net: &'a N,
    /// What its output is.
    pub prediction: Prediction,
}

impl<N> Flow<'_, N> {
    /// The average velocity `u(z, r, t)`; shapes as in [`Backbone::forward`].
    ///
    /// A consistency function knows the way to `r = 0` alone and gives `(z − x̂)/t` for every `r`.
    pub fn average<B: Backend>(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4>
    where
        N: Backbone<B>,
    {
        match self.prediction {
            Prediction::Average => self.net.forward(z, r, t, condition),
            Prediction::Scaled { omega } => {
                let output = self.net.forward(z, r, t, condition);
                match &condition.guidance {
                    Some(guidance) => output * per_row(guidance.omega.clone()),
                    None => output * omega,
                }
            }
            Prediction::ScaledData(scaled) => scaled.average(self.net, z, [r, t], condition),
            Prediction::Trig(trig) => trig.average(self.net, z, [r, t], condition),
            Prediction::Data(data) => {
                let x = self.net.forward(z.clone(), r, t.clone(), condition);
                data.velocity(z, x, t)
            }
            Prediction::Edm(edm) => {
                let data = -t.clone() + 1.0;
                let noisy = z.clone() / per_row(data.clone());
                let clean = edm.denoise(self.net, noisy, t.clone() / data, condition);
                (z - clean) / per_row(t)
            }
        }
    }

    /// The instantaneous velocity `v(z, t) = u(z, t, t)`.
    pub fn velocity<B: Backend>(
        &self,
        z: Tensor<B, 4>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4>
    where
        N: Backbone<B>,
    {
        self.average(z, t.clone(), t, condition)
    }

    /// The point `z_r = z − (t−r)·u(z, r, t)` that `z` at `t` flows to.
    pub fn map<B: Backend>(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4>
    where
        N: Backbone<B>,
    {
        let h = t.clone() - r.clone();
        z.clone() - self.average(z, r, t, condition) * per_row(h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_read_as_they_are_written() {
        for prediction in [
            Prediction::Average,
            Prediction::Scaled { omega: 2.5 },
            Prediction::Edm(Edm { sigma_data: 0.5, sigma_min: 0.0 }),
            Prediction::Edm(Edm { sigma_data: 0.5, sigma_min: 0.002 }),
            Prediction::ScaledData(ScaledData { sigma_data: 0.5 }),
            Prediction::Trig(TrigFlow { sigma_data: 0.5 }),
            Prediction::Data(DataPrediction { floor: 0.05 }),
        ] {
            assert_eq!(Prediction::parse(&prediction.to_string()), Some(prediction));
        }
        for wrong in ["", "edm", "edm 0", "edm nan", "edm 1 0", "edm 1 2 3", "scaled -1", "other 1"] {
            assert_eq!(Prediction::parse(wrong), None, "{wrong}");
        }
    }
}
