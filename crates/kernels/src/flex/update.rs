//! Adam, its decay and every average in one pass, in place.

use burn::backend::Flex;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{
    BLOCK, Rows, tensor,
    wide::{Loop, widest},
};
use crate::update::{Adam, Form, Gradient, Moments, Parameter, Updated};

/// See [`crate::update`]. The bits are those of the composed form: the same operations in the same order.
pub(super) fn update(parameters: Vec<Parameter<Flex>>, scale: f32, shares: &[f64]) -> Vec<Updated<Flex>> {
    let rates: Vec<f32> = shares.iter().map(|share| (1.0 - share) as f32).collect();
    let mut works: Vec<Work> = parameters.into_iter().map(|parameter| Work::new(parameter, scale)).collect();
    let blocks: Vec<Block> = works.iter_mut().flat_map(|work| work.blocks(&rates)).collect();
    blocks.into_par_iter().for_each(widest);
    works.into_iter().map(Work::finished).collect()
}

/// A parameter whose tensors can be written.
struct Work {
    value: FlexTensor,
    step: Option<Step>,
    averages: Vec<FlexTensor>,
}

struct Step {
    gradient: Rows,
    moments: Moments<Flex>,
    factors: Factors,
}

impl Work {
    fn new(Parameter { value, gradient, averages }: Parameter<Flex>, scale: f32) -> Self {
        let averages = averages.into_iter().map(owned).collect();
        let Some(Gradient { value: gradient, adam, moments }) = gradient else {
            return Self { value: Rows::of(&value).tensor, step: None, averages };
        };
        let gradient = Rows::of(&gradient);
        // `−0·β + x` is `x` to the sign of its zero, so the first update needs no loop of its own.
        let nothing = || tensor(vec![-0.0; gradient.values().len()], gradient.shape.clone());
        let moments = match moments {
            Some(Moments { time, first, second }) => {
                Moments { time: time + 1, first: owned(first), second: owned(second) }
            }
            None => Moments { time: 1, first: nothing(), second: nothing() },
        };
        let factors = Factors::new(&adam, scale, moments.time);
        Self { value: owned(value), step: Some(Step { gradient, moments, factors }), averages }
    }

    fn blocks<'a>(&'a mut self, rates: &'a [f32]) -> impl Iterator<Item = Block<'a>> {
        let mut averages: Vec<_> = self.averages.iter_mut().map(|average| blocks_of(average)).collect();
        let values: Vec<Value> = match &mut self.step {
            Some(Step { gradient, moments, factors }) => {
                let factors = &*factors;
                blocks_of(&mut self.value)
                    .zip(gradient.values().chunks(BLOCK))
                    .zip(blocks_of(&mut moments.first).zip(blocks_of(&mut moments.second)))
                    .map(|((value, gradient), (first, second))| Value::Moves {
                        value,
                        gradient,
                        first,
                        second,
                        factors,
                    })
                    .collect()
            }
            None => {
                let still: &[f32] = self.value.as_slice().expect("contiguous numbers of single precision");
                still.chunks(BLOCK).map(Value::Stays).collect()
            }
        };
        values.into_iter().map(move |value| {
            let next = |blocks: &mut _| Iterator::next(blocks).expect("an average of the same shape");
            Block { value, averages: averages.iter_mut().map(next).zip(rates.iter().copied()).collect() }
        })
    }

    fn finished(self) -> Updated<Flex> {
        let moments = self.step.map(|step| step.moments);
        Updated { value: self.value, moments, averages: self.averages }
    }
}

/// The tensor as the only one that holds its numbers, which fill its memory in the order of its axes. Copied if it is not yet so.
fn owned(x: FlexTensor) -> FlexTensor {
    let mut whole = x.to_contiguous();
    drop(x);
    whole.storage_mut::<f32>();
    whole
}

fn blocks_of(owned: &mut FlexTensor) -> std::slice::ChunksMut<'_, f32> {
    owned.storage_mut::<f32>().chunks_mut(BLOCK)
}

/// The numbers of one update of one parameter.
#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    keep: f32,
    betas: [f32; 2],
    /// `m` is multiplied with the first and divided by the second, one of which is 1: that changes no bit.
    first: [f32; 2],
    /// What `v` is divided by.
    second: f32,
    epsilon: f32,
    rate: f32,
}

impl Factors {
    fn new(adam: &Adam, scale: f32, time: usize) -> Self {
        let [of_first, of_second] = adam.corrections(time);
        let (first, second, epsilon) = match adam.form {
            Form::Joint => {
                let root = of_second.sqrt();
                ([root / of_first, 1.0], 1.0, adam.epsilon * root)
            }
            Form::Apart => ([1.0, of_first], of_second, adam.epsilon),
        };
        let keep = adam.keep().unwrap_or(1.0) as f32;
        Self { scale, keep, betas: adam.betas, first, second, epsilon, rate: adam.rate as f32 }
    }
}

/// Neighbouring numbers of a parameter and of all that belongs to them: little enough to stay near the processor.
struct Block<'a> {
    value: Value<'a>,
    averages: Vec<(&'a mut [f32], f32)>,
}

enum Value<'a> {
    Stays(&'a [f32]),
    Moves {
        value: &'a mut [f32],
        gradient: &'a [f32],
        first: &'a mut [f32],
        second: &'a mut [f32],
        factors: &'a Factors,
    },
}

impl Loop for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let value = match self.value {
            Value::Stays(value) => value,
            Value::Moves { value, gradient, first, second, factors } => {
                step(value, gradient, first, second, *factors);
                value
            }
        };
        for (average, rate) in self.averages {
            follow(average, value, rate);
        }
    }
}

#[inline(always)]
fn step(value: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], by: Factors) {
    let [beta_1, beta_2] = by.betas;
    let (new_1, new_2) = (1.0 - beta_1, 1.0 - beta_2);
    for (((p, g), m), v) in value.iter_mut().zip(gradient).zip(first).zip(second) {
        let g = g * by.scale;
        *m = *m * beta_1 + g * new_1;
        *v = *v * beta_2 + g * g * new_2;
        let way = *m * by.first[0] / by.first[1] / ((*v / by.second).sqrt() + by.epsilon);
        *p = *p * by.keep - way * by.rate;
    }
}

#[inline(always)]
fn follow(average: &mut [f32], value: &[f32], rate: f32) {
    for (a, p) in average.iter_mut().zip(value) {
        *a += (p - *a) * rate;
    }
}
