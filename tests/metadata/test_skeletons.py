"""What new definitions begin with: documents that can be read as they stand."""

from __future__ import annotations

import pytest

from metadata.documents import read_text
from metadata.kinds import SECTIONS
from metadata.skeletons import skeleton


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_skeleton_is_a_document_with_one_definition(kind: str) -> None:
    found = read_text(skeleton(kind, "some.thing")).blueprint
    assert [(kind, key) for kind, key, _ in found] == [(kind, "some.thing")]
