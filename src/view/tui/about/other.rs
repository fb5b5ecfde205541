//! Short pages: a source, a key of the configuration, a line of the log.

use super::PageText;
use crate::view::tui::data::Subject;
use crate::view::tui::panels::SCANNER;
use crate::view::tui::theme::Role;

pub fn write_source(text: &mut PageText<'_>, name: &str) {
    let (data, words) = (text.data, text.data.words);
    let Some(source) = data
        .status
        .sources
        .iter()
        .find(|source| source.name == name)
    else {
        text.line(words.t("The configuration no longer has this source."));
        return;
    };
    let view = &source.view;
    let state = words.word(&view.state);
    text.value_in("state", state, Role::of_state(&view.state));
    text.value("devices", words.number(view.devices));
    if let Some(why) = &view.detail {
        text.value("why", why);
    }
    if let Some(device) = name.strip_prefix(SCANNER) {
        text.link(
            words.fill("device {name}", &[("name", device)]),
            Subject::Device(device.to_owned()),
        );
    }
}

pub fn write_key(text: &mut PageText<'_>, key: &str) {
    let (data, words) = (text.data, text.data.words);
    let Some(value) = data.config.keys.get(key) else {
        text.line(words.t("The configuration does not have this key."));
        return;
    };
    text.value("set by", &value.origin);
    text.heading(words.t("Value"));
    let value = serde_json::to_string_pretty(&value.value).unwrap_or_default();
    value.lines().for_each(|line| text.line(line));
}

pub fn write_log(text: &mut PageText<'_>, number: u64) {
    let (data, words) = (text.data, text.data.words);
    let Some(line) = data.log.lines.iter().find(|line| line.number == number) else {
        text.line(words.t("The daemon keeps only its newest lines: this one is gone."));
        return;
    };
    text.value("time", data.time(line.at));
    text.value("level", &line.level);
    text.value("part", &line.part);
    text.heading(words.t("Text"));
    text.line(&line.text);
}
