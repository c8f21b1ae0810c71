//! Kernels against the same operations composed of Burn's: milliseconds, the least of several, each pair in turn.
//!
//! `cargo run --release -p meanflow-kernels --example kernel_timings`

use std::time::Instant;

use burn::{
    backend::{Autodiff, Flex},
    optim::{self, AdamState, SimpleOptimizer},
    tensor::{
        Tensor, TensorData, TensorPrimitive,
        activation::{sigmoid, silu, softmax},
        module,
        ops::ConvOptions,
    },
};
use meanflow_jvp::{Dual, Jvp, check::Draws};
use meanflow_kernels::{
    Activation, Adam, Form, Gradient, GroupNorm, Parameter, Updated, attention, conv2d, gated_sum,
    group_norm, linear, modulated_norm, sum_of_squares, update,
};

type B = Jvp<Autodiff<Flex>>;
const ROUNDS: usize = 7;
const BATCH: usize = 16;

fn main() {
    of_images();
    of_tokens();
    of_updates();
}

fn of_images() {
    for (channels, side) in [(32, 32), (64, 16), (64, 8)] {
        let image = [BATCH, channels, side, side];
        for k in [3, 1] {
            let weight = numbers::<4>([channels, channels, k, k]);
            let bias = numbers::<1>([channels]);
            let options = ConvOptions::new([1, 1], [k / 2, k / 2], [1, 1], 1);
            compare(
                &format!("convolution {k}x{k}, {channels} channels, side {side}"),
                image,
                |x| conv2d(x, weight.clone(), bias.clone().unsqueeze()),
                |x| module::conv2d(x, weight.clone(), Some(bias.clone()), options.clone()),
            );
        }
        let (weight, bias) = (numbers::<1>([channels]), numbers::<1>([channels]));
        let spec = GroupNorm { groups: channels / 4, epsilon: 1e-6, activation: Activation::Silu };
        compare(
            &format!("group norm + SiLU, {channels} channels, side {side}"),
            image,
            |x| group_norm(x, weight.clone(), bias.clone(), spec),
            |x| {
                let x = x.reshape([BATCH * spec.groups, 4 * side * side]);
                let x = x.clone() - x.mean_dim(1);
                let variance = (x.clone() * x.clone()).mean_dim(1);
                let x = (x * (variance + spec.epsilon).sqrt().recip()).reshape(image);
                silu(
                    x * weight.clone().reshape([1, channels, 1, 1])
                        + bias.clone().reshape([1, channels, 1, 1]),
                )
            },
        );
    }
}

/// The operations of a block of the yardstick `dit`, half of a batch of 64.
fn of_tokens() {
    let [samples, tokens, width, heads] = [32, 64, 192, 3];
    let x = [1, samples, tokens, width];
    let (shift, scale) = (numbers::<2>([samples, width]), numbers::<2>([samples, width]));
    compare(
        "modulated norm",
        x,
        |x| modulated_norm(x.squeeze_dim(0), shift.clone(), scale.clone(), 1e-6).unsqueeze(),
        |x| {
            let x = x.clone() - x.mean_dim(3);
            let variance = (x.clone() * x.clone()).mean_dim(3);
            let row = |row: &Tensor<B, 2>| row.clone().reshape([1, samples, 1, width]);
            x * (variance + 1e-6).sqrt().recip() * (row(&scale) + 1.0) + row(&shift)
        },
    );
    let y = numbers::<3>([samples, tokens, width]);
    compare(
        "gated sum",
        x,
        |x| gated_sum(x.squeeze_dim(0), scale.clone(), y.clone()).unsqueeze(),
        |x| x + y.clone().unsqueeze() * scale.clone().reshape([1, samples, 1, width]),
    );
    let (weight, bias) = (numbers::<2>([width, 4 * width]), numbers::<1>([4 * width]));
    compare(
        "linear layer 192 to 768 + GELU",
        x,
        |x| linear(x, weight.clone(), Some(bias.clone()), Activation::GeluTanh),
        |x| {
            let x = x.matmul(weight.clone().unsqueeze()) + bias.clone().unsqueeze();
            x.clone() * sigmoid(x.clone() * (x.clone() * x * 0.071_354_816 + 1.595_769_2))
        },
    );
    compare(
        "attention of 3 heads, 64 tokens",
        [1, samples, tokens, 3 * width],
        |qkv| attention(qkv.squeeze_dim(0), heads).unsqueeze(),
        |qkv| {
            let [q, k, v] = [0, 1, 2].map(|third| {
                let x = qkv.clone().narrow(3, third * width, width);
                x.reshape([samples, tokens, heads, width / heads]).swap_dims(1, 2)
            });
            let weights = softmax(q.matmul(k.swap_dims(2, 3)) * ((width / heads) as f64).powf(-0.5), 3);
            weights.matmul(v).swap_dims(1, 2).reshape([1, samples, tokens, width])
        },
    );
}

/// The norm of all gradients, its clip, Adam with a decay, and an average, for matrices like those of the yardstick `dit`.
fn of_updates() {
    let plain = |shape: [usize; 2]| numbers::<2>(shape).inner();
    let primitive = |x: Tensor<Flex, 2>| x.into_primitive().tensor();
    let shapes: Vec<[usize; 2]> = (0..6)
        .flat_map(|_| [[192, 576], [192, 192], [192, 768], [768, 192], [192, 1152], [1, 192]])
        .collect();
    let gradients: Vec<_> = shapes.iter().map(|shape| plain(*shape)).collect();
    let (rate, decay, clip) = (1e-4, 0.1, 1.0);
    let adam = Adam { betas: [0.9, 0.95], epsilon: 1e-8, form: Form::Joint, rate, decay };
    let scale = |squares: Tensor<Flex, 1>| ((squares.sqrt() + 1e-6).recip() * clip).clamp_max(1.0);

    let own = |shape: &[usize; 2]| Updated::<Flex> {
        value: primitive(plain(*shape)),
        moments: None,
        averages: vec![primitive(plain(*shape))],
    };
    let mut fused: Vec<Updated<Flex>> = shapes.iter().map(own).collect();
    let mut fuse = || {
        let squares = sum_of_squares::<Flex>(gradients.iter().cloned().map(primitive).collect());
        let parameters =
            fused.drain(..).zip(&gradients).map(|(Updated { value, moments, averages }, gradient)| {
                let gradient = Gradient { value: primitive(gradient.clone()), adam, moments };
                Parameter { value, gradient: Some(gradient), averages }
            });
        let parameters = parameters.collect();
        fused = update(parameters, squares.map(scale), &[0.9999]);
    };
    let burns: optim::Adam =
        optim::AdamConfig::new().with_beta_1(0.9).with_beta_2(0.95).with_epsilon(1e-8).build();
    let start = |shape: &[usize; 2]| (plain(*shape), None::<AdamState<Flex, 2>>, plain(*shape));
    let mut composed: Vec<_> = shapes.iter().map(start).collect();
    let mut compose = || {
        let squares = gradients.iter().map(|gradient| gradient.clone().powi_scalar(2).sum());
        let scale = scale(squares.reduce(|a, b| a + b).expect("gradients")).reshape([1, 1]);
        for ((value, state, average), gradient) in composed.iter_mut().zip(&gradients) {
            let gradient = gradient.clone() * scale.clone();
            let (new, next) = burns.step(rate, value.clone() * (1.0 - rate * decay), gradient, state.take());
            *average = average.clone() + (new.clone() - average.clone()) * 1e-4;
            (*value, *state) = (new, next);
        }
    };
    let mut best = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (best, work) in best.iter_mut().zip([&mut fuse as &mut dyn FnMut(), &mut compose]) {
            let start = Instant::now();
            work();
            *best = best.min(1e3 * start.elapsed().as_secs_f64());
        }
    }
    let numbers: usize = shapes.iter().map(|[rows, columns]| rows * columns).sum();
    let [fused, composed] = best;
    println!(
        "update of {numbers} numbers: {fused:.2} ms, composed {composed:.2}, ratio {:.2}",
        fused / composed
    );
}

/// Numbers that need a gradient.
fn numbers<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    let values: Vec<f32> = Draws::new(1).take(shape.iter().product()).into_iter().map(|x| x as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default()).require_grad()
}

fn compare(
    name: &str,
    image: [usize; 4],
    fused: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
    composed: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
) {
    let x = numbers::<4>(image);
    let direction: Tensor<Flex, 4> = Tensor::from_primitive(TensorPrimitive::Float(
        x.clone().into_primitive().tensor().into_parts().0.primitive,
    ));
    let mut best = [[f64::INFINITY; 3]; 2];
    for _ in 0..ROUNDS {
        for (best, f) in best.iter_mut().zip([&fused as &dyn Fn(_) -> _, &composed]) {
            let time = |best: &mut f64, work: &mut dyn FnMut()| {
                let start = Instant::now();
                work();
                *best = best.min(1e3 * start.elapsed().as_secs_f64());
            };
            let mut y = None;
            time(&mut best[0], &mut || y = Some(f(x.clone())));
            let y = y.expect("made above");
            let cotangent = y.clone().detach();
            let loss = (y * cotangent).sum();
            time(&mut best[1], &mut || drop(loss.backward()));
            time(&mut best[2], &mut || drop(f(x.clone().with_tangent(direction.clone()))));
        }
    }
    let [fused, composed] = best;
    for (index, pass) in ["forward", "backward", "forward with tangent"].into_iter().enumerate() {
        println!(
            "{name}, {pass}: {:.2} ms, composed {:.2}, ratio {:.2}",
            fused[index],
            composed[index],
            fused[index] / composed[index]
        );
    }
}
