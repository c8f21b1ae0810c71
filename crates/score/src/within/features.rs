//! Scores of pictures in what a network sees in them, of samples that come in parts.

use super::{Prepared, lines::Found};
use crate::{
    Machine, ScoreError, Work,
    error::Of,
    features::{Extractor, Found as Features, Need, Part, Side},
};
use meanflow_metrics::{Classes, Images, Named, Real, Reference, Samples, Settings, Statistics, Value};
use ndarray::{Array2, ArrayView2};
use std::{cell::OnceCell, sync::Arc};

/// Metrics in the features of networks, or by a classifier, with real pictures: those that samples are compared with, and others
/// for the floor.
pub(super) struct Group {
    pub wanted: Vec<Named>,
    pub settings: Settings,
    /// Shape of a picture.
    pub shape: [usize; 3],
    /// Classes, of labelled pictures.
    pub classes: usize,
    /// Samples of a set that are looked at.
    pub count: usize,
    pub real: Side,
    /// Equally many others; `None`: no floor.
    pub other: Option<Side>,
    /// The real pictures in words.
    pub against: String,
    pub prepared: OnceCell<Result<Vec<Prepared>, String>>,
}

impl Group {
    /// What is needed of samples, each part once; a Fréchet distance needs their moments, and rows for its interval.
    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for named in &self.wanted {
            let part = Part::of(named);
            let moments = of_moments(named);
            if moments {
                needs.push(Need { part, rows: false });
            }
            if !moments || self.settings.repeats > 1 {
                needs.push(Need { part, rows: true });
            }
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// The metrics with the real pictures, which are looked at once in a run.
    pub fn prepared(&self, machine: &impl Machine, extractor: &Extractor) -> Result<&[Prepared], ScoreError> {
        if self.prepared.get().is_none() {
            let found = self.prepare(machine, extractor);
            if matches!(&found, Err(error) if matches!(error.root(), ScoreError::Stopped)) {
                return Err(ScoreError::Stopped);
            }
            let _ = self.prepared.set(found.map_err(|error| error.to_string()));
        }
        match self.prepared.get() {
            Some(Ok(prepared)) => Ok(prepared),
            Some(Err(error)) => Err(ScoreError::Unfit(error.clone())),
            None => Ok(&[]),
        }
    }

    fn prepare(&self, machine: &impl Machine, extractor: &Extractor) -> Result<Vec<Prepared>, ScoreError> {
        let of_part = |side: &Side, named: &Named| -> Result<(Real, Option<Arc<Statistics>>), ScoreError> {
            let part = Part::of(named);
            if of_moments(named) {
                let statistics = Arc::new((*extractor.statistics(machine, side, part)?).clone());
                return Ok((Real::Statistics(statistics.clone()), Some(statistics)));
            }
            let rows = extractor.rows(machine, side, part)?;
            Ok(match &side.labels {
                Some(labels) if part == Part::Classes => (Real::Labelled(rows, labels.of.clone()), None),
                _ => (Real::Rows(rows), None),
            })
        };
        let one = |named: &Named| -> Result<Prepared, ScoreError> {
            if !named.metric.needs_real() {
                let reference = named.metric.reference(&Real::None, &self.settings)?;
                let (named, floors) = (named.clone(), Vec::new());
                return Ok(Prepared { named, reference, floors, against: self.against.clone() });
            }
            let reference = named.metric.reference(&of_part(&self.real, named)?.0, &self.settings)?;
            let floors = match &self.other {
                None => Vec::new(),
                Some(other) => match of_part(other, named)? {
                    (_, Some(statistics)) => reference.floor(&of_statistics(&statistics))?,
                    (Real::Rows(rows), _) => reference.floor(&rows.view().into())?,
                    _ => Vec::new(),
                },
            };
            Ok(Prepared { named: named.clone(), reference, floors, against: self.against.clone() })
        };
        self.wanted.iter().map(|named| one(named).of(|| named.label.clone())).collect()
    }

    /// A set of which nothing is seen yet.
    pub fn begin(&self) -> Seen<'_> {
        let needs = self.needs();
        let found = needs.iter().map(|_| Features::Nothing).collect();
        Seen { group: self, needs, found, values: Vec::new(), count: 0, classes: Vec::new() }
    }
}

/// Whether mean and covariance are what a metric is taken of.
fn of_moments(named: &Named) -> bool {
    named.metric.takes_statistics() && named.metric.needs_real()
}

fn of_statistics(statistics: &Statistics) -> Samples<'_> {
    let rows = ArrayView2::from_shape((0, statistics.dimension()), &[]).expect("no rows");
    Samples { rows, statistics: Some(statistics), classes: None }
}

/// What was seen of a set of samples: features or moments, and no pictures but the last few.
pub(super) struct Seen<'a> {
    group: &'a Group,
    needs: Vec<Need>,
    found: Vec<Features>,
    /// Values that nothing has looked at yet.
    values: Vec<f32>,
    /// Samples that were looked at.
    count: usize,
    /// The class that a classifier takes each for.
    classes: Vec<usize>,
}

/// Samples that are looked at at a time: whole batches of a network, so that the parts they come in change no bit.
const ROWS: usize = 1000;

impl<'a> Seen<'a> {
    /// Takes the next samples of the set; what is more than the group compares is passed over.
    pub fn add(
        &mut self,
        machine: &impl Machine,
        extractor: &Extractor,
        samples: &[f32],
    ) -> Result<(), ScoreError> {
        let dimension: usize = self.group.shape.iter().product();
        for sample in samples.chunks_exact(dimension) {
            let held = self.values.len() / dimension;
            if self.count + held == self.group.count {
                break;
            }
            self.values.extend_from_slice(sample);
            if held + 1 == ROWS {
                self.look(machine, extractor)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, machine: &impl Machine, extractor: &Extractor) -> Result<(), ScoreError> {
        let images = Images::floats(std::mem::take(&mut self.values), self.group.shape);
        if images.is_empty() {
            return Ok(());
        }
        let machine = &Quiet(machine);
        self.count += images.len();
        let Some(place) = self.needs.iter().position(|need| need.part == Part::Classes) else {
            return extractor.add(machine, &images, &self.needs, &mut self.found);
        };
        let all: Vec<usize> = (0..images.len()).collect();
        let seen = extractor.seen(machine, &images, &all, self.group.classes)?;
        let width = seen.features.len() / seen.classes.len();
        let rows = Array2::from_shape_vec((seen.classes.len(), width), seen.features).expect("whole rows");
        match &mut self.found[place] {
            Features::Rows(before) => before.append(ndarray::Axis(0), rows.view()).expect("as many columns"),
            other => *other = Features::Rows(rows),
        }
        self.classes.extend(seen.classes);
        Ok(())
    }

    /// The values of each metric of the group.
    pub fn finish(
        mut self,
        machine: &impl Machine,
        extractor: &Extractor,
    ) -> Result<Vec<Result<Found<'a>, String>>, ScoreError> {
        self.look(machine, extractor)?;
        let group = self.group;
        let prepared = group.prepared(machine, extractor)?;
        let asked: Vec<usize> = (0..self.count).map(|row| row % self.group.classes.max(1)).collect();
        let found = |Prepared { named, reference, floors, against }: &'a Prepared| {
            let values = self.values_of(named, reference, &asked).map_err(|error| error.to_string())?;
            Ok(Found { values, n: self.count, reference: against, floors })
        };
        Ok(prepared.iter().map(found).collect())
    }

    fn values_of(
        &self,
        named: &Named,
        reference: &Reference,
        asked: &[usize],
    ) -> Result<Vec<Value>, ScoreError> {
        let part = Part::of(named);
        let of = |rows: bool| {
            let place = self.needs.iter().position(|need| need.part == part && need.rows == rows);
            place.map(|place| &self.found[place])
        };
        let statistics = match of(false) {
            Some(Features::Moments(moments)) if of_moments(named) => Some(Statistics::of(moments)?),
            _ => None,
        };
        let rows = match (of(true), &statistics) {
            (Some(Features::Rows(rows)), _) => rows.view(),
            (_, Some(statistics)) => of_statistics(statistics).rows,
            _ => return Err(ScoreError::Unfit("there are no samples".to_owned())),
        };
        let classes = (part == Part::Classes).then_some(Classes {
            asked,
            seen: &self.classes,
            count: self.group.classes,
        });
        Ok(reference.evaluate(&Samples { rows, statistics: statistics.as_ref(), classes })?)
    }
}

/// A machine whose work is a part of something else, which tells how far it has come.
struct Quiet<'a, M>(&'a M);

impl<M: Machine> Machine for Quiet<'_, M> {
    fn run<W: Work>(&self, work: W) -> Result<W::Output, ScoreError> {
        self.0.run(work)
    }

    fn begin(&self, _what: &str, _parts: usize) {}

    fn more(&self, _parts: usize) -> Result<(), ScoreError> {
        self.0.more(0)
    }

    fn end(&self) {}

    fn note(&self, text: &str) {
        self.0.note(text);
    }
}
