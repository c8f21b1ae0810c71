//! Curves of no more points than can be seen.

/// A point of a curve.
pub type At = (f64, f64);

/// Points that a curve keeps, at most: a panel is some hundred points of a page wide.
pub const MOST: usize = 1000;

/// The points of a long curve between which no lower and no higher value lies: of as many equal parts as half of `most`, each with
/// its lowest and its highest finite value in order. A part without a finite value is a gap.
pub fn thin(points: Vec<At>, most: usize) -> Vec<At> {
    if points.len() <= most {
        return points;
    }
    let part = points.len().div_ceil(most / 2);
    points.chunks(part).flat_map(extremes).collect()
}

fn extremes(part: &[At]) -> Vec<At> {
    let finite = || part.iter().enumerate().filter(|(_, point)| point.1.is_finite());
    let by_value = |a: &(usize, &At), b: &(usize, &At)| a.1.1.total_cmp(&b.1.1);
    match (finite().min_by(by_value), finite().max_by(by_value)) {
        (Some((low, _)), Some((high, _))) if low == high => vec![part[low]],
        (Some((low, _)), Some((high, _))) => vec![part[low.min(high)], part[low.max(high)]],
        _ => part.first().copied().into_iter().collect(),
    }
}

/// Places of `count` values, at most `most` of them, with the first and the last.
pub fn places(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|place| place * (count - 1) / (most - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stay_and_short_curves_are_as_they_are() {
        let value = |i: usize| match i {
            12_345 => 99.0,
            70_000 => -99.0,
            _ => (i as f64 / 1e4).sin(),
        };
        let curve: Vec<At> = (0..100_000).map(|i| (i as f64, value(i))).collect();
        let thinned = thin(curve.clone(), 100);
        assert!(thinned.len() <= 100 && thinned.is_sorted_by(|a, b| a.0 < b.0));
        assert!(thinned.contains(&(12_345.0, 99.0)) && thinned.contains(&(70_000.0, -99.0)));
        assert_eq!(thin(curve[..100].to_vec(), 100), curve[..100]);
        let gap = thin(vec![(0.0, f64::NAN); 1000], 10);
        assert!(gap.len() <= 10 && gap.iter().all(|point| point.1.is_nan()));
    }

    #[test]
    fn places_reach_from_end_to_end() {
        assert_eq!(places(3, 5), [0, 1, 2]);
        assert_eq!(places(9, 5), [0, 2, 4, 6, 8]);
        assert_eq!(places(1_000_001, 3), [0, 500_000, 1_000_000]);
    }
}
