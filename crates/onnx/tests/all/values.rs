//! Inputs, outputs, names and metadata of a file.

use crate::common::{numbers, with_numbers};
use burn::{
    nn::LinearConfig,
    tensor::{DType, Tensor},
};
use meanflow_onnx::{
    ModelProto, OnnxError, Recorder,
    evaluate::{Array, evaluate},
    export,
    proto::{DataType, Length},
};

/// A table of classes and a layer, with bytes beside the floats.
fn model() -> ModelProto {
    let model: Result<ModelProto, OnnxError> = export(|pass| {
        let device = pass.device().clone();
        let layer = with_numbers(LinearConfig::new(3, 2).init::<Recorder>(&device), &device);
        pass.parameters(&layer);
        let (x, class) = (pass.float("x", [pass.batch(), 3]), pass.int("class", [pass.batch()]));
        let table = Tensor::<Recorder, 2>::from_floats([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &device);
        let y = layer.forward(x + table.select(0, class));
        pass.output("y", y.clone());
        pass.output_int("bytes", ((y + 1.0) * 100.0).round().clamp(0.0, 255.0).int().cast(DType::U8));
        Ok(())
    });
    model.unwrap()
}

#[test]
fn ends_have_names_types_and_a_free_axis() {
    let model = model();
    let graph = model.graph.unwrap();
    let ends: Vec<(String, i32, Vec<Length>)> = graph
        .input
        .iter()
        .chain(&graph.output)
        .map(|end| {
            let tensor = end.r#type.clone().unwrap().tensor_type.unwrap();
            let dims = tensor.shape.unwrap().dim.into_iter().map(|dim| dim.length.unwrap()).collect();
            (end.name.clone(), tensor.elem_type, dims)
        })
        .collect();
    let batch = || Length::Param("batch".to_owned());
    let expected = [
        ("x", DataType::Float, vec![batch(), Length::Value(3)]),
        ("class", DataType::Int64, vec![batch()]),
        ("y", DataType::Float, vec![batch(), Length::Value(2)]),
        ("bytes", DataType::Uint8, vec![batch(), Length::Value(2)]),
    ];
    assert_eq!(ends, expected.map(|(name, kind, dims)| (name.to_owned(), kind.into(), dims)));
    let constants: Vec<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    assert!(constants.contains(&"weight") && constants.contains(&"bias"), "{constants:?}");
}

#[test]
fn integers_go_in_and_bytes_come_out() {
    let inputs = [("x", Array::floats(&[2, 3], &numbers(6, 1))), ("class", Array::ints(&[2], &[1, 0]))];
    let [y, bytes] = evaluate(&model(), &inputs).unwrap().try_into().unwrap();
    let expected: Vec<f64> =
        y.values.iter().map(|y| ((y + 1.0) * 100.0).round_ties_even().clamp(0.0, 255.0)).collect();
    assert_eq!(bytes.values, expected);
    assert_eq!(bytes.kind, DataType::Uint8);
}

#[test]
fn metadata_is_read_as_it_is_written() {
    let mut model = model();
    model.describe("step", "7");
    let read = ModelProto::from_bytes(&model.to_bytes()).unwrap();
    assert_eq!((read.described("step"), read.described("other")), (Some("7"), None));
    assert_eq!(read, model);
    assert!(matches!(ModelProto::from_bytes(b"no model"), Err(OnnxError::File(_))));
}

#[test]
fn a_missing_input_is_an_error() {
    let error = evaluate(&model(), &[]).unwrap_err();
    assert_eq!(error, OnnxError::File("there is no value `class`".to_owned()));
}
