"""Write the reference: `python -m workloadlab.handbook docs/reference`."""

import sys
from pathlib import Path

from workloadlab.handbook.pages import write_pages

write_pages(Path(sys.argv[1]))
