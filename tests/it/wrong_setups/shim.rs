//! A library that the daemon loads before libc: its clock begins in 1970, or its name server knows
//! no host. The clock of this machine must not change, and no test asks a name server.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  static time_t first;
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(id, time);
  if (failed || id != CLOCK_REALTIME || !getenv("SHIM_1970")) return failed;
  if (!first) first = time->tv_sec;
  time->tv_sec += 120 - first;
  return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  if (!real) real = dlsym(RTLD_NEXT, "getaddrinfo");
  if (getenv("SHIM_NO_HOST")) return EAI_NONAME;
  return real(node, service, hints, found);
}
"#;

/// Compiles the library into `dir`, with the linker that Rust needs anyway.
pub fn compile(dir: &Path) -> PathBuf {
    let (source, library) = (dir.join("shim.c"), dir.join("shim.so"));
    std::fs::write(&source, SOURCE).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(cc.arg("-ldl").status().unwrap().success());
    library
}
