"""Being here puts this folder on ``sys.path``: tests anywhere import ``nets``, ``zoo`` and ``report_samples``."""
