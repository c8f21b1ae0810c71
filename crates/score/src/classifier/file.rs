//! The file of a classifier: its weights, and what it was trained on.

use super::Classifier;
use crate::{ScoreError, error::Of};
use meanflow_weights::FileError;
use std::path::Path;

const FORMAT: &str = "meanflow-classifier-1";

/// Writes weights and metadata to a safetensors file.
///
/// # Errors
/// [`ScoreError::Of`] the file; an earlier file of this name is untouched then.
pub fn write(classifier: &Classifier, path: &Path) -> Result<(), ScoreError> {
    let entries = [
        ("format", FORMAT.to_owned()),
        ("shape", classifier.shape.map(|size| size.to_string()).join(" ")),
        ("classes", classifier.classes.to_string()),
        ("accuracy", classifier.accuracy.to_string()),
        ("tested", classifier.tested.to_string()),
        ("trained", classifier.trained.to_string()),
        ("epochs", classifier.epochs.to_string()),
        ("seed", classifier.seed.to_string()),
        ("data", classifier.data.clone()),
    ];
    let metadata = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    meanflow_state::write(path, &classifier.weights, metadata)
        .of(|| format!("cannot write {}", path.display()))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// [`ScoreError::Of`] the file: it cannot be read, or is truncated or foreign, or its weights are not those of a classifier of this
/// shape or are no numbers.
pub fn read(path: &Path) -> Result<Classifier, ScoreError> {
    let said =
        |error: ScoreError| ScoreError::Of { what: path.display().to_string(), error: Box::new(error) };
    let broken = |reason: String| said(ScoreError::Unfit(reason));
    let (metadata, weights) = meanflow_state::read(path).map_err(|error| match error {
        FileError::Io(error) => said(error.into()),
        other => broken(other.to_string()),
    })?;
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        let help = "`meanflow train-classifier` writes one";
        return Err(broken(format!("it is not marked as `{FORMAT}`; {help}")));
    }
    let entry = |key: &str| metadata.get(key).ok_or_else(|| broken(format!("it has no `{key}`")));
    let wrong = |key: &str| broken(format!("its `{key}` cannot be read"));
    let count = |key: &str| entry(key)?.parse::<usize>().map_err(|_| wrong(key));
    let sizes: Option<Vec<usize>> = entry("shape")?.split(' ').map(|size| size.parse().ok()).collect();
    let shape = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok());
    let shape = shape.filter(|sizes| !sizes.contains(&0)).ok_or_else(|| wrong("shape"))?;
    let accuracy = entry("accuracy")?.parse().map_err(|_| wrong("accuracy"))?;
    let classifier = Classifier {
        shape,
        classes: count("classes")?,
        accuracy: Some(accuracy)
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| wrong("accuracy"))?,
        tested: count("tested")?,
        trained: count("trained")?,
        epochs: count("epochs")?,
        seed: entry("seed")?.parse().map_err(|_| wrong("seed"))?,
        data: entry("data")?.clone(),
        weights,
    };
    classifier.check().map_err(|error| broken(error.to_string()))?;
    Ok(classifier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{backend::Flex, tensor::TensorData};
    use meanflow_core::Streams;
    use meanflow_nets::Classifier as Net;
    use meanflow_state::parameters;
    use std::fs;

    #[test]
    fn a_file_says_everything_and_bad_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("classifier.safetensors");
        let net = Net::<Flex>::init(1, 4, &Streams::new(3), &Default::default());
        let classifier = Classifier {
            shape: [1, 8, 8],
            classes: 4,
            accuracy: 0.75,
            tested: 80,
            trained: 720,
            epochs: 1,
            seed: 3,
            data: "bars".to_owned(),
            weights: parameters(&net),
        };
        write(&classifier, &path).expect("a writable folder");
        assert_eq!(read(&path).expect("a whole file"), classifier);

        let refused = |bad: &Classifier, words: &str| {
            let path = folder.path().join("bad.safetensors");
            write(bad, &path).expect("a writable folder");
            let error = read(&path).expect_err("a bad file").to_string();
            assert!(error.contains("bad.safetensors") && error.contains(words), "{error}");
        };
        refused(&Classifier { classes: 5, ..classifier.clone() }, "5 classes");
        refused(&Classifier { shape: [3, 8, 8], ..classifier.clone() }, "blocks.0.conv.weight");
        refused(&Classifier { accuracy: 1.5, ..classifier.clone() }, "`accuracy` cannot be read");
        let mut lacking = classifier.clone();
        lacking.weights.remove("blocks.1.norm.bias");
        refused(&lacking, "blocks.1.norm.bias");
        let mut broken = classifier.clone();
        broken.weights.insert("head.bias".to_owned(), TensorData::new(vec![0.0, f32::NAN, 0.0, 0.0], [4]));
        refused(&broken, "`head.bias` holds the value NaN");

        let whole = fs::read(&path).expect("just written");
        for part in [0, 7, 200, whole.len() - 1] {
            fs::write(&path, &whole[..part]).expect("a writable folder");
            let error = read(&path).expect_err("cut short");
            assert!(matches!(error.root(), ScoreError::Unfit(_)), "{part} bytes: {error}");
        }
        meanflow_state::write(&path, &classifier.weights, [("format".to_owned(), "pt".to_owned())].into())
            .expect("a file");
        let error = read(&path).expect_err("of another program").to_string();
        assert!(error.contains("meanflow-classifier-1") && error.contains("train-classifier"), "{error}");
        let none = read(&folder.path().join("none")).expect_err("no file");
        assert!(matches!(none.root(), ScoreError::Io(_)), "{none}");
    }
}
