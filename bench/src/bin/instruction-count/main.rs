//! `instruction-count`: what the hot functions cost, in instructions, beside what they cost when somebody last looked.
//!
//! Time depends on the machine and on who else uses it; instructions do not, so they can fail a test. Each function works
//! on fixed input, in a process of its own under valgrind's callgrind, which counts what is executed inside [`counted`] and
//! nothing else. Valgrind knows no AVX-512: on every machine with AVX2 the same instructions are counted, those of the AVX2
//! lookups.
//!
//! The baseline is `bench/instructions.json`. A compiler makes different instructions of the same source, so another one
//! than the baseline's compares nothing and says so. `--renew` writes the baseline anew: to be committed with the change
//! that moves it, and the reason.

mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::work::Work;

/// Counts the instructions of the hot functions, and fails if there are more than in the baseline.
#[derive(Parser, Debug)]
struct Args {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Writes what is counted as the new baseline.
    #[arg(long)]
    renew: bool,
    /// The baseline.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json"))]
    baseline: PathBuf,
    #[command(subcommand)]
    command: Option<Hidden>,
}

/// What this program asks of itself.
#[derive(Subcommand, Debug)]
enum Hidden {
    /// Does one piece of work, for valgrind to watch.
    #[command(hide = true)]
    Work { name: String },
}

/// What was counted when, by which compiler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counts {
    compiler: String,
    /// Instructions for each address or packet, by what is done with it.
    instructions: BTreeMap<String, f64>,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Line {
    work: String,
    counted: f64,
    baseline: Option<f64>,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// As in the baseline, or nearly.
    Same,
    /// Fewer than in the baseline, which should be renewed.
    Fewer,
    /// More than in the baseline.
    More,
    /// Not in the baseline, which should be renewed.
    New,
    /// The baseline is another compiler's.
    NotCompared,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.command {
        Some(Hidden::Work { name }) => work::by_name(name).map(|mut work| {
            counted(&mut work);
            true
        }),
        None => run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("instruction-count: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Where callgrind counts.
#[inline(never)]
fn counted(work: &mut Work) {
    for _round in 0..ROUNDS {
        work();
    }
}

/// Counts, and renews the baseline or compares with it; whether that ends well.
fn run(args: &Args) -> Result<bool, String> {
    let instructions = work::NAMES.iter().map(|name| Ok(((*name).to_owned(), count(name)?)));
    let counts = Counts { compiler: COMPILER.to_owned(), instructions: instructions.collect::<Result<_, String>>()? };
    if args.renew {
        write(&args.baseline, &counts)?;
    }
    let lines = compared(&counts, &read(&args.baseline)?);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&lines).map_err(|error| error.to_string())?);
    } else {
        print_lines(&lines);
    }
    if lines.iter().any(|line| line.verdict == Verdict::NotCompared) {
        eprintln!("skipped: the baseline of instruction-count is not of this compiler, {COMPILER}; --renew writes one");
    }
    Ok(lines.iter().all(|line| line.verdict != Verdict::More))
}

/// Instructions per address or packet.
fn count(name: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
    let counts = tempfile::NamedTempFile::new().map_err(|error| format!("cannot write counts: {error}"))?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--toggle-collect=*instruction_count::counted*"]);
    valgrind.arg(format!("--callgrind-out-file={}", counts.path().display()));
    let output = valgrind.arg(program).args(["work", name]).output();
    let output = output.map_err(|error| format!("cannot run valgrind, of the package of that name: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{name}` failed under valgrind:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = std::fs::read_to_string(counts.path()).map_err(|error| format!("cannot read the counts: {error}"))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: Option<f64> = total.and_then(|total| total.parse().ok());
    match total {
        Some(total) if total > 0.0 => Ok((total / f64::from(ROUNDS) / work::SIZE as f64 * 10.0).round() / 10.0),
        _ => Err(format!("valgrind counted nothing for `{name}`: was the program stripped of its symbols?")),
    }
}

/// Each piece of work beside its baseline.
fn compared(counts: &Counts, baseline: &Counts) -> Vec<Line> {
    let line = |(work, counted): (&String, &f64)| {
        let before = baseline.instructions.get(work).copied();
        let verdict = match before {
            _ if counts.compiler != baseline.compiler => Verdict::NotCompared,
            None => Verdict::New,
            Some(before) if *counted > before * (1.0 + TOLERANCE) => Verdict::More,
            Some(before) if *counted < before * (1.0 - TOLERANCE) => Verdict::Fewer,
            Some(_) => Verdict::Same,
        };
        Line { work: work.clone(), counted: *counted, baseline: before, verdict }
    };
    counts.instructions.iter().map(line).collect()
}

fn read(path: &Path) -> Result<Counts, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the baseline {}: {error}; --renew writes one", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is no baseline: {error}", path.display()))
}

fn write(path: &Path, counts: &Counts) -> Result<(), String> {
    let text = serde_json::to_string_pretty(counts).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn print_lines(lines: &[Line]) {
    println!("{:<44}{:>12}{:>12}", "instructions for each address or packet", "counted", "baseline");
    for Line { work, counted, baseline, verdict } in lines {
        let baseline = baseline.map_or("-".to_owned(), |baseline| format!("{baseline:.1}"));
        let verdict = match verdict {
            Verdict::Same => "",
            Verdict::Fewer => "fewer: renew the baseline",
            Verdict::More => "MORE",
            Verdict::New => "new: renew the baseline",
            Verdict::NotCompared => "not compared",
        };
        println!("{work:<44}{counted:>12.1}{baseline:>12}  {verdict}");
    }
}

/// More instructions than the baseline's, by so much, are too many. Where functions are inlined moves by less.
const TOLERANCE: f64 = 0.02;

/// Times that a piece of work is done. A packet that is forwarded each time has hops for twice as many.
const ROUNDS: u32 = 100;

/// As it calls itself.
const COMPILER: &str = env!("BENCH_COMPILER");

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(compiler: &str, instructions: &[(&str, f64)]) -> Counts {
        let instructions = instructions.iter().map(|(work, count)| ((*work).to_owned(), *count)).collect();
        Counts { compiler: compiler.to_owned(), instructions }
    }

    fn verdicts(counted: &Counts, baseline: &Counts) -> Vec<Verdict> {
        compared(counted, baseline).iter().map(|line| line.verdict).collect()
    }

    #[test]
    fn two_percent_more_are_tolerated_and_three_are_not() {
        let baseline = counts("rustc 1", &[("a", 100.0), ("b", 100.0), ("c", 100.0)]);
        let counted = counts("rustc 1", &[("a", 102.0), ("b", 103.0), ("c", 97.0)]);
        assert_eq!(verdicts(&counted, &baseline), [Verdict::Same, Verdict::More, Verdict::Fewer]);
    }

    #[test]
    fn what_has_no_baseline_is_said_to_be_new() {
        let counted = counts("rustc 1", &[("a", 100.0)]);
        assert_eq!(verdicts(&counted, &counts("rustc 1", &[])), [Verdict::New]);
    }

    #[test]
    fn another_compiler_is_not_compared_with() {
        let counted = counts("rustc 2", &[("a", 200.0)]);
        assert_eq!(verdicts(&counted, &counts("rustc 1", &[("a", 100.0)])), [Verdict::NotCompared]);
    }

    #[test]
    fn all_work_that_is_counted_can_be_done() {
        for name in work::NAMES {
            counted(&mut work::by_name(name).unwrap());
        }
        assert!(work::by_name("nothing").is_err());
    }
}
