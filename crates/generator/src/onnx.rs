//! A trained network as an ONNX file: the whole generator, or the average velocity by itself.

use crate::{GeneratorError, Model, NOISE, Request, SampleGuidance, Sampling, sample::sampling};
use burn::tensor::{DType, Int, Tensor};
use meanflow_core::{Flow, Streams, solver::Fresh};
use meanflow_nets::{Net, Networks};
use meanflow_onnx::{ModelProto, Pass, Recorder, export};

/// What a file computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computes {
    /// Samples in [−1, 1]: `noise` and `class` in, `sample` out.
    Samples,
    /// The same as bytes, `⌊clip(127.5·x + 128, 0, 255)⌋`.
    Bytes,
    /// The average velocity: `z`, `r`, `t` and `class` in, `u` out.
    Velocity,
}

/// Which noise is that of a seed, in words.
const SEED_LAW: &str = "sample i of seed s starts from the draws i*d to (i+1)*d-1 of N(0, 1), d numbers a sample: ziggurat of rand_distr 0.6 \
on 64-bit draws of ChaCha8 with the key s (8 bytes, little-endian), FNV-1a-128 of \"eval-noise\" (16 bytes, little-endian), 8 zero bytes; \
stream 0, block counter from 0";

/// The network of `model` as an ONNX model, sampled as `request` says; its count, class and seed have no meaning here, as noise and
/// classes are inputs.
///
/// # Errors
/// [`GeneratorError::Request`] for what the network cannot give, or what a file cannot do; [`GeneratorError::Onnx`] for an operation of the
/// network without a counterpart.
pub fn onnx<N: Networks>(
    model: &Model<N>,
    request: &Request,
    computes: Computes,
) -> Result<ModelProto, GeneratorError> {
    if request.adaptive.is_some() {
        let message = "an adaptive solver decides by the values what to compute, which a file cannot";
        return Err(GeneratorError::Request(message.to_owned()));
    }
    let sampling = sampling(model, request)?;
    let mut file = export(|pass: &mut Pass| {
        let net: Net<Recorder, N> = model.clone().network(pass.device())?;
        pass.parameters(&net);
        match computes {
            Computes::Velocity => velocity(pass, model, &sampling, &net),
            Computes::Samples | Computes::Bytes => samples(pass, model, &sampling, &net, computes),
        }
        Ok::<(), GeneratorError>(())
    })?;
    describe(&mut file, model, &sampling, computes);
    Ok(file)
}

fn shape<N: Networks>(pass: &Pass, model: &Model<N>) -> [usize; 4] {
    let [channels, height, width] = model.shape;
    [pass.batch(), channels, height, width]
}

fn class<N: Networks>(pass: &mut Pass, model: &Model<N>) -> Option<Tensor<Recorder, 1, Int>> {
    model.classes.map(|_| pass.int("class", [pass.batch()]))
}

fn samples<N: Networks>(
    pass: &mut Pass,
    model: &Model<N>,
    sampling: &Sampling,
    net: &Net<Recorder, N>,
    computes: Computes,
) {
    let noise = pass.float("noise", shape(pass, model));
    let class = class(pass, model);
    let field = sampling.field(net, pass.batch(), class, pass.device());
    // Noise that is drawn on the way would be a constant of the file; the recording refuses it.
    let fresh = Fresh { streams: &Streams::new(model.seed), row: 0 };
    let x = sampling.solver.sample(&field, noise, &sampling.grid(), fresh);
    if computes == Computes::Bytes {
        let bytes = (x * 127.5 + 128.0).clamp(0.0, 255.0).int().cast(DType::U8);
        pass.output_int("sample", bytes);
    } else {
        pass.output("sample", x);
    }
}

fn velocity<N: Networks>(pass: &mut Pass, model: &Model<N>, sampling: &Sampling, net: &Net<Recorder, N>) {
    let rows = pass.batch();
    let z = pass.float("z", shape(pass, model));
    let (r, t) = (pass.float("r", [rows]), pass.float("t", [rows]));
    let class = class(pass, model);
    let condition = sampling.condition(net, rows, class, pass.device());
    let flow = Flow { net, prediction: sampling.prediction };
    pass.output("u", flow.average(z, r, t, &condition));
}

fn describe<N: Networks>(file: &mut ModelProto, model: &Model<N>, sampling: &Sampling, computes: Computes) {
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    let run = model.path.parent().and_then(|folder| folder.file_name()).filter(|_| model.path.is_dir());
    let name = model.path.file_stem().map(text).unwrap_or_default();
    file.describe("experiment", run.map_or(name.clone(), |folder| format!("{}/{name}", text(folder))));
    file.describe("weights", model.ema.clone());
    file.describe("weights_sha256", model.digest());
    file.describe("step", model.step.to_string());
    file.describe("shape", model.shape.map(|size| size.to_string()).join(" "));
    file.describe("classes", model.classes.map_or("none".to_owned(), |classes| classes.to_string()));
    file.describe("seed", model.seed.to_string());
    file.describe("seed_law", SEED_LAW);
    debug_assert!(SEED_LAW.contains(NOISE));
    let guidance =
        sampling.guidance.map_or("none".to_owned(), |SampleGuidance { omega, interval: [low, high] }| {
            format!("{omega} at times from {low} to {high}")
        });
    file.describe("guidance", guidance);
    if computes == Computes::Velocity {
        file.describe("computes", "average velocity u(z, r, t)");
        return;
    }
    file.describe("computes", "samples");
    file.describe("solver", sampling.solver.name());
    file.describe("nfe", sampling.nfe.to_string());
    let times: Vec<String> = sampling.grid().times().iter().map(f64::to_string).collect();
    file.describe("times", times.join(" "));
    file.describe(
        "scale",
        if computes == Computes::Bytes { "bytes, x = byte/127.5 - 1" } else { "floats, -1 black to 1 white" },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use burn::{
        backend::Flex,
        module::{Module, ModuleMapper, Param},
        tensor::{TensorData, backend::Backend},
    };
    use meanflow_core::Clock;
    use meanflow_nets::{DitConfig, ImfDitConfig, MlpConfig, NetConfig, UnetConfig};
    use meanflow_onnx::evaluate::{Array, evaluate, multiplications};

    /// Numbers instead of a fresh network's zeros.
    struct Numbers(usize);

    impl<B: Backend> ModuleMapper<B> for Numbers {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let (id, tensor, mapper) = param.consume();
            let (shape, device) = (tensor.shape(), tensor.device());
            self.0 += 1;
            let number = |i: usize| 0.05 * ((i * 7 + self.0 * 13) as f32 * 0.7391).sin();
            let data = TensorData::new((0..shape.num_elements()).map(number).collect::<Vec<f32>>(), shape);
            Param::from_mapped_value(id, Tensor::from_data(data, &device), mapper)
        }
    }

    fn model(net: NetConfig, shape: [usize; 3], classes: Option<usize>) -> Model {
        let module: Net<Flex, NetConfig> =
            net.init(shape, classes, &Streams::new(0), &Default::default()).unwrap();
        Model::bare(net, shape, classes, &module.map(&mut Numbers(0)))
    }

    /// The file, evaluated without another program, against the samples of the seed.
    fn check(model: &Model, nfe: usize, rows: usize) -> ModelProto {
        let request = Request { seed: Some(3), ..Request::new(rows, nfe) };
        let file = onnx(model, &request, Computes::Samples).unwrap();
        let file = ModelProto::from_bytes(&file.to_bytes()).unwrap();
        let [channels, height, width] = model.shape;
        let noise = Streams::new(3).normal(NOISE, 0, rows * channels * height * width);
        let mut inputs = vec![("noise", Array::floats(&[rows, channels, height, width], &noise))];
        if let Some(classes) = model.classes {
            let labels: Vec<i64> = (0..rows).map(|row| (row % classes) as i64).collect();
            inputs.push(("class", Array::ints(&[rows], &labels)));
        }
        let [ours] = evaluate(&file, &inputs).unwrap().try_into().unwrap();
        let samples = sample::<Flex, _>(model.clone(), &request, &Default::default(), |_, _| ()).unwrap();
        assert_eq!(ours.shape, samples.shape);
        for (ours, flex) in ours.values.iter().zip(&samples.values) {
            let flex = f64::from(*flex);
            assert!((ours - flex).abs() <= 2e-5 * (1.0 + flex.abs()), "{ours} and {flex}");
        }
        file
    }

    #[test]
    fn a_perceptron_in_one_step_and_in_four() {
        let model = model(
            NetConfig::Mlp(MlpConfig { width: 16, depth: 3, octaves: 2, clock: Clock::default() }),
            [2, 1, 1],
            None,
        );
        let (one, four) = (check(&model, 1, 5), check(&model, 4, 5));
        let weights = |file: &ModelProto| file.graph.as_ref().unwrap().initializer.len();
        assert!(weights(&four) < 2 * weights(&one), "steps share the weights");
        assert_eq!((one.described("nfe"), four.described("times")), (Some("1"), Some("1 0.75 0.5 0.25 0")));
        assert_eq!(one.described("weights_sha256"), Some(model.digest().as_str()));
    }

    #[test]
    fn a_transformer_with_classes() {
        let config =
            DitConfig { patch: 4, width: 16, depth: 2, heads: 2, mlp_ratio: 2.0, clock: Clock::default() };
        let file = check(&model(NetConfig::Dit(config), [1, 8, 8], Some(3)), 1, 4);
        let operators = file.operators();
        // Two a block and one at the end; one a block.
        assert_eq!(operators.get("LayerNormalization"), Some(&5), "{operators:?}");
        assert_eq!(operators.get("Softmax"), Some(&2), "{operators:?}");
        assert_eq!(operators.get("Exp"), None, "{operators:?}");
    }

    /// What the networks say of their cost, against the products of a recorded evaluation.
    #[test]
    fn operations_are_those_of_a_recorded_pass() {
        let dit = |clock| {
            NetConfig::Dit(DitConfig { patch: 2, width: 12, depth: 2, heads: 3, mlp_ratio: 3.0, clock })
        };
        let imf = ImfDitConfig {
            patch: 4,
            width: 16,
            depth: 3,
            head_depth: 1,
            heads: 2,
            class_tokens: 2,
            ..ImfDitConfig::preset("nano4").unwrap()
        };
        let unet = UnetConfig {
            width: 8,
            multipliers: vec![1, 2, 1],
            blocks: 1,
            attention: vec![4],
            ..UnetConfig::ddpmpp()
        };
        let residual = UnetConfig {
            encoder: meanflow_nets::unet::Encoder::Residual,
            filter: vec![1.0, 3.0, 3.0, 1.0],
            ..unet.clone()
        };
        let bare = UnetConfig { resample_blocks: false, clock: Clock::Time, ..unet.clone() };
        for (net, shape) in [
            (
                NetConfig::Mlp(MlpConfig { width: 16, depth: 3, octaves: 2, clock: Clock::AllThree }),
                [2, 1, 1],
            ),
            (dit(Clock::TimeAndGap), [3, 4, 6]),
            (dit(Clock::Time), [1, 4, 4]),
            (NetConfig::ImfDit(imf), [1, 8, 8]),
            (NetConfig::Unet(unet), [1, 8, 8]),
            (NetConfig::Unet(residual), [3, 8, 8]),
            (NetConfig::Unet(bare), [2, 8, 8]),
        ] {
            let said = net.flops(shape);
            let model = model(net, shape, None);
            let file = onnx(&model, &Request::new(1, 1), Computes::Velocity).unwrap();
            let number = |value| Array::floats(&[1], &[value]);
            let values: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32).collect();
            let z = Array::floats(&[1, shape[0], shape[1], shape[2]], &values);
            let counted =
                multiplications(&file, &[("z", z), ("r", number(0.0)), ("t", number(1.0))]).unwrap();
            assert_eq!(said, 2.0 * counted as f64, "{:?}", model.net);
        }
    }

    #[test]
    fn guidance_as_an_input_is_written_as_numbers() {
        let config = ImfDitConfig {
            patch: 4,
            width: 16,
            depth: 2,
            head_depth: 1,
            heads: 2,
            class_tokens: 2,
            ..ImfDitConfig::preset("nano4").unwrap()
        };
        let mut model = model(NetConfig::ImfDit(config), [1, 8, 8], Some(3));
        model.guidance = Some(SampleGuidance { omega: 2.0, interval: [0.1, 1.0] });
        let file = check(&model, 2, 3);
        assert_eq!(file.described("guidance"), Some("2 at times from 0.1 to 1"));
    }

    #[test]
    fn a_convolutional_network() {
        let config = UnetConfig {
            width: 8,
            multipliers: vec![1, 2],
            blocks: 1,
            attention: vec![4],
            ..UnetConfig::ddpmpp()
        };
        check(&model(NetConfig::Unet(config), [1, 8, 8], Some(3)), 1, 3);
    }

    #[test]
    fn classifier_free_guidance_doubles_the_batch_inside() {
        let config =
            DitConfig { patch: 4, width: 16, depth: 1, heads: 2, mlp_ratio: 2.0, clock: Clock::default() };
        let mut model = model(NetConfig::Dit(config), [1, 8, 8], Some(3));
        model.guidance = Some(SampleGuidance { omega: 1.5, interval: [0.0, 1.0] });
        check(&model, 2, 4);
    }

    #[test]
    fn other_meanings_of_the_output_are_in_the_file() {
        for prediction in ["scaled 2", "trig 0.5", "edm 0.5", "scaled-data 0.5"] {
            let mut model = model(
                NetConfig::Mlp(MlpConfig { width: 8, depth: 2, octaves: 0, clock: Clock::default() }),
                [2, 1, 1],
                None,
            );
            model.prediction = meanflow_core::Prediction::parse(prediction).unwrap();
            check(&model, 2, 3);
        }
    }

    #[test]
    fn bytes_are_those_of_the_grids() {
        let model = model(
            NetConfig::Mlp(MlpConfig { width: 8, depth: 2, octaves: 0, clock: Clock::default() }),
            [1, 2, 2],
            None,
        );
        let outputs = [Computes::Samples, Computes::Bytes].map(|computes| {
            let file = onnx(&model, &Request::new(1, 1), computes).unwrap();
            let noise = Array::floats(&[2, 1, 2, 2], &[0.1, -0.3, 3.0, -3.0, 0.9, 0.5, -0.7, 0.0]);
            evaluate(&file, &[("noise", noise)]).unwrap().remove(0).values
        });
        let byte = |x: &f64| f64::from((127.5 * *x as f32 + 128.0).clamp(0.0, 255.0) as u8);
        assert_eq!(outputs[1], outputs[0].iter().map(byte).collect::<Vec<_>>());
        assert!(outputs[1].contains(&255.0) && outputs[1].contains(&0.0), "{:?}", outputs[1]);
    }

    #[test]
    fn the_network_alone_takes_times() {
        let config =
            DitConfig { patch: 4, width: 16, depth: 1, heads: 2, mlp_ratio: 2.0, clock: Clock::default() };
        let model = model(NetConfig::Dit(config), [1, 8, 8], Some(3));
        let file = onnx(&model, &Request::new(1, 1), Computes::Velocity).unwrap();
        let noise = Streams::new(0).normal(NOISE, 0, 64);
        let number = |value| Array::floats(&[1], &[value]);
        let inputs = |r, t| {
            let z = Array::floats(&[1, 1, 8, 8], &noise);
            [("z", z), ("r", number(r)), ("t", number(t)), ("class", Array::ints(&[1], &[0]))]
        };
        let step = evaluate(&file, &inputs(0.0, 1.0)).unwrap().remove(0);
        let samples =
            sample::<Flex, _>(model.clone(), &Request::new(1, 1), &Default::default(), |_, _| ()).unwrap();
        for ((u, z), x) in step.values.iter().zip(&noise).zip(&samples.values) {
            assert!((f64::from(*z) - u - f64::from(*x)).abs() < 1e-5);
        }
        assert_ne!(evaluate(&file, &inputs(0.5, 1.0)).unwrap()[0], step);
    }

    #[test]
    fn what_a_file_cannot_do_is_said() {
        let mut model = model(
            NetConfig::Mlp(MlpConfig { width: 8, depth: 2, octaves: 0, clock: Clock::default() }),
            [2, 1, 1],
            None,
        );
        let refused = |model: &Model, request: &Request| {
            onnx(model, request, Computes::Samples).unwrap_err().to_string()
        };
        let adaptive = Request { adaptive: Some(1e-3), ..Request::new(1, 1) };
        assert!(refused(&model, &adaptive).contains("adaptive"));
        model.solver = meanflow_core::Solver::Consistency;
        let said = refused(&model, &Request::new(1, 2));
        assert!(said.contains("depends on the batch"), "fresh noise is no constant: {said}");
    }
}
