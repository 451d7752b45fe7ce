"""Builds the engine as a WebAssembly side module, which `fastly-compute-py build` links into components.

In: the crate `rust/python` and the sources of Rust's standard library. Out: `_native.abi3.so` in the package
beside this file. The standard library is built anew because the one that comes with Rust cannot be linked
dynamically. Its sources come with `rustup component add rust-src`, or with Debian's rust-web-src.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATE = ROOT / "rust" / "python"
MODULE = Path(__file__).parent / "statsig_fastly_compute" / "_native.abi3.so"
TARGET = "wasm32-wasip1"
BUILT = ROOT / "target" / "compute"


def main() -> None:
    """Builds the module; ends with one line that says what is missing, if something is."""
    rustc = os.environ.get("RUSTC", "rustc")
    sysroot = Path(_output([rustc, "--print", "sysroot"], "a Rust toolchain is needed: https://rustup.rs"))
    if not (sysroot / "lib/rustlib/src/rust/library/std/Cargo.toml").exists():
        sys.exit(
            "the sources of Rust's standard library are needed: rustup component add rust-src "
            "(or, with Debian's rustc-web, apt-get install rust-web-src)"
        )
    linker = _linker(sysroot)
    _run(
        [
            *("cargo", "rustc", "--locked", "--profile", "compute", "--target", TARGET),
            *("--features", "pyo3/abi3-py310", "--crate-type", "staticlib"),
            "-Zbuild-std=std,panic_abort",
        ],
        {
            # The compiler is a stable one. `-Zbuild-std` needs this, and two switches that save space: fewer
            # entries in tables, and no file names and line numbers in the messages of panics.
            "RUSTC_BOOTSTRAP": "1",
            "RUSTFLAGS": "-Crelocation-model=pic -Zdefault-visibility=hidden -Zlocation-detail=none",
            "PYO3_NO_PYTHON": "1",
            "CARGO_TARGET_DIR": str(BUILT),
        },
    )
    _run(
        [
            *(*linker, "--experimental-pic", "-shared", "--unresolved-symbols=import-dynamic"),
            *("--export=PyInit__native", "--gc-sections", "--strip-all", "-O2"),
            *(str(BUILT / TARGET / "compute" / "lib_native.a"), "-o", str(MODULE)),
        ],
        {},
    )
    print(f"{MODULE.relative_to(ROOT)}: {MODULE.stat().st_size / 1e6:.2f} MB")


def _linker(sysroot: Path) -> list[str]:
    """The WebAssembly linker that comes with Rust, else a system's."""
    for lld in sorted(sysroot.glob("lib/rustlib/*/bin/rust-lld")):
        return [str(lld), "-flavor", "wasm"]
    for name in ("wasm-ld", *(f"wasm-ld-{version}" for version in range(22, 15, -1))):
        if found := shutil.which(name):
            return [found]
    sys.exit("a linker for WebAssembly is needed: rust-lld comes with rustup's Rust, wasm-ld with lld")


def _output(command: list[str], missing: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        sys.exit(missing)
    except subprocess.CalledProcessError as failure:
        # Such as that of rustup where it has no toolchain.
        sys.exit(f"{missing} ({command[0]} says: {' '.join(failure.stderr.split())})")


def _run(command: list[str], environment: dict[str, str]) -> None:
    try:
        subprocess.run(command, check=True, cwd=CRATE, env={**os.environ, **environment})
    except FileNotFoundError:
        sys.exit(f"{command[0]} is needed")
    except subprocess.CalledProcessError as failure:
        sys.exit(failure.returncode)


if __name__ == "__main__":
    main()
