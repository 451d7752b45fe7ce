"""What is shipped: the sdist builds alone, and the wheel needs neither Rust nor sources beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="building needs a Rust toolchain")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "maturin", "sdist", "--out", out, cwd=ROOT)
    (built,) = out.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the unpacked sdist, as pip does it."""
    work = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        if sys.version_info >= (3, 12):
            archive.extractall(work, filter="data")
        else:
            archive.extractall(work)  # noqa: S202 - made by the fixture above
    (source,) = work.iterdir()
    # A target directory of its own, or cargo would take what it built from the checkout. Unoptimised,
    # because only whether it builds is in question.
    quick = {"OPT_LEVEL": "0", "LTO": "false", "CODEGEN_UNITS": "16"}
    env = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in quick.items()}
    env["CARGO_TARGET_DIR"] = str(work / "target")
    run(sys.executable, "-m", "maturin", "build", "--release", "--out", work / "dist", cwd=source, env=env)
    (built,) = (work / "dist").glob("*.whl")
    return built


def test_sdist_holds_what_a_build_needs_and_no_more(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    needed = {
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
        "python/statsig_fastly/__init__.py",
        "python/statsig_fastly/_native.pyi",
        "python/statsig_fastly/py.typed",
        "rust/engine/src/lib.rs",
        "rust/python/src/lib.rs",
    }
    assert needed <= names
    assert not [name for name in names if name.endswith((".so", ".pyc", ".pyd"))]
    assert not [
        name for name in names if name.startswith(("target/", ".venv/", "tests/", "rust/engine/tests/"))
    ]


def test_wheel_holds_the_package_and_no_sources(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "statsig_fastly/_native.abi3.so" in names
    assert "statsig_fastly/py.typed" in names
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert not [name for name in names if name.endswith((".rs", ".toml", ".pyc"))]


def test_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=tmp_path)
    program = """
import statsig_fastly as s
from statsig_fastly.sample_project import sample_project
with s.Statsig("secret-key", s.StatsigOptions(data_adapter=s.MemoryAdapter(sample_project()))) as statsig:
    print(sum(statsig.check_gate(f"user-{i}", "test_fastly") for i in range(1000)))
"""
    passed = int(run(python, "-c", program, cwd=tmp_path))
    assert 400 < passed < 600
    # The command says what it needs instead of failing with a traceback.
    command = tmp_path / "venv" / "bin" / "statsig-fastly"
    done = subprocess.run([command, "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'statsig-fastly[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_wheels_are_optimised_for_can_be_run() -> None:
    run(sys.executable, ROOT / "benches" / "train.py", cwd=ROOT)
