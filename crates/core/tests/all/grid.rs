//! Time grids: what is one and what is not.

use meanflow_core::solver::{Grid, GridError};
use proptest::prelude::*;

use crate::common::cases;

#[test]
fn errors_carry_the_times() {
    assert_eq!(Grid::new(vec![]), Err(GridError::TooShort(0)));
    assert_eq!(Grid::new(vec![1.0]), Err(GridError::TooShort(1)));
    assert_eq!(Grid::new(vec![1.5, 0.0]), Err(GridError::Outside(1.5)));
    assert_eq!(Grid::new(vec![1.0, -0.25]), Err(GridError::Outside(-0.25)));
    assert!(matches!(Grid::new(vec![1.0, f64::NAN]), Err(GridError::Outside(time)) if time.is_nan()));
    assert_eq!(Grid::new(vec![1.0, 0.5, 0.5]), Err(GridError::NotDecreasing(0.5, 0.5)));
    let rising = Grid::new(vec![1.0, 0.25, 0.75, 0.0]).unwrap_err();
    assert_eq!(rising, GridError::NotDecreasing(0.25, 0.75));
    assert_eq!(rising.to_string(), "times must fall from noise (1) to data (0), but 0.75 follows 0.25");
}

#[test]
fn uniform_grids() {
    assert_eq!(Grid::uniform(1).times(), [1.0, 0.0]);
    assert_eq!(Grid::uniform(4).times(), [1.0, 0.75, 0.5, 0.25, 0.0]);
    assert_eq!(Grid::uniform(2).pairs().collect::<Vec<_>>(), [(1.0, 0.5), (0.5, 0.0)]);
}

#[test]
#[should_panic(expected = "at least one step")]
fn no_steps() {
    Grid::uniform(0);
}

proptest! {
    #![proptest_config(cases(64))]

    /// Either a grid, whose times are those given, or the first reason why not.
    #[test]
    fn any_list(times in prop::collection::vec(-0.1f64..1.1, 0..6)) {
        let falls = times.windows(2).all(|pair| pair[0] > pair[1]);
        let inside = times.iter().all(|time| (0.0..=1.0).contains(time));
        match Grid::new(times.clone()) {
            Ok(grid) => {
                prop_assert!(falls && inside && times.len() > 1);
                prop_assert_eq!(grid.pairs().count(), times.len() - 1);
                prop_assert_eq!(grid.times(), times);
            }
            Err(GridError::TooShort(count)) => prop_assert!(count == times.len() && count < 2),
            Err(GridError::Outside(time)) => prop_assert!(times.contains(&time) && !inside),
            Err(GridError::NotDecreasing(a, b)) => prop_assert!(a <= b && inside && !falls),
        }
    }

    #[test]
    fn uniform_grids_are_grids(steps in 1usize..300) {
        let grid = Grid::uniform(steps);
        prop_assert_eq!(Grid::new(grid.times().to_vec()), Ok(grid));
    }
}
