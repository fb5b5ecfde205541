//! The properties of the fuzz targets hold for their corpus and for seeded mutations of it.
//!
//! cargo-fuzz searches further, on a nightly compiler: `fuzz/README.md`. An input on which it
//! failed goes into the corpus.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::turn::wait_for_turn;

#[path = "../../fuzz/src/lib.rs"]
mod properties;

const MUTATIONS: u64 = 10_000;
const INPUT_BYTES_MAX: usize = 4_200;
/// Bytes at which readers decide: ends, escapes, separators, largest lengths.
const MARKS: [u8; 12] = *b"\x00\x1d\x7f\x80\xff\n\"\\(){%";

#[test]
fn a_bundle_is_read_without_panic_and_only_what_the_key_signed_is_accepted() {
    let _turn = wait_for_turn();
    run("bundle", properties::bundle::check);
}

#[test]
fn framing_cuts_any_line_the_same_way() {
    run("framing", properties::framing::check);
}

#[test]
fn gs1_reads_again_what_it_writes_from_any_text() {
    run("gs1", properties::gs1::check);
}

#[test]
fn mqtt_reads_any_bytes_the_same_way_however_they_are_cut() {
    run("mqtt", properties::mqtt::check);
}

#[test]
fn a_nomenclature_reads_any_code_by_any_rules() {
    run("nomenclature", properties::nomenclature::check);
}

#[test]
fn any_payload_ends_as_events_and_rejections() {
    let _turn = wait_for_turn();
    run("payload", properties::payload::check);
}

#[test]
fn a_stored_record_is_the_same_after_it_is_written_again() {
    run("stored", properties::stored::check);
}

/// A fault two mutations away from the corpus is found, so the mutations do reach the code.
#[test]
fn mutations_find_a_fault() {
    let corpus = [b"{\"id\": 1, \"code\": 22}".to_vec()];
    let mut mutator = Mutator::new(&corpus);
    let found = (0..MUTATIONS)
        .filter(|_| {
            let input = mutator.next_input();
            input.contains(&0xff) && !input.contains(&b'}')
        })
        .count();
    assert!(found > 10, "{found} of {MUTATIONS}");
}

/// Checks each input of the target's corpus, then the mutations. Every run tries the same inputs.
fn run(target: &str, check: fn(&[u8])) {
    let corpus = corpus(target);
    for input in &corpus {
        try_input(target, input, check);
    }
    let mut mutator = Mutator::new(&corpus);
    for _ in 0..MUTATIONS {
        try_input(target, &mutator.next_input(), check);
    }
}

/// The files of `fuzz/corpus/TARGET`, by name.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let inputs = paths.iter().map(|path| fs::read(path).unwrap());
    inputs.collect()
}

fn try_input(target: &str, input: &[u8], check: fn(&[u8])) {
    let _shown_on_panic = Tried { target, input };
    check(input);
}

/// Prints the input when the property panics: `xxd -r -p` makes a file of it for the corpus.
struct Tried<'a> {
    target: &'a str,
    input: &'a [u8],
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut hex = String::new();
            for byte in self.input {
                write!(hex, "{byte:02x}").expect("a String takes all text");
            }
            eprintln!("fuzz target {} failed on the input {hex}", self.target);
        }
    }
}

/// Makes inputs from the corpus. The random numbers have a fixed seed (splitmix64).
struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    fn new(corpus: &'a [Vec<u8>]) -> Self {
        Self { corpus, state: 42 }
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("an index fits");
        usize::try_from(self.number() % end).expect("below an index")
    }

    fn byte(&mut self) -> u8 {
        match self.below(2) {
            0 => MARKS[self.below(MARKS.len())],
            _ => self.number().to_le_bytes()[0],
        }
    }

    /// A range of at most 32 bytes within `length`.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length);
        let to = from + self.below(32.min(length - from) + 1);
        from..to
    }

    /// One input of the corpus, changed one to five times.
    fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.corpus[self.below(self.corpus.len())].clone();
        for _ in 0..=self.below(5) {
            self.change(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        match self.below(7) {
            0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            1 if !input.is_empty() => input[at] = self.byte(),
            2 => input.insert(at, self.byte()),
            3 => drop(input.drain(self.range(input.len()))),
            4 => {
                let copy = input[self.range(input.len())].to_vec();
                input.splice(at..at, copy);
            }
            5 => {
                let other = &self.corpus[self.below(self.corpus.len())];
                let part = other[self.range(other.len())].to_vec();
                input.splice(at..at, part);
            }
            _ => input.truncate(self.below(input.len() + 1)),
        }
    }
}
