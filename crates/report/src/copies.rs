//! The score table as text to paste elsewhere: CSV, Markdown, LaTeX.

use crate::{
    groups::{Group, Spread},
    run::Run,
    scores::{Column, Scores},
    style::fixed,
};

/// The last scores, a row a configuration, or a row a run where there are no seeds to take together.
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    label: String,
    /// Mean and deviation of each column, of one run its value.
    cells: Vec<Option<Spread>>,
}

/// A format: the ending of its file, its name, and how it is written.
pub type Format = (&'static str, &'static str, fn(&Copies) -> String);

/// The formats.
pub const FORMATS: [Format; 3] =
    [("csv", "CSV", Copies::csv), ("md", "Markdown", Copies::markdown), ("tex", "LaTeX", Copies::latex)];

impl Copies {
    /// Of the main average of every run; nothing without scores.
    pub fn of(runs: &[Run], groups: &[Group], scores: &Scores) -> Option<Self> {
        let row = |group: &Group| {
            let cell = |column: &Column| Spread::of(&group.values(runs, &column.metric, column.nfe));
            Row { label: group.label.clone(), cells: scores.columns.iter().map(cell).collect() }
        };
        let rows = Group::or_each(groups, runs).iter().map(row).collect();
        (!scores.columns.is_empty()).then(|| Self { columns: scores.columns.clone(), rows })
    }

    /// Whole numbers: mean, deviation and number of runs of every column, to the last digit.
    pub fn csv(&self) -> String {
        let quoted = |text: &str| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let names = self.columns.iter().map(|Column { metric, nfe, .. }| {
            let name = |what| quoted(&format!("{metric}@{nfe}{what}"));
            [name(""), name(" std"), name(" n")].join(",")
        });
        let head = std::iter::once("configuration".to_owned()).chain(names).collect::<Vec<_>>();
        let line = |row: &Row| {
            let cells = row.cells.iter().map(|cell| match cell {
                Some(Spread { mean, std, n }) => format!("{mean},{std},{n}"),
                None => ",,".to_owned(),
            });
            std::iter::once(quoted(&row.label)).chain(cells).collect::<Vec<_>>()
        };
        let lines = std::iter::once(head).chain(self.rows.iter().map(line));
        lines.map(|cells| cells.join(",") + "\n").collect()
    }

    /// A table with pipes.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = std::iter::once("configuration".to_owned()).chain(self.names());
        let rule = vec!["---:".to_owned(); self.columns.len()];
        let rows = self.rows.iter().map(|row| {
            let label = row.label.replace('|', "\\|");
            line([vec![label], self.cells(row, "–", |mean, std| format!("{mean} ± {std}"))].concat())
        });
        [line(head.collect()), line([vec!["---".to_owned()], rule].concat())]
            .into_iter()
            .chain(rows)
            .collect()
    }

    /// A `tabular` of the package `booktabs`.
    pub fn latex(&self) -> String {
        let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
        let head = std::iter::once(String::new()).chain(self.names().into_iter().map(|name| escaped(&name)));
        let rows = self.rows.iter().map(|row| {
            let cells = self.cells(row, "--", |mean, std| format!("${mean} \\pm {std}$"));
            line([vec![escaped(&row.label)], cells].concat())
        });
        let body: String = rows.collect();
        let columns = "r".repeat(self.columns.len());
        let head = line(head.collect());
        format!(
            "\\begin{{tabular}}{{l{columns}}}\n\\toprule\n{head}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
        )
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|Column { metric, nfe, .. }| format!("{metric}@{nfe}")).collect()
    }

    /// Rounded as on the page: of several runs `both`, of one its value, else `none`.
    fn cells(&self, row: &Row, none: &str, both: impl Fn(String, String) -> String) -> Vec<String> {
        let cell = |(cell, column): (&Option<Spread>, &Column)| {
            // The signs of the page are not those of a file of numbers.
            let number = |value: f64| fixed(value, column.decimals).replace(',', "").replace('−', "-");
            match cell {
                Some(Spread { mean, n: 1, .. }) => number(*mean),
                Some(Spread { mean, std, .. }) => both(number(*mean), number(*std)),
                None => none.to_owned(),
            }
        };
        row.cells.iter().zip(&self.columns).map(cell).collect()
    }
}

/// Text for LaTeX.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '_' | '&' | '%' | '#' | '$' | '{' | '}' => out.extend(['\\', letter]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Copies {
        let column = |metric: &str, nfe| Column { metric: metric.to_owned(), nfe, decimals: 2 };
        let both = Some(Spread { mean: 1.23456, std: 0.5, n: 3 });
        let one = Some(Spread { mean: 1234.5, std: 0.0, n: 1 });
        let row =
            |label: &str, cells: [Option<Spread>; 2]| Row { label: label.to_owned(), cells: cells.to_vec() };
        Copies {
            columns: vec![column("fd_pca64", 1), column("fd_pca64", 50)],
            rows: vec![row("net=a,b", [both, None]), row("flow_matching", [one, both])],
        }
    }

    #[test]
    fn csv_has_every_digit() {
        let expected = "configuration,fd_pca64@1,fd_pca64@1 std,fd_pca64@1 n,fd_pca64@50,fd_pca64@50 std,fd_pca64@50 n\n\
            \"net=a,b\",1.23456,0.5,3,,,\nflow_matching,1234.5,0,1,1.23456,0.5,3\n";
        assert_eq!(table().csv(), expected);
    }

    #[test]
    fn markdown_and_latex_are_rounded_as_the_page() {
        let expected = "| configuration | fd_pca64@1 | fd_pca64@50 |\n| --- | ---: | ---: |\n\
            | net=a,b | 1.23 ± 0.50 | – |\n| flow_matching | 1234.50 | 1.23 ± 0.50 |\n";
        assert_eq!(table().markdown(), expected);
        let latex = table().latex();
        assert!(latex.contains("{lrr}\n\\toprule\n & fd\\_pca64@1 & fd\\_pca64@50 \\\\\n"), "{latex}");
        assert!(latex.contains("flow\\_matching & 1234.50 & $1.23 \\pm 0.50$ \\\\\n\\bottomrule"), "{latex}");
    }
}
