//! MNIST with the writer of every digit.
//!
//! Subject: the writer; natural silo: the population that a writer belongs to (series 0, census
//! employees; series 4, high-school students); split: MNIST's own, whose test writers are other people
//! than its training writers. Features: 28 × 28 grey levels in [0, 1].

use super::BuiltIn;
use crate::load::{Columns, LabelColumn, parquet_bytes};
use crate::{DataError, Dataset};

const LICENCE: &str =
    "NIST data: US Government work; BSD-style and MIT notices of QMNIST and mnist-pngs";
const CITATION: &str = "LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document \
    recognition, 1998; Yadav, Bottou, Cold Case: the Lost MNIST Digits, NeurIPS 2019; Grother, NIST \
    Special Database 19";

pub(super) const FULL: BuiltIn = BuiltIn {
    name: "mnist_writers",
    description: "MNIST digits with the writer of every digit; test digits are by other writers",
    records: 70_000,
    subjects: 836,
    silos: 2,
    licence: LICENCE,
    citation: CITATION,
    loader: || {
        load(
            "mnist_writers",
            include_bytes!("../../../../scenarios/data/mnist_writers/mnist_writers.parquet"),
        )
    },
};

pub(super) const MINI: BuiltIn = BuiltIn {
    name: "mnist_writers_mini",
    description: "the digits of 40 MNIST training writers, 20 of each population: for quick tests",
    records: 4_595,
    subjects: 40,
    silos: 2,
    licence: LICENCE,
    citation: CITATION,
    loader: || {
        load(
            "mnist_writers_mini",
            include_bytes!("../../../../scenarios/data/mnist_writers/mini.parquet"),
        )
    },
};

fn load(name: &str, file: &'static [u8]) -> Result<Dataset, DataError> {
    let columns = Columns {
        label: LabelColumn::Class("label".to_owned()),
        subject: "writer".to_owned(),
        silo: Some("hsf_series".to_owned()),
        split: Some("split".to_owned()),
        features: Some(vec!["image".to_owned()]),
        shape: None,
    };
    parquet_bytes(name, file, &columns)
}
