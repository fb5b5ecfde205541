use serde_json::json;

use super::*;

const TEMPLATE: &str = "files/floor/esp32.json";
const VALUES: &str = "files/floor/values.toml";
const LIST: &str = "files/devices.toml";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn file(origin: &str, text: &str) -> FloorFile {
    FloorFile {
        origin: origin.to_owned(),
        text: text.to_owned(),
    }
}

/// A bundle with the template of the family esp32.
fn files(template: &str, values: &str) -> FloorFiles {
    FloorFiles {
        templates: [("esp32".to_owned(), file(TEMPLATE, template))].into(),
        values: (!values.is_empty()).then(|| file(VALUES, values)),
    }
}

fn list(devices: &[(&str, &str)]) -> FloorList {
    let devices = devices.iter().enumerate();
    let devices = devices.map(|(index, (device, family))| FloorDevice {
        name: name(device),
        family: name(family),
        line: Some(index * 2 + 1),
    });
    FloorList {
        origin: LIST.to_owned(),
        devices: devices.collect(),
    }
}

/// At site ams1 of group nl, with the devices pda-1 and pda-2 of family esp32.
fn fill_in(template: &str, values: &str) -> Filled {
    let group = name("nl");
    let list = list(&[("pda-1", "esp32"), ("pda-2", "esp32")]);
    fill(&files(template, values), &name("ams1"), Some(&group), &list)
}

fn message(filled: &Filled, device: &str) -> Value {
    let payload = &filled.configs[&name(device)].payload;
    serde_json::from_slice(payload).unwrap()
}

#[track_caller]
fn config(template: &str, values: &str) -> Value {
    let filled = fill_in(template, values);
    assert_eq!(filled.faults, [], "{template} {values}");
    message(&filled, "pda-1")["config"].clone()
}

fn faults(template: &str, values: &str) -> Vec<String> {
    let filled = fill_in(template, values);
    filled.faults.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refuses(template: &str, values: &str, wanted: &[&str]) {
    let found = faults(template, values);
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
        assert!(found.contains("; accepted is "), "{found}");
    }
    // A device with a fault gets no configuration.
    assert_eq!(fill_in(template, values).configs, [].into());
}

#[test]
fn the_narrower_section_wins() {
    let template = r#"{"all": "{{a}}", "group": "{{g}}", "site": "{{s}}", "device": "{{d}}"}"#;
    let values = "\
        [all]\na = 1\ng = 1\ns = 1\nd = 1\n\
        [group.nl]\ng = 2\ns = 2\nd = 2\n[group.de]\na = 9\n\
        [site.ams1]\ns = 3\nd = 3\n[site.ams2]\na = 9\n\
        [device.pda-1]\nd = 4\n[device.pda-9]\na = 9\n";
    let filled = fill_in(template, values);
    assert_eq!(
        (&filled.faults[..], &filled.warnings[..]),
        (&[][..], &[][..])
    );
    let wanted = json!({"all": 1, "group": 2, "site": 3, "device": 4});
    assert_eq!(message(&filled, "pda-1")["config"], wanted);
    let wanted = json!({"all": 1, "group": 2, "site": 3, "device": 3});
    assert_eq!(message(&filled, "pda-2")["config"], wanted);
    // Without a group, its section does not count.
    let list = list(&[("pda-2", "esp32")]);
    let filled = fill(&files(template, values), &name("ams1"), None, &list);
    assert_eq!(message(&filled, "pda-2")["config"]["group"], 1);
}

#[test]
fn a_whole_text_takes_the_type_of_the_value_and_a_longer_text_stays_a_text() {
    let template = r#"{"t": "{{t}}", "i": "{{ i }}", "f": "{{f}}", "b": "{{b}}", "l": "{{l}}",
        "o": "{{o}}", "long": "<{{t}}|{{i}}|{{f}}|{{b}}>", "own": "{{site}}/{{device}}",
        "inner": [{"x": ["{{i}}"]}], "plain": [null, true, 1.5, "a } {b}"]}"#;
    let values =
        "[all]\nt = 'a\"b\\'\ni = 0x10\nf = 1.5\nb = true\nl = [1, [\"x\"]]\no = { k = 1 }\n";
    let wanted = json!({
        "t": "a\"b\\", "i": 16, "f": 1.5, "b": true, "l": [1, ["x"]], "o": {"k": 1},
        "long": "<a\"b\\|16|1.5|true>", "own": "ams1/pda-1",
        "inner": [{"x": [16]}], "plain": [null, true, 1.5, "a } {b}"],
    });
    assert_eq!(config(template, values), wanted);
}

#[test]
fn a_comment_is_left_out_and_its_placeholders_do_not_count() {
    let template = r#"{"$comment": "see {{nothing}}", "a": {"$comment": ["{{"], "b": 1}}"#;
    assert_eq!(config(template, ""), json!({"a": {"b": 1}}));
}

#[test]
fn the_version_changes_only_with_the_content() {
    let version = |template: &str, values: &str| {
        let filled = fill_in(template, values);
        let config = &filled.configs[&name("pda-1")];
        assert_eq!(message(&filled, "pda-1")["version"], config.version);
        config.version.clone()
    };
    let first = version(r#"{"a": "{{x}}", "b": [1, 2]}"#, "[all]\nx = 1\n");
    // The first 16 digits of: printf '{"a":1,"b":[1,2]}' | sha256sum
    assert_eq!(first, "8baa73198470c7bb");
    let same = "{ \"b\" : [1,\n2], \"$comment\": 1, \"a\": \"{{y}}\" }";
    assert_eq!(
        version(same, "[device.pda-1]\ny = 1\n[device.pda-2]\ny = 2\n"),
        first
    );
    assert_ne!(
        version(r#"{"a": "{{x}}", "b": [1, 2]}"#, "[all]\nx = 2\n"),
        first
    );
    assert_ne!(
        version(r#"{"a": "{{x}}", "b": [2, 1]}"#, "[all]\nx = 1\n"),
        first
    );
    let payload = &fill_in(r#"{"z": 1, "a": 2}"#, "").configs[&name("pda-1")].payload;
    let text = String::from_utf8_lossy(payload);
    assert!(text.ends_with(r#","config":{"a":2,"z":1}}"#), "{text}");
}

#[test]
fn an_unknown_name_is_one_fault_and_a_missing_value_names_its_devices() {
    let template = r#"{"a": {"b/c": "x {{volme}}"}, "d": "{{volume}}"}"#;
    refuses(
        template,
        "[all]\nvolume = 1\n",
        &[
            "files/floor/esp32.json: /a/b~1c: found {{volme}}, a name without a value; accepted is a name of files/floor/values.toml: add `volme = ...`",
        ],
    );
    let missing = "files/floor/esp32.json: /d: found {{volume}}, which has no value here";
    refuses(
        r#"{"d": "{{volume}}"}"#,
        "[site.ams2]\nvolume = 1\n",
        &[&format!(
            "{missing} (device pda-1, and 1 more); accepted is a value in files/floor/values.toml: in [all], [group.nl], [site.ams1] or"
        )],
    );
    let found = faults(r#"{"d": "{{volume}}"}"#, "[device.pda-1]\nvolume = 1\n");
    assert!(
        found[0].starts_with(&format!("{missing} (device pda-2)")),
        "{found:?}"
    );
    // The other device gets its configuration.
    let filled = fill_in(r#"{"d": "{{volume}}"}"#, "[device.pda-1]\nvolume = 1\n");
    assert_eq!(message(&filled, "pda-1")["config"], json!({"d": 1}));
    refuses(
        r#"{"d": "{{volume}}"}"#,
        "",
        &["files/floor/esp32.json: /d: found {{volume}}, a name without a value"],
    );
}

#[test]
fn a_value_without_a_text_form_is_refused_inside_of_a_longer_text() {
    for (value, kind) in [("[1]", "a list"), ("{ a = 1 }", "a table")] {
        refuses(
            r#"{"a": ["x", "is {{v}}"]}"#,
            &format!("[all]\nv = {value}\n"),
            &[&format!(
                "files/floor/esp32.json: /a/1: found {{{{v}}}} inside of a longer text, with {kind} as its value (device pda-1, and 1 more)"
            )],
        );
    }
}

#[test]
fn a_name_has_values_of_one_type() {
    refuses(
        r#"{"v": "{{v}}"}"#,
        "[all]\nv = 1\n[group.nl]\nv = 1.5\n[device.pda-1]\nv = \"2\"\n",
        &[
            "files/floor/values.toml:6: device.pda-1.v: found a text; accepted is a number, as in line 2 ([all])",
        ],
    );
}

#[test]
fn faults_of_the_template_name_its_line_or_pointer() {
    let start = "files/floor/esp32.json";
    for (template, wanted) in [
        ("{\n\"a\": {{v}}\n}", ":2: found a syntax error in column 7"),
        ("[1]", ": found no JSON object"),
        (
            r#"{"a": "{{v"}"#,
            r#": /a: found "{{v", which is no placeholder"#,
        ),
        (
            r#"{"a": "{{a b}}"}"#,
            r#": /a: found "{{a b}}", which is no placeholder"#,
        ),
        (
            r#"{"{{v}}": 1}"#,
            ": /{{v}}: found a placeholder in the key",
        ),
    ] {
        refuses(template, "[all]\nv = 1\n", &[&format!("{start}{wanted}")]);
    }
}

#[test]
fn faults_of_the_values_name_line_and_key_and_are_all_found_at_once() {
    refuses(
        r#"{"v": "{{v}}"}"#,
        "top = 1\n[all]\nat = 2026-11-29T18:00:00Z\nn = nan\nx = [\"{{v}}\"]\n\"a b\" = 1\nsite = \"x\"\n\
         [other.x]\ny = 1\n[site]\nams1 = 3\n[device.\"a/b\"]\nv = 1\n[group.nl]\nbig = 0xFFFFFFFFFFFFFFFF\n",
        &[
            "files/floor/values.toml:1: top: found a value outside of a section",
            "files/floor/values.toml:3: all.at: found a time without quotes",
            "files/floor/values.toml:4: all.n: found a number that JSON does not have",
            "files/floor/values.toml:5: all.x: found {{ in a value",
            "files/floor/values.toml:6: all.a b: found another name",
            "files/floor/values.toml:7: all.site: found a name with a fixed meaning",
            "files/floor/values.toml:8: other: found another section",
            "files/floor/values.toml:11: site.ams1: found a value outside of a section",
            "files/floor/values.toml:12: device.a/b: found another name",
            "files/floor/values.toml:15: group.nl.big: found a number that JSON does not have",
        ],
    );
    refuses(
        r#"{"v": "{{v}}"}"#,
        "[all]\nv = \n",
        &["files/floor/values.toml:2: found a syntax error: "],
    );
}

#[test]
fn an_unused_value_is_a_warning_with_its_line() {
    let filled = fill_in(
        r#"{"v": "{{v}}"}"#,
        "[all]\nv = 1\nw = 2\n[site.ams2]\nu = 1\n",
    );
    assert_eq!(filled.faults, []);
    let wanted = "files/floor/values.toml: no template uses 2 of the values: all.w (line 3), site.ams2.u (line 5); remove them, or correct their names";
    assert_eq!(filled.warnings, [wanted]);
    let filled = fill_in(r#"{"v": "{{v}}"}"#, "[all]\nv = 1\nw = 2\n");
    let wanted = "files/floor/values.toml:3: all.w: no template uses this value; remove it, or correct its name";
    assert_eq!(filled.warnings, [wanted]);
}

#[test]
fn an_unknown_family_names_the_line_of_the_device() {
    let files = files("{}", "");
    let devices = list(&[("pda-1", "esp32"), ("pda-2", "esp23")]);
    let filled = fill(&files, &name("ams1"), None, &devices);
    let shown: Vec<String> = filled.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "files/devices.toml:3: devices.pda-2.family: found \"esp23\", a family without a template (device pda-2); accepted is a family with a template: esp32; or add files/floor/esp23.json"
        ]
    );
    assert_eq!(filled.configs.len(), 1);
    // Without any template, no device gets a configuration: that may be meant.
    let filled = fill(&FloorFiles::default(), &name("ams1"), None, &devices);
    assert_eq!((filled.faults.len(), filled.configs.len()), (0, 0));
    assert!(filled.warnings[0].starts_with("files/devices.toml: devices have a family"));
}

#[test]
fn a_configuration_that_is_too_large_for_a_retained_message_is_refused() {
    let values = |bytes: usize| format!("[all]\nv = \"{}\"\n", "x".repeat(bytes));
    let overhead = fill_in(r#"{"v": "{{v}}"}"#, &values(0)).configs[&name("pda-1")]
        .payload
        .len();
    let filled = fill_in(r#"{"v": "{{v}}"}"#, &values(DESIRED_BYTES_MAX - overhead));
    assert_eq!(filled.faults, []);
    let too_large = values(DESIRED_BYTES_MAX - overhead + 1);
    refuses(
        r#"{"v": "{{v}}"}"#,
        &too_large,
        &[
            "files/floor/esp32.json: found a configuration of 65537 bytes (device pda-1, and 1 more)",
        ],
    );
    let names: Vec<String> = (0..=128).map(|number| format!("pda-{number}")).collect();
    let devices: Vec<_> = names.iter().map(|name| (name.as_str(), "esp32")).collect();
    let files = files(r#"{"v": "{{v}}"}"#, &values(DESIRED_BYTES_MAX - overhead));
    let filled = fill(&files, &name("ams1"), None, &list(&devices[..128]));
    assert_eq!(filled.faults, []);
    let filled = fill(&files, &name("ams1"), None, &list(&devices));
    let shown = filled.faults[0].to_string();
    let wanted = "files/devices.toml: found configurations of 8454144 bytes for all devices";
    assert!(shown.starts_with(wanted), "{shown}");
}

#[test]
fn a_value_that_makes_a_secret_is_refused_and_not_shown() {
    refuses(
        r#"{"wifi": {"psk": "{{w}}"}}"#,
        "[all]\nw = \"hunter2\"\n",
        &[
            "files/floor/esp32.json: /wifi/psk: found a secret as plain text (not shown) (device pda-1, and 1 more)",
        ],
    );
    let shown = faults(r#"{"wifi": {"psk": "{{w}}"}}"#, "[all]\nw = \"hunter2\"\n");
    assert!(!shown.concat().contains("hunter2"));
}
