"""The fixtures are in fixtures.py, so that tests/regress has them too."""
from fixtures import *  # noqa: F401,F403
