//! Names of scores: which number, in which space, and what it may be called.

use crate::{
    Metric,
    metric::{Taken, Unasked},
};

/// The space that a score is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Points or features as they are given, or pixels.
    Given,
    /// Inception-v3 in the FID variant: the space of the published FID, KID, precision and recall.
    Inception,
    /// Its activations along the plane, before the average: the space of the published sFID.
    InceptionSpatial,
    /// EfficientNet-Lite0.
    EfficientNetLite0,
    /// A classifier of labelled pictures.
    Classifier,
}

/// What is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Points or features.
    Rows,
    /// Pictures.
    Images,
}

/// What is known of the weights given for Inception-v3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InceptionWeights {
    /// There are none.
    None,
    /// They are not known to be the published ones: nothing of them may be called by a published name.
    Other,
    /// They are the published ones.
    Published,
}

/// A score asked for by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The number.
    pub metric: Metric,
    /// Where it is taken.
    pub space: Space,
    /// What it is printed as; its parts are printed under their own names, with this one's suffix.
    pub label: String,
}

/// Names that are never anything but the published score, with the metric.
const PUBLISHED: [(&str, &str, Space); 3] = [
    ("fid", "fd", Space::Inception),
    ("sfid", "fd", Space::InceptionSpatial),
    ("is", "is", Space::Inception),
];

/// Suffixes: of pixels, of EfficientNet-Lite0, of Inception-v3 with any weights.
const PIXELS: &str = "_pixels";
const LITE: &str = "_efflite0";
const INCEPTION: &str = "_inception";

impl Named {
    /// The score called `name` among the `known` metrics, of samples of this kind.
    ///
    /// On pictures `kid` and `prdc` mean the published ones. Without the published weights they are taken with the weights
    /// given, or on pixels, and then are called so. `fid`, `sfid` and `is` are never anything but the published ones.
    ///
    /// # Errors
    /// What to do instead, in words.
    pub fn resolve(
        known: &[Metric],
        name: &str,
        given: Given,
        weights: InceptionWeights,
    ) -> Result<Self, String> {
        let of = |base: &str| known.iter().copied().find(|metric| metric.name() == base);
        let featured = |base: &str| of(base).filter(|metric| metric.taken() == Taken::Features);
        let named = |metric, space, label: &str| Ok(Self { metric, space, label: label.to_owned() });
        let unknown = || {
            let known = Self::names(known, given).join(", ");
            Err(format!("no score of such samples is called `{name}`; there are {known}"))
        };
        if let Some(&(_, base, space)) = PUBLISHED.iter().find(|(published, ..)| *published == name) {
            published(name, given, weights)?;
            return of(base).map_or_else(unknown, |metric| named(metric, space, name));
        }
        if given == Given::Rows {
            let rows = |metric: &Metric| !matches!(metric.taken(), Taken::Logits | Taken::Classes);
            return of(name).filter(rows).map_or_else(unknown, |metric| named(metric, Space::Given, name));
        }
        if let Some(metric) = name.strip_suffix(LITE).and_then(featured) {
            return named(metric, Space::EfficientNetLite0, name);
        }
        if let Some(base) = name.strip_suffix(INCEPTION) {
            let (metric, space) = match base {
                "is" => (of("is"), Space::Inception),
                "sfd" => (of("fd"), Space::InceptionSpatial),
                _ => (featured(base), Space::Inception),
            };
            let Some(metric) = metric else { return unknown() };
            if weights == InceptionWeights::None {
                return Err(format!("`{name}` needs weights for Inception-v3: give --inception FILE"));
            }
            return named(metric, space, name);
        }
        let base = name.strip_suffix(PIXELS).unwrap_or(name);
        let Some(metric) = of(base) else { return unknown() };
        match metric.taken() {
            Taken::Samples if base == name => named(metric, Space::Given, name),
            Taken::Classes if base == name => named(metric, Space::Classifier, name),
            Taken::Rows | Taken::Features => {
                // The names of the literature, of what the literature has names for.
                let means_features = base == name && metric.taken() == Taken::Features && base != "fd";
                match weights {
                    InceptionWeights::Published if means_features => named(metric, Space::Inception, name),
                    InceptionWeights::Other if means_features => {
                        named(metric, Space::Inception, &format!("{name}{INCEPTION}"))
                    }
                    _ => named(metric, Space::Given, &format!("{base}{PIXELS}")),
                }
            }
            _ => unknown(),
        }
    }

    /// Whether the score of this name compares with real data; any name that is not known does.
    pub fn is_comparison(known: &[Metric], name: &str) -> bool {
        let base = name.strip_suffix(INCEPTION).unwrap_or(name);
        known.iter().find(|metric| metric.name() == base).is_none_or(|metric| metric.needs_real())
    }

    /// All names for samples of this kind.
    pub fn names(known: &[Metric], given: Given) -> Vec<String> {
        let taken = |kinds: &'static [Taken], suffix: &'static str| {
            let of = known.iter().filter(move |metric| kinds.contains(&metric.taken()));
            of.map(move |metric| format!("{}{suffix}", metric.name()))
        };
        if given == Given::Rows {
            return taken(&[Taken::Samples, Taken::Rows, Taken::Features, Taken::Density], "").collect();
        }
        taken(&[Taken::Samples], "")
            .chain(PUBLISHED.map(|(name, ..)| name.to_owned()))
            .chain(taken(&[Taken::Features], "").filter(|name| name != "fd"))
            .chain(taken(&[Taken::Features], LITE))
            .chain(taken(&[Taken::Features, Taken::Logits], INCEPTION))
            .chain(["sfd_inception".to_owned()])
            .chain(taken(&[Taken::Rows, Taken::Features], PIXELS))
            .chain(taken(&[Taken::Classes], ""))
            .collect()
    }

    /// The names to compute of samples of shape `[channels, height, width]` where none are asked for; none of them needs weights.
    pub fn unasked(known: &[Metric], shape: [usize; 3], in_run: bool) -> Vec<String> {
        let wanted = |metric: &&Metric| match metric.unasked() {
            Unasked::Everywhere => metric.applies_to(shape),
            Unasked::Eval => !in_run && metric.applies_to(shape),
            Unasked::Nowhere => false,
        };
        known.iter().filter(wanted).map(|metric| metric.name().to_owned()).collect()
    }

    /// What a part of its value is printed as: under its own name, with the suffix of this one.
    pub fn part(&self, part: &str) -> String {
        if part.is_empty() {
            return self.label.clone();
        }
        format!("{part}{}", self.label.strip_prefix(self.metric.name()).unwrap_or_default())
    }
}

/// Whether a score may have its published name here.
fn published(name: &str, given: Given, weights: InceptionWeights) -> Result<(), String> {
    match (given, weights) {
        (Given::Rows, _) => {
            Err(format!("`{name}` is of pictures and Inception-v3; for features of your own ask for `fd`"))
        }
        (Given::Images, InceptionWeights::Published) => Ok(()),
        (Given::Images, InceptionWeights::Other) => Err(format!(
            "`{name}` is the score with the published weights (pt_inception-2015-12-05-6726825d.pth), and these are others; \
             ask for {}_inception",
            name.replace("fid", "fd")
        )),
        (Given::Images, InceptionWeights::None) => Err(format!(
            "`{name}` needs the published weights of Inception-v3 (pt_inception-2015-12-05-6726825d.pth): give \
             --inception FILE, or ask for fd_efflite0 or fd_pca64, which are other scores"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::METRICS;
    use InceptionWeights::{None, Other, Published};

    fn resolve(name: &str, given: Given, weights: InceptionWeights) -> Result<Named, String> {
        Named::resolve(METRICS, name, given, weights)
    }

    #[test]
    fn a_name_says_the_space() {
        let images = |name, weights| resolve(name, Given::Images, weights).unwrap();
        let with = images("kid", Published);
        assert_eq!((with.space, with.label.as_str()), (Space::Inception, "kid"));
        assert_eq!(images("kid", Other), images("kid_inception", Other));
        assert_eq!(images("prdc", Other).part("recall"), "recall_inception");
        let without = images("kid", None);
        assert_eq!((without.space, without.label.as_str()), (Space::Given, "kid_pixels"));
        assert_eq!(images("kid_pixels", Published), without);
        let lite = images("prdc_efflite0", Published);
        assert_eq!((lite.space, lite.part("recall").as_str()), (Space::EfficientNetLite0, "recall_efflite0"));
        assert_eq!(images("prdc", None).part("density"), "density_pixels");
        assert_eq!(images("fd", Published).label, "fd_pixels");
        assert_eq!(images("kid_full", Other).label, "kid_full_inception");
        assert_eq!(images("sw2", Published).label, "sw2");
        let rows = resolve("prdc", Given::Rows, Published).unwrap();
        assert_eq!((rows.space, rows.part("precision").as_str()), (Space::Given, "precision"));
    }

    #[test]
    fn fid_is_nothing_but_fid() {
        for weights in [None, Other] {
            for given in [Given::Rows, Given::Images] {
                let error = resolve("fid", given, weights).unwrap_err();
                assert!(error.contains("nception"), "{error}");
                assert!(resolve("is", given, weights).is_err());
                assert!(resolve("sfid", given, weights).is_err());
            }
        }
        assert!(resolve("fid", Given::Rows, Published).is_err());
        for name in
            ["fid_pixels", "fid_efflite0", "fid_inception", "w2_efflite0", "fd_pca64_inception", "nll"]
        {
            assert!(resolve(name, Given::Images, Published).is_err(), "{name}");
        }
        assert_eq!(resolve("fid", Given::Images, Published).unwrap().space, Space::Inception);
        for (name, weights) in [("sfid", Published), ("sfd_inception", Other)] {
            let named = resolve(name, Given::Images, weights).unwrap();
            assert_eq!((named.space, named.label.as_str()), (Space::InceptionSpatial, name));
        }
    }

    #[test]
    fn what_nobody_asked_for_fits_the_samples() {
        let unasked = |shape, in_run| Named::unasked(METRICS, shape, in_run).join(" ");
        assert_eq!(unasked([2, 1, 1], true), "w2 sliced_w2 energy");
        assert_eq!(unasked([2, 1, 1], false), "w2 sliced_w2 energy");
        assert_eq!(unasked([1, 28, 28], true), "fd_pca64");
        assert_eq!(unasked([1, 28, 28], false), "fd_pca64 sw2");
    }

    #[test]
    fn every_listed_name_resolves() {
        for given in [Given::Rows, Given::Images] {
            let names = Named::names(METRICS, given);
            for name in &names {
                let named = resolve(name, given, Published).unwrap();
                assert_eq!(named.metric.needs_real(), Named::is_comparison(METRICS, name), "{name}");
            }
            assert!(names.iter().all(|name| resolve(name, given, Published).is_ok()));
            let error = resolve("fod", given, Published).unwrap_err();
            assert!(names.iter().all(|name| error.contains(name.as_str())), "{error}");
        }
    }
}
