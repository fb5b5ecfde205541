//! Bundles and directories that the commands refuse.

use super::*;

#[test]
fn a_changed_bundle_is_refused() {
    let office = Office::new();
    office.signed(&["anna"]);
    let good = fs::read(office.path("autumn.bundle")).unwrap();
    let change = |from: &str, to: &str| {
        // The same length, so that the tar file stays in order.
        let text = String::from_utf8(good.clone()).unwrap().replace(from, to);
        assert_eq!(text.len(), good.len());
        fs::write(office.path("autumn.bundle"), text).unwrap();
    };
    change("serial = 42", "serial = 99");
    office.verify("wrong-signature");
    change("check = \"strict\"", "check = \"lenien\"");
    office.verify("wrong-hash");
    fs::write(office.path("autumn.bundle"), &good[..good.len() / 2]).unwrap();
    office.verify("truncated");
    fs::write(office.path("autumn.bundle"), [&good[..], b"more"].concat()).unwrap();
    office.verify("trailing-data");
}

#[test]
fn an_expired_bundle_is_refused() {
    let office = Office::new();
    let old = MANIFEST.replace("2026", "2016").replace("2096", "2017");
    office.write("autumn/manifest.toml", &old);
    office.signed(&["anna"]);
    office.verify("expired");
}

#[test]
fn two_gigabytes_and_compressed_files_are_refused_at_once() {
    let office = Office::new();
    let large = fs::File::create(office.path("autumn.bundle")).unwrap();
    large.set_len(2 << 30).unwrap();
    office.verify("too-large");
    office.signed(&["anna"]);
    office.system("gzip", &["-9", "autumn.bundle"]);
    fs::rename(
        office.path("autumn.bundle.gz"),
        office.path("autumn.bundle"),
    )
    .unwrap();
    let stderr = office.verify("compressed");
    assert!(stderr.contains("gzip"), "{stderr}");
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let office = Office::new();
    office.system("mkfifo", &["pipe.bundle"]);
    for command in ["inspect", "apply"] {
        let mut limited = Command::new("timeout");
        limited.args(["30", env!("CARGO_BIN_EXE_stockrelay"), "config", command]);
        let output = limited.arg(office.path("pipe.bundle")).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {stderr}");
        let text = "cannot be read: it is no regular file; name a bundle";
        assert!(stderr.contains(text), "{command}: {stderr}");
    }
}

/// Archives that the system's tar made of bad files.
#[test]
fn archives_with_other_things_than_files_are_refused() {
    let office = Office::new();
    office.signed(&["anna"]);
    office.system("tar", &["-xf", "autumn.bundle"]);
    office.write("files/devices.toml", "");
    office.write("long/files/config.d/x.toml", "");
    let at = |name: &str| office.path(name);
    symlink("/etc/passwd", at("files/link.toml")).unwrap();
    fs::hard_link(at("files/devices.toml"), at("files/hard.toml")).unwrap();
    office.system("mkfifo", &["files/pipe.toml"]);
    fs::File::create(at("files/sparse.toml"))
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let long = format!("files/{}.toml", "x".repeat(120));
    office.write(&long, "");
    fs::create_dir_all(at("Files/config.d")).unwrap();
    fs::copy(at("files/devices.toml"), at("Files/devices.toml")).unwrap();
    let absolute = at("files/devices.toml");
    let up = "autumn/../files/devices.toml";
    let start = ["-cPf", "bad.bundle", "manifest.toml"];
    for (arguments, code) in [
        (&["files/link.toml"][..], "not-a-file"),
        (&["files/devices.toml", "files/hard.toml"], "not-a-file"),
        (&["files/pipe.toml"], "not-a-file"),
        (&["--sparse", "files/sparse.toml"], "not-a-file"),
        (
            &["--format=pax", "--sparse", "files/sparse.toml"],
            "not-a-file",
        ),
        (&["--format=gnu", &long], "not-a-file"),
        (&["--format=pax", &long], "not-a-file"),
        (&[absolute.to_str().unwrap()], "bad-path"),
        (&[up], "bad-path"),
        (&["files/devices.toml", "Files/devices.toml"], "case-clash"),
        (
            &[
                "--hard-dereference",
                "files/devices.toml",
                "files/devices.toml",
            ],
            "duplicate-path",
        ),
        (&["/dev/null"], "not-a-file"),
        (&["long"], "foreign-file"),
    ] {
        office.system("tar", &[&start[..], arguments].concat());
        office.refused(&["inspect", "bad.bundle"], code);
    }
    office.system(
        "tar",
        &["-cf", "bad.bundle", "files/devices.toml", "manifest.toml"],
    );
    office.refused(&["inspect", "bad.bundle"], "no-manifest");
}

#[test]
fn a_directory_with_secrets_or_forbidden_keys_becomes_no_bundle() {
    let office = Office::new();
    let build = ["bundle", "autumn", "-o", "autumn.bundle"];
    for (path, text, part) in [
        (
            "files/devices.toml",
            "[devices.pda-1]\npassword = \"hunter2\"\n",
            "files/devices.toml:2: devices.pda-1.password",
        ),
        (
            "files/config.d/60.toml",
            "# -----BEGIN RSA PRIVATE KEY-----\n",
            "files/config.d/60.toml:1: found a private key",
        ),
        (
            "files/config.d/60.toml",
            "\nsite = \"ams2\"\n",
            "files/config.d/60.toml:2: site",
        ),
        (
            "files/config.d/60.toml",
            "[control]\nmetrics = \"0.0.0.0:1\"\n",
            "files/config.d/60.toml:1: control",
        ),
        ("files/notes.txt", "", "found \"notes.txt\""),
    ] {
        let path = format!("autumn/{path}");
        office.write(&path, text);
        let (code, _, stderr) = office.run(&build);
        assert!(code == 1 && stderr.contains(part), "{part}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
        assert!(!office.path("autumn.bundle").exists());
        fs::remove_file(office.path(&path)).unwrap();
    }
    office.done(&build);
}
