//! Reference files, and what is no reference file.

use burn::backend::Flex;
use meanflow_metrics::parity::{self, ParityError};
use meanflow_parity::{Discrepancy, ReferenceFile, ReferenceFileError};
use safetensors::{SafeTensors, serialize_to_file, tensor::TensorView};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The reference file with its expectations changed.
fn changed(path: &Path, change: impl FnOnce(&mut Value)) {
    let bytes = std::fs::read(crate::data("metrics.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata: HashMap<String, String> = header.metadata().clone().unwrap();
    let mut expected: Value = serde_json::from_str(&metadata["expected"]).unwrap();
    change(&mut expected);
    metadata.insert("expected".into(), expected.to_string());
    let tensors: Vec<(String, TensorView)> = SafeTensors::deserialize(&bytes).unwrap().tensors();
    serialize_to_file(tensors, Some(metadata), path).unwrap();
}

#[test]
fn every_number_of_the_reference_agrees() {
    let path = crate::data("metrics.safetensors");
    assert_eq!(ReferenceFile::kind(&path).unwrap(), "metrics");
    let report = parity::run::<Flex>(&path, &Default::default()).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(report.rows.len(), 17);
    assert!(report.to_string().ends_with("\ncompared 17 of 17"), "{report}");
}

#[test]
fn inception_agrees_block_by_block() {
    let path = crate::data("fid_inception.safetensors");
    let report = parity::run::<Flex>(&path, &Default::default()).unwrap();
    assert!(report.passed(), "{report}");
    assert!(report.to_string().ends_with("\ncompared 5 of 5"), "{report}");
}

#[test]
fn a_wrong_number_and_an_unknown_one_fail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    changed(&path, |expected| {
        expected["prdc_k3"]["recall"] = 0.75.into();
        expected["fid_of_the_day"] = 1.0.into();
    });
    let report = parity::run::<Flex>(&path, &Default::default()).unwrap();
    assert!(!report.passed());
    let failed: Vec<_> = report.rows.iter().filter(|row| !row.pass).collect();
    assert_eq!(failed.len(), 2);
    let of = |name: &str| failed.iter().find(|row| row.name == name).unwrap().discrepancy;
    assert_eq!(of("prdc_k3.recall"), Some(Discrepancy::TooLarge));
    assert_eq!(of("fid_of_the_day"), Some(Discrepancy::Unhandled));
    assert!(report.to_string().ends_with("\n2 failed, compared 17 of 18"), "{report}");
    changed(&path, |expected| expected["fid"] = "low".into());
    assert!(matches!(
        parity::run::<Flex>(&path, &Default::default()),
        Err(ParityError::File(ReferenceFileError::Metadata { .. }))
    ));
}

#[test]
fn other_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    assert!(matches!(
        parity::run::<Flex>(&path, &Default::default()),
        Err(ParityError::File(ReferenceFileError::Read { .. }))
    ));
    std::fs::write(&path, b"not one").unwrap();
    assert!(matches!(
        parity::run::<Flex>(&path, &Default::default()),
        Err(ParityError::File(ReferenceFileError::Format { .. }))
    ));
    let none: Vec<(String, TensorView)> = Vec::new();
    serialize_to_file(none, Some(HashMap::from([("kind".to_owned(), "tea".to_owned())])), &path).unwrap();
    let error = parity::run::<Flex>(&path, &Default::default()).unwrap_err().to_string();
    assert!(error.starts_with("unknown kind `tea`; known kinds: metrics"), "{error}");
}
