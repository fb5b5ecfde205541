use super::*;
use crate::fleet::build::build;

const COMMON: &str = "capture.check = \"strict\"\n";
const OF_NL: &str = "capture.check = \"off\"\n";

/// Stores a bundle for two groups, with the files of `group` in its folder.
fn stored(dir: &Path, group: &Name) -> PathBuf {
    let source = dir.join("source");
    let files = [
        ("config.d/50.toml", COMMON),
        ("groups/nl/config.d/50.toml", OF_NL),
        ("groups/nl/config.d/60.toml", "odoo.timeout_s = 21\n"),
        ("groups/be/config.d/70.toml", "odoo.timeout_s = 22\n"),
    ];
    for (path, text) in files {
        let path = source.join("files").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let manifest = "format = 1\nserial = 7\nname = \"x\"\ncreated = \"2026-01-01T00:00:00Z\"\n\
                    expires = \"2096-01-01T00:00:00Z\"\n[targets]\nall = true\n[[ring]]\nall = true\n";
    fs::write(source.join("manifest.toml"), manifest).unwrap();
    let bytes = build(&source).unwrap();
    let bundle = Bundle::read(&bytes.clone().into()).unwrap();
    let id = BundleId {
        serial: 7,
        manifest: ManifestHash(bundle.hash()),
    };
    let folder = dir.join("fleet/sets").join(id.to_string());
    for below in ["fleet/sets", "fleet/bundles"] {
        fs::create_dir_all(dir.join(below)).unwrap();
    }
    fs::write(bundle_of_set(&folder), bytes).unwrap();
    let set = SiteSet::of(&bundle, &site(), Some(group));
    set.unpack(&folder).unwrap();
    folder
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn site() -> Name {
    name("ams1")
}

/// The files in the folder as a start leaves them.
fn repaired(folder: &Path, group: &str) -> Vec<(String, String)> {
    let set = open(folder, &site(), Some(&name(group))).unwrap();
    repair(&set, folder).unwrap();
    let mut found = BTreeSet::new();
    list_files(folder, "", &mut found).unwrap();
    let read = |path: String| {
        let text = fs::read_to_string(folder.join(&path)).unwrap();
        (path, text)
    };
    found.into_iter().map(read).collect()
}

fn expected(files: [(&str, &str); 2]) -> Vec<(String, String)> {
    let owned = |(path, text): (&str, &str)| (path.to_owned(), text.to_owned());
    files.map(owned).into()
}

fn of_nl() -> Vec<(String, String)> {
    expected([
        ("config.d/50.toml", OF_NL),
        ("config.d/60.toml", "odoo.timeout_s = 21\n"),
    ])
}

#[test]
fn another_group_gets_its_files_from_the_stored_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let folder = stored(dir.path(), &name("nl"));
    assert_eq!(repaired(&folder, "nl"), of_nl());
    let of_be = expected([
        ("config.d/50.toml", COMMON),
        ("config.d/70.toml", "odoo.timeout_s = 22\n"),
    ]);
    assert_eq!(repaired(&folder, "be"), of_be);
    assert_eq!(repaired(&folder, "nl"), of_nl());
}

#[test]
fn damaged_and_missing_files_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = stored(dir.path(), &name("nl"));
    fs::write(folder.join("config.d/50.toml"), "damaged").unwrap();
    assert_eq!(repaired(&folder, "nl"), of_nl());
    let secret = folder.join(secrets::FOLDER).join("odoo-api-key");
    fs::create_dir(secret.parent().unwrap()).unwrap();
    fs::write(&secret, "decrypted").unwrap();
    // A link to the same content is not the file.
    let elsewhere = dir.path().join("elsewhere.toml");
    fs::rename(folder.join("config.d/60.toml"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("config.d/60.toml")).unwrap();
    repair(&open(&folder, &site(), Some(&name("nl"))).unwrap(), &folder).unwrap();
    assert!(
        fs::symlink_metadata(folder.join("config.d/60.toml"))
            .unwrap()
            .is_file()
    );
    assert_eq!(fs::read_to_string(&secret).unwrap(), "decrypted");
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(repaired(&folder, "nl"), of_nl());
}

#[test]
fn a_stored_bundle_that_is_another_one_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let folder = stored(dir.path(), &name("nl"));
    let other = folder.with_file_name(format!("8-{}", "00".repeat(32)));
    fs::copy(bundle_of_set(&folder), bundle_of_set(&other)).unwrap();
    let error = open(&other, &site(), None).unwrap_err();
    assert!(error.contains("its manifest is another one"), "{error}");
    fs::write(bundle_of_set(&folder), "damaged").unwrap();
    let error = open(&folder, &site(), None).unwrap_err();
    assert!(error.contains("apply the bundle again"), "{error}");
}
