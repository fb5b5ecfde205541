//! The properties that hold for any input. Each fuzz target has a module with a function `check`,
//! which panics if its property does not hold.
//!
//! The fuzz targets in `fuzz_targets/` call these functions with a fuzzer's inputs. `cargo test`
//! includes this file (`tests/it/fuzz.rs`) and calls them with the corpus and seeded mutations.

pub mod bundle;
pub mod framing;
pub mod gs1;
pub mod mqtt;
pub mod nomenclature;
pub mod payload;
pub mod stored;

/// The bytes of one input, taken from the front. After the last byte, each further byte is zero.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// A year: two bytes, the lower one first.
    fn year(&mut self) -> i16 {
        i16::from_le_bytes([self.byte(), self.byte()])
    }

    /// All remaining bytes.
    fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The remaining bytes up to the first one that is not UTF-8.
    fn text(self) -> &'a str {
        let valid = self.0.utf8_chunks().next();
        valid.map_or("", |chunk| chunk.valid())
    }
}
