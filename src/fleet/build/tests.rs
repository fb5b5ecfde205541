use std::os::unix::fs::symlink;

use super::*;
use crate::fleet::samples::{CAPTURE, MANIFEST_DRAFT};

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

const CONFIG: (&str, &str) = ("files/config.d/50-capture.toml", CAPTURE.1);

fn code(files: &[(&str, &str)]) -> String {
    match build(directory(files).path()).unwrap_err() {
        BuildError::Bundle(error) => error.code().to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn the_same_directory_gives_the_same_bundle_with_all_files_listed() {
    let files = [
        (MANIFEST, MANIFEST_DRAFT.trim_end()),
        CONFIG,
        ("files/groups/nl/devices.toml", "[devices.pda-1]\n"),
        ("README", "not in the bundle"),
    ];
    let one = build(directory(&files).path()).unwrap();
    let mut reversed = files;
    reversed.reverse();
    assert_eq!(one, build(directory(&reversed).path()).unwrap());
    let bundle = Bundle::read(&one.into()).unwrap();
    let listed: Vec<_> = bundle
        .manifest
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        listed,
        ["config.d/50-capture.toml", "groups/nl/devices.toml"]
    );
}

#[test]
fn what_a_gateway_would_refuse_is_not_built() {
    let manifest = (MANIFEST, MANIFEST_DRAFT);
    assert_eq!(code(&[manifest, ("files/notes.txt", "")]), "manifest");
    assert_eq!(
        code(&[manifest, ("files/config.d/1.toml", "data_dir = \"x\"")]),
        "forbidden-key"
    );
    assert_eq!(
        code(&[
            manifest,
            ("files/devices.toml", "[devices.a]\npassword = \"x\"")
        ]),
        "secret"
    );
    assert_eq!(code(&[(MANIFEST, "serial = 1"), CONFIG]), "manifest");
    assert_eq!(
        code(&[manifest, ("files/config.d/a b.toml", "")]),
        "bad-path"
    );
    assert_eq!(
        code(&[manifest, CONFIG, ("files/CONFIG.D/x.toml", "")]),
        "case-clash"
    );
    let listed = format!("{MANIFEST_DRAFT}[[file]]\npath = \"devices.toml\"\n");
    assert_eq!(code(&[(MANIFEST, &listed), CONFIG]), "manifest");
    assert!(code(&[CONFIG]).contains("manifest.toml cannot be read"));
    assert!(code(&[manifest]).contains("files cannot be read"));
}

#[test]
fn a_link_is_named() {
    let dir = directory(&[(MANIFEST, MANIFEST_DRAFT), CONFIG]);
    symlink("/etc/passwd", dir.path().join("files/devices.toml")).unwrap();
    let error = build(dir.path()).unwrap_err().to_string();
    assert!(error.contains("devices.toml is a symbolic link"), "{error}");
}

#[test]
fn a_large_file_is_not_read() {
    let dir = directory(&[(MANIFEST, MANIFEST_DRAFT), CONFIG]);
    let large = fs::File::create(dir.path().join("files/devices.toml")).unwrap();
    large.set_len(2 << 30).unwrap();
    match build(dir.path()).unwrap_err() {
        BuildError::Bundle(error) => assert_eq!(error.code(), "too-large"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_floor_device_without_a_value_is_found_before_signing() {
    let template = r#"{"volume": "{{volume}}"}"#;
    let mut files = vec![
        (MANIFEST, MANIFEST_DRAFT),
        ("files/floor/esp32.json", template),
    ];
    assert_eq!(code(&files), "floor");
    files.push(("files/floor/values.toml", "[all]\nvolume = 7\n"));
    build(directory(&files).path()).unwrap();
}

#[test]
fn files_beside_the_files_of_a_bundle_are_named() {
    let files = [
        (MANIFEST, MANIFEST_DRAFT),
        CONFIG,
        ("devices.toml", "[devices.pda-1]\n"),
        ("README", "for people"),
        ("notes.md", "for people"),
        (".git/config", ""),
        ("config.d/1.toml", ""),
    ];
    let directory = directory(&files);
    assert_eq!(left_out(directory.path()), ["config.d", "devices.toml"]);
}
