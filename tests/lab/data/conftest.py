from __future__ import annotations

from pathlib import Path

import pytest

from samebody.lab.data import DataSet, SourceOptions, ingest
from tests.lab.data.pictures import folder

OPTIONS = SourceOptions(pattern="{subject}/*", constants={"source": "made", "licence": "CC0-1.0"})


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    """Four subjects with three pictures each, ingested."""
    ingest([str(folder(tmp_path / "raw"))], tmp_path / "set", options=OPTIONS, workers=1)
    return DataSet.open(tmp_path / "set")
