//! The `[data]` table: what may be written, what is refused, and that it survives being written again.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use siloscope_data::{DataConfig, PartitionConfig, Source, SpreadConfig};

fn parse(table: &str) -> Result<DataConfig, String> {
    toml::from_str(table).map_err(|error| error.to_string())
}

#[test]
fn every_kind_of_source_survives_being_written_again() {
    let sources = [
        r#""mnist_writers""#,
        r#"{ csv = "p.csv", label = "l", subject = "s" }"#,
        r#"{ csv = "p.csv", target = "y", subject = "s" }"#,
        r#"{ synthetic = { kind = "subject-regression", subjects = 120, noise = [0.1, 0.5], silos = { count = 2 } } }"#,
        r#"{ parquet = "p", label = "l", subject = "s", silo = "h", split = "t", features = ["a"], shape = [1] }"#,
        r#"{ idx = { images = "i", labels = "l" }, subjects = "s.csv" }"#,
        r#"{ leaf = "data/train" }"#,
        r#"{ synthetic = { kind = "subjects", subjects = 120, shift = 0.0, seed = 4 } }"#,
        r#"{ synthetic = { kind = "subjects", subjects = 120, records_per_subject = { kind = "zipf", exponent = 1.5, least = 2, most = 64 }, label_noise = [0.0, 0.5], silos = { count = 2, spread = 0.5 } } }"#,
        r#"{ synthetic = { kind = "subject-sequences", subjects = 120, stride = 2 } }"#,
        r#"{ synthetic = { kind = "gaussian-classes", records = 100, test_records = 10 } }"#,
    ];
    for source in sources {
        let config = parse(&format!(
            "source = {source}\nmax_subjects = 40\nfresh_fraction = 0.25"
        ))
        .unwrap();
        assert_eq!(
            parse(&toml::to_string(&config).unwrap()).as_ref(),
            Ok(&config),
            "{source}"
        );
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<DataConfig>(&json).unwrap(),
            config,
            "{source}"
        );
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse("source = \"mnist_writers\"").unwrap();
    assert_eq!(
        config,
        DataConfig::new(Source::built_in("mnist_writers").unwrap())
    );
    assert_eq!(config.records_per_adversary.get(), 8);
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let cases = [
        ("", "missing field `source`"),
        (
            "source = \"mnist\"",
            "there are mnist_writers, mnist_writers_mini, heart_disease",
        ),
        ("source = 3", "the name of a built-in data set or a table"),
        (
            "source = {}",
            "exactly one of the keys parquet, csv, idx, leaf, synthetic; given 0",
        ),
        (r#"source = { csv = "a", leaf = "b" }"#, "given 2"),
        (
            r#"source = { csv = "a", subject = "s" }"#,
            "csv needs the key label",
        ),
        (
            r#"source = { csv = "a", label = "l", target = "y", subject = "s" }"#,
            "not both",
        ),
        (
            r#"source = { parquet = "a", label = "l" }"#,
            "parquet needs the key subject",
        ),
        (
            r#"source = { leaf = "a", label = "l" }"#,
            "source.label does not belong to a source of kind leaf",
        ),
        (
            r#"source = { idx = { images = "i", labels = "l" } }"#,
            "idx needs the key subjects",
        ),
        (
            r#"source = { csv = "a", lable = "l" }"#,
            "unknown field `lable`",
        ),
        (
            r#"source = { synthetic = { kind = "subject" } }"#,
            "unknown variant `subject`",
        ),
        (
            r#"source = { synthetic = { kind = "subjects", subjects = 9, sd = 1 } }"#,
            "unknown field `sd`",
        ),
        (
            "source = \"heart_disease\"\nmember_fraction = 1.5",
            "fraction 1.5 is outside [0, 1]",
        ),
        (
            "source = \"heart_disease\"\nfresh_fraction = nan",
            "fraction NaN is outside [0, 1]",
        ),
        ("source = \"heart_disease\"\nmax_subjects = 0", "nonzero"),
        (
            "source = \"heart_disease\"\nmembers = 3",
            "unknown field `members`",
        ),
    ];
    for (table, expected) in cases {
        let error = parse(table).expect_err(table);
        assert!(error.contains(expected), "{expected:?} is not in: {error}");
    }
}

#[test]
fn partitions_and_spreads_are_written_by_kind() {
    #[derive(serde::Deserialize)]
    struct Federation {
        partition: PartitionConfig,
        spread: SpreadConfig,
    }
    let parse = |partition: &str, spread: &str| {
        let text = format!("partition = {{ {partition} }}\nspread = {{ {spread} }}");
        toml::from_str::<Federation>(&text).map_err(|error| error.to_string())
    };
    let fixed = r#"kind = "fixed", silos = 2"#;
    let read = parse(
        r#"kind = "dirichlet", alpha = 0.5"#,
        r#"kind = "zipf", exponent = 1.2, max_silos = 4"#,
    );
    let read = read.unwrap();
    assert_eq!(read.partition, PartitionConfig::Dirichlet { alpha: 0.5 });
    assert_eq!(
        read.spread,
        SpreadConfig::Zipf {
            exponent: 1.2,
            max_silos: 4
        }
    );
    assert_eq!(
        parse(r#"kind = "subject""#, fixed).unwrap().partition,
        PartitionConfig::default()
    );
    for (partition, spread, expected) in [
        (r#"kind = "dirichlet""#, fixed, "missing field `alpha`"),
        (
            r#"kind = "dirichlet", alpha = 1.0, beta = 2.0"#,
            fixed,
            "unknown field `beta`",
        ),
        (
            r#"kind = "natural", alpha = 1.0"#,
            fixed,
            "unknown field `alpha`",
        ),
        (r#"kind = "random""#, fixed, "unknown variant `random`"),
        (
            r#"kind = "subject""#,
            r#"kind = "fixed", silo = 2"#,
            "unknown field `silo`",
        ),
    ] {
        let error = parse(partition, spread).err().expect(expected);
        assert!(error.contains(expected), "{expected:?} is not in: {error}");
    }
}
