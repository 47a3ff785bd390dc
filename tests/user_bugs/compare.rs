//! `isochrone diff`: texts, large integers, attributes of groups.

use std::path::Path;

use hdf5::File;
use hdf5::types::{FixedAscii, FixedUnicode, VarLenUnicode};

use super::{folder, line};

fn put<T: hdf5::H5Type>(file: &File, name: &str, values: &[T]) {
    let made = file.new_dataset_builder().with_data(values);
    made.create(name).unwrap();
}

fn write(path: &Path, change: usize) {
    let file = File::create(path).unwrap();
    let texts = |words: [&str; 2]| words.map(|w| w.parse::<VarLenUnicode>().unwrap());
    let pick =
        |same: &'static str, other: &'static str, i: usize| if change == i { other } else { same };
    put(
        &file,
        "variable",
        &texts(["a", pick("Stimulus é", "Stimulus e", 1)]),
    );
    let ascii = |w: &str| FixedAscii::<8>::from_ascii(w).unwrap();
    put(
        &file,
        "fixed",
        &[ascii("left"), ascii(pick("right", "wrong", 2))],
    );
    let long = format!("{}{}", "x".repeat(300), pick("1", "2", 3));
    put(&file, "long", &[long.parse::<FixedUnicode<400>>().unwrap()]);
    // Neighbours of 2⁶³, which are one number as f64.
    let large = (1u64 << 63) + u64::from(change == 4);
    put(&file, "unsigned", &[7, large]);
    put(&file, "signed", &[i64::MIN + i64::from(change == 5), 3]);
    let group = file.create_group("group").unwrap();
    let reason = pick("step", "stalled", 6).parse::<VarLenUnicode>().unwrap();
    (group
        .new_attr::<VarLenUnicode>()
        .create("stop_reason")
        .unwrap())
    .write_scalar(&reason)
    .unwrap();
    let list = [1.0, if change == 7 { 2.5 } else { 2.0 }];
    (group.new_attr_builder().with_data(&list).create("list")).unwrap();
    file.close().unwrap();
}

/// Was: texts were not compared, integers as f64, attributes of groups and lists not at all.
#[test]
fn texts_large_integers_and_attributes_of_groups_pass_as_the_same() {
    let folder = folder();
    let path = folder.path();
    write(&path.join("a.h5"), 0);
    write(&path.join("same.h5"), 0);
    let same = line(path, "diff a.h5 same.h5", &[]).succeeds().stdout;
    assert!(
        !same.contains("not compared") && same.matches("same").count() == 5,
        "{same}"
    );
    for (change, words) in [
        (1, ["/variable", "\"Stimulus é\" and \"Stimulus e\""]),
        (2, ["/fixed", "first at text 1: \"right\" and \"wrong\""]),
        (3, ["/long", "DIFFERENT"]),
        (4, ["/unsigned", "most at number 1"]),
        (5, ["/signed", "most at number 0"]),
        (6, ["/group", "attribute stop_reason: step and stalled"]),
        (7, ["/group", "attribute list: [1.0, 2.0] and [1.0, 2.5]"]),
    ] {
        write(&path.join("b.h5"), change);
        let said = line(path, "diff a.h5 b.h5", &[]);
        let told = said.stdout.lines().filter(|l| l.contains("DIFFERENT"));
        let told: Vec<&str> = told.collect();
        assert_eq!(told.len(), 1, "{}", said.stdout);
        assert!(words.iter().all(|w| told[0].contains(w)), "{}", told[0]);
        said.fails(1, &["a.h5", "b.h5", "1 place"]);
    }
    // Numbers of attributes are held against the tolerance as others are.
    line(path, "diff a.h5 b.h5 --relative 0.3", &[]).succeeds();
}

/// Numbers in one file and texts in the other are no unreadable file.
#[test]
fn numbers_and_texts_are_different() {
    let folder = folder();
    let path = folder.path();
    for (name, text) in [("a.h5", true), ("b.h5", false)] {
        let file = File::create(path.join(name)).unwrap();
        match text {
            true => put(&file, "x", &["1".parse::<VarLenUnicode>().unwrap()]),
            false => put(&file, "x", &[true]),
        }
        file.close().unwrap();
    }
    let said = line(path, "diff a.h5 b.h5", &[]);
    assert!(
        said.stdout.contains("/x") && said.stdout.contains("DIFFERENT"),
        "{}",
        said.stdout
    );
    said.fails(1, &["1 place"]);
}
