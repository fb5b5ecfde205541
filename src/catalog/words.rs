//! Finds products by the words of their names.
//!
//! The catalog of an older version has no words: the first search adds them once. After that, each
//! changed product changes its words.

use std::collections::BTreeSet;

use redb::ReadableDatabase as _;

use super::codes::{CodeOf, product_words, words};
use super::{CODES, Catalog, CatalogError};
use crate::odoo::Kind;

/// The key in the catalog's meta table: the words of all products are in the table of codes.
const WORDS: &str = "words";
/// Shorter words match only whole words.
const PREFIX_CHARACTERS_MIN: usize = 3;
/// Limit of the products whose words a search reads.
const READ_MAX: usize = 50_000;

/// The products that a text names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductsNamed {
    /// Their barcodes and internal references.
    pub codes: Vec<String>,
    /// There are more.
    pub is_cut: bool,
}

impl Catalog {
    /// Finds at most `limit` products that have all words of the text in their names. A word may be
    /// the beginning of a word of the name.
    pub fn products_named(&self, text: &str, limit: usize) -> Result<ProductsNamed, CatalogError> {
        self.add_words()?;
        let mut found: Option<BTreeSet<i64>> = None;
        for word in words(text) {
            let ids = self.ids_with_word(&word)?;
            found = Some(match found {
                None => ids,
                Some(found) => found.intersection(&ids).copied().collect(),
            });
        }
        let mut named = ProductsNamed::default();
        let found = found.unwrap_or_default();
        for id in found.iter().take(limit) {
            let row = self.row(Kind::Product, *id)?.unwrap_or_default();
            named.codes.extend(row.barcode);
            named.codes.extend(row.default_code);
        }
        named.is_cut = found.len() > limit;
        Ok(named)
    }

    /// The products with a word in their names that begins with this one.
    fn ids_with_word(&self, word: &str) -> Result<BTreeSet<i64>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let index = read
            .open_multimap_table(CODES)
            .map_err(|e| self.broken(&e))?;
        let of = CodeOf::ProductWord as u8;
        let is_prefix = word.chars().nth(PREFIX_CHARACTERS_MIN - 1).is_some();
        let mut ids = BTreeSet::new();
        for entry in index.range((of, word)..).map_err(|e| self.broken(&e))? {
            let (key, found) = entry.map_err(|e| self.broken(&e))?;
            let (kind, text) = key.value();
            let is_match = text == word || is_prefix && text.starts_with(word);
            if kind != of || !is_match || ids.len() >= READ_MAX {
                break;
            }
            for id in found {
                ids.insert(id.map_err(|e| self.broken(&e))?.value());
            }
        }
        Ok(ids)
    }

    fn add_words(&self) -> Result<(), CatalogError> {
        if self.meta(WORDS)?.is_some() {
            return Ok(());
        }
        let mut products: Vec<(i64, BTreeSet<String>)> = Vec::new();
        self.each(Kind::Product, |row| {
            products.push((row.id, product_words(&row)));
        })?;
        self.write(|write| {
            let mut index = write.open_multimap_table(CODES)?;
            for (id, words) in &products {
                for word in words {
                    index.insert((CodeOf::ProductWord as u8, word.as_str()), *id)?;
                }
            }
            Ok(true)
        })?;
        self.set_meta(WORDS, "all")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::Row;

    fn product(id: i64, name: &str) -> Row {
        Row {
            id,
            active: true,
            display_name: Some(name.to_owned()),
            barcode: Some(format!("400000000{id:04}")),
            default_code: (id == 1).then(|| "MUG-1".to_owned()),
            ..Row::default()
        }
    }

    fn named(copy: &Catalog, text: &str) -> Vec<String> {
        copy.products_named(text, 10).unwrap().codes
    }

    #[test]
    fn a_product_is_found_by_the_words_of_its_name_in_any_case_and_order() {
        let dir = tempfile::tempdir().unwrap();
        let copy = Catalog::open(dir.path(), "x").unwrap();
        copy.claim("x").unwrap();
        let rows = [
            product(1, "[MUG-1] Blue mug, 0.3 l"),
            product(2, "Blauer Straßenbesen"),
            product(3, "Red mug"),
        ];
        copy.apply(Kind::Product, &rows).unwrap();
        let (mug, broom) = (["4000000000001", "MUG-1"], ["4000000000002"]);
        assert_eq!(named(&copy, "MUG blue"), mug);
        assert_eq!(named(&copy, "strasse"), broom);
        assert_eq!(named(&copy, "mug-1"), mug);
        assert_eq!(
            named(&copy, "bl"),
            [""; 0],
            "two characters match whole words only"
        );
        assert_eq!(named(&copy, "blue broom"), [""; 0]);
        assert_eq!(named(&copy, "%"), [""; 0]);
        let found = copy.products_named("mug", 1).unwrap();
        assert_eq!((found.codes.len(), found.is_cut), (2, true));

        copy.apply(Kind::Product, &[product(2, "Green broom")])
            .unwrap();
        assert_eq!(named(&copy, "strasse"), [""; 0]);
        assert_eq!(named(&copy, "broom"), broom);
    }

    #[test]
    fn the_words_of_an_older_catalog_are_added_once() {
        let dir = tempfile::tempdir().unwrap();
        let copy = Catalog::open(dir.path(), "x").unwrap();
        copy.claim("x").unwrap();
        copy.apply(Kind::Product, &[product(3, "Red mug")]).unwrap();
        let remove = copy.write(|write| {
            let mut index = write.open_multimap_table(CODES)?;
            index.remove_all((CodeOf::ProductWord as u8, "mug"))?;
            Ok(true)
        });
        assert!(remove.unwrap());
        assert_eq!(named(&copy, "mug"), ["4000000000003"]);
    }
}
