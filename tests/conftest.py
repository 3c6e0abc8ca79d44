"""What all tests share: the slow tier, the browser, the GPU, and the real data."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# As `course lab` does, and before PyTorch reads it: see `lab_environment`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

ROOT = Path(__file__).parent.parent
SHARED_DATA = Path(os.environ.get("COURSE_TEST_DATA", ROOT.parent / "shared" / "data"))


def pytest_configure(config: pytest.Config) -> None:
    """More examples in the slow tier; the same ones each time, so that a failure in CI can be seen again."""
    examples = 400 if config.getoption("--slow") else 100
    settings.register_profile("course", max_examples=examples, deadline=None, derandomize=True)
    settings.load_profile("course")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tier too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow tier: run with --slow"))
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
        # With CI=true a missing browser must fail, so the test is left to run into it.
        if "browser" in item.keywords and not chromium and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip(reason="no Chromium on the PATH (Debian: apt-get install chromium)"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets; read-only."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data not at {SHARED_DATA}; set COURSE_TEST_DATA")
    return SHARED_DATA


@pytest.fixture(scope="session")
def data_root(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A writable data folder that holds the real MNIST files as they are downloaded."""
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(shared_data / "MNIST", root / "MNIST")
    for folder in (root / "MNIST", root / "MNIST" / "raw"):
        folder.chmod(0o755)
    return root
