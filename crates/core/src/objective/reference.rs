//! Numbers that other people's code made of an objective, on a small network with fixed weights and draws.

use super::{Batch, TrainBackend};
use crate::{Backbone, Clock, Condition, precision::Precision};
use burn::{
    module::{Module, Param},
    tensor::{
        DType, Int, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use std::collections::BTreeMap;

/// A constant of the reference's configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A list of numbers.
    Numbers(Vec<f64>),
    /// A word.
    Text(String),
    /// Said to be nothing.
    Null,
}

/// Tensors by name: shape, and values row-major.
pub type HostTensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// What a reference file lacks, or says in another way than an objective reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A constant of the configuration.
    #[error("constant `{0}` is missing or of another type")]
    Constant(String),
    /// A tensor.
    #[error("tensor `{name}` {reason}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An objective without such files.
    #[error("the objective `{0}` compares with no reference numbers")]
    None(&'static str),
}

/// A reference file in memory, and what was computed in its place.
///
/// An objective reads constants and inputs, computes, and says what it [found](Self::found) under the names of the file.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The constants of the configuration.
    pub constants: BTreeMap<String, Constant>,
    /// The tensors of the file.
    pub tensors: HostTensors,
    /// The numbers to compute in.
    pub dtype: DType,
    /// What this implementation computed, by name.
    pub computed: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    /// A constant that is a number.
    ///
    /// # Errors
    /// If there is none.
    pub fn number(&self, name: &str) -> Result<f64, ReferenceError> {
        self.optional(name)?.ok_or_else(|| ReferenceError::Constant(name.to_owned()))
    }

    /// A constant that is a number or null.
    ///
    /// # Errors
    /// If it is something else.
    pub fn optional(&self, name: &str) -> Result<Option<f64>, ReferenceError> {
        match self.constants.get(name) {
            Some(Constant::Number(number)) => Ok(Some(*number)),
            Some(Constant::Null) => Ok(None),
            _ => Err(ReferenceError::Constant(name.to_owned())),
        }
    }

    /// A constant that is yes or no.
    ///
    /// # Errors
    /// If there is none.
    pub fn flag(&self, name: &str) -> Result<bool, ReferenceError> {
        match self.constants.get(name) {
            Some(Constant::Flag(flag)) => Ok(*flag),
            _ => Err(ReferenceError::Constant(name.to_owned())),
        }
    }

    /// A constant that is a word.
    ///
    /// # Errors
    /// If there is none.
    pub fn word(&self, name: &str) -> Result<&str, ReferenceError> {
        match self.constants.get(name) {
            Some(Constant::Text(word)) => Ok(word),
            _ => Err(ReferenceError::Constant(name.to_owned())),
        }
    }

    /// The values of a tensor.
    ///
    /// # Errors
    /// If there is none.
    pub fn host(&self, name: &str) -> Result<Vec<f64>, ReferenceError> {
        Ok(self.shaped(name)?.1.clone())
    }

    fn shaped(&self, name: &str) -> Result<&(Vec<usize>, Vec<f64>), ReferenceError> {
        let missing = || ReferenceError::Tensor { name: name.to_owned(), reason: "is missing".to_owned() };
        self.tensors.get(name).ok_or_else(missing)
    }

    /// A tensor of rank `D`.
    ///
    /// # Errors
    /// If there is none, or one of another rank.
    pub fn tensor<B: Backend, const D: usize>(
        &self,
        name: &str,
        device: &B::Device,
    ) -> Result<Tensor<B, D>, ReferenceError> {
        let (shape, values) = self.shaped(name)?;
        let shape: [usize; D] = shape.clone().try_into().map_err(|shape| {
            let reason = format!("has the shape {shape:?}, not {D} dimensions");
            ReferenceError::Tensor { name: name.to_owned(), reason }
        })?;
        Ok(Tensor::from_data(TensorData::new(values.clone(), shape), (device, self.dtype)))
    }

    /// One number a row, `[batch]`.
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn column<B: Backend>(&self, name: &str, device: &B::Device) -> Result<Tensor<B, 1>, ReferenceError> {
        self.tensor(name, device)
    }

    /// The classes before any is dropped.
    ///
    /// # Errors
    /// If there are none.
    pub fn labels<B: Backend>(&self, device: &B::Device) -> Result<Tensor<B, 1, Int>, ReferenceError> {
        let labels: Vec<i64> = self.host("in.labels")?.iter().map(|&label| label as i64).collect();
        let count = labels.len();
        Ok(Tensor::from_data(TensorData::new(labels, [count]), device))
    }

    /// Which rows lose their label.
    ///
    /// # Errors
    /// If it does not say.
    pub fn dropped(&self) -> Result<Vec<bool>, ReferenceError> {
        Ok(self.host("in.dropped")?.iter().map(|&dropped| dropped != 0.0).collect())
    }

    /// Samples and classes of the file.
    ///
    /// # Errors
    /// If either is missing.
    pub fn batch<B: Backend>(&self, device: &B::Device) -> Result<Batch<B>, ReferenceError> {
        Ok(Batch {
            x: self.tensor("in.x", device)?,
            labels: Some(self.labels(device)?),
            augment: None,
            precision: Precision::Full,
        })
    }

    /// What was computed for the tensor `name`.
    pub fn found<B: Backend, const D: usize>(&mut self, name: &str, tensor: Tensor<B, D>) {
        self.found_host(name, tensor.into_data().iter::<f64>().collect());
    }

    /// The same from the host.
    pub fn found_host(&mut self, name: &str, values: Vec<f64>) {
        self.computed.insert(name.to_owned(), values);
    }

    /// The loss and the gradient of every weight of the stub.
    pub fn found_loss<B: AutodiffBackend>(&mut self, stub: &Stub<B>, loss: Tensor<B, 1>) {
        self.found("out.loss", loss.clone().inner());
        self.found_gradients("grad", stub, &loss.backward());
    }

    /// The gradient of every weight of the stub, as `<prefix>.W1`, ….
    pub fn found_gradients<B: AutodiffBackend>(
        &mut self,
        prefix: &str,
        stub: &Stub<B>,
        gradients: &B::Gradients,
    ) {
        let weights = [("W1", Some(&stub.w1)), ("W2", Some(&stub.w2)), ("Wl", stub.wl.as_ref())];
        for (name, weight) in weights {
            if let Some(gradient) = weight.and_then(|weight| weight.grad(gradients)) {
                self.found(&format!("{prefix}.{name}"), gradient);
            }
        }
        let biases = [
            ("b1", Some(&stub.b1)),
            ("b2", Some(&stub.b2)),
            ("bl", stub.bl.as_ref()),
            ("wa", stub.wa.as_ref()),
            ("w", stub.w.as_ref()),
        ];
        for (name, bias) in biases {
            if let Some(gradient) = bias.and_then(|bias| bias.grad(gradients)) {
                self.found(&format!("{prefix}.{name}"), gradient);
            }
        }
    }
}

/// The network of the reference files: `W₂·tanh(W₁·[z; a; b; onehot(y); β] + b₁) + b₂`.
///
/// `a` and `b` are the numbers of its [`Clock`], 0 where that has one; `β = 1/ω` only where `W₁` has a column for it. A log-variance is
/// `W_l·tanh(…) + b_l` on the same hidden layer, `wa₀ + wa₁·a` or `w₀ + w₁·a + w₂·b`, where there are such weights.
#[derive(Module, Debug)]
pub struct Stub<B: Backend> {
    w1: Param<Tensor<B, 2>>,
    b1: Param<Tensor<B, 1>>,
    w2: Param<Tensor<B, 2>>,
    b2: Param<Tensor<B, 1>>,
    wl: Option<Param<Tensor<B, 2>>>,
    bl: Option<Param<Tensor<B, 1>>>,
    wa: Option<Param<Tensor<B, 1>>>,
    w: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    clock: Clock,
    #[module(skip)]
    told: Told,
}

/// In which numbers the network of a reference file is told of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// As the networks here.
    #[default]
    House,
    /// 0 at noise and 1 at data, `1 − t`; its output points the other way too.
    Reversed,
    /// The same of a step's start; in place of its end, `log₂` of how many steps of its length there are in all, at most this number,
    /// which also stands for no length at all.
    Steps(u32),
    /// The angle, `π/2` times what the networks here are told.
    Angle,
}

impl Told {
    fn time<B: Backend>(self, t: Tensor<B, 1>) -> Tensor<B, 1> {
        match self {
            Self::House => t,
            Self::Reversed | Self::Steps(_) => -t + 1.0,
            Self::Angle => t * std::f64::consts::FRAC_PI_2,
        }
    }
}

/// Classes of the stub without the null class.
const CLASSES: usize = 3;

impl<B: TrainBackend> Stub<B> {
    /// The stub with the weights `<prefix>.W1`, ….
    ///
    /// # Errors
    /// If one is missing.
    pub fn new(
        reference: &Reference,
        prefix: &str,
        clock: Clock,
        device: &B::Device,
    ) -> Result<Self, ReferenceError> {
        let matrix =
            |name: &str| reference.tensor(&format!("{prefix}.{name}"), device).map(Param::from_tensor);
        let bias = |name: &str| reference.tensor(&format!("{prefix}.{name}"), device).map(Param::from_tensor);
        let there = |name: &str| reference.tensors.contains_key(&format!("{prefix}.{name}"));
        Ok(Self {
            w1: matrix("W1")?,
            b1: bias("b1")?,
            w2: matrix("W2")?,
            b2: bias("b2")?,
            wl: there("Wl").then(|| matrix("Wl")).transpose()?,
            bl: there("bl").then(|| bias("bl")).transpose()?,
            wa: there("wa").then(|| bias("wa")).transpose()?,
            w: there("w").then(|| bias("w")).transpose()?,
            clock,
            told: Told::House,
        })
    }

    /// The same, told of time in other numbers.
    pub fn told(self, told: Told) -> Self {
        Self { told, ..self }
    }
}

impl<B: Backend> Stub<B> {
    fn inputs(&self) -> usize {
        self.w1.dims()[1]
    }

    /// `a` and `b`.
    fn numbers(&self, r: Tensor<B, 1>, t: Tensor<B, 1>) -> Vec<Tensor<B, 1>> {
        if let Told::Steps(most) = self.told {
            let h = (t.clone() - r).clamp_min(0.5f64.powi(most as i32));
            let steps = (h.log() * (-1.0 / std::f64::consts::LN_2)).round();
            return vec![self.told.time(t), steps];
        }
        let mut times = self.clock.numbers(self.told.time(r), self.told.time(t));
        if times.len() == 1 {
            times.push(times[0].zeros_like());
        }
        times
    }

    /// `tanh(…)`.
    fn hidden(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 2> {
        let shape = z.dims();
        let rows = shape[0];
        let mut columns = vec![z.clone().reshape([rows, shape[1] * shape[2] * shape[3]])];
        columns.extend(self.numbers(r, t).into_iter().map(|time| time.reshape([rows, 1])));
        let labels = condition.labels.clone().expect("labels");
        let classes = Tensor::<B, 1, Int>::arange(0..CLASSES as i64 + 1, &z.device());
        let same = labels
            .reshape([rows, 1])
            .expand([rows, CLASSES + 1])
            .equal(classes.unsqueeze::<2>().expand([rows, CLASSES + 1]));
        columns.push(same.float().cast(z.dtype()));
        if <Self as Backbone<B>>::guided(self) {
            let omega = condition.guidance.as_ref().expect("guidance").omega.clone();
            columns.push(omega.recip().reshape([rows, 1]));
        }
        let x = Tensor::cat(columns, 1).matmul(self.w1.val().transpose()) + self.b1.val().unsqueeze();
        x.tanh()
    }
}

impl<B: Backend> Backbone<B> for Stub<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let shape = z.dims();
        let hidden = self.hidden(z, r, t, condition);
        let x = hidden.matmul(self.w2.val().transpose()) + self.b2.val().unsqueeze();
        let x = if matches!(self.told, Told::Reversed | Told::Steps(_)) { -x } else { x };
        x.reshape(shape)
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }

    fn guided(&self) -> bool {
        let sample = self.w2.dims()[0];
        self.inputs() > sample + 2 + CLASSES + 1
    }

    fn log_variance(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Option<Tensor<B, 1>> {
        let rows = z.dims()[0];
        if let Some(wa) = &self.wa {
            let [first, second] = [0, 1].map(|index| wa.val().narrow(0, index, 1).expand([rows]));
            return Some(first + second * self.numbers(r, t).remove(0));
        }
        if let Some(w) = &self.w {
            let mut log = w.val().narrow(0, 0, 1).expand([rows]);
            for (index, time) in self.numbers(r, t).into_iter().enumerate() {
                log = log + w.val().narrow(0, index + 1, 1).expand([rows]) * time;
            }
            return Some(log);
        }
        let (wl, bl) = (self.wl.as_ref()?.val(), self.bl.as_ref()?.val());
        let log = self.hidden(z, r, t, condition).matmul(wl.transpose()) + bl.unsqueeze();
        Some(log.reshape([rows]))
    }
}
