//! Names of scores: which number, in which space, and what it may be called.

use crate::Measure;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The number.
    pub measure: Measure,
    /// Where it is taken.
    pub space: Space,
    /// What it is printed as; the parts of [`Measure::Prdc`] are printed under their own names, with this one's suffix.
    pub label: String,
}

/// Names with the measure, for points and features.
const ROWS: [(&str, Measure); 10] = [
    ("w2", Measure::W2),
    ("sliced_w2", Measure::SlicedW2),
    ("sw2", Measure::SlicedW2),
    ("energy", Measure::Energy),
    ("mmd", Measure::Mmd),
    ("fd_pca64", Measure::FdPca64),
    ("fd", Measure::Frechet),
    ("kid", Measure::Kid),
    ("kid_full", Measure::KidFull),
    ("prdc", Measure::Prdc),
];

/// Names that are never anything but the published score.
const PUBLISHED: [(&str, Measure, Space); 3] = [
    ("fid", Measure::Frechet, Space::Inception),
    ("sfid", Measure::Frechet, Space::InceptionSpatial),
    ("is", Measure::InceptionScore, Space::Inception),
];

/// Suffixes: of pixels, of EfficientNet-Lite0, of Inception-v3 with any weights.
const PIXELS: &str = "_pixels";
const LITE: &str = "_efflite0";
const INCEPTION: &str = "_inception";

impl Named {
    /// The score called `name`, of samples of this kind.
    ///
    /// On pictures `kid` and `prdc` mean the published ones. Without the published weights they are taken with the weights
    /// given, or on pixels, and then are called so. `fid`, `sfid` and `is` are never anything but the published ones.
    ///
    /// # Errors
    /// What to do instead, in words.
    pub fn resolve(name: &str, given: Given, weights: InceptionWeights) -> Result<Self, String> {
        let of = |base: &str| ROWS.into_iter().find(|(known, _)| *known == base).map(|(_, measure)| measure);
        let featured = |base: &str| of(base).filter(|&measure| featured(measure));
        let named = |measure, space, label: &str| Ok(Self { measure, space, label: label.to_owned() });
        if let Some(&(_, measure, space)) = PUBLISHED.iter().find(|(known, ..)| *known == name) {
            published(name, given, weights)?;
            return named(measure, space, name);
        }
        let unknown = || {
            let known = Self::names(given).join(", ");
            Err(format!("no score of such samples is called `{name}`; there are {known}"))
        };
        if given == Given::Rows {
            return of(name).map_or_else(unknown, |measure| named(measure, Space::Given, name));
        }
        if let Some(measure) = name.strip_suffix(LITE).and_then(featured) {
            return named(measure, Space::EfficientNetLite0, name);
        }
        if let Some(base) = name.strip_suffix(INCEPTION) {
            let (measure, space) = match base {
                "is" => (Some(Measure::InceptionScore), Space::Inception),
                "sfd" => (Some(Measure::Frechet), Space::InceptionSpatial),
                _ => (featured(base), Space::Inception),
            };
            let Some(measure) = measure else { return unknown() };
            if weights == InceptionWeights::None {
                return Err(format!("`{name}` needs weights for Inception-v3: give --inception FILE"));
            }
            return named(measure, space, name);
        }
        if let "sw2" | "fd_pca64" = name {
            return named(of(name).expect("a known name"), Space::Given, name);
        }
        let base = name.strip_suffix(PIXELS).unwrap_or(name);
        let Some(measure) = of(base) else { return unknown() };
        if base == name && matches!(measure, Measure::Kid | Measure::KidFull | Measure::Prdc) {
            match weights {
                InceptionWeights::Published => return named(measure, Space::Inception, name),
                InceptionWeights::Other => {
                    return named(measure, Space::Inception, &format!("{name}{INCEPTION}"));
                }
                InceptionWeights::None => {}
            }
        }
        named(measure, Space::Given, &format!("{base}{PIXELS}"))
    }

    /// Whether the score of this name compares with real data; any name that is not known does.
    pub fn is_comparison(name: &str) -> bool {
        name.strip_suffix(INCEPTION).unwrap_or(name) != "is"
    }

    /// All names for samples of this kind.
    pub fn names(given: Given) -> Vec<String> {
        let rows = || ROWS.into_iter().map(|(name, _)| name.to_owned());
        match given {
            Given::Rows => rows().collect(),
            Given::Images => ["fd_pca64", "sw2", "fid", "sfid", "kid", "kid_full", "prdc", "is"]
                .map(str::to_owned)
                .into_iter()
                .chain(["fd", "kid", "kid_full", "prdc"].map(|name| format!("{name}{LITE}")))
                .chain(
                    ["fd", "sfd", "kid", "kid_full", "prdc", "is"].map(|name| format!("{name}{INCEPTION}")),
                )
                .chain(
                    ["fd", "kid", "kid_full", "prdc", "w2", "energy", "mmd"]
                        .map(|name| format!("{name}{PIXELS}")),
                )
                .collect(),
        }
    }

    /// The names to print where none are asked for; none of them needs weights.
    pub fn defaults(given: Given) -> &'static [&'static str] {
        match given {
            Given::Rows => &["w2", "sliced_w2", "energy"],
            Given::Images => &["fd_pca64", "sw2"],
        }
    }

    /// What a part of its value is printed as.
    pub fn part(&self, part: &str) -> String {
        if part.is_empty() {
            return self.label.clone();
        }
        format!("{part}{}", self.label.strip_prefix("prdc").unwrap_or_default())
    }
}

/// Whether it is taken of features.
fn featured(measure: Measure) -> bool {
    matches!(measure, Measure::Frechet | Measure::Kid | Measure::KidFull | Measure::Prdc)
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

    use InceptionWeights::{None, Other, Published};

    #[test]
    fn a_name_says_the_space() {
        let images = |name, weights| Named::resolve(name, Given::Images, weights).unwrap();
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
        let rows = Named::resolve("prdc", Given::Rows, Published).unwrap();
        assert_eq!((rows.space, rows.part("precision").as_str()), (Space::Given, "precision"));
    }

    #[test]
    fn fid_is_nothing_but_fid() {
        for weights in [None, Other] {
            for given in [Given::Rows, Given::Images] {
                let error = Named::resolve("fid", given, weights).unwrap_err();
                assert!(error.contains("nception"), "{error}");
                assert!(Named::resolve("is", given, weights).is_err());
                assert!(Named::resolve("sfid", given, weights).is_err());
            }
        }
        assert!(Named::resolve("fid", Given::Rows, Published).is_err());
        for name in ["fid_pixels", "fid_efflite0", "fid_inception", "w2_efflite0", "fd_pca64_inception"] {
            assert!(Named::resolve(name, Given::Images, Published).is_err(), "{name}");
        }
        assert_eq!(Named::resolve("fid", Given::Images, Published).unwrap().space, Space::Inception);
        for (name, weights) in [("sfid", Published), ("sfd_inception", Other)] {
            let named = Named::resolve(name, Given::Images, weights).unwrap();
            assert_eq!((named.space, named.label.as_str()), (Space::InceptionSpatial, name));
        }
    }

    #[test]
    fn every_listed_name_resolves() {
        for given in [Given::Rows, Given::Images] {
            let names = Named::names(given);
            for name in &names {
                let named = Named::resolve(name, given, Published).unwrap();
                assert_eq!(named.measure.needs_real(), Named::is_comparison(name), "{name}");
            }
            assert!(names.iter().all(|name| Named::resolve(name, given, Published).is_ok()));
            assert!(Named::defaults(given).iter().all(|name| Named::resolve(name, given, None).is_ok()));
            let error = Named::resolve("fod", given, Published).unwrap_err();
            assert!(names.iter().all(|name| error.contains(name.as_str())), "{error}");
        }
    }
}
