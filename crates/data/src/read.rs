//! The table `[data.*]` of an experiment file.

use meanflow_settings::{Problem, Reader};

use crate::error::DataError;
use crate::kind::{DataConfig, Description, Kind};

/// Reads the table, which holds one of these `kinds`, and asks the data what it looks like, unless that is `known`; `None` after
/// a problem.
pub fn read(
    root: &mut Reader,
    kinds: &[&'static Kind],
    known: Option<Description>,
) -> Option<(DataConfig, Description)> {
    let names: Vec<&'static str> = kinds.iter().map(|kind| kind.name).collect();
    root.kind("data", &names, None, |name, r| {
        let data = (kinds.iter().find(|kind| kind.name == name)?.read)(r);
        if !r.is_sound() {
            return None;
        }
        match known.map_or_else(|| data.describe(), Ok) {
            Ok(description) => Some((data, description)),
            Err(DataError::Setting { key, value, must }) => {
                let message = format!("`{}` = {value}: {must}", r.path(key));
                r.problem(Problem::new(r.at(key), message));
                None
            }
            Err(error) => {
                let named = if r.has("images") && !r.has("path") { "images" } else { "path" };
                let mut problem = Problem::new(r.at(named), error.to_string());
                if let Some(DataError::Absent { remedy, .. }) = data.missing() {
                    problem = problem.help(remedy);
                }
                r.problem(Problem { about_data: true, ..problem });
                None
            }
        }
    })?
}
