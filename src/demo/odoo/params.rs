//! A call's body: `ids`, `context`, and the method's named parameters.

use serde_json::{Map, Value};

use super::refusal::Refusal;

#[derive(Debug, Default)]
pub struct Params(Map<String, Value>);

impl Params {
    #[must_use]
    pub fn new(body: Map<String, Value>) -> Self {
        Self(body)
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a parameter was given as null, false or an empty text.
    #[must_use]
    pub fn is_empty(&self, name: &str) -> bool {
        let value = self.0.get(name);
        value.is_some_and(|value| {
            matches!(value, Value::Null | Value::Bool(false)) || value.as_str() == Some("")
        })
    }

    #[must_use]
    pub fn context(&self, name: &str) -> Option<&Value> {
        self.get("context")?.get(name)
    }

    /// Whether the context has a value that Python takes for true.
    #[must_use]
    pub fn context_flag(&self, name: &str) -> bool {
        !matches!(
            self.context(name),
            None | Some(Value::Null | Value::Bool(false))
        )
    }

    #[must_use]
    pub fn whole(&self, name: &str) -> Option<usize> {
        self.get(name)?.as_u64()?.try_into().ok()
    }

    #[must_use]
    pub fn ids(&self) -> Vec<i64> {
        match self.get("ids") {
            Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_i64).collect(),
            Some(one) => one.as_i64().into_iter().collect(),
            None => Vec::new(),
        }
    }

    pub fn required(&self, name: &str) -> Result<&Value, Refusal> {
        self.0
            .get(name)
            .ok_or_else(|| Refusal::Call(format!("missing a required argument: '{name}'")))
    }

    /// Refuses a parameter that the method does not take.
    pub fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let takes = |name: &str| matches!(name, "ids" | "context") || names.contains(&name);
        match self.0.keys().find(|name| !takes(name)) {
            Some(name) => Err(Refusal::Call(format!(
                "got an unexpected keyword argument '{name}'"
            ))),
            None => Ok(()),
        }
    }
}
