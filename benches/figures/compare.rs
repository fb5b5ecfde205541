//! Several binaries, measured in turns by the same program.

use std::path::{Path, PathBuf};

use crate::arguments::Arguments;
use crate::daemon;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One result of a run. Each run of a measurement has the same names in the same order.
#[derive(Debug, Clone)]
pub struct Figure {
    pub name: String,
    pub value: f64,
}

/// Measures each binary in each round, the older ones first. If there is more than one run, prints
/// the medians, and their ratio to those of the first binary.
pub async fn rounds(
    arguments: &Arguments,
    measure: impl AsyncFn(&Path) -> Answer<Vec<Figure>>,
) -> Answer<()> {
    let mut binaries = arguments.before.clone();
    binaries.push(daemon::program());
    let mut runs: Vec<Vec<Vec<Figure>>> = vec![Vec::new(); binaries.len()];
    for round in 1..=arguments.rounds {
        for (binary, runs) in binaries.iter().zip(&mut runs) {
            // Other work on the machine explains figures that do not fit the others.
            let load = std::fs::read_to_string("/proc/loadavg")?;
            let load = load.split(' ').next().unwrap_or_default();
            println!("round {round}: {}; load average {load}", binary.display());
            runs.push(measure(binary).await?);
        }
    }
    if arguments.rounds > 1 || binaries.len() > 1 {
        print_medians(&binaries, &runs);
    }
    Ok(())
}

fn print_medians(binaries: &[PathBuf], runs: &[Vec<Vec<Figure>>]) {
    let rounds = runs[0].len();
    println!("medians of {rounds} rounds, and the ratio to the first binary:");
    for (number, binary) in (1..).zip(binaries) {
        println!("  {number}: {}", binary.display());
    }
    for place in 0..runs[0][0].len() {
        let medians: Vec<f64> = (runs.iter())
            .map(|runs| median(runs.iter().map(|figures| figures[place].value).collect()))
            .collect();
        print!("  {:<52}", runs[0][0][place].name);
        for median in &medians {
            print!("{:>14}", short(*median));
        }
        for median in &medians[1..] {
            print!("{:>9.3}", median / medians[0]);
        }
        println!();
    }
}

/// Enough digits of a small number, and no needless ones of a great one.
fn short(value: f64) -> String {
    if value.abs() < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

/// The mean of the two in the middle, if there are two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}
