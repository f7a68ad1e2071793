//! Well-formed files of every format become the data set they hold.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod files;

use files::{Column, write_parquet};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use primitives::{RecordId, Seed, SiloId, SubjectId};
use siloscope_data::{DataConfig, Dataset, Features, LabelSlice, Labels, Split};
use std::fs;
use std::path::Path;

fn load(folder: &Path, source: &str) -> Dataset {
    let config: DataConfig = toml::from_str(&format!("source = {source}")).unwrap();
    config.load(folder, &Seed::from_number(1)).unwrap()
}

fn features(dataset: &Dataset) -> Vec<f32> {
    let (mut features, mut labels) = (Vec::new(), Labels::default());
    dataset.gather(
        &dataset.records().collect::<Vec<_>>(),
        &mut features,
        &mut labels,
    );
    assert_eq!(labels.as_slice(), dataset.labels());
    features
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Three records of two subjects, with two features, in the order that every format below writes.
fn check(dataset: &Dataset) {
    assert_eq!(
        bits(&features(dataset)),
        bits(&[1.0, 0.5, -2.0, 1.5, 3.0, 2.5])
    );
    assert_eq!(
        (dataset.labels(), dataset.classes()),
        (
            LabelSlice::Classes(&[1, 0, 1]),
            &["2", "10"].map(String::from)[..]
        )
    );
    let names: Vec<&str> = dataset
        .records()
        .map(|r| dataset.subject_names()[dataset.subject(r).index()].as_str())
        .collect();
    assert_eq!(names, ["bo", "ann", "bo"]);
    assert_eq!(dataset.subject_names(), ["ann", "bo"]);
    assert_eq!(dataset.shape(), [2]);
}

#[test]
fn csv_with_and_without_named_features() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}x, who ,y,ill,where,note,part\n1,bo,0.5,10,north,a,train\n-2,ann,1.5,2,south,b,test\n3,bo,2.5,10,north,c,train\n";
    fs::write(folder.path().join("p.csv"), text).unwrap();
    let keys = r#"csv = "p.csv", label = "ill", subject = "who""#;
    let plain = load(folder.path(), &format!("{{ {keys} }}"));
    check(&plain);
    assert!(plain.natural_silos().is_none() && plain.split(RecordId(0)).is_none());
    let dataset = load(
        folder.path(),
        &format!(r#"{{ {keys}, silo = "where", split = "part" }}"#),
    );
    check(&dataset);
    let silos = dataset.natural_silos().unwrap();
    assert_eq!(silos.names, ["north", "south"]);
    assert_eq!(silos.of_records, [SiloId(0), SiloId(1), SiloId(0)]);
    assert_eq!(dataset.split(RecordId(1)), Some(Split::Test));
    let swapped = load(
        folder.path(),
        &format!(r#"{{ {keys}, features = ["y", "x"], shape = [2, 1] }}"#),
    );
    assert_eq!(
        bits(&features(&swapped)),
        bits(&[0.5, 1.0, 1.5, -2.0, 2.5, 3.0])
    );
    assert_eq!(swapped.shape(), [2, 1]);
}

#[test]
fn a_target_is_a_number_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let text = "x,who,weight\n1,bo,70.5\n-2,ann,-3e1\n3,bo,0\n";
    fs::write(folder.path().join("p.csv"), text).unwrap();
    let columns = [
        Column::Int("x", vec![Some(1), Some(-2), Some(3)]),
        Column::Text("who", vec![Some("bo"), Some("ann"), Some("bo")]),
        Column::Double("weight", vec![Some(70.5), Some(-30.0), Some(0.0)]),
    ];
    let compression = Compression::UNCOMPRESSED;
    write_parquet(&folder.path().join("p.parquet"), &columns, compression);
    let digests = ["csv = \"p.csv\"", "parquet = \"p.parquet\""].map(|file| {
        let source = format!(r#"{{ {file}, target = "weight", subject = "who" }}"#);
        let dataset = load(folder.path(), &source);
        assert_eq!(dataset.targets(), Some(&[70.5, -30.0, 0.0][..]));
        assert_eq!(bits(&features(&dataset)), bits(&[1.0, -2.0, 3.0]));
        assert!(dataset.classes().is_empty());
        dataset.digest()
    });
    assert_eq!(digests[0], digests[1]);
    for cell in ["heavy", "inf", ""] {
        fs::write(
            folder.path().join("q.csv"),
            format!("x,who,weight\n1,bo,2\n1,bo,{cell}\n"),
        )
        .unwrap();
        let config = r#"source = { csv = "q.csv", target = "weight", subject = "who" }"#;
        let config: DataConfig = toml::from_str(config).unwrap();
        let error = config
            .load(folder.path(), &Seed::from_number(1))
            .unwrap_err();
        assert_eq!((error.row(), error.column()), (Some(2), Some("weight")));
        assert!(error.to_string().contains("a finite number"), "{error}");
    }
}

#[test]
fn parquet_in_every_compression_that_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    let columns = [
        Column::Int("x", vec![Some(1), Some(-2), Some(3)]),
        Column::Double("y", vec![Some(0.5), Some(1.5), Some(2.5)]),
        Column::Text("who", vec![Some("bo"), Some("ann"), Some("bo")]),
        Column::Int("ill", vec![Some(10), Some(2), Some(10)]),
        Column::Text("note", vec![None, Some("b"), None]),
    ];
    let path = folder.path().join("p.parquet");
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for compression in compressions {
        write_parquet(&path, &columns, compression);
        check(&load(
            folder.path(),
            r#"{ parquet = "p.parquet", label = "ill", subject = "who" }"#,
        ));
    }
}

#[test]
fn parquet_images_stay_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let columns = [
        Column::Int("number", vec![Some(5), Some(6)]),
        Column::Image("image", vec![vec![0, 51, 102, 255], vec![255; 4]]),
        Column::Int("label", vec![Some(0), Some(1)]),
        Column::Int("writer", vec![Some(7), Some(7)]),
    ];
    write_parquet(
        &folder.path().join("p"),
        &columns,
        Compression::UNCOMPRESSED,
    );
    let source = r#"parquet = "p", label = "label", subject = "writer""#;
    let dataset = load(folder.path(), &format!("{{ {source} }}"));
    assert!(matches!(dataset.features(), Features::Bytes { values, .. } if values.len() == 8));
    assert_eq!(dataset.shape(), [1, 2, 2]);
    let expected = [0.0, 0.2, 0.4, 1.0, 1.0, 1.0, 1.0, 1.0];
    assert!(
        features(&dataset)
            .iter()
            .zip(expected)
            .all(|(x, e)| (x - e).abs() < 1e-6)
    );
    let flat = load(folder.path(), &format!("{{ {source}, shape = [4] }}"));
    assert_eq!(flat.shape(), [4]);
}

#[test]
fn idx_with_subjects_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
    write("i", &[&header[..], &[0, 51, 102, 153, 204, 255]].concat());
    write("l", &[0, 0, 8, 1, 0, 0, 0, 2, 4, 9]);
    write("s.csv", b"index,subject,silo\n0,w2,a\n1,w1,b\n");
    let source = r#"{ idx = { images = "i", labels = "l" }, subjects = "s.csv" }"#;
    let dataset = load(folder.path(), source);
    assert_eq!(dataset.shape(), [1, 1, 3]);
    assert_eq!(dataset.classes(), ["4", "9"]);
    assert_eq!(dataset.subject(RecordId(0)), SubjectId(1));
    assert_eq!(dataset.natural_silos().unwrap().names, ["a", "b"]);
    let expected = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    assert!(
        features(&dataset)
            .iter()
            .zip(expected)
            .all(|(x, e)| (x - e).abs() < 1e-6)
    );
}

#[test]
fn leaf_files_of_a_folder_join() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "b.json",
        r#"{"users":["ann"],"num_samples":[1],"hierarchies":["south"],
        "user_data":{"ann":{"x":[[-2,1.5]],"y":[2]}}}"#,
    );
    write(
        "a.json",
        r#"{"users":["bo"],"num_samples":[2],"hierarchies":["north"],
        "user_data":{"bo":{"x":[[1,0.5],[3,2.5]],"y":["10",10.0]}}}"#,
    );
    write("notes.txt", "not data");
    let dataset = load(folder.path(), r#"{ leaf = "." }"#);
    assert_eq!(
        bits(&features(&dataset)),
        bits(&[1.0, 0.5, 3.0, 2.5, -2.0, 1.5])
    );
    assert_eq!(
        (dataset.labels(), dataset.classes()),
        (
            LabelSlice::Classes(&[1, 1, 0]),
            &["2", "10"].map(String::from)[..]
        )
    );
    assert_eq!(dataset.natural_silos().unwrap().names, ["north", "south"]);
}

#[test]
fn a_built_in_file_reads_the_same_from_disk() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/data/mnist_writers");
    let source = r#"{ parquet = "mini.parquet", label = "label", subject = "writer", silo = "hsf_series", split = "split" }"#;
    assert_eq!(
        load(&folder, source).digest(),
        load(&folder, "\"mnist_writers_mini\"").digest()
    );
}
