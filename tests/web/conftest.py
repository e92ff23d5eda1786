"""The story's world, for tests of pages."""

from tests.api.conftest import lived, make_world, quiet  # noqa: F401
