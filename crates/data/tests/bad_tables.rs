//! Every bad CSV or Parquet file gets an error that names the file, the place, what is allowed and what to do.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(
    clippy::too_many_lines,
    reason = "a table of cases is read from top to bottom"
)]

mod files;
mod refusal;

use files::{Cell, Column, write_parquet};
use parquet::basic::Compression;
use refusal::{Case, load, refused};
use std::fs;

#[test]
fn csv() {
    let cases: [Case<'_>; 24] = [
        (
            "empty file",
            "",
            &["no rows", "a header and at least one row"],
        ),
        ("only a header", "age,ill,person\n", &["no rows"]),
        (
            "no label column",
            "age,person\n1,a\n",
            &["column \"ill\"", "age, person"],
        ),
        (
            "no subject column",
            "age,ill\n1,0\n",
            &["column \"person\"", "one of age, ill"],
        ),
        (
            "no feature",
            "ill,person\n0,a\n1,b\n",
            &["at least one feature"],
        ),
        (
            "only text besides",
            "t,ill,person\nx,0,a\ny,1,b\n",
            &["at least one feature"],
        ),
        (
            "text in a number",
            "age,ill,person\n1,0,a\nold,1,b\n",
            &["row 2", "\"age\"", "\"old\""],
        ),
        (
            "gap in a number",
            "age,ill,person\n1,0,a\n,1,b\n",
            &["row 2", "an empty cell", "fill"],
        ),
        (
            "gap in the first row",
            "age,h,ill,person\n,2,0,a\n1,2,1,b\n",
            &["row 1", "\"age\""],
        ),
        (
            "NA in the first row",
            "age,h,ill,person\nNA,2,0,a\n1,2,1,b\n",
            &["row 1", "\"NA\""],
        ),
        (
            "nan",
            "age,ill,person\n1,0,a\nnan,1,b\n",
            &["row 2", "a finite number"],
        ),
        (
            "infinity",
            "age,ill,person\ninf,0,a\n1,1,b\n",
            &["row 1", "a finite number"],
        ),
        (
            "beyond f32",
            "age,ill,person\n1e39,0,a\n1,1,b\n",
            &["row 1", "a finite number"],
        ),
        (
            "negative label",
            "age,ill,person\n1,-1,a\n1,1,b\n",
            &["row 1", "\"ill\"", "at least 0"],
        ),
        (
            "fractional label",
            "age,ill,person\n1,0.5,a\n",
            &["row 1", "\"0.5\"", "whole number"],
        ),
        (
            "no label",
            "age,ill,person\n1,0,a\n1,,b\n",
            &["row 2", "\"ill\"", "an empty cell"],
        ),
        (
            "no subject",
            "age,ill,person\n1,0,a\n1,1,\n",
            &["row 2", "\"person\"", "a subject"],
        ),
        (
            "one class",
            "age,ill,person\n1,1,a\n2,1,b\n",
            &["one class", "at least two"],
        ),
        (
            "missing cells",
            "age,ill,person\n1,0,a\n1,1\n",
            &["row 2", "2 cells", "3 cells"],
        ),
        (
            "semicolons",
            "age;ill;person\n1;0;a\n",
            &["column \"ill\"", "age;ill;person"],
        ),
        (
            "same name twice",
            "age,age,ill,person\n1,2,0,a\n",
            &["\"age\"", "two columns"],
        ),
        ("open quote", "age,ill,person\n\"1,0,a\n1,1,b\n", &["row 1"]),
        (
            "not a split",
            "age,ill,person,split\n1,0,a,dev\n",
            &["\"dev\"", "train or test"],
        ),
        (
            "silo missing",
            "age,ill,person,split,silo\n1,0,a,train,\n",
            &["\"silo\"", "fill the cell"],
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, text, expected) in cases {
        fs::write(folder.path().join("people.csv"), text).unwrap();
        let header = text.lines().next().unwrap_or_default();
        let optional = ["silo", "split"].map(|column| {
            let there = header.split(',').any(|name| name == column);
            if there {
                format!(", {column} = \"{column}\"")
            } else {
                String::new()
            }
        });
        let source = format!(
            r#"{{ csv = "people.csv", label = "ill", subject = "person"{} }}"#,
            optional.concat()
        );
        refused(
            name,
            load(folder.path(), &source),
            &[&["people.csv"], expected].concat(),
        );
    }
    fs::write(folder.path().join("people.csv"), [b'a', 0xff, b'\n', b'1']).unwrap();
    let source = r#"{ csv = "people.csv", label = "ill", subject = "person" }"#;
    refused(
        "not UTF-8",
        load(folder.path(), source),
        &["people.csv", "UTF-8"],
    );
    let many = (0..1_001)
        .map(|i| format!("1,{i},p\n"))
        .collect::<Vec<_>>()
        .concat();
    fs::write(
        folder.path().join("people.csv"),
        format!("age,ill,person\n{many}"),
    )
    .unwrap();
    refused(
        "too many classes",
        load(folder.path(), source),
        &["1001 different labels", "1000"],
    );
}

#[test]
fn columns_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("p.csv"),
        "age,job,ill,person\n1,x,0,a\n2,y,1,b\n",
    )
    .unwrap();
    let cases: [Case<'_>; 6] = [
        (
            "no such feature",
            r#"features = ["wage"]"#,
            &["\"wage\"", "age, job, ill, person"],
        ),
        (
            "text feature",
            r#"features = ["job"]"#,
            &["row 1", "\"job\"", "a finite number"],
        ),
        (
            "label as feature",
            r#"features = ["age", "ill"]"#,
            &["\"ill\"", "each column for one"],
        ),
        (
            "feature twice",
            r#"features = ["age", "age"]"#,
            &["\"age\"", "leave it out"],
        ),
        (
            "wrong shape",
            "shape = [2]",
            &["[2]", "a shape of 1 features"],
        ),
        (
            "no such silo",
            r#"silo = "clinic""#,
            &["\"clinic\"", "correct the name"],
        ),
    ];
    for (name, keys, expected) in cases {
        let source = format!(r#"{{ csv = "p.csv", label = "ill", subject = "person", {keys} }}"#);
        refused(name, load(folder.path(), &source), expected);
    }
}

#[test]
fn unreadable_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    for kind in ["csv", "parquet"] {
        for (path, expected) in [("gone", "No such file"), ("folder", "given a folder")] {
            let source = format!(r#"{{ {kind} = "{path}", label = "l", subject = "s" }}"#);
            refused(
                path,
                load(folder.path(), &source),
                &[expected, path, "check the path"],
            );
        }
    }
    let source = r#"{ leaf = "folder" }"#;
    refused(
        "no JSON",
        load(folder.path(), source),
        &["folder without JSON", "preprocess.sh"],
    );
}

#[test]
fn parquet() {
    let folder = tempfile::tempdir().unwrap();
    let age = |cells: &[Cell]| Column::Double("age", cells.to_vec());
    let (ill, person) = (
        Column::Int("ill", vec![Some(0), Some(1)]),
        Column::Text("person", vec![Some("a"), Some("b")]),
    );
    let fine = age(&[Some(1.0), Some(2.0)]);
    let cases: [(&str, Vec<Column>, &[&str]); 8] = [
        (
            "missing number",
            vec![age(&[Some(1.0), None]), ill.clone(), person.clone()],
            &["row 2", "\"age\"", "an empty cell"],
        ),
        (
            "nan",
            vec![
                age(&[Some(f64::NAN), Some(1.0)]),
                ill.clone(),
                person.clone(),
            ],
            &["row 1", "a finite number"],
        ),
        (
            "negative label",
            vec![
                fine.clone(),
                Column::Int("ill", vec![Some(0), Some(-1)]),
                person.clone(),
            ],
            &["row 2", "\"ill\"", "given -1"],
        ),
        (
            "missing subject",
            vec![
                fine.clone(),
                ill.clone(),
                Column::Text("person", vec![Some("a"), None]),
            ],
            &["row 2", "\"person\"", "a name or a whole number"],
        ),
        (
            "image as label",
            vec![
                fine.clone(),
                Column::Image("ill", vec![vec![0; 4], vec![1; 4]]),
                person.clone(),
            ],
            &["row 1", "\"ill\"", "4 bytes"],
        ),
        (
            "no label column",
            vec![fine.clone(), person.clone()],
            &["\"ill\"", "age, person"],
        ),
        (
            "no feature",
            vec![ill.clone(), person.clone()],
            &["at least one feature"],
        ),
        (
            "two images",
            vec![
                Column::Image("left", vec![vec![0; 4], vec![1; 4]]),
                Column::Image("right", vec![vec![0; 4], vec![1; 4]]),
                ill,
                person,
            ],
            &["2 columns of images", "choose one"],
        ),
    ];
    let source = r#"{ parquet = "p.parquet", label = "ill", subject = "person" }"#;
    let path = folder.path().join("p.parquet");
    for (name, columns, expected) in cases {
        write_parquet(&path, &columns, Compression::UNCOMPRESSED);
        refused(
            name,
            load(folder.path(), source),
            &[&["p.parquet"], expected].concat(),
        );
    }
    let whole = fs::read(&path).unwrap();
    for (name, bytes) in [
        ("truncated", &whole[..whole.len() / 2]),
        ("empty", &[]),
        ("text", b"age,"),
    ] {
        fs::write(&path, bytes).unwrap();
        refused(
            name,
            load(folder.path(), source),
            &["p.parquet", "a complete Parquet file"],
        );
    }
    write_parquet(
        &path,
        &[
            age(&[]),
            Column::Int("ill", Vec::new()),
            Column::Text("person", Vec::new()),
        ],
        Compression::UNCOMPRESSED,
    );
    refused(
        "no rows",
        load(folder.path(), source),
        &["no rows", "at least one row"],
    );
}

#[test]
fn membership() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("people.csv"),
        "age,ill,person\n1,0,a\n2,1,b\n3,0,c\n4,1,d\n",
    )
    .unwrap();
    let read = |keys: &str| {
        let source = r#"source = { csv = "people.csv", label = "ill", subject = "person" }"#;
        let config: siloscope_data::DataConfig =
            toml::from_str(&format!("{source}\nmembership = {{ {keys} }}")).unwrap();
        let dataset = config
            .load(folder.path(), &primitives::Seed::from_number(1))
            .unwrap();
        let enrolment = config.membership.unwrap().read(folder.path(), &dataset)?;
        Ok(enrolment.subjects().count())
    };
    let cases: [Case<'_>; 6] = [
        (
            "no column",
            "person,member\na,1\n",
            &["column \"subject\"", "person, member"],
        ),
        (
            "neither yes nor no",
            "subject,member\na,1\nb,2\n",
            &["row 2", "\"member\"", "\"2\"", "yes or no"],
        ),
        (
            "an empty cell",
            "subject,member\na,\n",
            &["row 1", "\"member\""],
        ),
        (
            "a stranger",
            "subject,member\na,1\nz,0\n",
            &["row 2", "\"z\"", "a subject of"],
        ),
        (
            "both",
            "subject,member\na,1\nb,0\na,0\n",
            &["row 3", "as a member and as none"],
        ),
        ("empty", "", &["no rows"]),
    ];
    for (name, text, expected) in cases {
        fs::write(folder.path().join("members.csv"), text).unwrap();
        refused(name, read(r#"file = "members.csv""#), expected);
    }
    refused(
        "ending",
        read(r#"file = "members.txt""#),
        &["another ending", ".parquet"],
    );
    refused(
        "absent",
        read(r#"file = "nowhere.csv""#),
        &["nowhere.csv", "check the path"],
    );
    // What is right is read in either format, and rows may repeat what they said.
    fs::write(
        folder.path().join("members.csv"),
        "who,joined\na,Yes\nb,0\na,yes\n",
    )
    .unwrap();
    let keys = r#"file = "members.csv", subject = "who", member = "joined""#;
    assert_eq!(read(keys), Ok(2));
    let columns = [
        Column::Text("subject", vec![Some("a"), Some("b"), Some("c")]),
        Column::Int("member", vec![Some(1), Some(0), Some(0)]),
    ];
    write_parquet(
        &folder.path().join("members.parquet"),
        &columns,
        Compression::SNAPPY,
    );
    assert_eq!(read(r#"file = "members.parquet""#), Ok(3));
}
