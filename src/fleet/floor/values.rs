//! `values.toml`: the values for the placeholders of templates.
//!
//! **In**: the text, with `[all]`, `[group.G]`, `[site.S]` and `[device.D]`. **Out**: for a device
//! the value of each name, where the narrower section wins; or every fault at once, with its line.
//! Pure. A name has values of one JSON type in all sections.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::problem::Spot;
use super::template;
use crate::config::Fault;
use crate::event::Name;
use crate::fleet::keys::line_of;

/// Names whose value the gateway sets.
pub(super) const OWN: [&str; 2] = ["site", "device"];
const SECTIONS: &str = "[all], [group.GROUP], [site.SITE] and [device.DEVICE]";

/// A section of the file. Later ones are narrower.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    All,
    Group(Name),
    Site(Name),
    Device(Name),
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => write!(f, "all"),
            Self::Group(name) => write!(f, "group.{name}"),
            Self::Site(name) => write!(f, "site.{name}"),
            Self::Device(name) => write!(f, "device.{name}"),
        }
    }
}

/// A value and the line of its key.
#[derive(Debug)]
pub(super) struct Given {
    pub value: Value,
    pub line: usize,
}

/// The values of a file without faults.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub sections: BTreeMap<Section, BTreeMap<String, Given>>,
}

impl Values {
    pub fn parse(text: &str, origin: &str) -> Result<Self, Vec<Fault>> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let what = error.message().replace('\n', ", ");
            let spot = Spot::in_line(origin, line_of(text, at), "");
            vec![spot.fault(format!("a syntax error: {what}"), "a TOML file")]
        })?;
        let mut reader = ValuesReader {
            text,
            origin,
            values: Self::default(),
            faults: Vec::new(),
        };
        reader.read(table.get_ref());
        let ValuesReader {
            values, mut faults, ..
        } = reader;
        faults.sort_by_key(|(at, _)| *at);
        let mut faults: Vec<Fault> = faults.into_iter().map(|(_, fault)| fault).collect();
        faults.extend(values.find_other_types(origin));
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(faults)
        }
    }

    /// The value for a device at a site.
    pub fn find(
        &self,
        name: &str,
        (site, group): (&Name, Option<&Name>),
        device: &Name,
    ) -> Option<&Given> {
        let narrow_first = [
            Some(Section::Device(device.clone())),
            Some(Section::Site(site.clone())),
            group.cloned().map(Section::Group),
            Some(Section::All),
        ];
        let mut sections = narrow_first.into_iter().flatten();
        sections.find_map(|section| self.sections.get(&section)?.get(name))
    }

    /// All names that have a value in a section.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.sections.values().flat_map(BTreeMap::keys);
        names.map(String::as_str)
    }

    /// Finds values whose type differs from the same name's in a wider section.
    fn find_other_types(&self, origin: &str) -> Vec<Fault> {
        let mut first: BTreeMap<&str, (&'static str, &Section, usize)> = BTreeMap::new();
        let mut faults = Vec::new();
        for (section, values) in &self.sections {
            for (name, given) in values {
                let kind = describe(&given.value);
                let (wanted, wider, line) =
                    *first.entry(name).or_insert((kind, section, given.line));
                if wanted != kind {
                    let spot = Spot::in_line(origin, given.line, format!("{section}.{name}"));
                    let accepted = format!("{wanted}, as in line {line} ([{wider}])");
                    faults.push(spot.fault(kind, accepted));
                }
            }
        }
        faults
    }
}

/// Names the JSON type of a value.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

struct ValuesReader<'a> {
    text: &'a str,
    origin: &'a str,
    values: Values,
    /// Each with its place in the text.
    faults: Vec<(usize, Fault)>,
}

impl ValuesReader<'_> {
    fn fault(&mut self, at: usize, key: &str, found: &str, accepted: &str) {
        let spot = Spot::in_line(self.origin, line_of(self.text, at), key);
        self.faults.push((at, spot.fault(found, accepted)));
    }

    fn read(&mut self, table: &DeTable) {
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            let Some(inner) = value.get_ref().as_table() else {
                self.fault(at, name, "a value outside of a section", SECTIONS);
                continue;
            };
            let section: fn(Name) -> Section = match name {
                "all" => {
                    self.read_section(Section::All, inner);
                    continue;
                }
                "group" => Section::Group,
                "site" => Section::Site,
                "device" => Section::Device,
                _ => {
                    self.fault(at, name, "another section", SECTIONS);
                    continue;
                }
            };
            self.read_named(name, section, inner);
        }
    }

    /// Reads the sections of groups, of sites or of devices.
    fn read_named(&mut self, kind: &str, section: fn(Name) -> Section, table: &DeTable) {
        for (key, value) in table {
            let (text, at) = (key.get_ref().as_ref(), key.span().start);
            let shown = format!("{kind}.{text}");
            match (Name::new(text), value.get_ref().as_table()) {
                (Ok(name), Some(inner)) => self.read_section(section(name), inner),
                (Ok(_), None) => self.fault(at, &shown, "a value outside of a section", SECTIONS),
                (Err(_), _) => {
                    let accepted = "a name of 1 to 64 of A-Z a-z 0-9 _ . -";
                    self.fault(at, &shown, "another name", accepted);
                }
            }
        }
    }

    fn read_section(&mut self, section: Section, table: &DeTable) {
        let mut read = BTreeMap::new();
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            let shown = format!("{section}.{name}");
            if OWN.contains(&name) {
                let accepted = "another name: the gateway sets {{site}} and {{device}}";
                self.fault(at, &shown, "a name with a fixed meaning", accepted);
            } else if !template::is_name(name) {
                let accepted = "a name of 1 to 64 letters, digits, _ and -";
                self.fault(at, &shown, "another name", accepted);
            }
            match to_json(value.get_ref()) {
                Ok(value) => {
                    let line = line_of(self.text, at);
                    read.insert(name.to_owned(), Given { value, line });
                }
                Err(Unfit { found, accepted }) => self.fault(at, &shown, found, accepted),
            }
        }
        self.values.sections.insert(section, read);
    }
}

/// A TOML value that cannot be filled in.
struct Unfit {
    found: &'static str,
    accepted: &'static str,
}

fn to_json(value: &DeValue) -> Result<Value, Unfit> {
    let number = Unfit {
        found: "a number that JSON does not have",
        accepted: "a number in decimal digits, from -9223372036854775808 to 9223372036854775807 if it is whole",
    };
    match value {
        DeValue::String(text) if template::has_placeholder(text) => Err(Unfit {
            found: "{{ in a value",
            accepted: "a value without placeholders: they are for templates",
        }),
        DeValue::String(text) => Ok(Value::String(text.to_string())),
        DeValue::Boolean(boolean) => Ok(Value::Bool(*boolean)),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map(Value::from)
            .map_err(|_| number),
        DeValue::Float(float) => {
            let parsed = float.as_str().parse::<f64>().ok();
            let finite = parsed.and_then(serde_json::Number::from_f64);
            finite.map(Value::Number).ok_or(number)
        }
        DeValue::Datetime(_) => Err(Unfit {
            found: "a time without quotes",
            accepted: "a time in quotes: JSON has no times",
        }),
        DeValue::Array(values) => {
            let values = values.iter().map(|value| to_json(value.get_ref()));
            values.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| {
                let value = to_json(value.get_ref())?;
                Ok((key.get_ref().to_string(), value))
            });
            let entries: Result<serde_json::Map<_, _>, _> = entries.collect();
            entries.map(Value::Object)
        }
    }
}
