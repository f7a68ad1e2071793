//! Heart disease in four hospitals, one record a patient.
//!
//! Subject: the patient; natural silo: the hospital. Label: disease (`num > 0`). The 13 clinical
//! columns become 24 features, in this order: five measurements and the number of vessels as
//! `(value − centre) / scale`; three yes-or-no columns; one feature for each value of chest pain,
//! ECG, slope and defect; and whether cholesterol and vessels are missing.
//!
//! Centres and scales are round clinical numbers, not statistics of these patients, so that preparing
//! the features releases nothing about them. A missing measurement becomes its centre (feature 0), a
//! missing yes-or-no one half, a missing choice none of its values. A cholesterol or blood pressure of
//! 0 means "not measured".

use super::BuiltIn;
use crate::load::{Categories, Gathered, LabelCells, Rows};
use crate::{DataError, Dataset, Features};
use csv::StringRecord;

pub(super) const SET: BuiltIn = BuiltIn {
    name: "heart_disease",
    description: "patients of four hospitals with and without heart disease; one record a patient",
    records: 920,
    subjects: 920,
    silos: 4,
    licence: "CC BY 4.0",
    citation: "Detrano et al., International application of a new probability algorithm for the \
        diagnosis of coronary artery disease, American Journal of Cardiology 64, 1989",
    loader: load,
};

const FILE: &[u8] = include_bytes!("../../../../scenarios/data/heart_disease/heart_disease.csv");

/// Column, centre, scale, and whether 0 means "not measured".
const MEASUREMENTS: [(&str, f32, f32, bool); 6] = [
    ("age", 50.0, 10.0, false),
    ("trestbps", 130.0, 20.0, true),
    ("chol", 240.0, 60.0, true),
    ("thalach", 140.0, 25.0, false),
    ("oldpeak", 1.0, 1.0, false),
    ("ca", 0.0, 1.0, false),
];
const YES_OR_NO: [&str; 3] = ["sex", "fbs", "exang"];
/// Column and its values.
const CHOICES: [(&str, &[f32]); 4] = [
    ("cp", &[1.0, 2.0, 3.0, 4.0]),
    ("restecg", &[0.0, 1.0, 2.0]),
    ("slope", &[1.0, 2.0, 3.0]),
    ("thal", &[3.0, 6.0, 7.0]),
];
/// Measurements whose absence is a feature, as indices into [`MEASUREMENTS`].
const OFTEN_MISSING: [usize; 2] = [2, 5];
const WIDTH: usize = 24;

fn load() -> Result<Dataset, DataError> {
    let mut rows = Rows::new(SET.name, FILE)?;
    let mut row = StringRecord::new();
    let mut features = Vec::with_capacity(SET.records as usize * WIDTH);
    let (mut labels, mut subjects, mut silos) = (
        Categories::default(),
        Categories::default(),
        Categories::default(),
    );
    while rows.next(&mut row)? {
        let number = |name: &str| -> Result<Option<f32>, DataError> {
            let place = rows.place(name)?;
            match &row[place] {
                "" => Ok(None),
                cell => cell.parse().map(Some).map_err(|_| {
                    rows.fault(
                        &row,
                        place,
                        "a number or nothing",
                        "install the program again",
                    )
                }),
            }
        };
        let mut measured = [None; MEASUREMENTS.len()];
        for (value, &(name, centre, scale, zero_is_missing)) in
            measured.iter_mut().zip(&MEASUREMENTS)
        {
            let cell = number(name)?.filter(|&cell| !(zero_is_missing && cell <= 0.0));
            *value = cell.map(|cell| (cell - centre) / scale);
        }
        features.extend(measured.map(|value| value.unwrap_or(0.0)));
        for name in YES_OR_NO {
            features.push(number(name)?.unwrap_or(0.5));
        }
        for (name, values) in CHOICES {
            let chosen = number(name)?;
            let is = |value: f32| chosen.is_some_and(|chosen| (chosen - value).abs() < 0.5);
            features.extend(values.iter().map(|&value| f32::from(is(value))));
        }
        features.extend(OFTEN_MISSING.map(|i| f32::from(measured[i].is_none())));
        let ill = number("num")?.is_some_and(|num| num > 0.0);
        labels.push(if ill { "disease" } else { "healthy" });
        rows.name(&row, rows.place("subject")?, &mut subjects)?;
        rows.name(&row, rows.place("hospital")?, &mut silos)?;
    }
    Gathered {
        name: SET.name.to_owned(),
        features: Features::Floats(features),
        shape: vec![WIDTH],
        labels: LabelCells::Classes(labels),
        subjects,
        silos: Some(silos),
        splits: None,
    }
    .into_dataset()
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::RecordId;

    #[test]
    fn the_first_patient_is_prepared_as_described() {
        let dataset = load().unwrap();
        let mut x = [0.0; WIDTH];
        dataset.copy_features(RecordId(0), &mut x);
        // cleveland, 63 years, male, cp 1, 145 mm Hg, 233 mg/dl, fbs 1, restecg 2, thalach 150,
        // exang 0, oldpeak 2.3, slope 3, ca 0, thal 6, num 0
        let expected = [
            1.3,
            0.75,
            -7.0 / 60.0,
            0.4,
            1.3,
            0.0, // measurements
            1.0,
            1.0,
            0.0, // sex, fbs, exang
            1.0,
            0.0,
            0.0,
            0.0, // cp
            0.0,
            0.0,
            1.0, // restecg
            0.0,
            0.0,
            1.0, // slope
            0.0,
            1.0,
            0.0, // thal
            0.0,
            0.0, // missing
        ];
        assert!(
            x.iter()
                .zip(expected)
                .all(|(x, e): (&f32, f32)| (x - e).abs() < 1e-6),
            "{x:?}"
        );
        assert_eq!(
            dataset.classes()[dataset.class(RecordId(0)) as usize],
            "healthy"
        );
        let ill = dataset
            .records()
            .filter(|&record| dataset.class(record) == 0)
            .count();
        assert_eq!(ill, 139 + 106 + 115 + 149);
    }
}
