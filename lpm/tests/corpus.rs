//! What the fuzzer knows, played without it.

#[path = "scene/script.rs"]
mod script;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use lpm::Fib;

/// The files kept for a target, each with its name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_script_of_the_corpus_plays_to_its_end() {
    let scripts = corpus("changes");
    assert!(scripts.len() >= 5);
    for (name, script) in scripts {
        println!("{}", name.display());
        script::play(&script);
    }
}

#[test]
fn every_file_of_the_corpus_is_refused_or_harmless() {
    let files = corpus("load");
    assert!(files.len() >= 4);
    for (name, file) in files {
        println!("{}", name.display());
        let loaded = (Fib::<Ipv4Addr>::load(&file[..]), Fib::<Ipv6Addr>::load(&file[..]));
        assert!(loaded.0.is_err() || loaded.1.is_err(), "a table is of one family");
        let good = name.to_string_lossy().ends_with("good");
        assert_eq!(loaded.0.is_ok() || loaded.1.is_ok(), good, "{loaded:?}");
    }
}
