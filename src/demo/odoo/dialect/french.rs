//! Refusals in French, the language of the key's user, whatever language a call asks for: what the
//! gateway decides by a text, it decides wrongly here.

use serde_json::{Value, json};

use super::super::refusal::Refusal;

/// What Odoo translates. What Python or PostgreSQL says stays English.
pub fn refusal(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::User(text) => Refusal::User(french("Opération impossible", &text)),
        Refusal::Validation(text) => Refusal::Validation(french("Valeur non valide", &text)),
        Refusal::Missing(text) => Refusal::Missing(french("Enregistrement supprimé", &text)),
        Refusal::Access(text) => Refusal::Access(french("Accès refusé", &text)),
        other => other,
    }
}

/// The messages of a `load` that loaded nothing.
pub fn loaded(mut answer: Value) -> Value {
    if answer["ids"] != Value::Bool(false) {
        return answer;
    }
    for message in answer["messages"].as_array_mut().into_iter().flatten() {
        let text = message["message"].as_str().unwrap_or_default();
        if !text.starts_with("could not serialize") {
            message["message"] = json!(french("Importation impossible", text));
        }
    }
    answer
}

/// Numbers and names stay, as in a translation; the words do not.
fn french(about: &str, text: &str) -> String {
    let is_told = |word: &&str| {
        word.contains(|c: char| c.is_ascii_digit()) || word.starts_with('[') || word.contains('_')
    };
    let told: Vec<&str> = text.split_whitespace().filter(is_told).collect();
    format!("{about} : {}", told.join(" "))
}
