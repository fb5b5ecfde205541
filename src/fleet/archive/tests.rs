use super::*;

const FILES: [(&str, &[u8]); 2] = [
    ("manifest.toml", b"serial = 1\n"),
    ("files/config.d/50.toml", b"[capture]\n"),
];

fn sample() -> Vec<u8> {
    write(FILES).unwrap()
}

fn read_all(archive: &[u8]) -> Result<Vec<Entry>, ArchiveError> {
    read(&Bytes::copy_from_slice(archive))
}

/// The code of the error.
fn code(archive: &[u8]) -> &'static str {
    read_all(archive).unwrap_err().code()
}

/// Changes the header at `block` and corrects its checksum.
fn change(archive: &mut [u8], block: usize, change: impl FnOnce(&mut Header)) {
    let block = &mut archive[block * BLOCK..][..BLOCK];
    let mut header = Header::from_byte_slice(block).clone();
    change(&mut header);
    header.set_cksum();
    block.copy_from_slice(header.as_bytes());
}

fn changed(block: usize, with: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut archive = sample();
    change(&mut archive, block, with);
    archive
}

fn named(name: &[u8]) -> Vec<u8> {
    changed(2, |header| {
        let field = &mut header.as_old_mut().name;
        field.fill(0);
        field[..name.len()].copy_from_slice(name);
    })
}

#[test]
fn what_is_written_is_read_and_is_the_same_each_time() {
    let entries = read_all(&sample()).unwrap();
    let read: Vec<_> = entries
        .iter()
        .map(|entry| (&entry.path[..], &entry.bytes[..]))
        .collect();
    assert_eq!(read, FILES);
    assert_eq!(sample(), sample());
    assert_eq!(read_all(&write([]).unwrap()).unwrap(), []);
}

#[test]
fn a_path_of_100_bytes_is_the_longest() {
    let longest = format!("files/{}", "a".repeat(94));
    let archive = write([(longest.as_str(), &b"x"[..])]).unwrap();
    assert_eq!(read_all(&archive).unwrap()[0].path, longest);
    let error = write([(format!("{longest}a").as_str(), &b"x"[..])]).unwrap_err();
    assert_eq!(error.code(), "bad-path");
    // A ustar header may have a longer path in two fields.
    let archive = changed(2, |header| {
        header.as_ustar_mut().unwrap().prefix[..90].fill(b'p');
    });
    assert_eq!(code(&archive), "bad-path");
    let archive = changed(2, |header| {
        header.as_ustar_mut().unwrap().prefix[..3].copy_from_slice(b"top");
    });
    assert_eq!(
        read_all(&archive).unwrap()[1].path,
        "top/files/config.d/50.toml"
    );
}

#[test]
fn links_devices_and_other_kinds_are_refused() {
    for kind in b"12346".iter().chain(b"7SLKADMNVX9") {
        let archive = changed(2, |header| header.as_old_mut().linkflag = [*kind]);
        let error = read_all(&archive).unwrap_err();
        assert_eq!(error.code(), "not-a-file", "{}", char::from(*kind));
        assert!(
            error.to_string().contains("files/config.d/50.toml"),
            "{error}"
        );
    }
    let old = changed(2, |header| header.as_old_mut().linkflag = [0]);
    assert_eq!(read_all(&old).unwrap().len(), 2);
}

#[test]
fn paths_that_leave_the_directory_or_confuse_are_refused() {
    for name in [
        &b"/etc/passwd"[..],
        b"..",
        b"../x",
        b"files/../../x",
        b"files/./x",
        b"files//x",
        b"files/x/",
        b"",
        b"files/a b",
        b"files/a\\b",
        b"files/\xff",
        b"files/a\n",
        "files/\u{e4}".as_bytes(),
        b".//x",
        b"././x",
    ] {
        let shown = String::from_utf8_lossy(name).into_owned();
        assert_eq!(code(&named(name)), "bad-path", "{shown:?}");
    }
    assert_eq!(read_all(&named(b"./files/x")).unwrap()[1].path, "files/x");
}

#[test]
fn a_name_is_there_once_whatever_its_case() {
    assert_eq!(code(&named(b"manifest.toml")), "duplicate-path");
    assert_eq!(code(&named(b"./manifest.toml")), "duplicate-path");
    assert_eq!(code(&named(b"Manifest.toml")), "case-clash");
    assert_eq!(code(&named(b"manifest.toml/x")), "file-and-directory");
    let clash = [("files/A/x", &b""[..]), ("files/a/y", &b""[..])];
    assert_eq!(write(clash).unwrap_err().code(), "case-clash");
    let clash = [("files/a/x", &b""[..]), ("files/a", &b""[..])];
    assert_eq!(write(clash).unwrap_err().code(), "file-and-directory");
}

#[test]
fn directories_are_left_out_but_their_names_count() {
    let directory = |name: &'static [u8]| {
        let mut archive = sample();
        let at = archive.len() - END_BLOCKS * BLOCK;
        let mut header = Header::new_ustar();
        header.set_size(0);
        header.as_old_mut().linkflag = *b"5";
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        archive.splice(at..at, *header.as_bytes());
        archive
    };
    for name in [&b"files/"[..], b"files/floor/", b"./", b".", b"./files"] {
        assert_eq!(read_all(&directory(name)).unwrap().len(), 2, "{name:?}");
    }
    assert_eq!(code(&directory(b"../")), "bad-path");
    assert_eq!(code(&directory(b"FILES/")), "case-clash");
    assert_eq!(code(&directory(b"manifest.toml/")), "file-and-directory");
    let mut archive = directory(b"files/");
    change(&mut archive, 4, |header| header.set_size(512));
    assert!(read_all(&archive).is_err());
}

#[test]
fn an_archive_that_ends_early_is_refused_at_every_length() {
    let archive = sample();
    for length in 0..archive.len() {
        let error = read_all(&archive[..length]).unwrap_err();
        assert_eq!(error.code(), "truncated", "{length} bytes");
    }
}

#[test]
fn data_that_no_file_has_is_refused() {
    // In the padding of a file, and after the end.
    let archive = sample();
    let mut padded = archive.clone();
    padded[BLOCK + 100] = 1;
    assert_eq!(code(&padded), "trailing-data");
    let mut longer = archive.clone();
    longer.extend([0; 3 * BLOCK]);
    assert_eq!(read_all(&longer).unwrap().len(), 2);
    longer.extend(&archive);
    assert_eq!(code(&longer), "trailing-data");
}

#[test]
fn a_size_that_lies_is_refused() {
    let sized = |field: [u8; 12]| changed(2, |header| header.as_old_mut().size = field);
    assert_eq!(code(&sized(*b"77777777777\0")), "truncated");
    assert_eq!(code(&sized(*b"00000010000\0")), "truncated");
    // The next header is then in the middle of the file, or of zeros.
    assert_eq!(code(&sized(*b"00000000000\0")), "bad-header");
    assert_eq!(code(&sized(*b"\x80\0\0\0\0\0\0\0\0\0\0\x0a")), "bad-header");
    assert_eq!(code(&sized([0xff; 12])), "bad-header");
    assert_eq!(code(&sized(*b"-0000000012\0")), "bad-header");
    assert_eq!(code(&sized(*b"abc\0\0\0\0\0\0\0\0\0")), "bad-header");
}

#[test]
fn a_header_without_magic_or_checksum_is_refused() {
    let mut archive = sample();
    archive[0] ^= 1;
    assert_eq!(code(&archive), "bad-header");
    let archive = changed(0, |header| header.as_ustar_mut().unwrap().magic = [0; 6]);
    assert_eq!(code(&archive), "bad-header");
    assert_eq!(code(&[b'x'; 2_048]), "bad-header");
}

#[test]
fn a_compressed_archive_is_named() {
    for (start, with) in COMPRESSED {
        let mut bytes = start.to_vec();
        bytes.resize(1_024, 0);
        let error = read_all(&bytes).unwrap_err();
        assert_eq!(error.code(), "compressed");
        assert!(error.to_string().contains(with), "{error}");
    }
}

#[test]
fn more_than_16_mib_or_1000_files_are_refused() {
    let large = vec![0; BYTES_MAX + BLOCK];
    assert_eq!(code(&large), "too-large");
    assert_eq!(write([("a", &large[..])]).unwrap_err().code(), "too-large");
    let names: Vec<_> = (0..=FILES_MAX)
        .map(|number| format!("f/{number}"))
        .collect();
    let files = |count: usize| names[..count].iter().map(|name| (name.as_str(), &b""[..]));
    let most = write(files(FILES_MAX)).unwrap();
    assert_eq!(read_all(&most).unwrap().len(), FILES_MAX);
    assert_eq!(
        write(files(FILES_MAX + 1)).unwrap_err().code(),
        "too-many-files"
    );
    // One more file in front of the end.
    let mut more = most[..most.len() - END_BLOCKS * BLOCK].to_vec();
    more.extend(sample());
    assert_eq!(code(&more), "too-many-files");
}

/// An archive with a pax header of these records before the second file.
fn with_records(kind: u8, records: &[u8]) -> Vec<u8> {
    let mut archive = sample();
    let mut header = Header::new_ustar();
    header.set_size(records.len() as u64);
    header.as_old_mut().linkflag = [kind];
    header.as_old_mut().name[..7].copy_from_slice(b"PaxHead");
    header.set_cksum();
    let mut entry = header.as_bytes().to_vec();
    entry.extend(records);
    entry.resize(entry.len().next_multiple_of(BLOCK), 0);
    archive.splice(2 * BLOCK..2 * BLOCK, entry);
    archive
}

/// Writes a pax record, which begins with its own length.
fn record(text: &str) -> Vec<u8> {
    let length = |digits: usize| digits + " ".len() + text.len() + "\n".len();
    let digits = (1..4).find(|digits| length(*digits).to_string().len() == *digits);
    format!("{} {text}\n", length(digits.unwrap())).into_bytes()
}

#[test]
fn pax_records_may_have_times_and_owners_but_no_name_size_or_kind() {
    for kind in [b'x', b'g'] {
        let harmless = [
            "mtime=1764403200.123456789",
            "uname=a",
            "SCHILY.xattr.user.a=xyz",
        ];
        let harmless = harmless.map(record).concat();
        assert_eq!(read_all(&with_records(kind, &harmless)).unwrap().len(), 2);
        for text in [
            "path=../x",
            "linkpath=a",
            "GNU.sparse.major=1",
            "GNU.sparse.name=a",
            "SCHILY.realsize=1",
            "hdrcharset=BINARY",
            "size=12",
            "other=",
        ] {
            let records = [record("mtime=1"), record(text)].concat();
            assert_eq!(code(&with_records(kind, &records)), "not-a-file", "{text}");
        }
        for records in [
            &b"x"[..],
            b"99 mtime=1\n",
            b"mtime=1\n",
            b"10 mtime=1",
            b"\n13 path=../x\n",
            b"11 mtime=1\n\n13 path=../x\n",
        ] {
            let shown = String::from_utf8_lossy(records).into_owned();
            assert_eq!(code(&with_records(kind, records)), "bad-header", "{shown}");
        }
    }
}
