"""Measures what the conformance run reaches of the engine: `python -m conformance.coverage`.

Builds the extension with instrumentation into `target/coverage`, runs the suite with it, and reports
regions, branches and lines of `rust/engine/src`. Ends with code 1 below the bar.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_TARGET: Final = _ROOT / "target" / "coverage"
_ENGINE: Final = _ROOT / "rust" / "engine" / "src"
_BAR: Final = 97.0  # per cent of regions


def main() -> int:
    """Builds, runs, reports."""
    parser = argparse.ArgumentParser(prog="conformance.coverage", description=__doc__)
    parser.add_argument(
        "checks", type=int, nargs="?", default=300_000, help="how many checks to run, at least"
    )
    arguments = parser.parse_args()
    tools = _llvm_tools()
    package = _build()
    profile = _run(package, arguments.checks, tools)
    exported = subprocess.run(
        [tools / "llvm-cov", "export", "-format=text", f"-instr-profile={profile}", _library(), _ENGINE],
        check=True,
        capture_output=True,
    )
    return _report(json.loads(exported.stdout)["data"][0])


def _llvm_tools() -> Path:
    """The tools that fit the compiler; installs them if they are not there."""
    sysroot = _output("rustc", "--print", "sysroot")
    host = next(line for line in _output("rustc", "-vV").splitlines() if line.startswith("host: "))
    tools = Path(sysroot, "lib", "rustlib", host.removeprefix("host: "), "bin")
    if not (tools / "llvm-cov").exists():
        print("Installing the compiler's llvm-tools with rustup.", flush=True)
        if shutil.which("rustup") is None:
            sys.exit("rustup is needed to install the llvm-tools of the compiler: https://rustup.rs")
        subprocess.run(["rustup", "component", "add", "llvm-tools"], check=True)
    return tools


def _library() -> Path:
    suffix = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
    return _TARGET / "debug" / f"{'' if suffix == 'dll' else 'lib'}_native.{suffix}"


def _build() -> Path:
    """The package with an instrumented extension: the directory to import it from."""
    print("Building the instrumented extension.", flush=True)
    flags = "-C instrument-coverage -Z coverage-options=branch"
    # The stable compiler counts branches only if it is told that it may.
    changed = {"RUSTFLAGS": flags, "RUSTC_BOOTSTRAP": "1", "CARGO_PROFILE_DEV_OPT_LEVEL": "1"}
    changed |= {"CARGO_TARGET_DIR": str(_TARGET), "LLVM_PROFILE_FILE": os.devnull}
    if sys.platform == "darwin":  # Python's symbols are found when the extension is loaded
        changed["RUSTFLAGS"] += " -C link-arg=-undefined -C link-arg=dynamic_lookup"
    subprocess.run(
        [
            "cargo",
            "build",
            "--locked",
            "--quiet",
            "-p",
            "statsig-fastly-native",
            "--features",
            "pyo3/abi3-py310",
        ],
        check=True,
        cwd=_ROOT,
        env={**os.environ, **changed},
    )
    package = _TARGET / "python" / "statsig_fastly"
    shutil.rmtree(package, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(_ROOT / "python" / "statsig_fastly", package, ignore=ignored)
    shutil.copy(_library(), package / ("_native.pyd" if sys.platform == "win32" else "_native.abi3.so"))
    return package.parent


def _run(package: Path, checks: int, tools: Path) -> Path:
    """Runs the suite; the merged profile of its processes."""
    profiles = _TARGET / "profiles"
    shutil.rmtree(profiles, ignore_errors=True)
    paths = os.pathsep.join([str(package), str(_ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "LLVM_PROFILE_FILE": str(profiles / "%p.profraw")}
    command = [sys.executable, "-m", "conformance", str(checks), "--users", "200"]
    if subprocess.run(command, check=False, env=environment, cwd=_ROOT).returncode:
        print("The run found differences; what it reached is reported all the same.", flush=True)
    merged = _TARGET / "conformance.profdata"
    raw = sorted(profiles.glob("*.profraw"))
    subprocess.run([tools / "llvm-profdata", "merge", "-sparse", *raw, "-o", merged], check=True)
    return merged


def _report(data: dict[str, Any]) -> int:
    """Prints a line per file, what was not reached, and the totals."""
    for entry in sorted(data["files"], key=lambda entry: str(entry["filename"])):
        summary = entry["summary"]
        name = Path(entry["filename"]).relative_to(_ENGINE)
        print(f"{name!s:24} {_shares(summary)}")
        for line, column, *_ in _unreached(entry["segments"]):
            text = Path(entry["filename"]).read_text(encoding="utf-8").splitlines()[line - 1].strip()
            print(f"    not reached: {line}:{column}  {text[:100]}")
    print(f"{'engine':24} {_shares(data['totals'])}")
    reached = float(data["totals"]["regions"]["percent"])
    print(f"{reached:.2f} % of the engine's regions were reached; the bar is {_BAR:.0f} %")
    return 0 if reached >= _BAR else 1


def _shares(summary: dict[str, Any]) -> str:
    parts = []
    for what in ("regions", "branches", "lines", "functions"):
        found = summary[what]
        parts.append(f"{what} {found['covered']:5}/{found['count']:<5} {found['percent']:6.2f} %")
    return "  ".join(parts)


def _unreached(segments: list[list[Any]]) -> list[list[Any]]:
    """Starts of regions that were not run: segments of line, column, count, and what they are."""
    return [
        segment
        for segment in segments
        if segment[2] == 0 and segment[3] and segment[4] and not (len(segment) > 5 and segment[5])
    ]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
