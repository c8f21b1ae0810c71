use super::*;
use burn::backend::{Autodiff, Flex};
use meanflow_data::{DataError, Dataset, HostBatch};
use std::sync::Arc;

type B = Autodiff<Flex>;

const SHAPE: [usize; 3] = [1, 8, 8];

/// A bright bar in the column `2 · label + shift` on a noisy ground, four classes.
struct Bars {
    pictures: Vec<f32>,
    labelled: bool,
}

impl Bars {
    fn new(count: usize) -> Self {
        let mut pictures = Streams::new(5).normal("bars", 0, count * 64);
        for (index, picture) in pictures.chunks_mut(64).enumerate() {
            let column = 2 * (index % 4) + index / 4 % 2;
            for (place, value) in picture.iter_mut().enumerate() {
                *value = 0.2 * *value - if place % 8 == column { 0.0 } else { 0.6 };
            }
        }
        Self { pictures, labelled: true }
    }
}

impl Dataset for Bars {
    fn name(&self) -> &str {
        "bars"
    }

    fn len(&self) -> usize {
        self.pictures.len() / 64
    }

    fn shape(&self) -> [usize; 3] {
        SHAPE
    }

    fn classes(&self) -> Option<usize> {
        self.labelled.then_some(4)
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        sample.copy_from_slice(&self.pictures[index * 64..][..64]);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labelled.then_some(index % 4)
    }

    fn digest(&self) -> String {
        "bars".to_owned()
    }

    fn held_out(&self, _count: usize, _draw: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}

fn trained(epochs: usize) -> Classifier {
    let training = Training { epochs, batch: 32, seed: 3, ..Training::default() };
    train::<B>(Arc::new(Bars::new(800)), &training, &Default::default(), |_, _, _| ())
        .expect("labelled pictures")
}

#[test]
fn it_learns_where_the_bar_is() {
    let mut losses = Vec::new();
    let training = Training { epochs: 4, batch: 32, ..Training::default() };
    let data: Arc<dyn Dataset> = Arc::new(Bars::new(800));
    let classifier = train::<B>(data, &training, &Default::default(), |_, _, loss| losses.push(loss));
    let classifier = classifier.expect("labelled pictures");
    assert_eq!((classifier.trained, classifier.tested, losses.len()), (720, 80, 90));
    assert!(classifier.accuracy > 0.9, "{}", classifier.accuracy);
    // At first it knows nothing: log 4.
    assert!((losses[0] - 4f32.ln()).abs() < 0.5 && losses[89] < 0.5 * losses[0], "{losses:?}");
    // What it says of pictures is what the test counted.
    let Bars { pictures, .. } = Bars::new(800);
    let seen = classifier.look::<Flex>(&pictures, &Default::default(), |_| Ok(())).expect("its own weights");
    let labels: Vec<usize> = (0..800).map(|index| index % 4).collect();
    assert!(seen.accuracy(&labels) > 0.9 && seen.features.len() == 800 * Net::<Flex>::FEATURES);
}

#[test]
fn a_step_against_the_gradient_lowers_the_loss() {
    let device = Default::default();
    let net: Net<B> = Net::init(1, 4, &Streams::new(0), &device);
    let Bars { pictures, .. } = Bars::new(33);
    let labels = Some((0..33).map(|index| index % 4).collect());
    let batch = HostBatch { samples: pictures, shape: [33, 1, 8, 8], labels, augment: None };
    let (before, grads) = train::gradients(&net, &batch, &device);
    use burn::optim::{Optimizer, SgdConfig};
    let net = SgdConfig::new().init().step(1e-2, net, grads);
    let (after, _) = train::gradients(&net, &batch, &device);
    assert!(after < before && before < 3.0, "{before} to {after}");
}

#[test]
fn the_weights_do_not_depend_on_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let one = pool(1).install(|| trained(1));
    assert_eq!(one, pool(2).install(|| trained(1)));
    assert_eq!(one, pool(3).install(|| trained(1)));
}

#[test]
fn weights_of_something_else_are_refused() {
    let classifier = trained(1);
    classifier.check().expect("its own weights");
    let refused = |bad: &Classifier, words: &str| {
        let error = bad.check().expect_err("a bad classifier").to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&Classifier { classes: 5, ..classifier.clone() }, "5 classes");
    refused(&Classifier { shape: [3, 8, 8], ..classifier.clone() }, "blocks.0.conv.weight");
    let mut lacking = classifier.clone();
    lacking.weights.remove("blocks.1.norm.bias");
    refused(&lacking, "blocks.1.norm.bias");
    let mut broken = classifier.clone();
    broken.weights.insert("head.bias".to_owned(), TensorData::new(vec![0.0, f32::NAN, 0.0, 0.0], [4]));
    refused(&broken, "`head.bias` holds the value NaN");
}

#[test]
fn data_without_labels_is_refused() {
    let refused = |data: Bars, training: Training, words: &str| {
        let result = train::<B>(Arc::new(data), &training, &Default::default(), |_, _, _| ());
        let error = result.expect_err("nothing to learn from").to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(Bars { labelled: false, ..Bars::new(40) }, Training::default(), "no labels");
    refused(Bars::new(4), Training::default(), "too few to test");
    refused(Bars::new(40), Training { epochs: 0, ..Training::default() }, "at least one epoch");
}
