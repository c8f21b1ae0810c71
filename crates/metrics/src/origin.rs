//! What statistics are of, in words that a file keeps.

use crate::MetricError;

/// What mean and covariance were computed of and how. It is written beside them, so that nothing else is compared with them;
/// files of other programs say nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The space of the features: `pixels`, or a network and the sha256 of its weights, `inception:…`.
    pub space: Option<String>,
    /// How pictures came to the size of the network.
    pub resize: Option<String>,
    /// How their values became bytes.
    pub quantise: Option<String>,
    /// How many samples there were.
    pub n: Option<usize>,
}

impl Origin {
    /// The names in a file.
    pub const NAMES: [&'static str; 4] = ["space", "resize", "quantise", "n"];

    /// What is known, under its name.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        let n = self.n.map(|n| n.to_string());
        let values = [self.space.clone(), self.resize.clone(), self.quantise.clone(), n];
        Self::NAMES.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// The origin that a file keeps under [`NAMES`](Self::NAMES); `None` if it keeps none.
    ///
    /// # Errors
    /// Those of `text`.
    pub fn read<E>(mut text: impl FnMut(&str) -> Result<Option<String>, E>) -> Result<Option<Self>, E> {
        let [space, resize, quantise, n] = Self::NAMES;
        let (space, resize, quantise) = (text(space)?, text(resize)?, text(quantise)?);
        let n = text(n)?.and_then(|n| n.parse().ok());
        let origin = Self { space, resize, quantise, n };
        Ok((origin != Self::default()).then_some(origin))
    }

    /// Whether the two may be compared: the same space, reached in the same way, as far as both say.
    ///
    /// # Errors
    /// [`MetricError::OtherOrigin`] with what both say.
    pub fn agrees(&self, other: &Self) -> Result<(), MetricError> {
        let pairs = [
            ("space", &self.space, &other.space),
            ("resize", &self.resize, &other.resize),
            ("quantise", &self.quantise, &other.quantise),
        ];
        for (what, first, second) in pairs {
            if let (Some(first), Some(second)) = (first, second)
                && first != second
            {
                let (first, second) = (first.clone(), second.clone());
                return Err(MetricError::OtherOrigin { what, first, second });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_say_must_agree() {
        let one = Origin {
            space: Some("inception:ab".into()),
            resize: Some("tf1".into()),
            quantise: Some("round".into()),
            n: Some(50_000),
        };
        let kept = one.entries();
        let text = |name: &str| {
            let found = kept.iter().find(|(known, _)| *known == name);
            Ok::<_, ()>(found.map(|(_, value)| value.clone()))
        };
        assert_eq!(Origin::read(text).unwrap(), Some(one.clone()));
        assert_eq!(Origin::read(|_| Ok::<_, ()>(None)).unwrap(), None);
        one.agrees(&Origin { n: Some(9), ..one.clone() }).unwrap();
        one.agrees(&Origin::default()).unwrap();
        let error = one.agrees(&Origin { resize: Some("pytorch-fid".into()), ..one.clone() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`resize` is tf1 in one of the statistics and pytorch-fid in the other"
        );
    }
}
