"""The same requests through several gateways; the fixtures are the flow tests'."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))

from fixtures import *  # noqa: E402,F401,F403
