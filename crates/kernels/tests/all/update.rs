//! The update of parameters against Burn's optimizers, to the bit, and against Adam in double precision.

use burn::{
    backend::Flex,
    optim::{self, SimpleOptimizer},
    tensor::{DType, Tensor, TensorData, TensorPrimitive, ops::FloatTensor},
};
use meanflow_jvp::check::Draws;
use meanflow_kernels::{Adam, Form, Gradient, Moments, Parameter, Updated, sum_of_squares, update};

/// More numbers than a task has, fewer than a register, and a table.
const SHAPES: [[usize; 2]; 4] = [[150, 61], [1, 3], [7, 16], [1, 1]];
const SHARES: [f64; 2] = [0.9999, 0.5];
const STEPS: usize = 8;
const FORMS: [Form; 2] = [Form::Joint, Form::Apart];

fn adam(form: Form, step: usize) -> Adam {
    Adam { betas: [0.9, 0.95], epsilon: 1e-8, form, rate: 0.01 / (1.0 + step as f64), decay: 0.1 }
}

fn scale(step: usize) -> f32 {
    0.3 + 0.1 * step as f32
}

fn numbers(seed: usize, [rows, columns]: [usize; 2]) -> Vec<f32> {
    // Zeros of both signs and small numbers among them.
    let special = |(i, x): (usize, f64)| match i % 11 {
        3 => 0.0 * x,
        5 => 1e-6 * x,
        _ => x,
    };
    Draws::new(seed as u64).take(rows * columns).into_iter().enumerate().map(|x| special(x) as f32).collect()
}

/// The gradient of a parameter in a step; the third parameter has none in some.
fn gradient(parameter: usize, step: usize) -> Option<Vec<f32>> {
    let some = parameter != 2 || step % 3 == 1;
    some.then(|| numbers(100 * (parameter + 1) + step, SHAPES[parameter]))
}

fn tensor(numbers: &[f32], shape: [usize; 2], dtype: DType) -> Tensor<Flex, 2> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), shape), (&Default::default(), dtype))
}

fn primitive(tensor: Tensor<Flex, 2>) -> FloatTensor<Flex> {
    tensor.into_primitive().tensor()
}

fn of(primitive: &FloatTensor<Flex>) -> Tensor<Flex, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive.clone()))
}

fn values(primitive: &FloatTensor<Flex>) -> Vec<f64> {
    of(primitive).into_data().iter().collect()
}

fn bits(tensor: Tensor<Flex, 2>) -> Vec<u32> {
    tensor.into_data().iter::<f32>().map(f32::to_bits).collect()
}

/// All parameters before the first update: averages begin as the parameter itself, in the same memory.
fn start(dtype: DType) -> Vec<Updated<Flex>> {
    let start = |(parameter, shape): (usize, &[usize; 2])| {
        let value = primitive(tensor(&numbers(parameter, *shape), *shape, dtype));
        Updated { averages: vec![value.clone(); SHARES.len()], value, moments: None }
    };
    SHAPES.iter().enumerate().map(start).collect()
}

fn one_update(state: Vec<Updated<Flex>>, form: Form, step: usize, dtype: DType) -> Vec<Updated<Flex>> {
    let mut still = Vec::new();
    let mut parameters = Vec::new();
    for (parameter, Updated { value, moments, averages }) in state.into_iter().enumerate() {
        let gradient = gradient(parameter, step);
        still.push(moments.clone().filter(|_| gradient.is_none()));
        let gradient = gradient.map(|gradient| Gradient {
            value: primitive(tensor(&gradient, SHAPES[parameter], dtype)),
            adam: adam(form, step),
            moments,
        });
        parameters.push(Parameter { value, gradient, averages });
    }
    let scale = tensor(&[scale(step)], [1, 1], dtype).reshape([1]);
    let mut updated = update::<Flex>(parameters, Some(scale), &SHARES);
    for (parameter, still) in updated.iter_mut().zip(still) {
        parameter.moments = parameter.moments.take().or(still);
    }
    updated
}

fn run(form: Form, dtype: DType) -> Vec<Updated<Flex>> {
    (0..STEPS).fold(start(dtype), |state, step| one_update(state, form, step, dtype))
}

fn all_bits(state: &[Updated<Flex>]) -> Vec<Vec<u32>> {
    let moments = |parameter: &Updated<Flex>| {
        let Moments { first, second, .. } = parameter.moments.clone().expect("a gradient in some step");
        [first, second]
    };
    state
        .iter()
        .flat_map(|parameter| {
            [parameter.value.clone()].into_iter().chain(moments(parameter)).chain(parameter.averages.clone())
        })
        .map(|tensor| bits(of(&tensor)))
        .collect()
}

/// Burn's optimizer with the scale, the decay and the averages as operations of their own.
fn burns<O: SimpleOptimizer<Flex>>(
    optim: &O,
    moments: impl Fn(O::State<2>) -> optim::AdaptiveMomentumState<Flex, 2>,
) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    for (parameter, shape) in SHAPES.into_iter().enumerate() {
        let mut value = tensor(&numbers(parameter, shape), shape, DType::F32);
        let (mut averages, mut state) = (SHARES.map(|_| value.clone()), None);
        for step in 0..STEPS {
            if let Some(gradient) = gradient(parameter, step) {
                let gradient =
                    tensor(&gradient, shape, DType::F32) * tensor(&[scale(step)], [1, 1], DType::F32);
                let Adam { rate, decay, .. } = adam(Form::Joint, step);
                (value, state) = optim.step(rate, value * (1.0 - rate * decay), gradient, state);
            }
            for (average, share) in averages.iter_mut().zip(SHARES) {
                *average = average.clone() + (value.clone() - average.clone()) * (1.0 - share);
            }
        }
        let moments = moments(state.expect("a gradient in some step"));
        all.extend([value, moments.moment_1, moments.moment_2].into_iter().chain(averages).map(bits));
    }
    all
}

#[test]
fn the_bits_are_those_of_burns_optimizers() {
    let Adam { betas: [beta_1, beta_2], epsilon, .. } = adam(Form::Joint, 0);
    let adam = optim::AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(epsilon).build();
    assert_eq!(all_bits(&run(Form::Joint, DType::F32)), burns(&adam, |state| state.momentum));
    let adamw = optim::AdamWConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(epsilon);
    let adamw = adamw.with_weight_decay(0.0).build();
    assert_eq!(all_bits(&run(Form::Apart, DType::F32)), burns(&adamw, |state| state.momentum));
}

/// Adam of a number, from its paper, in double precision: the value and its averages.
fn exact(parameter: usize, index: usize) -> (f64, [f64; 2]) {
    let shape = SHAPES[parameter];
    let mut p = f64::from(numbers(parameter, shape)[index]);
    let (mut m, mut v, mut t) = (0.0, 0.0, 0);
    let mut averages = [p; 2];
    for step in 0..STEPS {
        let Adam { betas, epsilon, rate, decay, .. } = adam(Form::Joint, step);
        if let Some(gradient) = gradient(parameter, step) {
            let g = f64::from(gradient[index]) * f64::from(scale(step));
            let [b1, b2] = betas.map(f64::from);
            t += 1;
            m = b1 * m + (1.0 - b1) * g;
            v = b2 * v + (1.0 - b2) * g * g;
            let (m_hat, v_hat) = (m / (1.0 - b1.powi(t)), v / (1.0 - b2.powi(t)));
            p = p * (1.0 - rate * decay) - rate * m_hat / (v_hat.sqrt() + f64::from(epsilon));
        }
        for (average, share) in averages.iter_mut().zip(SHARES) {
            *average = share * *average + (1.0 - share) * p;
        }
    }
    (p, averages)
}

/// The kernel, and the composed form, which runs on numbers of double precision.
#[test]
fn the_update_is_adams() {
    for form in FORMS {
        for dtype in [DType::F32, DType::F64] {
            for (parameter, updated) in run(form, dtype).iter().enumerate() {
                let all = [&updated.value, &updated.averages[0], &updated.averages[1]].map(values);
                for index in 0..all[0].len() {
                    let (p, [first, second]) = exact(parameter, index);
                    for (found, expected) in all.iter().zip([p, first, second]) {
                        let found = found[index];
                        // The numbers are of the size 1.
                        assert!(
                            (found - expected).abs() < 1e-6 * expected.abs().max(0.1),
                            "{found}, not {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let squares = || {
        let large = tensor(&numbers(5, [300, 300]), [300, 300], DType::F32);
        bits(sum_of_squares::<Flex>(vec![primitive(large)]).expect("a tensor").reshape([1, 1]))
    };
    let run = |threads| pool(threads).install(|| (all_bits(&run(Form::Joint, DType::F32)), squares()));
    let one = run(1);
    for threads in [2, 3] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

/// Where the numbers of a tensor lie.
fn place(tensor: &FloatTensor<Flex>) -> *const u8 {
    tensor.bytes().as_ptr()
}

#[test]
fn what_nothing_else_holds_is_written_in_place() {
    // After the first update every tensor has memory of its own.
    let state = one_update(start(DType::F32), Form::Joint, 1, DType::F32);
    let held = of(&state[0].value);
    let before = bits(held.clone());
    let places = |state: &[Updated<Flex>]| -> Vec<Vec<*const u8>> {
        let moments = |parameter: &Updated<Flex>| {
            parameter.moments.as_ref().map(|moments| [place(&moments.first), place(&moments.second)])
        };
        let of_one = |parameter: &Updated<Flex>| {
            let averages = parameter.averages.iter().map(place);
            averages.chain(moments(parameter).expect("moments")).chain([place(&parameter.value)]).collect()
        };
        state.iter().map(of_one).collect()
    };
    let old = places(&state);
    let new = places(&one_update(state, Form::Joint, 4, DType::F32));
    assert_eq!(new[1..], old[1..]);
    assert_eq!(new[0][..4], old[0][..4]);
    assert_ne!(new[0][4], old[0][4]);
    assert_eq!(bits(held), before, "what somebody holds does not change");
}

#[test]
fn the_order_in_memory_does_not_matter() {
    let shape = [40, 300];
    let plain = |seed| tensor(&numbers(seed, shape), shape, DType::F32);
    let turned = |seed| plain(seed).transpose().reshape([300 * 40]).reshape([300, 40]).transpose();
    let one = |make: &dyn Fn(usize) -> Tensor<Flex, 2>| {
        let [value, gradient, average] = [1, 2, 3].map(|seed| primitive(make(seed)));
        let gradient = Some(Gradient { value: gradient, adam: adam(Form::Apart, 0), moments: None });
        let parameter = Parameter { value, gradient, averages: vec![average] };
        let updated = update::<Flex>(vec![parameter], None, &SHARES[..1]).remove(0);
        [bits(of(&updated.value)), bits(of(&updated.averages[0]))]
    };
    assert_eq!(one(&turned), one(&plain));
}

#[test]
fn the_sum_of_squares_is_that_of_all_tensors() {
    let tensors =
        [[150, 61], [1, 1], [3, 7]].map(|shape| tensor(&numbers(shape[0], shape), shape, DType::F32));
    let exact: f64 =
        tensors.iter().flat_map(|x| x.to_data().iter::<f64>().collect::<Vec<_>>()).map(|x| x * x).sum();
    for dtype in [DType::F32, DType::F64] {
        let tensors = tensors.iter().map(|x| primitive(x.clone().cast(dtype))).collect();
        let sum = sum_of_squares::<Flex>(tensors)
            .expect("tensors")
            .into_data()
            .iter::<f64>()
            .next()
            .expect("a number");
        assert!((sum / exact - 1.0).abs() < 2e-7, "{sum} is not {exact}");
    }
    assert!(sum_of_squares::<Flex>(Vec::new()).is_none());
}
