//! From pictures to the rows that scores are taken of.

use crate::{
    args::{DeviceKind, Eval},
    device::{Work, dispatch},
};
use anyhow::{Context, bail, ensure};
use burn::tensor::backend::AutodiffBackend;
use indicatif::ProgressBar;
use meanflow_core::objective::TrainBackend;
use meanflow_metrics::{
    Images, InceptionWeights, Quantise, Source, Space,
    networks::{EfficientNetLite0, FeatureNetwork, Features, Inception, InceptionResize, Weights},
};
use ndarray::Array2;
use serde_json::{Map, json};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

/// What scores are taken of: rows, and for a network also logits.
pub struct Rows {
    /// `[n, dimension]`.
    pub rows: Array2<f32>,
    /// `[n, classes]`; empty where there is no network.
    pub logits: Array2<f32>,
}

/// The rows of one source, each space computed once.
#[derive(Default)]
pub struct Spaces(RefCell<HashMap<Space, Rc<Rows>>>);

/// The networks at hand, and how pictures come to them.
pub struct Extractor {
    inception: Option<Weights>,
    lite: OnceCell<Weights>,
    lite_path: PathBuf,
    resize: InceptionResize,
    rule: Quantise,
    device: DeviceKind,
}

impl Extractor {
    /// Reads the weights of Inception-v3 if there are some; those of EfficientNet-Lite0 are read when they are needed.
    pub fn new(args: &Eval) -> anyhow::Result<Self> {
        Ok(Self {
            inception: args.inception.as_deref().map(Weights::read).transpose()?,
            lite: OnceCell::new(),
            lite_path: args.efflite0.clone(),
            resize: args.resize.into(),
            rule: args.quantise.into(),
            device: args.on.device,
        })
    }

    /// What is known of the weights of Inception-v3.
    pub fn inception(&self) -> InceptionWeights {
        match &self.inception {
            None => InceptionWeights::None,
            Some(weights) if weights.digest().starts_with(PUBLISHED) => InceptionWeights::Published,
            Some(_) => InceptionWeights::Other,
        }
    }

    /// The samples at `indices` in a space; `known` keeps what was computed.
    pub fn rows(
        &self,
        source: &Source,
        indices: &[usize],
        space: Space,
        known: &Spaces,
    ) -> anyhow::Result<Rc<Rows>> {
        if let Some(rows) = known.0.borrow().get(&space) {
            return Ok(rows.clone());
        }
        let plain = |rows: Array2<f32>| Rows { logits: Array2::zeros((rows.nrows(), 0)), rows };
        let rows = match (source, space) {
            (Source::Rows(rows), Space::Given) => plain(rows.select(ndarray::Axis(0), indices)),
            (Source::Images(images), Space::Given) => plain(images.rows(indices)?),
            (Source::Images(images), space) => {
                let weights = self.weights(space)?;
                let (resize, rule) = (self.resize, self.rule);
                let Features { pooled, logits } =
                    dispatch(self.device, Extract { space, weights, resize, rule, images, indices })?;
                Rows { rows: pooled, logits }
            }
            _ => bail!("a network looks at pictures, and these are none"),
        };
        let rows = Rc::new(rows);
        known.0.borrow_mut().insert(space, rows.clone());
        Ok(rows)
    }

    /// What the numbers of a space depend on.
    pub fn how(&self, space: Space) -> Map<String, serde_json::Value> {
        let rule = match self.rule {
            Quantise::Round => "round",
            Quantise::Truncate => "truncate",
        };
        let mut how = Map::new();
        let weights = match space {
            Space::Given => return how,
            Space::Inception => {
                let resize = match self.resize {
                    InceptionResize::Tf1 => "tf1",
                    InceptionResize::PytorchFid => "pytorch-fid",
                };
                how.insert("resize".to_owned(), json!(resize));
                self.inception.as_ref()
            }
            Space::EfficientNetLite0 => self.lite.get(),
        };
        how.insert("quantise".to_owned(), json!(rule));
        how.insert("weights".to_owned(), json!(weights.map(Weights::digest)));
        how
    }

    fn weights(&self, space: Space) -> anyhow::Result<&Weights> {
        if space == Space::Inception {
            return self.inception.as_ref().context("Inception-v3 has no weights here");
        }
        if let Some(weights) = self.lite.get() {
            return Ok(weights);
        }
        let path = self.lite_path.display();
        ensure!(
            self.lite_path.exists(),
            "{path} is not there; `meanflow data fetch efficientnet-lite0` gets it, or give it with --efflite0"
        );
        let weights = Weights::read(&self.lite_path)?;
        let (found, expected) = (weights.digest(), LITE_SHA256);
        ensure!(found == expected, "{path} has the sha256 {found}; the published weights have {expected}");
        Ok(self.lite.get_or_init(|| weights))
    }
}

/// Any backend names the constants of the networks.
type Any = burn::backend::Flex;
const PUBLISHED: &str = Inception::<Any>::PUBLISHED;
const LITE_SHA256: &str = EfficientNetLite0::<Any>::SHA256;

struct Extract<'a> {
    space: Space,
    weights: &'a Weights,
    resize: InceptionResize,
    rule: Quantise,
    images: &'a Images,
    indices: &'a [usize],
}

impl Work for Extract<'_> {
    type Output = Features;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Features> {
        let network: FeatureNetwork<<B as AutodiffBackend>::InnerBackend> = match self.space {
            Space::EfficientNetLite0 => {
                FeatureNetwork::EfficientNetLite0(Box::new(EfficientNetLite0::new(self.weights, device)?))
            }
            _ => FeatureNetwork::Inception(Box::new(Inception::new(self.weights, device)?), self.resize),
        };
        let bar = ProgressBar::new(self.indices.len() as u64);
        let features = network.features(self.images, self.indices, self.rule, device, |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        Ok(features)
    }
}
