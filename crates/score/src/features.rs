//! From pictures to the rows and statistics that scores are taken of.

use crate::{
    Machine, ScoreError, Work,
    cache::{Cache, Entry},
    classifier::Seen,
    error::{Of, ensure},
    judge::Judge,
    request::Networks,
};
use burn::tensor::backend::Backend;
use meanflow_metrics::{
    Images, InceptionWeights, Input, MetricError, Moments, Named, Origin, Quantise, Space, Statistics, Taken,
    networks::{EfficientNetLite0, FeatureNetwork, Features, Inception, InceptionResize, Weights},
};
use ndarray::{ArcArray2, Array2, Axis};
use serde_json::{Map, json};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// What scores are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Rows as they are given, or pixels.
    Given,
    /// 2,048 features of Inception-v3.
    Inception,
    /// Its 2,023 features along the plane.
    InceptionSpatial,
    /// Its 1,008 logits.
    InceptionLogits,
    /// 1,280 features of EfficientNet-Lite0.
    Lite0,
    /// 128 features of a classifier.
    Classes,
}

impl Part {
    /// What this score is taken of.
    pub fn of(named: &Named) -> Self {
        match (named.space, named.metric.taken()) {
            (Space::Given, _) => Self::Given,
            (Space::Inception, Taken::Logits) => Self::InceptionLogits,
            (Space::Inception, _) => Self::Inception,
            (Space::InceptionSpatial, _) => Self::InceptionSpatial,
            (Space::EfficientNetLite0, _) => Self::Lite0,
            (Space::Classifier, _) => Self::Classes,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Inception => "inception",
            Self::InceptionSpatial => "inception-spatial",
            Self::InceptionLogits => "inception-logits",
            Self::Lite0 => "efficientnet-lite0",
            Self::Classes => "classes",
        }
    }

    /// Columns of its rows; `None` where the samples say.
    fn columns(self) -> Option<usize> {
        match self {
            Self::Given | Self::Classes => None,
            Self::Inception => Some(Inception::<Any>::FEATURES),
            Self::InceptionSpatial => Some(Inception::<Any>::SPATIAL_FEATURES),
            Self::InceptionLogits => Some(Inception::<Any>::LOGITS),
            Self::Lite0 => Some(EfficientNetLite0::<Any>::FEATURES),
        }
    }

    fn from(self, features: &Features) -> &Array2<f32> {
        match self {
            Self::InceptionSpatial => &features.spatial,
            Self::InceptionLogits => &features.logits,
            _ => &features.pooled,
        }
    }
}

/// The classes of samples.
pub struct Labels {
    /// Of each.
    pub of: Vec<usize>,
    /// How many classes there are.
    pub count: usize,
}

/// Some samples of a source, with what was computed of them.
pub struct Side {
    /// Where they are from.
    pub source: Input,
    /// Which of them.
    pub indices: Vec<usize>,
    /// Digest of the source; without, nothing of them is kept on disk.
    pub digest: Option<String>,
    /// Their classes.
    pub labels: Option<Labels>,
    /// The class that a classifier takes each for.
    seen: RefCell<Rc<Vec<usize>>>,
    rows: RefCell<BTreeMap<Part, ArcArray2<f32>>>,
    statistics: RefCell<BTreeMap<Part, Rc<Statistics>>>,
}

impl Side {
    /// How many samples; `None` of statistics.
    pub fn count(&self) -> Option<usize> {
        self.source.len().map(|_| self.indices.len())
    }

    pub fn new(source: Input, indices: Vec<usize>, digest: Option<String>) -> Self {
        Self {
            source,
            indices,
            digest,
            labels: None,
            seen: RefCell::default(),
            rows: RefCell::default(),
            statistics: RefCell::default(),
        }
    }

    /// With the classes of the samples.
    pub fn labelled(self, of: Vec<usize>, count: usize) -> Self {
        Self { labels: Some(Labels { of, count }), ..self }
    }

    /// What a classifier takes them for, once their features are there.
    pub fn seen(&self) -> Rc<Vec<usize>> {
        self.seen.borrow().clone()
    }
}

/// What is wanted of some samples: rows, or statistics alone, for which rows need not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub part: Part,
    pub rows: bool,
}

/// The networks at hand, how pictures come to them, and what is known already.
pub struct Extractor {
    inception: Option<Weights>,
    lite: OnceCell<Weights>,
    lite_path: PathBuf,
    resize: InceptionResize,
    rule: Quantise,
    device: String,
    cache: Cache,
    judge: Option<Judge>,
}

impl Extractor {
    /// Reads the weights of Inception-v3 if there are some; those of EfficientNet-Lite0 are read when they are needed.
    ///
    /// # Errors
    /// A file that holds no such weights.
    pub fn new(networks: &Networks, judge: Option<Judge>) -> Result<Self, ScoreError> {
        Ok(Self {
            inception: networks.inception.as_deref().map(Weights::read).transpose()?,
            lite: OnceCell::new(),
            lite_path: networks.efflite0.clone(),
            resize: networks.resize,
            rule: networks.quantise,
            device: networks.device.clone(),
            cache: Cache(networks.cache.clone()),
            judge,
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

    /// Whether the network of a score is there with the weights that its name means.
    ///
    /// # Errors
    /// What is missing or other than it should be.
    pub fn ready(&self, named: &Named) -> Result<(), ScoreError> {
        match Part::of(named) {
            Part::Given | Part::Classes => Ok(()),
            part => self.weights(part == Part::Lite0).map(drop).of(|| format!("`{}`", named.label)),
        }
    }

    /// Whether the weights of EfficientNet-Lite0 are there.
    pub fn has_lite(&self) -> bool {
        self.lite_path.is_file()
    }

    /// Rows of a part.
    pub fn rows(
        &self,
        machine: &impl Machine,
        side: &Side,
        part: Part,
    ) -> Result<ArcArray2<f32>, ScoreError> {
        self.prepare(machine, side, &[Need { part, rows: true }])?;
        Ok(side.rows.borrow()[&part].clone())
    }

    /// Mean and covariance of a part, from its rows if they are there.
    pub fn statistics(
        &self,
        machine: &impl Machine,
        side: &Side,
        part: Part,
    ) -> Result<Rc<Statistics>, ScoreError> {
        self.prepare(machine, side, &[Need { part, rows: false }])?;
        if let Some(known) = side.statistics.borrow().get(&part) {
            return Ok(known.clone());
        }
        let rows = side.rows.borrow()[&part].clone();
        let mut moments = Moments::new(rows.ncols());
        moments.add(rows.view())?;
        let statistics = Rc::new(Statistics::of(&moments)?);
        side.statistics.borrow_mut().insert(part, statistics.clone());
        Ok(statistics)
    }

    /// Computes what is needed and not known yet, with one pass through each network.
    pub fn prepare(&self, machine: &impl Machine, side: &Side, needs: &[Need]) -> Result<(), ScoreError> {
        let known = |need: &Need| {
            side.rows.borrow().contains_key(&need.part)
                || (!need.rows && side.statistics.borrow().contains_key(&need.part))
        };
        let missing = |need: &&Need| !known(need);
        if needs.iter().filter(missing).any(|need| need.part == Part::Given) {
            let rows = match &side.source {
                Input::Rows(rows) => rows.select(Axis(0), &side.indices),
                Input::Images(images) => images.rows(&side.indices)?,
                Input::Statistics(_) => {
                    return Err(ScoreError::Unfit("statistics hold no samples".to_owned()));
                }
            };
            side.rows.borrow_mut().insert(Part::Given, rows.into_shared());
        }
        if needs.iter().filter(missing).any(|need| need.part == Part::Classes) {
            self.classify(machine, side)?;
        }
        for lite in [false, true] {
            let network = |part| !matches!(part, Part::Given | Part::Classes);
            let of = |need: &&Need| network(need.part) && (need.part == Part::Lite0) == lite;
            let missing: Vec<Need> = needs.iter().filter(of).filter(missing).copied().collect();
            if !missing.is_empty() {
                self.compute(machine, side, lite, missing)?;
            }
        }
        Ok(())
    }

    /// Looks at labelled pictures with the classifier.
    fn classify(&self, machine: &impl Machine, side: &Side) -> Result<(), ScoreError> {
        let Input::Images(images) = &side.source else {
            return Err(ScoreError::Unfit("a classifier looks at pictures, and these are none".to_owned()));
        };
        let count = side.labels.as_ref().map_or(0, |labels| labels.count);
        let Seen { classes, features } = self.seen(machine, images, &side.indices, count)?;
        let width = features.len() / classes.len().max(1);
        let rows = Array2::from_shape_vec((classes.len(), width), features).expect("whole rows");
        side.rows.borrow_mut().insert(Part::Classes, rows.into_shared());
        *side.seen.borrow_mut() = Rc::new(classes);
        Ok(())
    }

    /// What the classifier sees in pictures of so many classes.
    pub fn seen(
        &self,
        machine: &impl Machine,
        images: &Images,
        indices: &[usize],
        classes: usize,
    ) -> Result<Seen, ScoreError> {
        let judge = self.judge.as_ref().ok_or(MetricError::NeedsClasses)?;
        judge.fits("these are", images.shape(), classes)?;
        machine.begin("classifying", indices.len());
        let seen = judge.look(machine, images, indices);
        machine.end();
        seen
    }

    fn compute(
        &self,
        machine: &impl Machine,
        side: &Side,
        lite: bool,
        mut needs: Vec<Need>,
    ) -> Result<(), ScoreError> {
        let Input::Images(images) = &side.source else {
            return Err(ScoreError::Unfit("a network looks at pictures, and these are none".to_owned()));
        };
        let weights = self.weights(lite)?;
        let entry = match &side.digest {
            Some(digest) => self.entry(side, digest, lite, weights),
            None => Cache(None).entry(&[]),
        };
        needs.sort_unstable();
        // Rows are enough where both are wanted.
        needs.dedup_by(|later, earlier| {
            let same = later.part == earlier.part;
            earlier.rows |= same && later.rows;
            same
        });
        needs.retain(|need| {
            let part = need.part;
            let columns = part.columns();
            let fit = |statistics: &Statistics| !need.rows && columns == Some(statistics.dimension());
            if let Some(statistics) = entry.statistics(part.name()).filter(fit) {
                side.statistics.borrow_mut().insert(part, Rc::new(statistics));
            } else if let Some(rows) = entry
                .rows(part.name())
                .filter(|rows| Some(rows.ncols()) == columns && rows.nrows() == side.indices.len())
            {
                side.rows.borrow_mut().insert(part, rows.into_shared());
            } else {
                return true;
            }
            false
        });
        if needs.is_empty() {
            return Ok(());
        }
        let (resize, rule, indices) = (self.resize, self.rule, &side.indices);
        machine.begin("features of pictures", indices.len());
        let (so_far, wanted) = (needs.iter().map(|_| Found::Nothing).collect(), needs.clone());
        let extract =
            Extract { machine, lite, weights, resize, rule, images, indices, needs: wanted, so_far };
        let found = machine.run(extract);
        machine.end();
        let found = found?;
        for (Need { part, .. }, found) in needs.into_iter().zip(found) {
            match found {
                Found::Rows(rows) => {
                    self.unless_full(machine, entry.put_rows(part.name(), &rows));
                    side.rows.borrow_mut().insert(part, rows.into_shared());
                }
                Found::Nothing => {}
                Found::Moments(moments) => {
                    let statistics = Statistics::of(&moments)?;
                    self.unless_full(machine, entry.put_statistics(part.name(), &statistics));
                    side.statistics.borrow_mut().insert(part, Rc::new(statistics));
                }
            }
        }
        Ok(())
    }

    /// A cache that cannot be written costs no scores.
    fn unless_full(&self, machine: &impl Machine, kept: Result<(), ScoreError>) {
        if let (Err(error), Some(folder)) = (kept, &self.cache.0) {
            machine.note(&format!(
                "{}: features are not kept: {error}; see --cache, --no-cache",
                folder.display()
            ));
        }
    }

    /// The place on disk for these samples and this network.
    fn entry(&self, side: &Side, digest: &str, lite: bool, weights: &Weights) -> Entry {
        let all = side.source.len() == Some(side.indices.len());
        let chosen = if all { "all".to_owned() } else { format!("{:?}", side.indices) };
        let resize = if lite { "" } else { self.resize.name() };
        self.cache.entry(&[
            digest.to_owned(),
            chosen,
            weights.digest().to_owned(),
            resize.to_owned(),
            self.rule.name().to_owned(),
            self.device.clone(),
        ])
    }

    /// What the numbers of a space depend on.
    pub fn how(&self, space: Space) -> Map<String, serde_json::Value> {
        let mut how = Map::new();
        let weights = match space {
            Space::Given => return how,
            Space::Classifier => return self.judge.as_ref().map(Judge::how).unwrap_or_default(),
            Space::Inception | Space::InceptionSpatial => {
                how.insert("resize".to_owned(), json!(self.resize.name()));
                self.inception.as_ref()
            }
            Space::EfficientNetLite0 => self.lite.get(),
        };
        how.insert("quantise".to_owned(), json!(self.rule.name()));
        how.insert("weights".to_owned(), json!(weights.map(Weights::digest)));
        how
    }

    /// What statistics of these samples in this space are of.
    pub fn origin(&self, side: &Side, space: Space) -> Origin {
        let digest = |name: &str, weights: Option<&Weights>| {
            weights.map(|weights| format!("{name}:{}", weights.digest()))
        };
        let n = Some(side.indices.len());
        let (space, resized) = match space {
            // Rows may be anything.
            Space::Given => {
                let pixels = matches!(side.source, Input::Images(_)).then(|| "pixels".to_owned());
                return Origin { space: pixels, n, ..Origin::default() };
            }
            Space::Classifier => return Origin { n, ..Origin::default() },
            Space::Inception => (digest("inception", self.inception.as_ref()), true),
            Space::InceptionSpatial => (digest("inception-spatial", self.inception.as_ref()), true),
            Space::EfficientNetLite0 => (digest("efflite0", self.lite.get()), false),
        };
        let resize = resized.then(|| self.resize.name().to_owned());
        Origin { space, resize, quantise: Some(self.rule.name().to_owned()), n }
    }

    /// Whether the statistics may be compared with those of these samples in the space of a score, before anything is computed.
    pub fn fits(&self, side: &Side, statistics: &Statistics, named: &Named) -> Result<(), ScoreError> {
        let part = Part::of(named);
        if part != Part::Given {
            self.weights(part == Part::Lite0)?;
        }
        if let Some(origin) = &statistics.origin {
            origin.agrees(&self.origin(side, named.space))?;
        }
        let columns = part.columns().unwrap_or_else(|| match &side.source {
            Input::Images(images) => images.shape().iter().product(),
            Input::Rows(rows) => rows.ncols(),
            Input::Statistics(own) => own.dimension(),
        });
        let dimension = statistics.dimension();
        ensure(columns == dimension, || {
            format!("samples have {columns} features, the statistics are of {dimension}")
        })
    }

    /// The features of pictures that come in parts, added to what was found of those before.
    pub fn add(
        &self,
        machine: &impl Machine,
        images: &Images,
        needs: &[Need],
        found: &mut [Found],
    ) -> Result<(), ScoreError> {
        let all: Vec<usize> = (0..images.len()).collect();
        for lite in [false, true] {
            let of = |place: &usize| (needs[*place].part == Part::Lite0) == lite;
            let places: Vec<usize> = (0..needs.len()).filter(of).collect();
            if places.is_empty() {
                continue;
            }
            let needs = places.iter().map(|&place| needs[place]).collect();
            let weights = self.weights(lite)?;
            let so_far = places.iter().map(|&place| std::mem::take(&mut found[place])).collect();
            let (resize, rule, indices) = (self.resize, self.rule, &all[..]);
            let extract = Extract { machine, lite, weights, resize, rule, images, indices, needs, so_far };
            for (place, more) in places.into_iter().zip(machine.run(extract)?) {
                found[place] = more;
            }
        }
        Ok(())
    }

    fn weights(&self, lite: bool) -> Result<&Weights, ScoreError> {
        if !lite {
            let none = || ScoreError::Unfit("Inception-v3 has no weights here".to_owned());
            return self.inception.as_ref().ok_or_else(none);
        }
        if let Some(weights) = self.lite.get() {
            return Ok(weights);
        }
        let path = self.lite_path.display();
        ensure(self.lite_path.exists(), || {
            format!(
                "{path} is not there; `meanflow data fetch efficientnet-lite0` gets it, or give it with --efflite0"
            )
        })?;
        let weights = Weights::read(&self.lite_path)?;
        let (found, expected) = (weights.digest(), LITE_SHA256);
        ensure(found == expected, || {
            format!(
                "{path}: its sha256 is {found}; the published weights have {expected}, and \
                 `meanflow data fetch efficientnet-lite0` gets them"
            )
        })?;
        Ok(self.lite.get_or_init(|| weights))
    }
}

/// Any backend names the constants of the networks.
type Any = burn::backend::Flex;
const PUBLISHED: &str = Inception::<Any>::PUBLISHED;
const LITE_SHA256: &str = EfficientNetLite0::<Any>::SHA256;

struct Extract<'a, M> {
    machine: &'a M,
    lite: bool,
    weights: &'a Weights,
    resize: InceptionResize,
    rule: Quantise,
    images: &'a Images,
    indices: &'a [usize],
    needs: Vec<Need>,
    so_far: Vec<Found>,
}

/// What was found of a need.
#[derive(Default)]
pub enum Found {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Rows of features.
    Rows(Array2<f32>),
    /// Their moments.
    Moments(Moments),
}

impl<M: Machine> Work for Extract<'_, M> {
    type Output = Vec<Found>;

    fn on<B: Backend>(self, device: &B::Device) -> Result<Vec<Found>, ScoreError> {
        let network: FeatureNetwork<B> = if self.lite {
            FeatureNetwork::EfficientNetLite0(Box::new(EfficientNetLite0::new(self.weights, device)?))
        } else {
            FeatureNetwork::Inception(Box::new(Inception::new(self.weights, device)?), self.resize)
        };
        let mut found = self.so_far;
        network.visit(self.images, self.indices, self.rule, device, |some| {
            for (need, found) in self.needs.iter().zip(&mut found) {
                let rows = need.part.from(&some);
                let columns = rows.ncols();
                if let Found::Nothing = found {
                    *found = match need.rows {
                        true => Found::Rows(Array2::zeros((0, columns))),
                        false => Found::Moments(Moments::new(columns)),
                    };
                }
                match found {
                    Found::Rows(all) => all.append(Axis(0), rows.view()).expect("as many columns"),
                    Found::Moments(moments) => moments.add(rows.view())?,
                    Found::Nothing => {}
                }
            }
            self.machine.more(some.pooled.nrows())
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meanflow_metrics::{Given, METRICS};

    #[test]
    fn a_file_of_something_else_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: PathBuf| {
            let networks = Networks { efflite0: path, ..Networks::default() };
            let none = InceptionWeights::None;
            let named = Named::resolve(METRICS, "fd_efflite0", Given::Images, none).unwrap();
            Extractor::new(&networks, None).unwrap().ready(&named).unwrap_err().to_string()
        };
        let path = folder.path().join("weights.pth");
        assert!(said(path.clone()).contains("weights.pth"));
        std::fs::write(&path, b"no weights").unwrap();
        assert!(said(path.clone()).contains("weights.pth"));
        // Whole, and not the published ones.
        let path = path.with_extension("safetensors");
        std::fs::write(&path, b"\x02\0\0\0\0\0\0\0{}").unwrap();
        let said = said(path);
        assert!(said.contains("weights.safetensors") && said.contains("sha256"), "{said}");
    }
}
