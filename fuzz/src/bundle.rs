//! Any bytes as a bundle and as a stop: reading does not panic; accepted paths stay inside their
//! directory; an archive that was read is the same after it is written and read again; and what is
//! accepted as signed is exactly what the key signed.
//!
//! Each input is read twice: unchanged, and with the checksums of tar headers corrected, so that
//! mutations reach what is behind the checksum.

use std::path::{Component, Path};
use std::sync::LazyLock;

use bytes::Bytes;
use stockrelay::fleet::{Bundle, Manifest, Stop, Trust, archive, layout, stop, verify};

/// The key that signed the seeds was deleted: no other manifest has its signature.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let text = include_str!("../../tests/bundles/by-hand/trust.toml");
    Trust::parse(text, "trust.toml").expect("a trust.toml")
});
const SIGNED: &[u8] = include_bytes!("../../tests/bundles/by-hand/ustar.bundle");
const BLOCK: usize = 512;

/// The input: the bytes of a tar file.
pub fn check(input: &[u8]) {
    check_archive(&Bytes::copy_from_slice(input));
    check_archive(&correct_checksums(input).into());
}

fn check_archive(input: &Bytes) {
    if let Ok(entries) = archive::read(input) {
        for entry in &entries {
            let mut parts = Path::new(&entry.path).components();
            assert!(parts.all(|part| matches!(part, Component::Normal(_))));
        }
        let files = entries
            .iter()
            .map(|entry| (entry.path.as_str(), &entry.bytes[..]));
        let written = archive::write(files).expect("accepted paths and sizes");
        assert_eq!(archive::read(&written.into()), Ok(entries));
    }
    if let Ok(bundle) = Bundle::read(input) {
        assert!(bundle.files.keys().all(|path| layout::is_accepted(path)));
        assert_eq!(bundle.files.len(), bundle.manifest.files.len());
    }
    if let Ok(verified) = verify(input, &TRUST) {
        let manifest = &SIGNED[BLOCK..][..verified.bundle.manifest_bytes.len()];
        assert_eq!(verified.bundle.manifest_bytes, manifest);
    }
    if let Ok(stop) = stop::verify(input, &TRUST) {
        assert_eq!((stop.serial, stop.stop, stop.count), (42, true, 1));
    }
    let text = String::from_utf8_lossy(input.get(BLOCK..).unwrap_or_default());
    let text = text.trim_end_matches('\0');
    let _ = (
        Manifest::parse(text),
        Stop::parse(text),
        Trust::parse(text, ""),
    );
}

/// Writes the right checksum into each header, as far as the sizes lead from one to the next.
fn correct_checksums(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = str::from_utf8(&header[124..135]).unwrap_or_default();
        let size = usize::from_str_radix(size, 8).unwrap_or(0).min(input.len());
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
    bytes
}
