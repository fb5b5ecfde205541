//! Small file systems, which a test fills. Only root may mount them.

use std::path::PathBuf;
use std::process::Command;

/// A small file system of its own.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn new(path: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let mounted = Self(path);
        mounted.mount(&[
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size},mode=700"),
            "tmpfs",
        ]);
        mounted
    }

    pub fn grow(&self, size: &str) {
        self.mount(&["-o", &format!("remount,size={size}")]);
    }

    fn mount(&self, arguments: &[&str]) {
        let status = Command::new("mount").args(arguments).arg(&self.0).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The gateway may still run.
        let status = Command::new("umount").arg("-l").arg(&self.0).status();
        drop(status);
    }
}
