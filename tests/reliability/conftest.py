"""How many examples hypothesis draws, and which files here are programs and not tests."""

import os

from hypothesis import HealthCheck, settings

collect_ignore = ["fuzz.py", "mutations.py", "targets.py"]

COMMON = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("quick", max_examples=12, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=60, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
