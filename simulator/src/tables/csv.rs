//! Tables of several runs as one CSV file.

use super::{Column, Table};
use csv::Writer;

/// The rows of all tables under one head: `run`, then every column that one of them has, in the order in which they
/// appear. A cell is empty where a run has no such column, or no such value.
///
/// # Errors
/// If it cannot be written.
pub fn stacked(tables: &[(String, Table)]) -> Result<Vec<u8>, csv::Error> {
    let mut names: Vec<&str> = Vec::new();
    for (_, table) in tables {
        for column in &table.0 {
            if !names.contains(&column.name()) {
                names.push(column.name());
            }
        }
    }
    let mut file = Writer::from_writer(Vec::new());
    file.write_record(["run"].iter().chain(&names))?;
    for (run, table) in tables {
        let of_name = |name: &&str| table.0.iter().find(|column| column.name() == *name);
        let columns: Vec<Option<&Column>> = names.iter().map(of_name).collect();
        for row in 0..table.0.first().map_or(0, Column::len) {
            let cells = columns
                .iter()
                .map(|column| column.map_or_else(String::new, |column| column.cell(row)));
            file.write_record(std::iter::once(run.clone()).chain(cells))?;
        }
    }
    file.into_inner().map_err(|error| error.into_error().into())
}

impl Column {
    fn name(&self) -> &str {
        match self {
            Self::Integers(name, _) | Self::Counts(name, _) => name,
            Self::Reals(name, _) | Self::Texts(name, _) => name,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(_, values) => values.len(),
            Self::Counts(_, values) => values.len(),
            Self::Reals(_, values) => values.len(),
            Self::Texts(_, values) => values.len(),
        }
    }

    /// A value as text: numbers in the shortest form that reads back as the same one, infinity as `inf`.
    fn cell(&self, row: usize) -> String {
        match self {
            Self::Integers(_, values) => values[row].to_string(),
            Self::Counts(_, values) => values[row].to_string(),
            Self::Reals(_, values) => {
                values[row].map_or_else(String::new, |value| format!("{value:?}"))
            }
            Self::Texts(_, values) => values[row].clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_with_other_columns_share_a_head() {
        let first = Table(vec![
            Column::Integers("round", vec![0, 1]),
            Column::Reals(
                "epsilon".to_owned(),
                vec![Some(f64::INFINITY), Some(1.0 / 3.0)],
            ),
        ]);
        let second = Table(vec![
            Column::Texts("silos".to_owned(), vec!["a, \"b\"".to_owned()]),
            Column::Integers("round", vec![7]),
            Column::Reals("loss".to_owned(), vec![None]),
        ]);
        let tables = [("one".to_owned(), first), ("two".to_owned(), second)];
        let text = String::from_utf8(stacked(&tables).unwrap()).unwrap();
        let expected = "run,round,epsilon,silos,loss\n\
                        one,0,inf,,\n\
                        one,1,0.3333333333333333,,\n\
                        two,7,,\"a, \"\"b\"\"\",\n";
        assert_eq!(text, expected);
    }
}
